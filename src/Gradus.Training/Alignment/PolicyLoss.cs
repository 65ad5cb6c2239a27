// The losses of on-policy methods: PPO's clipped objective (Schulman et al., "Proximal Policy Optimization Algorithms", 2017) and what GRPO (Shao
// et al., 2024) and its descendants made of it. Numbers are per token and on the host: a rollout has thousands, not millions.

using System.ComponentModel.DataAnnotations;

namespace Gradus.Training.Alignment;

/// <summary>Estimators of KL(π‖π_ref) from samples of π (Schulman, "Approximating KL Divergence", 2020). With r = log π_ref − log π of a token.</summary>
public enum KlEstimator
{
    /// <summary>−r: unbiased, of large variance, may be negative.</summary>
    K1,

    /// <summary>r²/2: biased, never negative.</summary>
    K2,

    /// <summary>eʳ − 1 − r: unbiased, never negative.</summary>
    K3,
}

/// <summary>What the probability ratio is taken over.</summary>
public enum RatioLevel
{
    /// <summary>Each token.</summary>
    Token,

    /// <summary>The whole answer, e to the mean log-ratio of its tokens (Zheng et al., "Group Sequence Policy Optimization", 2025).</summary>
    Sequence,
}

/// <summary>How the losses of tokens become one number.</summary>
public enum LossAggregation
{
    /// <summary>The mean over answers of the mean over an answer's tokens (GRPO).</summary>
    Sequence,

    /// <summary>The mean over all tokens of the whole step (DAPO, Yu et al., 2025).</summary>
    Token,

    /// <summary>The mean over the tokens of each micro-batch (BNPO).</summary>
    MicroBatch,

    /// <summary>The sum over tokens over the longest possible answer, mean over answers (Dr. GRPO, Liu et al., 2025).</summary>
    ConstantLength,
}

/// <summary>A policy's loss.</summary>
/// <param name="ClipLow">The ratio of probabilities counts down to 1 − this.</param>
/// <param name="ClipHigh">The ratio counts up to 1 + this.</param>
/// <param name="RatioCap">The largest ratio where the advantage is negative, too (two-sided clipping); 0 for none.</param>
/// <param name="Level">What the ratio is taken over.</param>
/// <param name="WeightCap">CISPO (MiniMax, 2025): the ratio, up to this, is a weight of log π without a gradient of its own; 0 for the clipped ratio.</param>
/// <param name="TopEntropyShare">Only this share of tokens counts, those of the highest entropy (Wang et al., "Beyond the 80/20 Rule", 2025); 1 for all.</param>
/// <param name="KlCoefficient">β of the distance from the reference in the loss; 0 for none.</param>
/// <param name="Aggregation">How the losses of tokens become one number.</param>
public sealed record PolicyLoss(
    [Range(0.0, 1.0)] double ClipLow = 0.2,
    [Range(0.0, double.PositiveInfinity)] double ClipHigh = 0.2,
    [Range(0.0, double.PositiveInfinity)] double RatioCap = 0,
    RatioLevel Level = RatioLevel.Token,
    [Range(0.0, double.PositiveInfinity)] double WeightCap = 0,
    [Range(0.0, 1.0, MinimumIsExclusive = true)] double TopEntropyShare = 1,
    [Range(0.0, double.PositiveInfinity)] double KlCoefficient = 0,
    LossAggregation Aggregation = LossAggregation.Token)
{
    /// <summary>The loss of every token of one answer and its derivative by log π of every token.</summary>
    /// <param name="policy">log π of its tokens.</param>
    /// <param name="sampled">log π at the time of sampling.</param>
    /// <param name="reference">log π_ref; empty without one.</param>
    /// <param name="advantages">The advantage of every token.</param>
    /// <param name="counts">Whether a token's ratio term counts; its KL term does anyway. Empty for all.</param>
    public TokenLosses Of(
        ReadOnlySpan<double> policy, ReadOnlySpan<double> sampled, ReadOnlySpan<double> reference, ReadOnlySpan<double> advantages, ReadOnlySpan<bool> counts = default)
    {
        int n = policy.Length;
        TokenLosses result = new(n);
        double mean = 0;
        for (int t = 0; t < n; t++)
            mean += (policy[t] - sampled[t]) / n;
        double shared = 0;
        for (int t = 0; t < n; t++)
        {
            double ratio = Math.Exp(Level == RatioLevel.Sequence ? mean : policy[t] - sampled[t]);
            (double loss, double slope) = Ratio(ratio, policy[t], advantages[t]);
            result.LowClipped += ratio < 1 - ClipLow && advantages[t] < 0 ? 1 : 0;
            result.HighClipped += (RatioCap > 0 ? Math.Min(ratio, RatioCap) : ratio) > 1 + ClipHigh && advantages[t] > 0 ? 1 : 0;
            if (counts.IsEmpty || counts[t])
            {
                result.Losses[t] = loss;
                // Of a sequence's ratio every token has its share.
                if (Level == RatioLevel.Sequence && WeightCap == 0)
                    shared += slope / n;
                else
                    result.Slopes[t] = slope;
            }
            if (!reference.IsEmpty)
            {
                double r = reference[t] - policy[t];
                result.Kl += Kl(KlEstimator.K3, policy[t], reference[t]);
                result.Losses[t] += KlCoefficient * (Math.Exp(r) - 1 - r);
                result.Slopes[t] += KlCoefficient * (1 - Math.Exp(r));
            }
        }
        for (int t = 0; t < n; t++)
            result.Shared[t] = shared;
        return result;
    }

    // −min(ρA, clip(ρ)A) and its derivative by log ρ, or the weighted log-probability.
    private (double Loss, double Slope) Ratio(double ratio, double policy, double advantage)
    {
        if (WeightCap > 0)
        {
            double weight = Math.Min(ratio, WeightCap);
            return (-weight * advantage * policy, -weight * advantage);
        }
        double bounded = RatioCap > 0 ? Math.Min(ratio, RatioCap) : ratio, clipped = Math.Clamp(ratio, 1 - ClipLow, 1 + ClipHigh);
        double plain = bounded * advantage, other = clipped * advantage;
        // Where both are equal the ratio moves both, and the gradient is that of either.
        bool moves = plain < other ? bounded == ratio : plain > other ? clipped == ratio : clipped == ratio || bounded == ratio;
        return (-Math.Min(plain, other), moves ? -ratio * advantage : 0);
    }

    /// <summary>An estimate of the divergence of one token.</summary>
    public static double Kl(KlEstimator estimator, double policy, double reference)
    {
        double r = reference - policy;
        return estimator switch
        {
            KlEstimator.K1 => -r,
            KlEstimator.K2 => r * r / 2,
            _ => Math.Exp(r) - 1 - r,
        };
    }

    /// <summary>The tokens of the highest entropy, at least as many as the share says.</summary>
    /// <param name="entropies">The entropy of every token that may count.</param>
    public bool[] HighestEntropy(IReadOnlyList<double> entropies)
    {
        ArgumentNullException.ThrowIfNull(entropies);
        if (TopEntropyShare >= 1 || entropies.Count == 0)
            return [.. entropies.Select(_ => true)];
        // The quantile of 1 − share, between its neighbours in a line.
        double[] sorted = [.. entropies.Order()];
        double place = (1 - TopEntropyShare) * (sorted.Length - 1);
        int below = (int)Math.Floor(place);
        double threshold = sorted[below] + ((place - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]));
        return [.. entropies.Select(e => e >= threshold)];
    }

    /// <summary>max((V − R)², (clip(V) − R)²)/2 of a critic's value, where it may move by so much from what it said when sampling; and its derivative by V.</summary>
    /// <param name="value">V.</param>
    /// <param name="sampled">V at the time of sampling.</param>
    /// <param name="target">R.</param>
    /// <param name="clip">How far V may move.</param>
    public static (double Loss, double Slope) Value(double value, double sampled, double target, double clip)
    {
        double clipped = Math.Clamp(value, sampled - clip, sampled + clip);
        double plain = (value - target) * (value - target), bounded = (clipped - target) * (clipped - target);
        return plain >= bounded
            ? (plain / 2, value - target)
            : (bounded / 2, clipped == value ? value - target : 0);
    }
}

/// <summary>The losses of one answer's tokens.</summary>
public sealed class TokenLosses(int tokens)
{
    /// <summary>The loss of every token.</summary>
    public double[] Losses { get; } = new double[tokens];

    /// <summary>∂(loss of a token)/∂ log π of the same token.</summary>
    public double[] Slopes { get; } = new double[tokens];

    /// <summary>∂(sum of all losses)/∂ log π of each token through the ratio of the whole sequence.</summary>
    public double[] Shared { get; } = new double[tokens];

    /// <summary>Tokens whose ratio lay below the lower bound where that counts.</summary>
    public int LowClipped { get; set; }

    /// <summary>Tokens whose ratio lay above the upper bound where that counts.</summary>
    public int HighClipped { get; set; }

    /// <summary>Σ k3 of the tokens; 0 without a reference.</summary>
    public double Kl { get; set; }
}

/// <summary>The coefficient of the divergence from the reference, fixed or adapted so that it stays near a target (Ziegler et al., "Fine-Tuning Language Models from Human Preferences", 2019).</summary>
/// <param name="Initial">The coefficient at first, ≥ 0.</param>
/// <param name="Target">Nats per answer to stay near; 0 for a fixed coefficient.</param>
/// <param name="Horizon">Answers over which the coefficient can change by a fifth and a bit.</param>
public sealed record KlControl(
    [Range(0.0, double.PositiveInfinity)] double Initial = 0.05,
    [Range(0.0, double.PositiveInfinity)] double Target = 0,
    [Range(1.0, double.PositiveInfinity)] double Horizon = 10_000)
{
    /// <summary>The coefficient after a step: coefficient · (1 + clip(kl/target − 1, ±.2) · answers/horizon).</summary>
    /// <param name="coefficient">The coefficient before.</param>
    /// <param name="kl">Nats per answer in the step.</param>
    /// <param name="answers">The answers of the step.</param>
    public double Next(double coefficient, double kl, int answers) =>
        Target == 0 ? coefficient : coefficient * (1 + (Math.Clamp((kl / Target) - 1, -0.2, 0.2) * answers / Horizon));
}
