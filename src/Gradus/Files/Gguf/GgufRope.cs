using System.Globalization;
using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf;

/// <summary>
/// The change of rotary frequencies for long texts, <c>rope_scaling</c> of config.json: metadata for linear and YaRN scaling, a tensor of
/// divisors of the frequencies for Llama 3's and for long RoPE's.
/// </summary>
internal static class GgufRope
{
    private const string Freqs = "rope_freqs.weight", Short = "rope_factors_short.weight", Long = "rope_factors_long.weight";

    /// <summary>Tensors that stand for hyperparameters rather than for weights.</summary>
    public static IReadOnlyList<string> TensorNames { get; } = [Freqs, Short, Long];

    /// <summary>Writes what is metadata.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="metadata">Where to.</param>
    /// <param name="architecture">The architecture in GGUF.</param>
    /// <param name="takesFactors">Whether the architecture takes divisors of the frequencies as tensors.</param>
    /// <exception cref="InvalidDataException">The kind of scaling is not known.</exception>
    public static void Write(HyperParameters config, GgufMetadata metadata, string architecture, bool takesFactors = true)
    {
        if (Scaling(config, out string kind) is not { } scaling)
            return;
        if (!takesFactors && kind is "llama3" or "longrope" or "su")
            throw Malformed.File(config.Place, $"rope_scaling: the kind {Malformed.Quote(kind)} has no form in GGUF for the architecture {architecture}; default, linear and yarn have.");
        string key = $"{architecture}.rope.scaling.";
        double factor = scaling.Number("factor") ?? (kind == "yarn" ? config.Size("max_position_embeddings") / (double)Original(config, scaling) : 1);
        switch (kind)
        {
            case "default" or "llama3":
                return;
            case "linear":
                metadata.Set(key + "type", kind);
                metadata.Set(key + "factor", (float)factor);
                return;
            case "yarn":
                metadata.Set(key + "type", kind);
                metadata.Set(key + "factor", (float)factor);
                metadata.Set(key + "original_context_length", (uint)Original(config, scaling));
                if (scaling.Number("beta_fast") is { } fast)
                    metadata.Set(key + "yarn_beta_fast", (float)fast);
                if (scaling.Number("beta_slow") is { } slow)
                    metadata.Set(key + "yarn_beta_slow", (float)slow);
                // llama.cpp multiplies its factor with YaRN's own, transformers replaces that.
                if (YarnAttention(scaling, factor) is { } attention)
                    metadata.Set(key + "attn_factor", (float)(attention / YarnMagnitude(factor)));
                return;
            case "longrope" or "su":
                metadata.Set(key + "attn_factor", (float)LongMagnitude(config, scaling));
                return;
            default:
                throw Malformed.File(config.Place, $"rope_scaling: the kind {Malformed.Quote(kind)} has no form in GGUF; default, linear, llama3, yarn and longrope have.");
        }
    }

    /// <summary>The tensor of divisors for Llama 3's scaling.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="width">Rotated values per head.</param>
    public static IEnumerable<MappedTensor> Factors(HyperParameters config, int width)
    {
        if (Scaling(config, out string kind) is { } scaling && kind == "llama3")
        {
            Llama3 parameters = new(scaling.Number("factor") ?? 1, scaling.Number("low_freq_factor") ?? 1, scaling.Number("high_freq_factor") ?? 4, Original(config, scaling));
            return [new MappedTensor(Freqs, TensorLayout.Constant(parameters.Divisors(width, Theta(config))))];
        }
        return LongFactors(config, width);
    }

    /// <summary>The two tensors of divisors of long RoPE.</summary>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="width">Rotated values per head.</param>
    /// <exception cref="InvalidDataException">There is not one divisor for each pair of values.</exception>
    public static IEnumerable<MappedTensor> LongFactors(HyperParameters config, int width)
    {
        if (Scaling(config, out string kind) is not { } scaling || kind is not ("longrope" or "su"))
            return [];
        float[] longs = scaling.Numbers("long_factor") ?? [], shorts = scaling.Numbers("short_factor") ?? [];
        return longs.Length == width / 2 && shorts.Length == width / 2
            ? [new MappedTensor(Long, TensorLayout.Constant(longs)), new MappedTensor(Short, TensorLayout.Constant(shorts))]
            : throw Malformed.File(config.Place, $"rope_scaling: long_factor has {longs.Length} and short_factor {shorts.Length} values, but heads turn {width / 2} pairs.");
    }

    /// <summary>The <c>rope_scaling</c> of a file, or null.</summary>
    public static JsonObject? Read(GgufFile file, string architecture, HyperParameters config)
    {
        string key = $"{architecture}.rope.scaling.";
        if (file.TryGet(Freqs, out TensorEntry? freqs))
            return Recognize(Values(file, freqs), config);
        bool hasAttention = file.Values.TryGetNumber(key + "attn_factor", out double attention);
        bool hasOriginal = file.Values.TryGetInteger(key + "original_context_length", out long original);
        if (file.TryGet(Long, out TensorEntry? longs) && file.TryGet(Short, out TensorEntry? shorts))
        {
            JsonObject scaling = new() { ["rope_type"] = "longrope", ["long_factor"] = List(Values(file, longs)), ["short_factor"] = List(Values(file, shorts)) };
            if (hasAttention)
                scaling["attention_factor"] = ConfigKey.Shortest(attention);
            return scaling;
        }
        if (!file.Values.TryGet(key + "type", out string? kind))
            kind = "linear";
        if (kind is not ("none" or "linear" or "yarn"))
            throw GgufKeys.Refuse(file, key + "type", Malformed.Quote(kind));
        if (kind != "yarn" && hasAttention && attention != 1)
            throw GgufKeys.Refuse(file, key + "attn_factor", ConfigKey.Shortest(attention).ToString(CultureInfo.InvariantCulture));
        // Files of 2023 have the factor of linear scaling under another name; 0 stands for none.
        bool hasFactor = file.Values.TryGetNumber(key + "factor", out double factor) || file.Values.TryGetNumber($"{architecture}.rope.scale_linear", out factor);
        if (kind == "none" || !hasFactor || factor == 0)
            return null;
        JsonObject read = new() { ["rope_type"] = kind, ["factor"] = ConfigKey.Shortest(factor) };
        if (kind == "yarn")
        {
            if (hasOriginal)
                read["original_max_position_embeddings"] = original;
            if (file.Values.TryGetNumber(key + "yarn_beta_fast", out double fast))
                read["beta_fast"] = ConfigKey.Shortest(fast);
            if (file.Values.TryGetNumber(key + "yarn_beta_slow", out double slow))
                read["beta_slow"] = ConfigKey.Shortest(slow);
            if (hasAttention)
                read["attention_factor"] = ConfigKey.Shortest(attention * YarnMagnitude(factor));
        }
        return read;
    }

    /// <summary>Reads the share of a head that is rotated.</summary>
    public static void ReadPartial(GgufFile file, string architecture, JsonObject config)
    {
        HyperParameters read = new(config, file.Path);
        int width = read.Size("hidden_size") / read.Size("num_attention_heads");
        config.Remove("head_dim");
        if (file.Values.TryGetInteger($"{architecture}.rope.dimension_count", out long rotated))
            config["partial_rotary_factor"] = Fraction((int)rotated, width);
    }

    /// <summary>A share of which the part rounds down to exactly so many values.</summary>
    public static double Fraction(int part, int whole)
    {
        double share = (double)part / whole;
        return (int)(share * whole) == part ? share : double.BitIncrement(share);
    }

    private static HyperParameters? Scaling(HyperParameters config, out string kind)
    {
        HyperParameters? scaling = config.Below("rope_scaling");
        kind = scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default";
        return scaling;
    }

    private static int Original(HyperParameters config, HyperParameters scaling) =>
        scaling.Integer("original_max_position_embeddings") ?? config.Integer("original_max_position_embeddings") ?? config.Size("max_position_embeddings");

    private static double Theta(HyperParameters config) => config.Number("rope_theta") ?? 10000;

    private static double YarnMagnitude(double factor, double scale = 1) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

    // Where it is another than YaRN's own: given, or made of two scales.
    private static double? YarnAttention(HyperParameters scaling, double factor) => scaling.Number("attention_factor")
        ?? (scaling.Number("mscale") is > 0 and { } one && scaling.Number("mscale_all_dim") is > 0 and { } all ? YarnMagnitude(factor, one) / YarnMagnitude(factor, all) : null);

    private static double LongMagnitude(HyperParameters config, HyperParameters scaling)
    {
        if (scaling.Number("attention_factor") is { } given)
            return given;
        double original = Original(config, scaling), stretch = scaling.Number("factor") ?? config.Size("max_position_embeddings") / original;
        return stretch <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(stretch) / Math.Log(original)));
    }

    private static float[] Values(GgufFile file, TensorEntry entry)
    {
        float[] values = new float[entry.Shape.Count is > 0 and < 1 << 20 ? entry.Shape.Count : throw Malformed.Tensor(file.Path, entry.Name, $"has {entry.Shape.Count} values instead of one for each pair of a head.")];
        file.Read(entry, values);
        return values;
    }

    private static JsonArray List(float[] values) => [.. values.Select(v => (JsonNode)ConfigKey.Shortest(v))];

    // The file has the divisors that Llama 3's rule gives, not the rule; it is found again where one fits. Only two of its three lengths
    // are determined (scaling them together changes nothing), so that the first is taken as 1.
    private static JsonObject Recognize(float[] divisors, HyperParameters config)
    {
        double factor = divisors.Max(), theta = Theta(config);
        double[] frequencies = [.. Enumerable.Range(0, divisors.Length).Select(i => Math.Pow(theta, -(double)i / divisors.Length))];
        (double Frequency, double Smooth)[] blended = [.. divisors.Index()
            .Where(d => d.Item > 1.0001 && d.Item < factor * 0.9999)
            .Select(d => (frequencies[d.Index], ((1 / d.Item) - (1 / factor)) / (1 - (1 / factor))))];
        if (blended.Length > 0)
        {
            // smooth = (original · f / 2π − 1) / (high − 1) is a line over f.
            (double Frequency, double Smooth) a = blended[0], b = blended[^1];
            double high = 4;
            if (blended.Length > 1)
            {
                double slope = (a.Smooth - b.Smooth) / (a.Frequency - b.Frequency);
                high = Math.Round(1 + (1 / ((slope * a.Frequency) - a.Smooth)), 2);
            }
            double original = Math.Round(((a.Smooth * (high - 1)) + 1) * 2 * Math.PI / a.Frequency);
            Llama3 rule = new(Math.Round(factor, 3), 1, high, original);
            if (high > 1 && original is > 1 and < int.MaxValue && rule.Divisors(2 * divisors.Length, theta).Index().All(d => Math.Abs(d.Item - divisors[d.Index]) <= 2e-4 * divisors[d.Index]))
            {
                return new JsonObject
                {
                    ["rope_type"] = "llama3",
                    ["factor"] = rule.Factor,
                    ["low_freq_factor"] = 1.0,
                    ["high_freq_factor"] = high,
                    ["original_max_position_embeddings"] = (int)original,
                };
            }
        }
        return new JsonObject
        {
            ["rope_type"] = "longrope",
            ["long_factor"] = List(divisors),
            ["short_factor"] = List(divisors),
            ["factor"] = 1.0,
            ["attention_factor"] = 1.0,
            ["original_max_position_embeddings"] = config.Size("max_position_embeddings"),
        };
    }

    /// <summary>Llama 3's rule: long wavelengths are stretched whole, short ones kept, those between blended.</summary>
    private sealed record Llama3(double Factor, double Low, double High, double Original)
    {
        public float[] Divisors(int width, double theta) => [.. Enumerable.Range(0, width / 2).Select(i =>
        {
            double wavelength = 2 * Math.PI * Math.Pow(theta, 2.0 * i / width);
            double smooth = Math.Clamp(((Original / wavelength) - Low) / (High - Low), 0, 1);
            return (float)(1 / (((1 - smooth) / Factor) + smooth));
        })];
    }
}
