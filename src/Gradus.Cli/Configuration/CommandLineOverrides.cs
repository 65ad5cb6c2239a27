using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Cli.Configuration;

/// <summary>
/// The <c>--path.to.value=x</c> arguments. The target's type says how x is read: strings and names need no quotes, arrays are
/// JSON or comma-separated, objects are JSON. A number in the path chooses an element that exists. Their order matters only
/// where two set the same path (the last wins); a kind is set before the keys below it. A dictionary key with a dot needs JSON.
/// </summary>
internal sealed class CommandLineOverrides
{
    private static readonly UTF8Encoding s_utf8 = new(false, throwOnInvalidBytes: true);

    private readonly List<(string[] Path, string Value)> _arguments = [];
    private readonly Dictionary<string, string> _values = [];
    private readonly Origin _origin = new(new ConfigurationSource("command line"));
    private readonly ConfigurationMerge _merge;
    private readonly ConfigurationProblems _problems;

    /// <summary>Reads the arguments' form; their paths and values are looked at by <see cref="Apply"/>.</summary>
    public CommandLineOverrides(IReadOnlyList<string> arguments, ConfigurationMerge merge, ConfigurationProblems problems)
    {
        (_merge, _problems) = (merge, problems);
        foreach (string argument in arguments)
            Add(argument);
    }

    /// <summary>The value of <c>--size</c>, or null.</summary>
    public string? Size { get; private set; }

    /// <summary>Where they are from.</summary>
    public Origin Origin => _origin;

    private void Add(string argument)
    {
        string shown = ConfigurationNode.Quote(argument);
        int equals = argument.IndexOf('=', StringComparison.Ordinal);
        string[] path = argument.StartsWith("--", StringComparison.Ordinal) ? argument[2..(equals < 0 ? argument.Length : equals)].Split('.') : [];
        if (path.Length == 0)
            _problems.Add(_origin, "", $"unexpected argument {shown}; a value is set with --path.to.value=x");
        else if (equals < 0)
            _problems.Add(_origin, "", $"missing '=' in {shown}; a value is set with --path.to.value=x");
        else if (path.Any(p => p.Length == 0) || path.Length > ConfigurationNode.MaxDepth)
            _problems.Add(_origin, "", $"the path of {shown} is not a list of names with dots between them");
        else if (!IsUnicode(argument))
            _problems.Add(_origin, "", $"{shown} is not valid Unicode");
        else if (path is ["size"])
            Size = argument[(equals + 1)..];
        else
        {
            _arguments.Add((path, argument[(equals + 1)..]));
            _values[string.Join('.', path)] = argument[(equals + 1)..];
        }
    }

    private static bool IsUnicode(string text)
    {
        try
        {
            return s_utf8.GetByteCount(text) >= 0;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>The tree with all of them set.</summary>
    public ConfigurationNode Apply(ConfigurationType root, ConfigurationNode tree)
    {
        foreach ((string[] path, string value) in _arguments)
            tree = Set(root, false, tree, path, 0, value);
        return tree;
    }

    private ConfigurationNode Set(ConfigurationType type, bool nullable, ConfigurationNode? current, string[] path, int depth, string value)
    {
        string here = string.Join('.', path.Take(depth));
        if (depth == path.Length)
            return FromText(type, nullable, value, here) is { } given ? _merge.Merge(type, nullable, current, given, here) : Unchanged(current);
        string key = path[depth];
        switch (type.Shape)
        {
            case ValueShape.Record:
                return SetMember(type, null, Existing(current) ?? type.Defaults(null, _origin), path, depth, value);
            case ValueShape.Kinds:
                if (_values.TryGetValue($"{here}.{type.Discriminator}", out string? kind))
                {
                    ConfigurationNode chosen = ConfigurationNode.Object(
                        new() { [type.Discriminator] = ConfigurationNode.String(kind, _origin) }, _origin);
                    ConfigurationNode merged = _merge.Merge(type, false, current, chosen, here);
                    if (!type.Kinds.ContainsKey(kind))
                        return Unchanged(current);
                    current = merged;
                    if (key == type.Discriminator && depth + 1 == path.Length)
                        return current;
                }
                return _merge.KindOf(type, current, _origin, here) is { } record
                    ? SetMember(record, (type.Discriminator, current!.Members[type.Discriminator].Text), current, path, depth, value)
                    : Unchanged(current);
            case ValueShape.Map:
                ConfigurationNode map = Existing(current) ?? ConfigurationNode.Object([], _origin);
                return map.With(key, Set(type.Element, type.ElementNullable, map.Members.GetValueOrDefault(key), path, depth + 1, value));
            case ValueShape.List:
                return SetItem(type, current, path, depth, value);
            default:
                _problems.Add(_origin, string.Join('.', path), $"{here} is {(type.IsScalar ? type.Expected : "free JSON")}; it has no keys");
                return Unchanged(current);
        }
    }

    private ConfigurationNode SetMember(
        ConfigurationType record, (string Key, string Value)? kind, ConfigurationNode current, string[] path, int depth, string value)
    {
        string key = path[depth];
        if (record.Properties.TryGetValue(key, out ConfigurationProperty? property))
            return current.With(key, Set(property.Type, property.Nullable, current.Members.GetValueOrDefault(key), path, depth + 1, value));
        _merge.UnknownKey(record, kind, key, _origin, string.Join('.', path.Take(depth)));
        return current;
    }

    private ConfigurationNode SetItem(ConfigurationType type, ConfigurationNode? current, string[] path, int depth, string value)
    {
        IReadOnlyList<ConfigurationNode> items = current?.Items ?? [];
        if (!int.TryParse(path[depth], NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= items.Count)
        {
            string elements = items.Count == 0 ? "the array is empty" : $"the array has elements 0 to {items.Count - 1}";
            _problems.Add(_origin, string.Join('.', path.Take(depth + 1)), $"{elements}; an array is replaced as a whole with JSON or commas");
            return Unchanged(current);
        }
        ConfigurationNode item = Set(type.Element, type.ElementNullable, items[index], path, depth + 1, value);
        return ConfigurationNode.Array([.. items.Select((old, i) => i == index ? item : old)], _origin);
    }

    private static ConfigurationNode? Existing(ConfigurationNode? node) => node is { Kind: JsonValueKind.Object } ? node : null;

    // Reached with a problem on record or with nothing to change.
    private ConfigurationNode Unchanged(ConfigurationNode? current) => current ?? ConfigurationNode.Null(_origin);

    /// <summary>The value that a text means for a type; null, and a problem, where it starts like JSON and is not.</summary>
    private ConfigurationNode? FromText(ConfigurationType type, bool nullable, string text, string path)
    {
        if (text == "null" && (nullable || type.Shape != ValueShape.Text))
            return ConfigurationNode.Null(_origin);
        ConfigurationNode plain = ConfigurationNode.String(text, _origin);
        switch (type.Shape)
        {
            case ValueShape.List when text.Length == 0:
                return ConfigurationNode.Array([], _origin);
            case ValueShape.List when type.Element.IsScalar && text[0] != '[':
                return Split(type, text, path);
            case ValueShape.List when text[0] == '[':
            case ValueShape.Record or ValueShape.Kinds or ValueShape.Map when text.StartsWith('{'):
                return Json(text, path);
            case ValueShape.Text or ValueShape.Choice:
                return text.StartsWith('"') && TryJson(text) is { Kind: JsonValueKind.String } quoted ? quoted : plain;
            case ValueShape.Integer or ValueShape.Number or ValueShape.Boolean:
                return TryJson(text) is { Kind: not (JsonValueKind.Object or JsonValueKind.Array) } literal ? literal : plain;
            case ValueShape.Other:
                return !ScalarValue.IsReadable(type, plain) && TryJson(text) is { } json && ScalarValue.IsReadable(type, json) ? json : plain;
            case ValueShape.Any:
                return TryJson(text) ?? plain;
            default:
                return plain;
        }
    }

    // Only objects and arrays can start like JSON and fail, so an element that is neither is never null.
    private ConfigurationNode Split(ConfigurationType type, string text, string path)
    {
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        return ConfigurationNode.Array([.. parts.Select(part => FromText(type.Element, type.ElementNullable, part, path)!)], _origin);
    }

    private ConfigurationNode? Json(string text, string path)
    {
        try
        {
            return ConfigurationNode.Parse(Encoding.UTF8.GetBytes(text), _origin.Source);
        }
        catch (JsonException e)
        {
            _problems.Add(_origin, path, ConfigurationTree.SyntaxProblem(e));
            return null;
        }
    }

    private ConfigurationNode? TryJson(string text)
    {
        try
        {
            return ConfigurationNode.Parse(Encoding.UTF8.GetBytes(text), _origin.Source);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
