using System.ComponentModel.DataAnnotations;

namespace Gradus.Training.Alignment;

/// <summary>How a policy learns from its own answers.</summary>
/// <param name="Prompts">Prompts per step.</param>
/// <param name="GroupSize">Answers to each.</param>
/// <param name="MaxNewTokens">The most tokens of an answer.</param>
/// <param name="Temperature">The temperature of sampling; scores are divided by it in the loss, too.</param>
/// <param name="Epochs">How often each step's answers are learned from.</param>
/// <param name="MiniBatches">The updates of an epoch, each with its share of the answers.</param>
/// <param name="BatchTokens">The most tokens per micro-batch.</param>
/// <param name="RewardKl">How the divergence is estimated that is taken off the reward of every token.</param>
/// <param name="ValueCoefficient">The coefficient of the critic's loss.</param>
/// <param name="ValueClip">How far a value may move from what it was when sampling.</param>
/// <param name="MissingEndPenalty">Taken off the score of an answer that did not end by itself.</param>
/// <param name="MaskUnended">Leave answers that did not end by themselves out of the loss (DAPO).</param>
public sealed record OnPolicyOptions(
    [Range(1, 1_000_000)] int Prompts = 8,
    [Range(1, 10_000)] int GroupSize = 8,
    [Range(1, 1_000_000)] int MaxNewTokens = 64,
    [Range(0.0, 100.0, MinimumIsExclusive = true)] float Temperature = 1,
    [Range(1, 1000)] int Epochs = 1,
    [Range(1, 10_000)] int MiniBatches = 1,
    [Range(2, int.MaxValue)] int BatchTokens = 4096,
    KlEstimator RewardKl = KlEstimator.K1,
    [Range(0.0, double.PositiveInfinity)] double ValueCoefficient = 0.1,
    [Range(0.0, double.PositiveInfinity)] double ValueClip = 0.2,
    [Range(0.0, double.PositiveInfinity)] double MissingEndPenalty = 0,
    bool MaskUnended = false)
{
    /// <summary>How rewards become advantages; the generalized one is PPO's and has a critic, the leave-one-out one RLOO's, the group's GRPO's.</summary>
    public AdvantageEstimator Advantage { get; init; } = new GroupAdvantage();

    /// <summary>The policy's loss.</summary>
    public PolicyLoss Loss { get; init; } = new();

    /// <summary>The coefficient of the divergence from the reference in the reward.</summary>
    public KlControl Kl { get; init; } = new(0);
}
