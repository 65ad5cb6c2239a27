// Losses that learn from pairs of a chosen and a rejected answer. s⁺ = log π(chosen) − log π_ref(chosen), s⁻ likewise, Δ = s⁺ − s⁻. Formulas
// follow TRL's trainers (DPOTrainer, CPOTrainer, ORPOTrainer), whose goldens they are held to.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Alignment;

/// <summary>A loss of pairs.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SigmoidLoss), "sigmoid")]
[JsonDerivedType(typeof(HingeLoss), "hinge")]
[JsonDerivedType(typeof(IpoLoss), "ipo")]
[JsonDerivedType(typeof(RobustLoss), "robust")]
[JsonDerivedType(typeof(ExoPairLoss), "exo_pair")]
[JsonDerivedType(typeof(NcaPairLoss), "nca_pair")]
[JsonDerivedType(typeof(BcoPairLoss), "bco_pair")]
[JsonDerivedType(typeof(SppoHardLoss), "sppo_hard")]
[JsonDerivedType(typeof(ApoZeroLoss), "apo_zero")]
[JsonDerivedType(typeof(ApoDownLoss), "apo_down")]
[JsonDerivedType(typeof(DiscopopLoss), "discopop")]
[JsonDerivedType(typeof(AotLoss), "aot")]
[JsonDerivedType(typeof(AotPairLoss), "aot_pair")]
[JsonDerivedType(typeof(CpoLoss), "cpo")]
[JsonDerivedType(typeof(SimpoLoss), "simpo")]
[JsonDerivedType(typeof(OrpoLoss), "orpo")]
[JsonDerivedType(typeof(MixedLoss), "mixed")]
public abstract record PreferenceLoss
{
    /// <summary>Whether log π_ref is used.</summary>
    [JsonIgnore]
    public virtual bool UsesReference => true;

    /// <summary>Whether log-probabilities are means over an answer's tokens rather than sums.</summary>
    [JsonIgnore]
    public virtual bool AveragesTokens => false;

    /// <summary>The coefficient of −log π(chosen) per token beside this loss, unless a recipe says otherwise.</summary>
    [JsonIgnore]
    public virtual double SftCoefficient => 0;

    /// <summary>The implicit reward of an answer of a log-probability, for the log: β·s unless the loss says otherwise.</summary>
    /// <param name="logProbability">log π.</param>
    /// <param name="reference">log π_ref; 0 where it is not used.</param>
    public abstract double Reward(double logProbability, double reference);

    /// <summary>The loss of every pair, each with its derivatives.</summary>
    /// <param name="pairs">The pairs of a micro-batch.</param>
    public abstract IReadOnlyList<PairLoss> Losses(PreferencePairs pairs);
}

/// <summary>The log-probabilities of pairs of answers.</summary>
/// <param name="Chosen">log π(chosen) of every pair.</param>
/// <param name="Rejected">log π(rejected).</param>
/// <param name="ReferenceChosen">log π_ref(chosen); zeros where there is no reference.</param>
/// <param name="ReferenceRejected">log π_ref(rejected).</param>
/// <param name="MeanReward">The running mean of all implicit rewards so far, which BCO subtracts.</param>
public sealed record PreferencePairs(
    IReadOnlyList<double> Chosen, IReadOnlyList<double> Rejected, IReadOnlyList<double> ReferenceChosen, IReadOnlyList<double> ReferenceRejected, double MeanReward = 0)
{
    /// <summary>The number of pairs.</summary>
    public int Count => Chosen.Count;

    /// <summary>log π(chosen) of a pair as a variable.</summary>
    public Dual PolicyChosen(int pair) => new(Chosen[pair], Chosen: 1);

    /// <summary>log π(rejected) of a pair as a variable.</summary>
    public Dual PolicyRejected(int pair) => new(Rejected[pair], Rejected: 1);

    /// <summary>s⁺.</summary>
    public Dual ChosenRatio(int pair) => PolicyChosen(pair) - ReferenceChosen[pair];

    /// <summary>s⁻.</summary>
    public Dual RejectedRatio(int pair) => PolicyRejected(pair) - ReferenceRejected[pair];
}

/// <summary>A loss and the pairs by whose answers it is to be differentiated: the same pair, but where answers were sorted.</summary>
/// <param name="Loss">The loss.</param>
/// <param name="ChosenOf">The pair of the chosen answer.</param>
/// <param name="RejectedOf">The pair of the rejected answer.</param>
public readonly record struct PairLoss(Dual Loss, int ChosenOf, int RejectedOf);

/// <summary>A loss that sees every pair by itself.</summary>
/// <param name="Beta">β &gt; 0: how much a reward counts against the distance from the reference.</param>
public abstract record SinglePairLoss(double Beta) : PreferenceLoss
{
    /// <inheritdoc/>
    public override double Reward(double logProbability, double reference) => Beta * (logProbability - reference);

    /// <inheritdoc/>
    public sealed override IReadOnlyList<PairLoss> Losses(PreferencePairs pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return [.. Enumerable.Range(0, pairs.Count).Select(i => new PairLoss(Loss(pairs, i), i, i))];
    }

    /// <summary>The loss of one pair.</summary>
    protected abstract Dual Loss(PreferencePairs pairs, int pair);

    /// <summary>βΔ.</summary>
    private protected Dual Margin(PreferencePairs pairs, int pair) => Beta * (pairs.ChosenRatio(pair) - pairs.RejectedRatio(pair));

    /// <summary>−(1 − ε)·log σ(z) − ε·log σ(−z).</summary>
    internal static Dual Smoothed(Dual z, double smoothing) => (-(1 - smoothing) * Dual.LogSigmoid(z)) - (smoothing * Dual.LogSigmoid(-z));
}

/// <summary>Loss terms added up with weights (MPO, Wang et al., 2024): of a preference, of quality, of generation.</summary>
public sealed record MixedLoss : PreferenceLoss
{
    /// <summary>The losses; all sum tokens or all average them, as the first does.</summary>
    [MinLength(1)]
    public WeightedLoss[] Parts { get; init; } = [];

    /// <inheritdoc/>
    public override bool UsesReference => Parts.Any(l => l.Loss.UsesReference);

    /// <inheritdoc/>
    public override bool AveragesTokens => Parts is [{ } first, ..] && first.Loss.AveragesTokens;

    /// <inheritdoc/>
    public override double SftCoefficient => Parts.Sum(l => l.Weight * l.Loss.SftCoefficient);

    /// <inheritdoc/>
    public override double Reward(double logProbability, double reference) => Parts is [{ } first, ..] ? first.Loss.Reward(logProbability, reference) : 0;

    /// <inheritdoc/>
    public override IReadOnlyList<PairLoss> Losses(PreferencePairs pairs) => [.. Parts.SelectMany(l => l.Loss.Losses(pairs).Select(p => p with { Loss = l.Weight * p.Loss }))];
}

/// <summary>One of several losses.</summary>
/// <param name="Weight">What it is multiplied by.</param>
public sealed record WeightedLoss(double Weight = 1)
{
    /// <summary>The loss.</summary>
    public PreferenceLoss Loss { get; init; } = new SigmoidLoss();
}
