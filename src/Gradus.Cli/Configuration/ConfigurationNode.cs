// A JSON tree that remembers where each value was written. System.Text.Json's own trees (JsonNode, JsonElement) forget it,
// and an error without line and column is half an error.
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Cli.Configuration;

/// <summary>One JSON value and its origin. Never changed once it is read; merging makes new nodes.</summary>
internal sealed class ConfigurationNode
{
    /// <summary>The deepest nesting accepted.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonWriterOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 1000 };
    private static readonly JsonWriterOptions s_pretty = s_compact with { Indented = true, NewLine = "\n" };

    private ConfigurationNode(JsonValueKind kind, Origin origin)
    {
        Kind = kind;
        Origin = origin;
    }

    /// <summary>The kind of value.</summary>
    public JsonValueKind Kind { get; }

    /// <summary>Where the value stands.</summary>
    public Origin Origin { get; }

    /// <summary>Where the key stands whose value this is; the value's own place for the rest.</summary>
    public Origin KeyOrigin { get; private init; }

    /// <summary>A string's characters, or a number as it is written; empty for the rest.</summary>
    public string Text { get; private init; } = "";

    /// <summary>An object's members in their order; empty for the rest.</summary>
    public OrderedDictionary<string, ConfigurationNode> Members { get; private init; } = [];

    /// <summary>An array's elements; empty for the rest.</summary>
    public IReadOnlyList<ConfigurationNode> Items { get; private init; } = [];

    /// <summary>A string.</summary>
    public static ConfigurationNode String(string text, Origin origin)
    {
        return new(JsonValueKind.String, origin) { Text = text, KeyOrigin = origin };
    }

    /// <summary>A number in JSON's notation.</summary>
    public static ConfigurationNode Number(string text, Origin origin)
    {
        return new(JsonValueKind.Number, origin) { Text = text, KeyOrigin = origin };
    }

    /// <summary>Null.</summary>
    public static ConfigurationNode Null(Origin origin) => new(JsonValueKind.Null, origin) { KeyOrigin = origin };

    /// <summary>An object.</summary>
    public static ConfigurationNode Object(OrderedDictionary<string, ConfigurationNode> members, Origin origin)
    {
        return new(JsonValueKind.Object, origin) { Members = members, KeyOrigin = origin };
    }

    /// <summary>An array.</summary>
    public static ConfigurationNode Array(IReadOnlyList<ConfigurationNode> items, Origin origin)
    {
        return new(JsonValueKind.Array, origin) { Items = items, KeyOrigin = origin };
    }

    /// <summary>Reads a text with comments and trailing commas.</summary>
    /// <exception cref="JsonException">Not JSON, a key given twice, or nesting deeper than <see cref="MaxDepth"/>; with its position.</exception>
    public static ConfigurationNode Parse(ReadOnlySpan<byte> json, ConfigurationSource source)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions
        {
            CommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
            // One more than is accepted, so that the message is ours.
            MaxDepth = MaxDepth + 1,
        });
        reader.Read();
        int start = (int)reader.TokenStartIndex;
        ConfigurationNode node = Read(ref reader, json, source, start);
        reader.Read();
        return node;
    }

    private static ConfigurationNode Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ConfigurationSource source, int key)
    {
        Origin origin = new(source, (int)reader.TokenStartIndex), keyOrigin = new(source, key);
        if (reader.CurrentDepth >= MaxDepth && reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            throw At(json, origin.Offset, $"nested deeper than {MaxDepth} levels");
        return reader.TokenType switch
        {
            JsonTokenType.StartObject => new(JsonValueKind.Object, origin) { Members = ReadMembers(ref reader, json, source), KeyOrigin = keyOrigin },
            JsonTokenType.StartArray => new(JsonValueKind.Array, origin) { Items = ReadItems(ref reader, json, source), KeyOrigin = keyOrigin },
            JsonTokenType.String => new(JsonValueKind.String, origin) { Text = ReadString(ref reader, json), KeyOrigin = keyOrigin },
            JsonTokenType.Number => new(JsonValueKind.Number, origin) { Text = System.Text.Encoding.ASCII.GetString(reader.ValueSpan), KeyOrigin = keyOrigin },
            JsonTokenType.True => new(JsonValueKind.True, origin) { KeyOrigin = keyOrigin },
            JsonTokenType.False => new(JsonValueKind.False, origin) { KeyOrigin = keyOrigin },
            _ => new(JsonValueKind.Null, origin) { KeyOrigin = keyOrigin },
        };
    }

    private static OrderedDictionary<string, ConfigurationNode> ReadMembers(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ConfigurationSource source)
    {
        OrderedDictionary<string, ConfigurationNode> members = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            int key = (int)reader.TokenStartIndex;
            string name = ReadString(ref reader, json);
            reader.Read();
            if (!members.TryAdd(name, Read(ref reader, json, source, key)))
                throw At(json, key, $"the key {Quote(name)} is given twice");
        }
        return members;
    }

    private static List<ConfigurationNode> ReadItems(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ConfigurationSource source)
    {
        List<ConfigurationNode> items = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            items.Add(Read(ref reader, json, source, (int)reader.TokenStartIndex));
        return items;
    }

    private static string ReadString(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw At(json, (int)reader.TokenStartIndex, "the string has half of a surrogate pair");
        }
    }

    private static JsonException At(ReadOnlySpan<byte> json, int offset, string message)
    {
        ReadOnlySpan<byte> before = json[..offset];
        return new JsonException(message, null, before.Count((byte)'\n'), offset - (before.LastIndexOf((byte)'\n') + 1));
    }

    /// <summary>This object with one more or another member; the order is kept.</summary>
    public ConfigurationNode With(string key, ConfigurationNode value)
    {
        return Object(new OrderedDictionary<string, ConfigurationNode>(Members) { [key] = value }, Origin);
    }

    /// <summary>The UTF-8 text.</summary>
    public byte[] ToUtf8(bool pretty = false)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, pretty ? s_pretty : s_compact))
            WriteTo(writer);
        return stream.ToArray();
    }

    private void WriteTo(Utf8JsonWriter writer)
    {
        switch (Kind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach ((string key, ConfigurationNode value) in Members)
                {
                    writer.WritePropertyName(key);
                    value.WriteTo(writer);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (ConfigurationNode item in Items)
                    item.WriteTo(writer);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStringValue(Text);
                break;
            case JsonValueKind.Number:
                writer.WriteRawValue(Text);
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.WriteBooleanValue(Kind == JsonValueKind.True);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    /// <summary>The value as a message shows it: scalars as written and shortened, objects and arrays by their kind.</summary>
    public override string ToString()
    {
        return Kind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => Quote(Text),
            JsonValueKind.Number => Shorten(Text),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => "null",
        };
    }

    /// <summary>A text in quotes, escaped as JSON and shortened.</summary>
    public static string Quote(string text) => $"\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(Shorten(text))}\"";

    private static string Shorten(string text)
    {
        const int Most = 60;
        if (text.Length <= Most)
            return text;
        return string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, char.IsHighSurrogate(text[Most - 1]) ? Most - 1 : Most)}…");
    }
}
