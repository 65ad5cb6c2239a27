using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// How rotary frequencies are changed so that a model reads longer texts than it was trained on; the <c>rope_scaling</c> object of
/// config.json. Kinds: <c>default</c>, <c>linear</c> (Chen et al., 2023), <c>llama3</c>, <c>yarn</c> (Peng et al., 2023).
/// </summary>
/// <param name="RopeType">The kind.</param>
/// <param name="Type">The kind under its former name.</param>
/// <param name="Factor">How many times longer, ≥ 1.</param>
/// <param name="LowFreqFactor">llama3: wavelengths above original/low are stretched whole.</param>
/// <param name="HighFreqFactor">llama3: wavelengths below original/high are left alone.</param>
/// <param name="OriginalMaxPositionEmbeddings">The length of training.</param>
/// <param name="AttentionFactor">yarn: factor of cosine and sine; 0.1·ln(factor) + 1 where null.</param>
/// <param name="BetaFast">yarn: rotations within the training length above which a pair is left alone.</param>
/// <param name="BetaSlow">yarn: rotations below which a pair is stretched whole.</param>
/// <param name="Truncate">yarn: whether the bounds are rounded to whole pairs.</param>
public sealed record RopeScaling(
    string? RopeType = null,
    string? Type = null,
    double Factor = 1,
    double LowFreqFactor = 1,
    double HighFreqFactor = 4,
    int? OriginalMaxPositionEmbeddings = null,
    double? AttentionFactor = null,
    double? BetaFast = null,
    double? BetaSlow = null,
    bool Truncate = true)
{
    /// <summary>The kind, whichever name it was given under.</summary>
    [JsonIgnore]
    public string Kind => RopeType ?? Type ?? "default";

    /// <summary>The rotary embedding of a head.</summary>
    /// <param name="store">A workspace that lives as long as the model.</param>
    /// <param name="width">Turned values per head.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="limit">Longest sequence, in tokens.</param>
    /// <param name="scaling">The change, or null.</param>
    /// <exception cref="NotSupportedException">The kind is unknown.</exception>
    internal static RotaryEmbedding Rotary(Workspace store, int width, double theta, int limit, RopeScaling? scaling)
    {
        double[] f = RotaryEmbedding.Frequencies(width, theta);
        double magnitude = 1;
        switch (scaling?.Kind)
        {
            case null or "default":
                break;
            case "linear":
                for (int i = 0; i < f.Length; i++)
                    f[i] /= scaling.Factor;
                break;
            case "llama3":
                scaling.Llama3(f, limit);
                break;
            case "yarn":
                magnitude = scaling.Yarn(f, width, theta, limit);
                break;
            default:
                throw new NotSupportedException($"rope_scaling: the kind \"{scaling.Kind}\" is not known; known are default, linear, llama3, yarn.");
        }
        return new RotaryEmbedding(store, f, limit, (float)magnitude);
    }

    // Long wavelengths are stretched by the factor, short ones kept, those between blended.
    private void Llama3(double[] f, int limit)
    {
        double original = OriginalMaxPositionEmbeddings ?? limit;
        for (int i = 0; i < f.Length; i++)
        {
            double wavelength = 2 * Math.PI / f[i];
            double smooth = Math.Clamp(((original / wavelength) - LowFreqFactor) / (HighFreqFactor - LowFreqFactor), 0, 1);
            f[i] = ((1 - smooth) * f[i] / Factor) + (smooth * f[i]);
        }
    }

    // Pairs that turn often within the training length are kept, those that hardly turn are stretched.
    private double Yarn(double[] f, int width, double theta, int limit)
    {
        double original = OriginalMaxPositionEmbeddings ?? limit;
        double low = PairOf(BetaFast ?? 32), high = PairOf(BetaSlow ?? 1);
        if (Truncate)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, width - 1);
        if (low == high)
            high += 0.001;
        for (int i = 0; i < f.Length; i++)
        {
            double stretch = Math.Clamp((i - low) / (high - low), 0, 1);
            f[i] = (f[i] / Factor * stretch) + (f[i] * (1 - stretch));
        }
        return AttentionFactor ?? (Factor <= 1 ? 1 : (0.1 * Math.Log(Factor)) + 1);

        double PairOf(double rotations) =>
            width * Math.Log(original / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}
