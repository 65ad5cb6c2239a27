// Purpose: YAML as PyYAML reads it (YAML 1.1: yes, no, on and off are truth values, 1e5 is a text), because task files are written for that.
// The grammar is YamlDotNet's; what a scalar means is decided here. A Python function (!function utils.f) is {"function": "utils.f"}.
// Left out: dates, which stay texts, and tags other than !function, refused by name.

using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>Reads a YAML file as JSON.</summary>
internal sealed partial class YamlReader
{
    private const int MaxNodes = 200_000;
    private const int MaxDepth = 64;
    private readonly Parser _parser;
    private readonly string _path;
    private readonly Dictionary<string, JsonNode?> _anchors = new(StringComparer.Ordinal);
    private int _nodes;
    private int _depth;

    private YamlReader(TextReader reader, string path)
    {
        _parser = new Parser(reader);
        _path = path;
    }

    /// <summary>The map that a file holds.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InvalidDataException">It is no YAML, or no map; one line.</exception>
    public static JsonObject Read(string text, string path)
    {
        YamlReader reader = new(new StringReader(text), path);
        try
        {
            reader._parser.Consume<StreamStart>();
            reader._parser.Consume<DocumentStart>();
            return reader.Node() as JsonObject ?? throw new InvalidDataException($"{path}: is no map of keys; a task file is one.");
        }
        catch (YamlException e)
        {
            throw new InvalidDataException($"{path}: line {e.Start.Line}: not YAML: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    private JsonNode? Node()
    {
        if (++_nodes > MaxNodes || ++_depth > MaxDepth)
            throw new InvalidDataException($"{_path}: line {_parser.Current?.Start.Line}: the file holds more, or is nested deeper, than a task file does.");
        JsonNode? node;
        string? anchor = null;
        if (_parser.TryConsume<AnchorAlias>(out var alias))
        {
            JsonNode? known = _anchors.TryGetValue(alias.Value.Value, out JsonNode? found) ? found : throw Wrong(alias, $"the anchor {alias.Value} is unknown");
            _nodes += Size(known);
            node = known?.DeepClone();
        }
        else if (_parser.TryConsume<Scalar>(out var scalar))
        {
            anchor = scalar.Anchor.IsEmpty ? null : scalar.Anchor.Value;
            node = Value(scalar);
        }
        else if (_parser.TryConsume<SequenceStart>(out var sequence))
        {
            anchor = sequence.Anchor.IsEmpty ? null : sequence.Anchor.Value;
            JsonArray list = [];
            while (!_parser.TryConsume<SequenceEnd>(out _))
                list.Add(Node());
            node = list;
        }
        else
        {
            MappingStart mapping = _parser.Consume<MappingStart>();
            anchor = mapping.Anchor.IsEmpty ? null : mapping.Anchor.Value;
            node = Map();
        }
        if (anchor is not null)
            _anchors[anchor] = node?.DeepClone();
        _depth--;
        return node;
    }

    private JsonObject Map()
    {
        JsonObject map = [];
        List<JsonObject> merged = [];
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            Scalar key = _parser.Consume<Scalar>();
            JsonNode? value = Node();
            if (key is { Value: "<<", Style: ScalarStyle.Plain })
                merged.AddRange(value is JsonArray several ? several.OfType<JsonObject>() : value is JsonObject one ? [one] : throw Wrong(key, "<< needs a map"));
            else if (map.ContainsKey(key.Value))
                throw Wrong(key, $"the key {key.Value} comes twice");
            else
                map[key.Value] = value;
        }
        foreach ((string name, JsonNode? value) in merged.SelectMany(m => m))
        {
            if (!map.ContainsKey(name))
                map[name] = value?.DeepClone();
        }
        return map;
    }

    private JsonNode? Value(Scalar scalar)
    {
        if (!scalar.Tag.IsEmpty && !scalar.Tag.IsNonSpecific)
        {
            return scalar.Tag.Value switch
            {
                "!function" => new JsonObject { ["function"] = scalar.Value },
                "tag:yaml.org,2002:str" => JsonValue.Create(scalar.Value),
                string tag => throw Wrong(scalar, $"the tag {tag} is not understood; only !function is"),
            };
        }
        return scalar.Style == ScalarStyle.Plain ? Plain(scalar.Value) : JsonValue.Create(scalar.Value);
    }

    private static JsonNode? Plain(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "yes" or "Yes" or "YES" or "true" or "True" or "TRUE" or "on" or "On" or "ON":
                return JsonValue.Create(true);
            case "no" or "No" or "NO" or "false" or "False" or "FALSE" or "off" or "Off" or "OFF":
                return JsonValue.Create(false);
        }
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        if (Integer().IsMatch(text))
            return JsonNode.Parse(Whole(digits).ToString(CultureInfo.InvariantCulture));
        return Real().IsMatch(text) ? JsonValue.Create(double.Parse(digits, CultureInfo.InvariantCulture)) : JsonValue.Create(text);
    }

    private static BigInteger Whole(string digits)
    {
        bool negative = digits[0] == '-';
        string bare = digits.TrimStart('+', '-');
        int radix = bare.StartsWith("0x", StringComparison.Ordinal) ? 16 : bare.StartsWith("0b", StringComparison.Ordinal) ? 2 : bare.Length > 1 && bare[0] == '0' ? 8 : 10;
        BigInteger value = 0;
        foreach (char c in radix is 16 or 2 ? bare[2..] : bare)
            value = (value * radix) + Convert.ToInt32(c.ToString(), 16);
        return negative ? -value : value;
    }

    private static int Size(JsonNode? node) => node switch
    {
        JsonArray list => 1 + list.Sum(Size),
        JsonObject map => 1 + map.Sum(p => Size(p.Value)),
        _ => 1,
    };

    private InvalidDataException Wrong(ParsingEvent at, string what) => new($"{_path}: line {at.Start.Line}: {what}.");

    [GeneratedRegex(@"^[-+]?(0b[0-1_]+|0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^[-+]?(([0-9][0-9_]*)\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Real();
}
