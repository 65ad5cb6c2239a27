using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Alignment;

/// <summary>What the distance from the reference is measured by (Wang et al., "Beyond Reverse KL", 2024).</summary>
public enum FDivergence
{
    /// <summary>KL(π‖π_ref), as in DPO.</summary>
    ReverseKl,

    /// <summary>Jensen and Shannon's.</summary>
    JensenShannon,

    /// <summary>The α-divergence.</summary>
    Alpha,
}

/// <summary>−log σ(βΔ) (Rafailov et al., "Direct Preference Optimization", 2023), on request with smoothed labels, without a reference, per token, or for another divergence.</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in [0, ½): the share of labels that are wrong.</param>
/// <param name="ReferenceFree">Leave the reference out.</param>
/// <param name="LengthNormalized">Use mean log-probabilities of tokens, with the reference (sigmoid_norm).</param>
/// <param name="Divergence">What the distance is measured by.</param>
/// <param name="Alpha">α of the α-divergence.</param>
public sealed record SigmoidLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0,
    bool ReferenceFree = false,
    bool LengthNormalized = false,
    FDivergence Divergence = FDivergence.ReverseKl,
    [Range(0.0, 1.0, MinimumIsExclusive = true)] double Alpha = 1) : SinglePairLoss(Beta)
{
    // Keeps e to a log-probability ratio finite in float, as TRL does.
    private const double LargestExponent = 88;

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesReference => !ReferenceFree;

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool AveragesTokens => LengthNormalized;

    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        Dual chosen = ReferenceFree ? pairs.PolicyChosen(pair) : pairs.ChosenRatio(pair), rejected = ReferenceFree ? pairs.PolicyRejected(pair) : pairs.RejectedRatio(pair);
        Dual difference = Divergence switch
        {
            FDivergence.JensenShannon => chosen - rejected - (Dual.Softplus(chosen) - Dual.Softplus(rejected)),
            FDivergence.Alpha => (Power(rejected) - Power(chosen)) / Alpha,
            _ => chosen - rejected,
        };
        return Smoothed(Beta * difference, LabelSmoothing);
    }

    private Dual Power(Dual ratio) => -Alpha * ratio is { Value: < LargestExponent } exponent ? Dual.Exp(exponent) : Math.Exp(LargestExponent);
}

/// <summary>max(0, 1 − βΔ) (Zhao et al., "SLiC-HF", 2023).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record HingeLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair) => Dual.Relu(1 - Margin(pairs, pair));
}

/// <summary>(Δ − 1/(2β))² with log-probabilities per token (Azar et al., "A General Theoretical Paradigm to Understand Learning from Human Preferences", 2023).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record IpoLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool AveragesTokens => true;

    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Dual.Square(pairs.ChosenRatio(pair) - pairs.RejectedRatio(pair) - (1 / (2 * Beta)));
    }
}

/// <summary>[−(1 − ε)·log σ(βΔ) + ε·log σ(−βΔ)]/(1 − 2ε): unbiased where a share ε of labels is wrong (Chowdhury et al., "Provably Robust DPO", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in [0, ½).</param>
public sealed record RobustLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        Dual z = Margin(pairs, pair);
        return ((-(1 - LabelSmoothing) * Dual.LogSigmoid(z)) + (LabelSmoothing * Dual.LogSigmoid(-z))) / (1 - (2 * LabelSmoothing));
    }
}

/// <summary>σ(βΔ)·(log σ(βΔ) − log(1 − ε)) + σ(−βΔ)·(log σ(−βΔ) − log ε) (Ji et al., "Towards Efficient Exact Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in (0, ½).</param>
public sealed record ExoPairLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, 0.5, MinimumIsExclusive = true, MaximumIsExclusive = true)] double LabelSmoothing = 1e-3) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        Dual z = Margin(pairs, pair);
        return (Dual.Sigmoid(z) * (Dual.LogSigmoid(z) - Math.Log(1 - LabelSmoothing))) + (Dual.Sigmoid(-z) * (Dual.LogSigmoid(-z) - Math.Log(LabelSmoothing)));
    }
}

/// <summary>−log σ(βs⁺) − ½·log σ(−βs⁺) − ½·log σ(−βs⁻) (Chen et al., "Noise Contrastive Alignment", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record NcaPairLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        Dual chosen = Beta * pairs.ChosenRatio(pair), rejected = Beta * pairs.RejectedRatio(pair);
        return -Dual.LogSigmoid(chosen) - (0.5 * Dual.LogSigmoid(-chosen)) - (0.5 * Dual.LogSigmoid(-rejected));
    }
}

/// <summary>−log σ(βs⁺ − δ) − log σ(−(βs⁻ − δ)), δ the running mean of the rewards (Jung et al., "Binary Classifier Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record BcoPairLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return -Dual.LogSigmoid((Beta * pairs.ChosenRatio(pair)) - pairs.MeanReward) - Dual.LogSigmoid(pairs.MeanReward - (Beta * pairs.RejectedRatio(pair)));
    }
}

/// <summary>(s⁺ − ½/β)² + (s⁻ + ½/β)² (Wu et al., "Self-Play Preference Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record SppoHardLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Dual.Square(pairs.ChosenRatio(pair) - (0.5 / Beta)) + Dual.Square(pairs.RejectedRatio(pair) + (0.5 / Beta));
    }
}

/// <summary>1 − σ(βs⁺) + σ(βs⁻): makes the chosen answer likelier (D'Oosterlinck et al., "Anchored Preference Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record ApoZeroLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return 1 - Dual.Sigmoid(Beta * pairs.ChosenRatio(pair)) + Dual.Sigmoid(Beta * pairs.RejectedRatio(pair));
    }
}

/// <summary>σ(βs⁺) + 1 − σ(βΔ): for chosen answers that are worse than the model's own (D'Oosterlinck et al., 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
public sealed record ApoDownLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Dual.Sigmoid(Beta * pairs.ChosenRatio(pair)) + 1 - Dual.Sigmoid(Margin(pairs, pair));
    }
}

/// <summary>(1 − m)·(−log σ(βΔ)) + m·e^(−βΔ) with m = σ(βΔ/τ) (Lu et al., "Discovering Preference Optimization Algorithms with and for Large Language Models", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="Temperature">τ &gt; 0.</param>
public sealed record DiscopopLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Temperature = 0.05) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        Dual z = Margin(pairs, pair), m = Dual.Sigmoid(z / Temperature);
        return (-Dual.LogSigmoid(z) * (1 - m)) + (Dual.Exp(-z) * m);
    }
}

/// <summary>−log σ(β·(log-ratio of the policy − that of the reference)), both sorted over the micro-batch: the one's distribution is to lie above the other's (Melnyk et al., "Distributional Preference Alignment via Optimal Transport", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in [0, ½).</param>
public sealed record AotLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1, [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0) : PreferenceLoss
{
    /// <inheritdoc/>
    public override double Reward(double logProbability, double reference) => Beta * (logProbability - reference);

    /// <inheritdoc/>
    public override IReadOnlyList<PairLoss> Losses(PreferencePairs pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        int[] policy = [.. Enumerable.Range(0, pairs.Count).OrderBy(i => pairs.Chosen[i] - pairs.Rejected[i])];
        double[] reference = [.. Enumerable.Range(0, pairs.Count).Select(i => pairs.ReferenceChosen[i] - pairs.ReferenceRejected[i]).Order()];
        return [.. policy.Select((p, k) => new PairLoss(SinglePairLoss.Smoothed(Beta * (pairs.PolicyChosen(p) - pairs.PolicyRejected(p) - reference[k]), LabelSmoothing), p, p))];
    }
}

/// <summary>−log σ(β·(s⁺ − s⁻)), s⁺ and s⁻ each sorted over the micro-batch (Melnyk et al., 2024, paired).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in [0, ½).</param>
public sealed record AotPairLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1, [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0) : PreferenceLoss
{
    /// <inheritdoc/>
    public override double Reward(double logProbability, double reference) => Beta * (logProbability - reference);

    /// <inheritdoc/>
    public override IReadOnlyList<PairLoss> Losses(PreferencePairs pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        int[] chosen = [.. Enumerable.Range(0, pairs.Count).OrderBy(i => pairs.ChosenRatio(i).Value)], rejected = [.. Enumerable.Range(0, pairs.Count).OrderBy(i => pairs.RejectedRatio(i).Value)];
        return [.. chosen.Zip(rejected, (c, r) => new PairLoss(SinglePairLoss.Smoothed(Beta * (pairs.ChosenRatio(c) - pairs.RejectedRatio(r)), LabelSmoothing), c, r))];
    }
}

/// <summary>The shape of <see cref="CpoLoss"/>.</summary>
public enum CpoShape
{
    /// <summary>−log σ(β·(log π⁺ − log π⁻)).</summary>
    Sigmoid,

    /// <summary>max(0, 1 − β·(log π⁺ − log π⁻)).</summary>
    Hinge,

    /// <summary>(log π⁺ − log π⁻ − 1/(2β))².</summary>
    Ipo,
}

/// <summary>A preference without a reference, beside −log π of the chosen answer (Xu et al., "Contrastive Preference Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="LabelSmoothing">ε in [0, ½), of the sigmoid.</param>
/// <param name="Shape">The shape.</param>
public sealed record CpoLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0,
    CpoShape Shape = CpoShape.Sigmoid) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesReference => false;

    /// <inheritdoc/>
    [JsonIgnore]
    public override double SftCoefficient => 1;

    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        Dual difference = pairs.PolicyChosen(pair) - pairs.PolicyRejected(pair);
        return Shape switch
        {
            CpoShape.Hinge => Dual.Relu(1 - (Beta * difference)),
            CpoShape.Ipo => Dual.Square(difference - (1 / (2 * Beta))),
            _ => Smoothed(Beta * difference, LabelSmoothing),
        };
    }
}

/// <summary>−log σ(β·(log π⁺ − log π⁻) − γ) per token, without a reference (Meng et al., "SimPO", 2024); with α the rewards (1 − π^−α)/α (Gupta et al., "AlphaPO", 2025).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="Gamma">γ ≥ 0: the margin that is wanted.</param>
/// <param name="LabelSmoothing">ε in [0, ½).</param>
/// <param name="Alpha">α of AlphaPO; 0 for log-probabilities.</param>
public sealed record SimpoLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 2,
    [Range(0.0, double.PositiveInfinity)] double Gamma = 0.5,
    [Range(0.0, 0.5, MaximumIsExclusive = true)] double LabelSmoothing = 0,
    [Range(-10.0, 10.0)] double Alpha = 0) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesReference => false;

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool AveragesTokens => true;

    /// <inheritdoc/>
    public override double Reward(double logProbability, double reference) => Beta * Shaped(logProbability).Value;

    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return Smoothed((Beta * (Shaped(pairs.PolicyChosen(pair)) - Shaped(pairs.PolicyRejected(pair)))) - Gamma, LabelSmoothing);
    }

    private Dual Shaped(Dual logProbability) => Alpha == 0 ? logProbability : (1 - Dual.Exp(-Alpha * logProbability)) / Alpha;
}

/// <summary>−β·log σ(log-odds of the chosen − log-odds of the rejected answer) per token, beside −log π of the chosen one (Hong et al., "ORPO", 2024).</summary>
/// <param name="Beta">β &gt; 0 (the paper's λ).</param>
public sealed record OrpoLoss([Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1) : SinglePairLoss(Beta)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesReference => false;

    /// <inheritdoc/>
    [JsonIgnore]
    public override bool AveragesTokens => true;

    /// <inheritdoc/>
    [JsonIgnore]
    public override double SftCoefficient => 1;

    /// <inheritdoc/>
    protected override Dual Loss(PreferencePairs pairs, int pair)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        Dual chosen = pairs.PolicyChosen(pair), rejected = pairs.PolicyRejected(pair);
        return -Beta * Dual.LogSigmoid(chosen - rejected - (Dual.LogOneMinusExp(chosen) - Dual.LogOneMinusExp(rejected)));
    }
}
