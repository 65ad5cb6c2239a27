using System.Reflection;
using System.Text.Json.Nodes;

namespace Gradus.Models;

/// <summary>Other keys under which config.json files of some age hold a value.</summary>
/// <param name="key">The key of the configuration record.</param>
/// <param name="formerNames">The others; the first that a file has counts, where it has not the key itself.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
internal sealed class FormerNameAttribute(string key, params string[] formerNames) : Attribute
{
    public string Key => key;

    public IReadOnlyList<string> FormerNames => formerNames;
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
        foreach (FormerNameAttribute name in config.GetCustomAttributes<FormerNameAttribute>(inherit: false))
        {
            string? given = name.FormerNames.FirstOrDefault(present.ContainsKey);
            if (given is not null && !present.ContainsKey(name.Key))
                present[name.Key] = present[given]?.DeepClone();
        }
        return present;
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
        bool scaled = (rope["rope_type"] ?? rope["type"]) is JsonValue type && type.TryGetValue(out string? kind) && kind != "default";
        if (scaled && !config.ContainsKey("rope_scaling"))
            config["rope_scaling"] = rope.DeepClone();
    }

    private static void Move(JsonObject from, string key, JsonObject to, string name)
    {
        if (from[key] is { } value && !to.ContainsKey(name))
            to[name] = value.DeepClone();
    }
}
