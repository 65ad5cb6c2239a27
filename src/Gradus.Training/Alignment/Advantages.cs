using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Alignment;

/// <summary>Answers that were sampled and scored.</summary>
/// <param name="Scores">The score of every answer.</param>
/// <param name="GroupSize">Answers to the same prompt stand side by side, so many of each.</param>
/// <param name="TokenRewards">For every answer a reward for each of its tokens, the score in the last one's; what per-token estimators use.</param>
/// <param name="Values">For every answer the critic's value before each of its tokens; null without a critic.</param>
public sealed record ScoredAnswers(
    IReadOnlyList<double> Scores, int GroupSize, IReadOnlyList<IReadOnlyList<double>> TokenRewards, IReadOnlyList<IReadOnlyList<double>>? Values = null);

/// <summary>How much better than expected each token was.</summary>
/// <param name="Tokens">For every answer a number for each of its tokens.</param>
/// <param name="Returns">What the critic should have said; null without a critic.</param>
public sealed record Advantages(IReadOnlyList<IReadOnlyList<double>> Tokens, IReadOnlyList<IReadOnlyList<double>>? Returns = null);

/// <summary>Estimates advantages from rewards.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(GeneralizedAdvantage), "gae")]
[JsonDerivedType(typeof(GroupAdvantage), "group")]
[JsonDerivedType(typeof(LeaveOneOutAdvantage), "rloo")]
[JsonDerivedType(typeof(ReinforceAdvantage), "reinforce")]
public abstract record AdvantageEstimator
{
    /// <summary>Whether a critic is needed.</summary>
    [JsonIgnore]
    public virtual bool UsesCritic => false;

    /// <summary>The fewest answers to a prompt.</summary>
    [JsonIgnore]
    public virtual int LeastGroupSize => 1;

    /// <summary>The advantages of sampled answers.</summary>
    public abstract Advantages Estimate(ScoredAnswers answers);

    /// <summary>The values over a mask, with mean 0 (or their own) and variance 1; the variance divides by n − 1, ε inside the root.</summary>
    /// <param name="values">Any numbers.</param>
    /// <param name="keepMean">Whether the mean stays.</param>
    public static double[] Whiten(IReadOnlyList<double> values, bool keepMean = false)
    {
        ArgumentNullException.ThrowIfNull(values);
        double mean = values.Average(), variance = values.Count > 1 ? values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1) : 0;
        return [.. values.Select(v => ((v - mean) / Math.Sqrt(variance + 1e-8)) + (keepMean ? mean : 0))];
    }

    /// <summary>One advantage for all tokens of each answer.</summary>
    private protected static Advantages Same(ScoredAnswers answers, IReadOnlyList<double> each) =>
        new([.. answers.TokenRewards.Select((t, i) => (IReadOnlyList<double>)[.. Enumerable.Repeat(each[i], t.Count)])]);

    /// <summary>The numbers of an answer's group.</summary>
    private protected static double[] GroupOf(ScoredAnswers answers, int answer) =>
        [.. answers.Scores.Skip(answer / answers.GroupSize * answers.GroupSize).Take(answers.GroupSize)];
}

/// <summary>
/// δₜ = rₜ + γV(sₜ₊₁) − V(sₜ), Aₜ = Σ (γλ)ˡδₜ₊ₗ, returns Aₜ + V(sₜ) (Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage
/// Estimation", 2016); whitened over all tokens.
/// </summary>
/// <param name="Gamma">γ in [0, 1].</param>
/// <param name="Lambda">λ in [0, 1].</param>
/// <param name="Whitened">Whether the advantages have mean 0 and variance 1 over all tokens of all answers.</param>
public sealed record GeneralizedAdvantage([Range(0.0, 1.0)] double Gamma = 1, [Range(0.0, 1.0)] double Lambda = 0.95, bool Whitened = true) : AdvantageEstimator
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesCritic => true;

    /// <inheritdoc/>
    public override Advantages Estimate(ScoredAnswers answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        IReadOnlyList<IReadOnlyList<double>> values = answers.Values ?? throw new ArgumentException("Generalized advantages need a critic's values.", nameof(answers));
        double[][] tokens = [.. answers.TokenRewards.Select((r, a) => Of(r, values[a]))];
        double[][] returns = [.. tokens.Select((t, a) => t.Select((x, i) => x + values[a][i]).ToArray())];
        if (Whitened)
        {
            double[] whitened = Whiten([.. tokens.SelectMany(t => t)]);
            int at = 0;
            foreach (double[] answer in tokens)
            {
                whitened.AsSpan(at, answer.Length).CopyTo(answer);
                at += answer.Length;
            }
        }
        return new Advantages(tokens, returns);
    }

    private double[] Of(IReadOnlyList<double> rewards, IReadOnlyList<double> values)
    {
        double[] advantages = new double[rewards.Count];
        double next = 0, after = 0;
        for (int t = rewards.Count - 1; t >= 0; t--)
        {
            next = rewards[t] + (Gamma * after) - values[t] + (Gamma * Lambda * next);
            advantages[t] = next;
            after = values[t];
        }
        return advantages;
    }
}

/// <summary>What the advantages of a group are divided by.</summary>
public enum GroupScale
{
    /// <summary>The standard deviation of the group (Shao et al., "DeepSeekMath", 2024).</summary>
    Group,

    /// <summary>The standard deviation of all answers.</summary>
    Batch,

    /// <summary>Nothing (Liu et al., "Dr. GRPO", 2025).</summary>
    None,
}

/// <summary>(score − mean of the group)/(standard deviation + 10⁻⁴): GRPO.</summary>
/// <param name="Scale">What is divided by.</param>
public sealed record GroupAdvantage(GroupScale Scale = GroupScale.Group) : AdvantageEstimator
{
    private const double Epsilon = 1e-4;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int LeastGroupSize => 2;

    /// <inheritdoc/>
    public override Advantages Estimate(ScoredAnswers answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        return Same(answers, [.. Enumerable.Range(0, answers.Scores.Count).Select(i =>
        {
            double[] group = GroupOf(answers, i);
            double divisor = Scale switch
            {
                GroupScale.Group => Deviation(group) + Epsilon,
                GroupScale.Batch => Deviation(answers.Scores) + Epsilon,
                _ => 1,
            };
            return (answers.Scores[i] - group.Average()) / divisor;
        })]);
    }

    private static double Deviation(IReadOnlyList<double> values)
    {
        double mean = values.Average();
        return values.Count > 1 ? Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1)) : 0;
    }
}

/// <summary>score − mean of the other answers to the prompt (Ahmadian et al., "Back to Basics", 2024): RLOO.</summary>
/// <param name="Normalized">Whether the advantages have mean 0 and standard deviation 1 over all answers.</param>
public sealed record LeaveOneOutAdvantage(bool Normalized = false) : AdvantageEstimator
{
    private const double Epsilon = 1e-4;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int LeastGroupSize => 2;

    /// <inheritdoc/>
    public override Advantages Estimate(ScoredAnswers answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        double[] each = [.. answers.Scores.Select((score, i) =>
        {
            double[] group = GroupOf(answers, i);
            return score - ((group.Sum() - score) / Math.Max(1, group.Length - 1));
        })];
        if (Normalized)
        {
            double mean = each.Average(), deviation = Math.Sqrt(each.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, each.Length - 1));
            each = [.. each.Select(v => (v - mean) / (deviation + Epsilon))];
        }
        return Same(answers, each);
    }
}

/// <summary>The sum of rewards from each token on, without a baseline or less the mean score of all answers (Williams, 1992).</summary>
/// <param name="MeanBaseline">Whether the mean score is subtracted.</param>
public sealed record ReinforceAdvantage(bool MeanBaseline = true) : AdvantageEstimator
{
    /// <inheritdoc/>
    public override Advantages Estimate(ScoredAnswers answers)
    {
        ArgumentNullException.ThrowIfNull(answers);
        double baseline = MeanBaseline ? answers.TokenRewards.Average(r => r.Sum()) : 0;
        return new Advantages([.. answers.TokenRewards.Select(rewards =>
        {
            double[] tokens = new double[rewards.Count];
            double left = -baseline;
            for (int t = rewards.Count - 1; t >= 0; t--)
                tokens[t] = left += rewards[t];
            return (IReadOnlyList<double>)tokens;
        })]);
    }
}
