using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Training.Alignment;

/// <summary>A loss of single answers that are good or bad. s = log π − log π_ref.</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="DesirableWeight">Weight of good answers.</param>
/// <param name="UndesirableWeight">Weight of bad answers; weights times numbers of the two are best within 1 to 1.33 of each other.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(KtoLoss), "kto")]
[JsonDerivedType(typeof(ApoZeroUnpairedLoss), "apo_zero_unpaired")]
public abstract record UnpairedLoss(double Beta, double DesirableWeight, double UndesirableWeight)
{
    /// <summary>Whether the loss wants to know how far the policy is from the reference on answers to other prompts.</summary>
    [JsonIgnore]
    public abstract bool UsesKl { get; }

    /// <summary>The loss of one answer, with its derivative by log π in <see cref="Dual.Chosen"/>.</summary>
    /// <param name="logProbability">log π, summed over the answer's tokens.</param>
    /// <param name="reference">log π_ref.</param>
    /// <param name="desirable">Whether the answer is good.</param>
    /// <param name="kl">The mean of s over mismatched answers, ≥ 0; 0 where it is not used.</param>
    public Dual Loss(double logProbability, double reference, bool desirable, double kl)
    {
        Dual ratio = new Dual(logProbability, Chosen: 1) - reference;
        return (desirable ? DesirableWeight : UndesirableWeight) * Loss(Beta * (ratio - (UsesKl ? kl : 0)), desirable);
    }

    /// <summary>The mean ratio over mismatched answers, but no less than 0; without a gradient.</summary>
    public static double Kl(IEnumerable<double> ratios) => Math.Max(0, ratios.DefaultIfEmpty(0).Average());

    private protected virtual Dual Loss(Dual reward, bool desirable) => 1 - Dual.Sigmoid(desirable ? reward : -reward);
}

/// <summary>1 − σ(β(s − kl)) of a good answer, 1 − σ(β(kl − s)) of a bad one (Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="DesirableWeight">Weight of good answers.</param>
/// <param name="UndesirableWeight">Weight of bad answers.</param>
public sealed record KtoLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, double.PositiveInfinity)] double DesirableWeight = 1,
    [Range(0.0, double.PositiveInfinity)] double UndesirableWeight = 1) : UnpairedLoss(Beta, DesirableWeight, UndesirableWeight)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesKl => true;
}

/// <summary>1 − σ(βs) of a good answer, σ(βs) of a bad one (D'Oosterlinck et al., "Anchored Preference Optimization", 2024).</summary>
/// <param name="Beta">β &gt; 0.</param>
/// <param name="DesirableWeight">Weight of good answers.</param>
/// <param name="UndesirableWeight">Weight of bad answers.</param>
public sealed record ApoZeroUnpairedLoss(
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Beta = 0.1,
    [Range(0.0, double.PositiveInfinity)] double DesirableWeight = 1,
    [Range(0.0, double.PositiveInfinity)] double UndesirableWeight = 1) : UnpairedLoss(Beta, DesirableWeight, UndesirableWeight)
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool UsesKl => false;
}

/// <summary>The loss of a reward model: −log σ(r⁺ − r⁻ − margin) + c·(r⁺ + r⁻)² (Bradley and Terry, 1952; Touvron et al., "Llama 2", 2023, margin; Eisenstein et al., 2023, centring).</summary>
/// <param name="Centering">c ≥ 0: keeps rewards around 0; .01 is usual, 0 for none.</param>
public sealed record RewardLoss([Range(0.0, double.PositiveInfinity)] double Centering = 0)
{
    /// <summary>The loss of one pair, with its derivatives by the two rewards.</summary>
    /// <param name="chosen">r⁺.</param>
    /// <param name="rejected">r⁻.</param>
    /// <param name="margin">By how much the chosen answer is known to be better.</param>
    public Dual Loss(double chosen, double rejected, double margin = 0)
    {
        Dual better = new(chosen, Chosen: 1), worse = new(rejected, Rejected: 1);
        return -Dual.LogSigmoid(better - worse - margin) + (Centering * Dual.Square(better + worse));
    }
}
