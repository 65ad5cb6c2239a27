using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// How rotary frequencies are changed so that a model reads longer texts than it was trained on; the <c>rope_scaling</c> object of
/// config.json. Kinds: <c>default</c>, <c>linear</c> (Chen et al., 2023), <c>dynamic</c>, <c>llama3</c>, <c>yarn</c> (Peng et al.,
/// 2023), <c>longrope</c>, formerly <c>su</c> (Ding et al., 2024). <c>dynamic</c> (bloc97's and emozilla's "NTK-aware" scaling, 2023)
/// changes nothing up to <c>max_position_embeddings</c>; beyond, the base grows with the length of the text.
/// </summary>
/// <param name="RopeType">The kind.</param>
/// <param name="Type">The kind under its former name.</param>
/// <param name="Factor">How many times longer, ≥ 1; where null 1, for yarn the context over the length of training.</param>
/// <param name="LowFreqFactor">llama3: wavelengths above original/low are stretched whole; 1 where null.</param>
/// <param name="HighFreqFactor">llama3: wavelengths below original/high are left alone; 4 where null.</param>
/// <param name="OriginalMaxPositionEmbeddings">The length of training.</param>
/// <param name="AttentionFactor">yarn, longrope: factor of cosine and sine; m(1) and √(1 + ln(factor)/ln(original)) where null, where m(s) = 0.1·s·ln(factor) + 1.</param>
/// <param name="Mscale">yarn: together with the next, cosine and sine are multiplied by m(mscale)/m(mscale_all_dim) (DeepSeek).</param>
/// <param name="MscaleAllDim">yarn: see the one before.</param>
/// <param name="BetaFast">yarn: rotations within the training length above which a pair is left alone; 32 where null.</param>
/// <param name="BetaSlow">yarn: rotations below which a pair is stretched whole; 1 where null.</param>
/// <param name="Truncate">yarn: whether the bounds are rounded to whole pairs; true where null.</param>
/// <param name="ShortFactor">longrope: for each pair what its frequency is divided by in sequences up to the training length.</param>
/// <param name="LongFactor">longrope: the same in longer sequences.</param>
public sealed record RopeScaling(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RopeType = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Type = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? Factor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? LowFreqFactor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? HighFreqFactor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? OriginalMaxPositionEmbeddings = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? AttentionFactor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? Mscale = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? MscaleAllDim = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? BetaFast = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? BetaSlow = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Truncate = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<double>? ShortFactor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<double>? LongFactor = null)
{
    // Far above every model; tables of that size still fit.
    private const int MostPositions = 1 << 24;

    private static readonly string[] Kinds = ["default", "linear", "dynamic", "llama3", "yarn", "longrope", "su"];

    /// <summary>The kind, whichever name it was given under.</summary>
    [JsonIgnore]
    public string Kind => RopeType ?? Type ?? "default";

    private double Stretch => Factor ?? 1;

    private double LowFreq => LowFreqFactor ?? 1;

    private double HighFreq => HighFreqFactor ?? 4;

    /// <summary>The longest sequence that a model takes, in tokens: what it was trained on, and what <c>dynamic</c> makes of that.</summary>
    /// <param name="trained"><c>max_position_embeddings</c>.</param>
    /// <param name="scaling">The change, or null.</param>
    internal static int ContextLength(int trained, RopeScaling? scaling) =>
        scaling is { Kind: "dynamic", Stretch: > 1 } ? (int)Math.Min(trained * scaling.Stretch, MostPositions) : trained;

    /// <summary>The rotary embedding of a head.</summary>
    /// <param name="store">A workspace that lives as long as the model.</param>
    /// <param name="width">Turned values per head, even.</param>
    /// <param name="theta">Base of the frequencies.</param>
    /// <param name="limit"><c>max_position_embeddings</c>.</param>
    /// <param name="scaling">The change, or null.</param>
    internal static RotaryEmbedding Rotary(Workspace store, int width, double theta, int limit, RopeScaling? scaling)
    {
        double[] f = RotaryEmbedding.Frequencies(width, theta);
        double magnitude = 1;
        switch (scaling?.Kind)
        {
            case "linear":
                for (int i = 0; i < f.Length; i++)
                    f[i] /= scaling.Stretch;
                break;
            case "llama3":
                scaling.Llama3(f, limit);
                break;
            case "yarn":
                magnitude = scaling.Yarn(f, width, theta, limit);
                break;
            case "dynamic":
                return new RotaryEmbedding(store, f, ContextLength(limit, scaling))
                {
                    ShortLimit = limit,
                    FrequenciesOfLength = length => RotaryEmbedding.Frequencies(width, scaling.DynamicBase(width, theta, limit, length)),
                };
            case "longrope" or "su":
                return scaling.LongRope(store, f, limit);
        }
        return new RotaryEmbedding(store, f, limit, (float)magnitude);
    }

    /// <summary>longrope: the longest sequence that the first frequencies are for; else null.</summary>
    internal int? ShortLimit(int limit) => Kind is "longrope" or "su" ? OriginalMaxPositionEmbeddings ?? limit : null;

    /// <summary>What is wrong with the values, or null.</summary>
    /// <param name="width">Turned values per head.</param>
    internal string? Problem(int width)
    {
        if (!Kinds.Contains(Kind))
            return $"the kind \"{Kind}\" is not known; known are {string.Join(", ", Kinds)}";
        if (Factor is <= 0 || OriginalMaxPositionEmbeddings is < 1)
            return "factor and original_max_position_embeddings must be positive";
        if (Kind == "llama3" && !(HighFreq > LowFreq && LowFreq > 0))
            return $"high_freq_factor {HighFreq} must be greater than low_freq_factor {LowFreq}, and both positive";
        if (Kind == "dynamic" && width <= 2)
            return "the kind \"dynamic\" needs more than one pair of values to turn";
        if (Kind is not ("longrope" or "su"))
            return null;
        return ShortFactor?.Count == width / 2 && LongFactor?.Count == width / 2
            ? null
            : $"short_factor and long_factor have a number for each of the {width / 2} pairs, but have {ShortFactor?.Count ?? 0} and {LongFactor?.Count ?? 0}";
    }

    // Two sets of frequencies: one for texts up to the training length, one for longer texts.
    private RotaryEmbedding LongRope(Workspace store, double[] f, int limit)
    {
        int original = ShortLimit(limit)!.Value;
        double stretch = OriginalMaxPositionEmbeddings is null ? Stretch : (double)limit / original;
        double magnitude = AttentionFactor ?? (stretch <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(stretch) / Math.Log(original))));
        return new RotaryEmbedding(store, [.. f.Zip(ShortFactor!, (x, by) => x / by)], limit, (float)magnitude)
        {
            LongFrequencies = [.. f.Zip(LongFactor!, (x, by) => x / by)],
            ShortLimit = original,
        };
    }

    // Long wavelengths are stretched by the factor, short ones kept, those between blended.
    private void Llama3(double[] f, int limit)
    {
        double original = OriginalMaxPositionEmbeddings ?? limit, low = LowFreq, high = HighFreq;
        for (int i = 0; i < f.Length; i++)
        {
            double wavelength = 2 * Math.PI / f[i];
            double smooth = Math.Clamp(((original / wavelength) - low) / (high - low), 0, 1);
            f[i] = ((1 - smooth) * f[i] / Stretch) + (smooth * f[i]);
        }
    }

    // The base for a longer text than those of training: the slowest pair turns α = factor·length/trained − (factor − 1) times slower, the fastest as before.
    private double DynamicBase(int width, double theta, int trained, int length) =>
        theta * Math.Pow((Stretch * length / trained) - (Stretch - 1), width / (width - 2.0));

    // Pairs that turn often within the training length are kept, those that hardly turn are stretched.
    private double Yarn(double[] f, int width, double theta, int limit)
    {
        double original = OriginalMaxPositionEmbeddings ?? limit, factor = Factor ?? limit / original;
        double low = PairOf(BetaFast ?? 32), high = PairOf(BetaSlow ?? 1);
        if (Truncate ?? true)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        low = Math.Max(low, 0);
        high = Math.Min(high, width - 1);
        if (low == high)
            high += 0.001;
        for (int i = 0; i < f.Length; i++)
        {
            double stretch = Math.Clamp((i - low) / (high - low), 0, 1);
            f[i] = (f[i] / factor * stretch) + (f[i] * (1 - stretch));
        }
        return AttentionFactor ?? (Mscale is > 0 and { } one && MscaleAllDim is > 0 and { } all ? Magnitude(one) / Magnitude(all) : Magnitude(1));

        double Magnitude(double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

        double PairOf(double rotations) =>
            width * Math.Log(original / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}
