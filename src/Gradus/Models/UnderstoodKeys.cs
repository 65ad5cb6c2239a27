using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>
/// Refuses keys of a config.json that change what a model computes where the architecture's record has no place for them: ignored, they would
/// be replaced by a default in silence. Keys that change no number (of the training, of saving, of programs) are nobody's business.
/// </summary>
internal static class UnderstoodKeys
{
    // Names that architectures have for one thing which the shapes of tensors do not betray. A file that says it by another's name means it.
    private static readonly string[][] Synonyms =
    [
        ["num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads"],
        ["num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads"],
        ["layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps", "norm_eps", "norm_epsilon"],
        ["hidden_act", "activation_function", "activation", "hidden_activation", "ff_activation"],
        ["rope_theta", "rotary_emb_base", "rope_base"],
    ];

    // Keys of some architectures, and the values that leave the numbers of the others as they are; null always does.
    private static readonly Dictionary<string, string[]> Neutral = new(StringComparer.Ordinal)
    {
        ["alibi"] = ["false"],
        ["apply_residual_connection_post_layernorm"] = ["false"],
        ["attention_chunk_size"] = [],
        ["attention_multiplier"] = [],
        ["attn_logit_softcapping"] = ["0"],
        ["clip_qkv"] = [],
        ["embedding_multiplier"] = ["1"],
        ["final_logit_softcapping"] = ["0"],
        ["first_k_dense_replace"] = ["0"],
        ["layer_types"] = [],
        ["logit_scale"] = ["1"],
        ["logits_scaling"] = ["1"],
        ["multi_query"] = ["false"],
        ["n_routed_experts"] = ["0"],
        ["n_shared_experts"] = ["0"],
        ["no_rope_layers"] = ["[]"],
        ["num_experts"] = ["0"],
        ["num_local_experts"] = ["0"],
        ["parallel_attn"] = ["false"],
        ["partial_rotary_factor"] = ["1"],
        ["qk_layernorm"] = ["false"],
        ["qk_norm"] = ["false"],
        ["query_pre_attn_scalar"] = [],
        ["residual_multiplier"] = ["1"],
        ["rope_interleaved"] = ["false"],
        ["rope_local_base_freq"] = [],
        ["rotary_dim"] = [],
        ["rotary_pct"] = ["1"],
        ["scale_attn_by_inverse_layer_idx"] = ["false"],
        ["scale_attn_weights"] = ["true"],
        ["scale_depth"] = [],
        ["scale_emb"] = ["1"],
        ["sliding_window"] = [],
        ["use_alibi"] = ["false"],
        ["use_attention_sinks"] = ["false"],
        ["use_parallel_residual"] = ["false"],
        ["use_qk_norm"] = ["false"],
    };

    // What stands in rope_scaling beside the numbers of the record; of older YaRN files only where it changes nothing.
    private static readonly HashSet<string> BesideRope = ["rope_theta", "partial_rotary_factor", "finetuned"];

    private static readonly string[] NeutralRope = ["attn_factor", "extrapolation_factor"];

    /// <summary>The keys of a configuration record.</summary>
    public static HashSet<string> Of(Type record) =>
    [
        .. record.GetProperties()
            .Where(p => p.GetCustomAttribute<JsonIgnoreAttribute>() is null or { Condition: not JsonIgnoreCondition.Always })
            .Select(NameOf),
    ];

    /// <summary>The key of a property.</summary>
    public static string NameOf(PropertyInfo property) =>
        property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);

    /// <summary>Refuses what is not understood.</summary>
    /// <param name="json">The file's object in the present form.</param>
    /// <param name="record">The configuration record that will be made of it.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">A key would change numbers; one line that names it.</exception>
    public static void Check(JsonObject json, Type record, string source)
    {
        HashSet<string> own = Of(record);
        HashSet<string> known = [.. own, .. record.GetCustomAttributes<FormerNameAttribute>(inherit: false).SelectMany(f => f.FormerNames)];
        foreach (string[] names in Synonyms)
            CheckSynonyms(json, names, known, own, source);
        foreach ((string key, string[] neutral) in Neutral)
        {
            if (!known.Contains(key) && json[key] is { } value && !IsNeutral(json, key, value, neutral))
                throw new InvalidDataException($"{source}: {key}: {value.ToJsonString()} would change what {Architectures.TypeOf(json)} computes, and is not understood here; use another model.");
        }
        if (json["rope_scaling"] is JsonObject scaling)
            CheckRope(scaling, source);
    }

    /// <summary>Whether two values are the same, 1 and 1.0 too.</summary>
    public static bool AreEqual(JsonNode a, JsonNode b) => JsonNode.DeepEquals(a, b)
        || (Number(a) is { } x && Number(b) is { } y && x == y);

    private static void CheckSynonyms(JsonObject json, string[] names, HashSet<string> known, HashSet<string> own, string source)
    {
        string? needed = Array.Find(names, own.Contains);
        if (needed is null || names.Any(n => known.Contains(n) && json[n] is not null))
            return;
        if (Array.Find(names, n => json[n] is not null) is not { } given)
            return;
        // What is said is what would be taken anyway.
        if (Architectures.Defaults(Architectures.TypeOf(json)!)[needed] is { } usual && AreEqual(usual, json[given]!))
            return;
        throw new InvalidDataException($"{source}: {given}: the architecture {Architectures.TypeOf(json)} calls it {needed}; rename it.");
    }

    private static bool IsNeutral(JsonObject json, string key, JsonNode value, string[] neutral) => key switch
    {
        "layer_types" => value is JsonArray types && types.All(t => t is JsonValue v && v.TryGetValue(out string? name) && name == "full_attention"),
        // A window as long as the longest text limits nothing.
        "sliding_window" => (json["use_sliding_window"] is JsonValue use && use.TryGetValue(out bool on) && !on)
            || (Number(json["max_position_embeddings"] ?? Architectures.Defaults(Architectures.TypeOf(json)!)["max_position_embeddings"]) is { } context && Number(value) >= context),
        _ => Array.Exists(neutral, n => AreEqual(value, JsonNode.Parse(n)!)),
    };

    private static void CheckRope(JsonObject scaling, string source)
    {
        HashSet<string> known = Of(typeof(RopeScaling));
        foreach ((string key, JsonNode? value) in scaling)
        {
            if (value is not null && !known.Contains(key) && !BesideRope.Contains(key) && !(NeutralRope.Contains(key) && Number(value) == 1))
                throw new InvalidDataException($"{source}: rope_scaling: {key}: {value.ToJsonString()} is not understood here; use another model.");
        }
    }

    private static double? Number(JsonNode? node) => node is JsonValue value && value.GetValueKind() == JsonValueKind.Number
        ? double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture)
        : null;
}
