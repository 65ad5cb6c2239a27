using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Models;

/// <summary>
/// Other keys under which config.json files hold a value: those of some age, and transformers' <c>attribute_map</c>, names that several
/// architectures share. A file that has two of them with different values is refused.
/// </summary>
/// <param name="key">The key of the configuration record.</param>
/// <param name="formerNames">The others.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
internal sealed class FormerNameAttribute(string key, params string[] formerNames) : Attribute
{
    public string Key => key;

    public IReadOnlyList<string> FormerNames => formerNames;
}

/// <summary>
/// A key of config.json that changes what a model computes and of which only one value is supported. Records that have the key
/// themselves judge it themselves.
/// </summary>
/// <param name="key">The key.</param>
/// <param name="usual">The value, as JSON, that it may have; it may also be null or absent.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
internal sealed class OnlyUsualAttribute(string key, string usual) : Attribute
{
    public string Key => key;

    public string Usual => usual;

    /// <summary>Whether a value is the usual one.</summary>
    public bool Allows(JsonNode? value) => value is null
        || JsonNode.DeepEquals(value, JsonNode.Parse(usual))
        || (value.GetValueKind() == JsonValueKind.Number && double.TryParse(usual, CultureInfo.InvariantCulture, out double number) && (double)value == number);
}

/// <summary>
/// Brings a config.json of any version of transformers into the form that the configuration records have: that of version 4.
/// Version 5 gathers what concerns rotary positions in <c>rope_parameters</c>; before 4, keys had other names.
/// </summary>
internal static class ConfigForms
{
    /// <summary>A copy in the present form.</summary>
    /// <param name="json">The file's object.</param>
    /// <param name="config">The configuration record that will be made of it.</param>
    public static JsonObject Present(JsonObject json, Type config)
    {
        JsonObject present = (JsonObject)json.DeepClone();
        if (present["rope_parameters"] is JsonObject rope)
            SpreadRope(present, rope);
        // LongRoPE's length of training stands outside of rope_scaling.
        if (present["rope_scaling"] is JsonObject scaling && KindOf(scaling) is "longrope" or "su")
            Move(present, "original_max_position_embeddings", (JsonObject)present["rope_scaling"]!, "original_max_position_embeddings");
        foreach (FormerNameAttribute name in config.GetCustomAttributes<FormerNameAttribute>(inherit: false))
        {
            string? given = name.FormerNames.FirstOrDefault(n => present[n] is not null);
            if (given is not null && present[name.Key] is null)
                present[name.Key] = present[given]!.DeepClone();
        }
        ReplaceNulls(present, config);
        return present;
    }

    /// <summary>Refuses what would change the numbers and has no place here.</summary>
    /// <param name="json">The file's object in the present form.</param>
    /// <param name="config">The configuration record that will be made of it.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="InvalidDataException">A key has another value than the usual one, or than another name for it; one line that names it.</exception>
    public static void CheckUsual(JsonObject json, Type config, string source)
    {
        foreach (OnlyUsualAttribute only in config.GetCustomAttributes<OnlyUsualAttribute>(inherit: true))
        {
            bool own = config.GetProperties().Any(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name) == only.Key);
            if (!own && !only.Allows(json[only.Key]))
                throw new InvalidDataException($"{source}: {only.Key}: {json[only.Key]!.ToJsonString()} is not supported, only {only.Usual}; use another model.");
        }
        foreach (FormerNameAttribute name in config.GetCustomAttributes<FormerNameAttribute>(inherit: false))
        {
            string? other = name.FormerNames.FirstOrDefault(n => json[n] is { } value && json[name.Key] is { } own && !UnderstoodKeys.AreEqual(value, own));
            if (other is not null)
                throw new InvalidDataException($"{source}: {name.Key} is {json[name.Key]!.ToJsonString()}, but {other}, another name for it, is {json[other]!.ToJsonString()}; remove the wrong one.");
        }
        UnderstoodKeys.Check(json, config, source);
        if (json["rope_parameters"] is JsonObject rope && rope["sliding_attention"] is JsonObject local && IsScaled(local))
            throw new InvalidDataException($"{source}: rope_parameters: a scaling of sliding_attention is not supported, only of full_attention; use another model.");
    }

    // Python takes null for false; a number that is null is one that is not given.
    private static void ReplaceNulls(JsonObject present, Type config)
    {
        NullabilityInfoContext nullability = new();
        foreach (PropertyInfo property in config.GetProperties())
        {
            string key = UnderstoodKeys.NameOf(property);
            if (!present.ContainsKey(key) || present[key] is not null || nullability.Create(property).ReadState == NullabilityState.Nullable)
                continue;
            if (property.PropertyType == typeof(bool))
                present[key] = false;
            else
                present.Remove(key);
        }
    }

    // Either one object, or one for each kind of layer (Gemma 3).
    private static void SpreadRope(JsonObject config, JsonObject rope)
    {
        if (rope["sliding_attention"] is JsonObject local)
            Move(local, "rope_theta", config, "rope_local_base_freq");
        if (rope["full_attention"] is JsonObject global)
            rope = global;
        Move(rope, "rope_theta", config, "rope_theta");
        Move(rope, "partial_rotary_factor", config, "partial_rotary_factor");
        if (IsScaled(rope) && !config.ContainsKey("rope_scaling"))
            config["rope_scaling"] = rope.DeepClone();
    }

    private static bool IsScaled(JsonObject rope) => KindOf(rope) is not (null or "default");

    private static string? KindOf(JsonObject rope) =>
        (rope["rope_type"] ?? rope["type"]) is JsonValue type && type.TryGetValue(out string? kind) ? kind : null;

    private static void Move(JsonObject from, string key, JsonObject to, string name)
    {
        if (from[key] is { } value && !to.ContainsKey(name))
            to[name] = value.DeepClone();
    }
}
