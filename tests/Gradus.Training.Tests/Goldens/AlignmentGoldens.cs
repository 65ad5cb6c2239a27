using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Testing;
using Gradus.Training.Alignment;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Preference losses, advantages and policy losses against TRL.</summary>
public sealed class AlignmentGoldens
{
    private static JsonObject Preferences => Read("preference_losses");

    private static JsonObject Ppo => Read("ppo");

    private static JsonObject Grpo => Read("grpo");

    public static TheoryData<string> PreferenceCases() => CasesOf("preference_losses");

    public static TheoryData<string> GrpoCases() => CasesOf("grpo");

    [SharedTheory("golden", "alignment", "preference_losses")]
    [MemberData(nameof(PreferenceCases))]
    public void PreferenceLossesAreTheSame(string name)
    {
        JsonObject about = Preferences["cases"]![name]!.AsObject();
        JsonNode p = about["params"]!;
        switch (name.Split('_')[0])
        {
            case "kto":
                Unpaired(name, about, p);
                break;
            case "reward":
                Rewards(name, about, p);
                break;
            default:
                Pairs(name, about, p);
                break;
        }
    }

    private static void Pairs(string name, JsonObject about, JsonNode p)
    {
        bool orpo = name.StartsWith("orpo", StringComparison.Ordinal), dpo = name.StartsWith("dpo", StringComparison.Ordinal);
        PreferenceLoss loss = dpo ? OfDpo(p) : orpo ? new OrpoLoss((double)p["beta"]!) : OfCpo(p);
        JsonNode inputs = Preferences[dpo ? "inputs" : "average_logp_inputs"]!;
        double[] chosen = Numbers(inputs["policy_chosen_logps"]!), rejected = Numbers(inputs["policy_rejected_logps"]!);
        double[] refChosen = dpo ? Numbers(inputs["ref_chosen_logps"]!) : new double[chosen.Length], refRejected = dpo ? Numbers(inputs["ref_rejected_logps"]!) : new double[chosen.Length];
        double[] rewardsChosen = [.. chosen.Select((c, i) => loss.Reward(c, refChosen[i]))], rewardsRejected = [.. rejected.Select((r, i) => loss.Reward(r, refRejected[i]))];
        Close($"{name}: rewards", Numbers(about["chosen_rewards"]!), rewardsChosen);
        Close($"{name}: rewards", Numbers(about["rejected_rewards"]!), rewardsRejected);
        IReadOnlyList<PairLoss> losses = loss.Losses(new PreferencePairs(chosen, rejected, refChosen, refRejected, rewardsChosen.Concat(rewardsRejected).Average()));
        // TRL subtracts ORPO's.
        double sign = orpo ? -1 : 1;
        Close($"{name}: losses", Numbers(about["losses"]!), [.. losses.Select(l => sign * l.Loss.Value)]);
        double[] byChosen = new double[chosen.Length], byRejected = new double[chosen.Length];
        foreach (PairLoss l in losses)
        {
            byChosen[l.ChosenOf] += sign * l.Loss.Chosen / losses.Count;
            byRejected[l.RejectedOf] += sign * l.Loss.Rejected / losses.Count;
        }
        Close($"{name}: gradient", Numbers(about["grad_of_mean"]!["policy_chosen_logps"]!), byChosen);
        Close($"{name}: gradient", Numbers(about["grad_of_mean"]!["policy_rejected_logps"]!), byRejected);
    }

    private static void Unpaired(string name, JsonObject about, JsonNode p)
    {
        JsonNode inputs = Preferences["kto_inputs"]!;
        (double beta, double good, double bad) = ((double)p["beta"]!, (double)p["desirable_weight"]!, (double)p["undesirable_weight"]!);
        UnpairedLoss loss = (string)p["loss_type"]! == "kto" ? new KtoLoss(beta, good, bad) : new ApoZeroUnpairedLoss(beta, good, bad);
        double kl = UnpairedLoss.Kl(Numbers(inputs["policy_KL_logps"]!).Zip(Numbers(inputs["reference_KL_logps"]!), (a, b) => a - b));
        if (loss.UsesKl)
            Close($"{name}: kl", [(double)about["kl"]!], [kl]);
        double[] chosen = Numbers(inputs["policy_chosen_logps"]!), rejected = Numbers(inputs["policy_rejected_logps"]!);
        double[] refChosen = Numbers(inputs["reference_chosen_logps"]!), refRejected = Numbers(inputs["reference_rejected_logps"]!);
        Dual[] losses = [.. chosen.Select((c, i) => loss.Loss(c, refChosen[i], true, kl)), .. rejected.Select((r, i) => loss.Loss(r, refRejected[i], false, kl))];
        Close($"{name}: losses", Numbers(about["losses"]!), [.. losses.Select(l => l.Value)]);
        Close($"{name}: mean", [(double)about["mean_loss"]!], [losses.Average(l => l.Value)]);
        double[] slopes = [.. losses.Select(l => l.Chosen / losses.Length)];
        Close($"{name}: gradient", [.. Numbers(about["grad_of_mean"]!["policy_chosen_logps"]!), .. Numbers(about["grad_of_mean"]!["policy_rejected_logps"]!)], slopes);
    }

    private static void Rewards(string name, JsonObject about, JsonNode p)
    {
        JsonNode inputs = Preferences["reward_inputs"]!;
        RewardLoss loss = new((double?)p["center_rewards_coefficient"] ?? 0);
        double[] chosen = Numbers(inputs["rewards_chosen"]!), rejected = Numbers(inputs["rewards_rejected"]!);
        double[] margins = (bool)p["margin"]! ? Numbers(inputs["margin"]!) : new double[chosen.Length];
        Dual[] losses = [.. chosen.Select((c, i) => loss.Loss(c, rejected[i], margins[i]))];
        Close($"{name}: mean", [(double)about["mean_loss"]!], [losses.Average(l => l.Value)]);
        Close($"{name}: gradient", Numbers(about["grad_of_mean"]!["rewards_chosen"]!), [.. losses.Select(l => l.Chosen / losses.Length)]);
        Close($"{name}: gradient", Numbers(about["grad_of_mean"]!["rewards_rejected"]!), [.. losses.Select(l => l.Rejected / losses.Length)]);
    }

    [SharedFact("golden", "alignment", "ppo")]
    public void GeneralizedAdvantagesAreTheSame()
    {
        int[] lengths = Lengths();
        double[][] rewards = Rows(Ppo["inputs"]!["rewards"]!, lengths), values = Rows(Ppo["inputs"]!["values"]!, lengths);
        foreach ((string name, JsonNode? about) in Ppo["gae"]!.AsObject())
        {
            GeneralizedAdvantage plain = new((double)about!["gamma"]!, (double)about["lam"]!, Whitened: false);
            ScoredAnswers answers = new([.. rewards.Select(r => r[^1])], 1, rewards, values);
            Advantages given = plain.Estimate(answers);
            Close($"{name}: advantages", Rows(about["advantages"]!, lengths), given.Tokens);
            Close($"{name}: returns", Rows(about["returns"]!, lengths), given.Returns!);
            Close($"{name}: whitened", Rows(about["whitened_advantages"]!, lengths), (plain with { Whitened = true }).Estimate(answers).Tokens);
        }
        double[] masked = [.. Rows(Ppo["whitening"]!["values"]!, lengths).SelectMany(r => r)];
        Close("whitening", [.. Rows(Ppo["whitening"]!["shift_mean"]!, lengths).SelectMany(r => r)], AdvantageEstimator.Whiten(masked));
        Close("whitening", [.. Rows(Ppo["whitening"]!["keep_mean"]!, lengths).SelectMany(r => r)], AdvantageEstimator.Whiten(masked, keepMean: true));
    }

    [SharedFact("golden", "alignment", "ppo")]
    public void ClippedLossesAreTheSame()
    {
        int[] lengths = Lengths();
        int tokens = lengths.Sum();
        JsonNode inputs = Ppo["inputs"]!, gae = Ppo["gae"]!.AsObject().First().Value!;
        double[][] now = Rows(inputs["logprobs_new"]!, lengths), old = Rows(inputs["logprobs_old"]!, lengths);
        foreach ((string name, JsonNode? about) in Ppo["policy_loss"]!.AsObject())
        {
            double[][] advantages = Rows(Ppo["gae"]![Basis(about!["advantages"]!)]!["whitened_advantages"]!, lengths);
            double clip = (double)about["cliprange"]!;
            TokenLosses[] losses = [.. now.Select((n, i) => new PolicyLoss(clip, clip).Of(n, old[i], [], advantages[i]))];
            Close($"{name}: loss", [(double)about["loss"]!], [losses.Sum(l => l.Losses.Sum()) / tokens]);
            Close($"{name}: gradient", Rows(about["grad_logprobs_new"]!, lengths), [.. losses.Select(l => (IReadOnlyList<double>)[.. l.Slopes.Select(s => s / tokens)])]);
        }
        double[][] values = Rows(inputs["values_new"]!, lengths), sampled = Rows(inputs["values"]!, lengths);
        foreach ((string name, JsonNode? about) in Ppo["value_loss"]!.AsObject())
        {
            double[][] returns = Rows(Ppo["gae"]![Basis(about!["returns"]!)]!["returns"]!, lengths);
            (double Loss, double Slope)[][] losses = [.. values.Select((v, i) => v.Select((x, t) => PolicyLoss.Value(x, sampled[i][t], returns[i][t], (double)about["cliprange_value"]!)).ToArray())];
            Close($"{name}: loss", [(double)about["loss"]!], [losses.Sum(l => l.Sum(x => x.Loss)) / tokens]);
            Close($"{name}: gradient", Rows(about["grad_values_new"]!, lengths), [.. losses.Select(l => (IReadOnlyList<double>)[.. l.Select(x => x.Slope / tokens)])]);
        }
        Assert.NotNull(gae);

        static string Basis(JsonNode words) => ((string)words!).Split(' ')[1];
    }

    [SharedFact("golden", "alignment", "ppo")]
    public void DivergencesAreTheSame()
    {
        int[] lengths = Lengths();
        double[][] now = Rows(Ppo["inputs"]!["logprobs_old"]!, lengths), reference = Rows(Ppo["inputs"]!["logprobs_ref"]!, lengths);
        foreach (KlEstimator estimator in Enum.GetValues<KlEstimator>())
        {
            string name = $"{estimator}".ToLowerInvariant();
            double[][] kl = [.. now.Select((n, i) => n.Select((x, t) => PolicyLoss.Kl(estimator, x, reference[i][t])).ToArray())];
            Close(name, Rows(Ppo["kl"]![name]!, lengths), kl);
            Close(name, [(double)Ppo["kl"]![$"masked_mean_{name}"]!], [kl.SelectMany(k => k).Average()]);
        }
    }

    [SharedFact("golden", "alignment", "grpo")]
    public void GroupAdvantagesAreTheSame()
    {
        JsonNode about = Grpo["advantages"]!, rloo = Grpo["rloo_advantages"]!;
        double[] rewards = Numbers(about["rewards"]!);
        ScoredAnswers answers = new(rewards, (int)about["num_generations"]!, [.. rewards.Select(r => (IReadOnlyList<double>)[r])]);
        Close("none", Numbers(about["none"]!), First(new GroupAdvantage(GroupScale.None)));
        Close("group", Numbers(about["group"]!), First(new GroupAdvantage()));
        Close("batch", Numbers(about["batch"]!), First(new GroupAdvantage(GroupScale.Batch)));
        Close("rloo", Numbers(rloo["advantages"]!), First(new LeaveOneOutAdvantage()));
        Close("rloo", Numbers(rloo["normalized"]!), First(new LeaveOneOutAdvantage(Normalized: true)));

        double[] First(AdvantageEstimator estimator) => [.. estimator.Estimate(answers).Tokens.Select(t => t[0])];
    }

    [SharedTheory("golden", "alignment", "grpo")]
    [MemberData(nameof(GrpoCases))]
    public void GroupPolicyLossesAreTheSame(string name)
    {
        JsonNode about = Grpo["cases"]![name]!, p = about["params"]!, inputs = Grpo["inputs"]!;
        int[] lengths = [.. inputs["completion_mask"]!.AsArray().Select(r => r!.AsArray().Sum(m => (int)m!))];
        double[][] now = Rows(inputs["per_token_logps"]!, lengths), reference = Rows(inputs["ref_per_token_logps"]!, lengths);
        double[][] old = (bool)p["old_equals_new"]! ? now : Rows(inputs["old_per_token_logps"]!, lengths);
        double[] advantages = Numbers(inputs["advantages"]!);
        double beta = (double)p["beta"]!, longest = (double)p["max_completion_length"]!;
        PolicyLoss loss = new(
            (double)p["epsilon_low"]!, (double)p["epsilon_high"]!, (double?)p["delta"] ?? 0,
            (string)p["importance_sampling_level"]! == "token" ? RatioLevel.Token : RatioLevel.Sequence,
            TopEntropyShare: (double)p["top_entropy_quantile"]!, KlCoefficient: beta);
        bool[] counts = loss.HighestEntropy([.. Rows(inputs["entropies"]!, lengths).SelectMany(r => r)]);
        double sum = 0, kl = 0;
        int at = 0, tokens = lengths.Sum(), low = 0, high = 0;
        List<double[]> gradient = [];
        for (int i = 0; i < now.Length; i++)
        {
            int n = lengths[i];
            TokenLosses losses = loss.Of(now[i], old[i], beta > 0 ? reference[i] : [], [.. Enumerable.Repeat(advantages[i], n)], counts.AsSpan(at, n));
            double weight = (string)p["loss_type"]! switch
            {
                "grpo" => 1.0 / n / now.Length,
                "dr_grpo" => 1 / (longest * now.Length),
                _ => 1.0 / tokens,
            };
            sum += weight * losses.Losses.Sum();
            gradient.Add([.. losses.Slopes.Zip(losses.Shared, (a, b) => weight * (a + b))]);
            kl += losses.Kl;
            low += losses.LowClipped;
            high += losses.HighClipped;
            at += n;
        }
        Close($"{name}: loss", [(double)about["loss"]!], [sum]);
        Close($"{name}: gradient", Rows(about["grad_per_token_logps"]!, lengths), gradient);
        JsonNode metrics = about["metrics"]!;
        if (metrics["kl"] is { } divergence)
            Close($"{name}: kl", [(double)divergence], [kl / tokens]);
        if ((string)p["importance_sampling_level"]! == "token")
            Close($"{name}: clipped", [(double)metrics["clip_ratio/low_mean"]!, (double)metrics["clip_ratio/high_mean"]!], [(double)low / tokens, (double)high / tokens]);
    }

    private static PreferenceLoss OfDpo(JsonNode p)
    {
        double beta = (double)p["beta"]!, smoothing = (double?)p["label_smoothing"] ?? 0;
        return (string)p["loss_type"]! switch
        {
            "sigmoid" => new SigmoidLoss(beta, smoothing, (bool?)p["reference_free"] ?? false, Divergence: (string?)p["f_divergence_type"] switch
            {
                "js_divergence" => FDivergence.JensenShannon,
                "alpha_divergence" => FDivergence.Alpha,
                _ => FDivergence.ReverseKl,
            }, Alpha: (double?)p["alpha"] ?? 1),
            "hinge" => new HingeLoss(beta),
            "ipo" => new IpoLoss(beta),
            "robust" => new RobustLoss(beta, smoothing),
            "exo_pair" => new ExoPairLoss(beta, smoothing),
            "nca_pair" => new NcaPairLoss(beta),
            "bco_pair" => new BcoPairLoss(beta),
            "sppo_hard" => new SppoHardLoss(beta),
            "apo_zero" => new ApoZeroLoss(beta),
            "apo_down" => new ApoDownLoss(beta),
            "discopop" => new DiscopopLoss(beta),
            "aot" => new AotLoss(beta, smoothing),
            "aot_pair" => new AotPairLoss(beta, smoothing),
            string other => throw new InvalidDataException($"{other}: no loss of ours is TRL's."),
        };
    }

    private static SinglePairLoss OfCpo(JsonNode p)
    {
        double beta = (double)p["beta"]!, smoothing = (double?)p["label_smoothing"] ?? 0;
        return (string)p["loss_type"]! switch
        {
            "simpo" => new SimpoLoss(beta, (double?)p["simpo_gamma"] ?? 0.5, smoothing, (double?)p["alphapo_alpha"] ?? 0),
            "hinge" => new CpoLoss(beta, smoothing, CpoShape.Hinge),
            "ipo" => new CpoLoss(beta, smoothing, CpoShape.Ipo),
            "sigmoid" => new CpoLoss(beta, smoothing),
            string other => throw new InvalidDataException($"{other}: no loss of ours is TRL's."),
        };
    }

    private static JsonObject Read(string area) => Checkpoint.ReadObject(SharedFolder.Find("golden", "alignment", area, "expected.json")!);

    private static TheoryData<string> CasesOf(string area) =>
        SharedFolder.Find("golden", "alignment", area) is null ? [] : [.. Read(area)["cases"]!.AsObject().Select(c => c.Key)];

    private static int[] Lengths() => [.. Ppo["inputs"]!["lengths"]!.AsArray().Select(l => (int)l!)];

    private static double[] Numbers(JsonNode node) => [.. node.AsArray().SelectMany(v => v is JsonArray row ? row.Select(x => (double)x!) : [(double)v!])];

    private static double[][] Rows(JsonNode node, int[] lengths) => [.. node.AsArray().Select((row, i) => row!.AsArray().Take(lengths[i]).Select(v => (double)v!).ToArray())];

    private static void Close(string what, IReadOnlyList<IReadOnlyList<double>> expected, IReadOnlyList<IReadOnlyList<double>> actual) =>
        Close(what, [.. expected.SelectMany(r => r)], [.. actual.SelectMany(r => r)]);

    private static void Close(string what, double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-6 + (1e-5 * Math.Abs(expected[i])), $"{what}[{i}]: {actual[i]}, expected {expected[i]}");
    }
}
