using System.Text.Json;

namespace Gradus.Cli.Configuration;

/// <summary>
/// Lays a partial tree over a complete one. Objects merge; arrays and single values replace. Where the discriminator of a
/// polymorphic object changes, that kind's defaults replace the whole subtree; every new object (in an array, a dictionary,
/// or where there was null) starts from its type's defaults too.
/// </summary>
/// <param name="problems">Where problems go; once there is one, the merged tree is not to be used.</param>
/// <param name="defaults">The origin of defaults.</param>
internal sealed class ConfigurationMerge(ConfigurationProblems problems, Origin defaults)
{
    /// <summary>Merges one value.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="nullable">Whether it may be null.</param>
    /// <param name="current">What is there; null where nothing is.</param>
    /// <param name="given">What to lay over it.</param>
    /// <param name="path">Its path, for messages.</param>
    public ConfigurationNode Merge(ConfigurationType type, bool nullable, ConfigurationNode? current, ConfigurationNode given, string path)
    {
        if (given.Kind == JsonValueKind.Null && nullable)
            return given;
        if (type.IsScalar || type.Shape == ValueShape.Any)
        {
            (ConfigurationNode? value, string? problem) = ScalarValue.Read(type, given);
            return value ?? Fail(given.Origin, path, problem!, given);
        }
        if (given.Kind != (type.Shape == ValueShape.List ? JsonValueKind.Array : JsonValueKind.Object))
            return Fail(given.Origin, path, $"expected {type.Expected}, got {given}", given);
        ConfigurationNode? below = current is { Kind: JsonValueKind.Object } ? current : null;
        return type.Shape switch
        {
            ValueShape.List => ConfigurationNode.Array(
                [.. given.Items.Select((item, i) => Merge(type.Element, type.ElementNullable, null, item, Join(path, $"{i}")))], given.Origin),
            ValueShape.Map => MergeMap(type, below, given, path),
            ValueShape.Kinds => MergeKind(type, below, given, path),
            _ => MergeRecord(type, null, below ?? type.Defaults(null, defaults), given, path),
        };
    }

    /// <summary>The record of a polymorphic object as it stands; null, and a problem, where no kind is chosen yet.</summary>
    public ConfigurationType? KindOf(ConfigurationType type, ConfigurationNode? current, Origin origin, string path)
    {
        if (current is { Kind: JsonValueKind.Object } && current.Members.TryGetValue(type.Discriminator, out ConfigurationNode? kind))
            return type.Kinds[kind.Text];
        problems.Add(origin, path, $"needs {ConfigurationNode.Quote(type.Discriminator)}: one of {string.Join(", ", type.Kinds.Keys)}");
        return null;
    }

    /// <summary>Reports a key that a record does not have.</summary>
    public void UnknownKey(ConfigurationType record, (string Key, string Value)? kind, string key, Origin origin, string path)
    {
        IEnumerable<string> keys = kind is { } k ? [k.Key, .. record.Properties.Keys] : record.Properties.Keys;
        string of = kind is { } given ? $" of {given.Key} {ConfigurationNode.Quote(given.Value)}" : "";
        problems.Add(origin, Join(path, key), () => $"unknown key{of}; {KeySuggestion.For(key, keys, "keys")}");
    }

    /// <summary>A path one key longer. A key that is not a plain name is quoted.</summary>
    public static string Join(string path, string key)
    {
        string name = key.Length > 0 && key.Length <= 60 && key.All(c => char.IsLetterOrDigit(c) || c is '_' or '-' or '$') ? key : ConfigurationNode.Quote(key);
        return path.Length == 0 ? name : $"{path}.{name}";
    }

    private ConfigurationNode MergeKind(ConfigurationType type, ConfigurationNode? current, ConfigurationNode given, string path)
    {
        if (given.Members.TryGetValue(type.Discriminator, out ConfigurationNode? kind))
        {
            if (kind.Kind != JsonValueKind.String || !type.Kinds.TryGetValue(kind.Text, out ConfigurationType? chosen))
                return Fail(kind.Origin, Join(path, type.Discriminator), $"expected one of {string.Join(", ", type.Kinds.Keys)}, got {kind}", given);
            if (current is null || current.Members[type.Discriminator].Text != kind.Text)
                current = chosen.Defaults((type.Discriminator, kind.Text), defaults);
        }
        return KindOf(type, current, given.Origin, path) is { } record
            ? MergeRecord(record, (type.Discriminator, current!.Members[type.Discriminator].Text), current, given, path)
            : given;
    }

    private ConfigurationNode MergeRecord(
        ConfigurationType record, (string Key, string Value)? kind, ConfigurationNode current, ConfigurationNode given, string path)
    {
        OrderedDictionary<string, ConfigurationNode> members = new(current.Members);
        foreach ((string key, ConfigurationNode value) in given.Members)
        {
            if (record.Properties.TryGetValue(key, out ConfigurationProperty? property))
                members[key] = Merge(property.Type, property.Nullable, members.GetValueOrDefault(key), value, Join(path, key));
            else if (key != kind?.Key)
                UnknownKey(record, kind, key, value.KeyOrigin, path);
        }
        return ConfigurationNode.Object(members, given.Origin);
    }

    private ConfigurationNode MergeMap(ConfigurationType type, ConfigurationNode? current, ConfigurationNode given, string path)
    {
        OrderedDictionary<string, ConfigurationNode> members = current is null ? [] : new(current.Members);
        foreach ((string key, ConfigurationNode value) in given.Members)
            members[key] = Merge(type.Element, type.ElementNullable, members.GetValueOrDefault(key), value, Join(path, key));
        return ConfigurationNode.Object(members, given.Origin);
    }

    private ConfigurationNode Fail(Origin origin, string path, string problem, ConfigurationNode given)
    {
        problems.Add(origin, path, problem);
        return given;
    }
}
