using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Alignment;
using Gradus.Training.Data;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Alignment;

/// <summary>
/// A world whose answers can all be written down: the best policy is π_ref·e^(r/β) divided by its sum Z, and E r − β·KL of it is β·log Z. Every method
/// is measured by how far it comes from the reference's value to that.
/// </summary>
public sealed class ExactWorldTests
{
    private const int Words = 8, End = 0;
    private const double Beta = 0.5;

    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    // One or two tokens; the end token ends an answer.
    private static readonly int[][] Answers = [[End], .. Enumerable.Range(1, Words - 1).SelectMany(a => Enumerable.Range(0, Words).Select(b => new[] { a, b }))];

    [Theory]
    [InlineData("rloo")]
    [InlineData("group")]
    [InlineData("reinforce")]
    [InlineData("ppo")]
    public void LearningFromOwnAnswersComesNearTheBestPolicy(string method)
    {
        AdvantageEstimator advantage = method switch
        {
            "rloo" => new LeaveOneOutAdvantage(),
            "group" => new GroupAdvantage(GroupScale.None),
            "reinforce" => new ReinforceAdvantage(),
            _ => new GeneralizedAdvantage(Whitened: false),
        };
        using GenerativeModel policy = Model(), reference = Model();
        reference.SetTrainable(false);
        OnPolicyOptions options = new(Prompts: 1, GroupSize: 64, MaxNewTokens: 2, Epochs: method == "ppo" ? 2 : 1) { Advantage = advantage, Kl = new KlControl(Beta), Loss = new PolicyLoss(Aggregation: LossAggregation.ConstantLength) };
        using OnPolicyObjective objective = new(policy, [[1]], [End], [RewardSource.Of("world", r => Reward(r.Answer))], reference, options, Precision.F32, seed: 1);
        using Trainer trainer = new(policy, objective, new TrainingOptions(150, ClipNorm: 1, Seed: 5) { Optimizer = new AdamW(5e-3, WeightDecay: 0), Schedule = new LinearSchedule() });
        double before = Value(policy, reference), best = Best(reference);
        for (int i = 0; i < 150; i++)
            trainer.Step();
        double after = Value(policy, reference);
        Assert.True((after - before) / (best - before) > 0.9, $"{method}: {before} → {after}, the best is {best}");
    }

    // What the reference hardly ever writes it is not told of.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void DirectPreferenceOptimizationComesNearTheBestPolicy(long seed)
    {
        using GenerativeModel policy = Model(), reference = Model();
        reference.SetTrainable(false);
        double before = Value(policy, reference), best = Best(reference);
        PreferenceExamples train = new(Pairs(Chances(reference), 4000, (ulong)seed), 600, (ulong)seed);
        train.SetReference(policy, Precision.F32);
        using Trainer trainer = new(policy, new PreferenceObjective(new SigmoidLoss(Beta), train), new TrainingOptions(150, Seed: seed) { Optimizer = new AdamW(5e-3, WeightDecay: 0), Schedule = new LinearSchedule() });
        Assert.Equal(Math.Log(2), trainer.Step().Loss, 1e-6);
        for (int i = 1; i < 150; i++)
            trainer.Step();
        double after = Value(policy, reference);
        Assert.True((after - before) / (best - before) > 0.7, $"{before} → {after}, the best is {best}: {(after - before) / (best - before):0.000}");
    }

    // The control: labels that say nothing move nothing towards the best policy.
    [Fact]
    public void ShuffledLabelsTeachNothing()
    {
        using GenerativeModel policy = Model(), reference = Model();
        reference.SetTrainable(false);
        double before = Value(policy, reference), best = Best(reference);
        PreferenceExample[] pairs = [.. Pairs(Chances(reference), 4000, 1).Select((p, i) => CounterRandom.Uniform(5, i) < 0.5 ? p : new PreferenceExample(p.Rejected, p.Chosen))];
        PreferenceExamples train = new(pairs, 3000, 1);
        train.SetReference(policy, Precision.F32);
        using Trainer trainer = new(policy, new PreferenceObjective(new SigmoidLoss(Beta), train), new TrainingOptions(100, Seed: 1) { Optimizer = new AdamW(5e-3, WeightDecay: 0), Schedule = new LinearSchedule() });
        for (int i = 0; i < 100; i++)
            trainer.Step();
        Assert.True((Value(policy, reference) - before) / (best - before) < 0.2);
    }

    // Two answers of the reference each, labelled as Bradley and Terry say.
    private static PreferenceExample[] Pairs(double[] chances, int count, ulong seed)
    {
        ulong key = CounterRandom.Derive(77, seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int[] a = Answers[Draw(chances, key, 3 * i)], b = Answers[Draw(chances, key, (3 * i) + 1)];
            bool first = CounterRandom.Uniform(key, (3 * i) + 2) < 1 / (1 + Math.Exp(Reward(b) - Reward(a)));
            return new PreferenceExample(Of(first ? a : b), Of(first ? b : a));
        }).Where(p => !p.Chosen.Ids.SequenceEqual(p.Rejected.Ids))];

        static Example Of(int[] answer) => new([1, .. answer], [false, .. answer.Select(_ => true)]);
    }

    [Fact]
    public void AReferenceThatIsNotTheStartIsRefused()
    {
        using GenerativeModel policy = Model(), other = Model(seed: 9);
        PreferenceExamples train = new([new PreferenceExample(new Example([1, 2, 3], [false, true, true]), new Example([1, 4], [false, true]))], 100, 0);
        train.SetReference(other, Precision.F32);
        using Trainer trainer = new(policy, new PreferenceObjective(new SigmoidLoss(), train), new TrainingOptions());
        Assert.Contains("the reference must be the model that training starts from", Assert.Throws<InvalidDataException>(trainer.Step).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutARewardNothingIsLearned()
    {
        using GenerativeModel policy = Model();
        using OnPolicyObjective objective = new(
            policy, [[1]], [End], [RewardSource.Of("nothing", _ => 0)], null, new OnPolicyOptions(1, 16, 2) { Advantage = new LeaveOneOutAdvantage() }, Precision.F32, seed: 1);
        using Trainer trainer = new(policy, objective, new TrainingOptions(3, Seed: 5) { Optimizer = new Sgd(1) });
        string before = TinyTraining.Sha(trainer.Parameters.Select(p => p.Value));
        for (int i = 0; i < 3; i++)
        {
            StepReport report = trainer.Step();
            Assert.Equal(1, report.Metrics["dead_groups"]);
        }
        Assert.Equal(before, TinyTraining.Sha(trainer.Parameters.Select(p => p.Value)));
    }

    private static GenerativeModel Model(ulong seed = 3)
    {
        GenerativeModel model = (GenerativeModel)Checkpoint.Create(new LlamaConfig(Words, 24, 48, 1, 4, 4, MaxPositionEmbeddings: 8, InitializerRange: 0.1f), seed, Device);
        model.SetTrainable(true);
        return model;
    }

    private static double Reward(int[] answer) => CounterRandom.Normal(41, answer.Aggregate(0, (sum, t) => (sum * Words) + t + 1));

    // π of every answer.
    private static double[] Chances(GenerativeModel model)
    {
        using Workspace w = model.Parts.Store.NewScratch(Precision.F32);
        PreferenceExample[] each = [.. Answers.Select(a => new Example([1, .. a], [false, .. a.Select(_ => true)])).Select(e => new PreferenceExample(e, e))];
        PreferenceBatch batch = new PreferenceExamples(each, 10_000, 0).All().Single();
        return [.. HostLoss.LogProbabilities(model, new Pass(batch.Tokens, w), batch.Targets).ToArray().Take(Answers.Length).Select(l => Math.Exp(l))];
    }

    private static double Value(GenerativeModel policy, GenerativeModel reference)
    {
        double[] p = Chances(policy), q = Chances(reference);
        Assert.Equal(1, p.Sum(), 1e-4);
        return Answers.Select((a, i) => p[i] * (Reward(a) - (Beta * Math.Log(p[i] / q[i])))).Sum();
    }

    private static double Best(GenerativeModel reference)
    {
        double[] q = Chances(reference);
        return Beta * Math.Log(Answers.Select((a, i) => q[i] * Math.Exp(Reward(a) / Beta)).Sum());
    }

    private static int Draw(double[] chances, ulong key, int index)
    {
        double u = CounterRandom.Uniform(key, index) * chances.Sum();
        for (int i = 0; i < chances.Length; i++)
        {
            u -= chances[i];
            if (u < 0)
                return i;
        }
        return chances.Length - 1;
    }
}
