using System.Globalization;

namespace Gradus.Files.Gguf;

/// <summary>
/// Metadata of GGUF as llama.cpp reads it: values that may stand for each layer, ids that are -1 for none, the names that keys once had. What
/// would change numbers and has no place in a family is refused by its name. Source: llama.cpp (llama-arch.cpp, llama-model.cpp).
/// </summary>
internal static class GgufKeys
{
    // Values of these may be given once or for each layer; models whose layers differ are not built here.
    private static readonly string[] PerLayer =
        ["attention.head_count", "attention.head_count_kv", "feed_forward_length", "attention.key_length", "attention.value_length", "attention.sliding_window"];

    // Keys of some architectures, and the values that leave the numbers of the others as they are.
    private static readonly Dictionary<string, double[]> Neutral = new(StringComparer.Ordinal)
    {
        ["attention.clamp_kqv"] = [0],
        ["attention.max_alibi_bias"] = [0],
        ["attention.scale"] = [0],
        ["attention.temperature_length"] = [0],
        ["attention.temperature_scale"] = [0],
        ["attn_logit_softcapping"] = [0],
        ["embedding_scale"] = [0, 1],
        ["expert_count"] = [0],
        ["expert_gating_func"] = [0, 1],
        ["expert_group_count"] = [0, 1],
        ["expert_shared_count"] = [0],
        ["expert_weights_scale"] = [0, 1],
        ["final_logit_softcapping"] = [0],
        ["interleave_moe_layer_step"] = [0],
        ["leading_dense_block_count"] = [0],
        ["logit_scale"] = [0, 1],
        ["residual_scale"] = [0, 1],
        ["rope.scaling.yarn_attn_factor"] = [1],
        ["rope.scaling.yarn_ext_factor"] = [-1, 1],
        ["rope.scaling.yarn_log_multiplier"] = [0],
    };

    /// <summary>A token id, where a key has one: -1, in whichever width its writer had, says that there is none.</summary>
    public static bool TryId(GgufMetadata values, string key, out int id)
    {
        bool found = values.TryGetInteger(key, out long value) && value is >= 0 and < int.MaxValue and not ushort.MaxValue;
        id = found ? (int)value : -1;
        return found;
    }

    /// <summary>Brings values that stand for each layer into one, and refuses what the family does not know.</summary>
    /// <exception cref="InvalidDataException">Layers differ, or a key would change numbers; one line that names it.</exception>
    public static void Prepare(GgufFamily family, GgufFile file)
    {
        foreach (string name in PerLayer)
            Unify(file, $"{family.Architecture}.{name}");
        HashSet<string> own = [.. family.KnownKeys];
        foreach ((string name, double[] neutral) in Neutral)
        {
            string key = $"{family.Architecture}.{name}";
            if (!own.Contains(name) && file.Values.TryGetNumber(key, out double value) && !neutral.Contains(value))
                throw Refuse(file, key, value.ToString(CultureInfo.InvariantCulture));
        }
        string parallel = $"{family.Architecture}.use_parallel_residual", causal = $"{family.Architecture}.attention.causal";
        if (!own.Contains("use_parallel_residual") && file.Values.TryGet(parallel, out bool isParallel) && isParallel)
            throw Refuse(file, parallel, "true");
        if (file.Values.TryGet(causal, out bool isCausal) && isCausal != family.IsCausal)
            throw Refuse(file, causal, isCausal ? "true" : "false");
        string window = $"{family.Architecture}.attention.sliding_window";
        if (!own.Contains("attention.sliding_window") && file.Values.TryGetInteger(window, out long tokens) && tokens > 0
            && !(file.Values.TryGetInteger($"{family.Architecture}.context_length", out long context) && tokens >= context))
        {
            throw Refuse(file, window, tokens.ToString(CultureInfo.InvariantCulture));
        }
        foreach (string epsilon in own.Where(k => k.EndsWith("_epsilon", StringComparison.Ordinal)))
        {
            if (!file.Values.TryGetNumber($"{family.Architecture}.{epsilon}", out _))
                throw Malformed.File(file.Path, $"{family.Architecture}.{epsilon} is missing; get it again, or from where the model was made.");
        }
    }

    /// <summary>Refuses sizes that the family takes otherwise than the file gives them.</summary>
    /// <param name="family">The family.</param>
    /// <param name="file">The file.</param>
    /// <param name="config">What was read of it.</param>
    /// <exception cref="InvalidDataException">A size would be ignored; one line that names it.</exception>
    public static void CheckRead(GgufFamily family, GgufFile file, HyperParameters config)
    {
        string dimensions = $"{family.Architecture}.rope.dimension_count";
        if (family.RotatedWidth(config) is { } width && file.Values.TryGetInteger(dimensions, out long rotated) && rotated != width && rotated != 0)
            throw Refuse(file, dimensions, rotated.ToString(CultureInfo.InvariantCulture));
        string keys = $"{family.Architecture}.attention.key_length", values = $"{family.Architecture}.attention.value_length";
        if (file.Values.TryGetInteger(keys, out long key) && file.Values.TryGetInteger(values, out long value) && key != value)
            throw Refuse(file, values, value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The error for a value that would change what the model computes.</summary>
    public static InvalidDataException Refuse(GgufFile file, string key, string value) =>
        Malformed.File(file.Path, $"{key} is {value}, which is not understood here and would change what the model computes; use another model.");

    private static void Unify(GgufFile file, string key)
    {
        if (!file.Values.TryGet(key, out Array? list) || list is Array[] or string[] or bool[])
            return;
        if (!file.Values.TryGetIntegers(key, out long[]? values))
            throw Malformed.File(file.Path, $"{key} is not a list of integers; it is damaged, get it again.");
        if (values.Length == 0)
            throw Malformed.File(file.Path, $"{key} is an empty list; it is damaged, get it again.");
        if (values.Distinct().Count() > 1)
            throw Malformed.File(file.Path, $"{key} differs from layer to layer ({string.Join(", ", values.Take(8))}{(values.Length > 8 ? ", …" : "")}), which is not supported; use another model.");
        file.Values.Set(key, values[0]);
    }
}
