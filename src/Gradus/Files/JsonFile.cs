using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Files;

/// <summary>
/// JSON objects as Python writes and reads them: a byte order mark may come first, of a key that occurs twice the last value counts, and the
/// numbers <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c> are read, as texts: a key that needs a number refuses them by its name.
/// </summary>
internal static class JsonFile
{
    private static readonly byte[][] NoNumbers = ["NaN"u8.ToArray(), "-Infinity"u8.ToArray(), "Infinity"u8.ToArray()];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="whatFor">What a message adds where there is no such file.</param>
    /// <exception cref="InvalidDataException">The file is missing or is not one JSON object; one line that says what it is instead.</exception>
    public static JsonObject Read(string path, string whatFor)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"{path}: no such file; {whatFor}", e);
        }
        return Parse(bytes, path);
    }

    /// <summary>Reads an object.</summary>
    /// <param name="bytes">UTF-8, or UTF-16 with its byte order mark.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="InvalidDataException">It is not one JSON object.</exception>
    public static JsonObject Parse(byte[] bytes, string path)
    {
        if (ForeignFile.Describe(bytes, bytes.Length) is { } foreign && !foreign.IsJson)
            throw Malformed.File(path, foreign.What);
        try
        {
            using JsonDocument document = JsonDocument.Parse(WithoutNaN(WithoutMark(bytes)));
            return Copy(document.RootElement) as JsonObject ?? throw Malformed.File(path, "is JSON, but not an object; get it again.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: line {e.LineNumber + 1}: not valid JSON ({Malformed.FirstLine(e.Message)}); get the file again.", e);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{path}: holds a text that is not valid Unicode; get the file again.", e);
        }
    }

    private static ReadOnlyMemory<byte> WithoutMark(byte[] bytes) => bytes switch
    {
        [0xEF, 0xBB, 0xBF, ..] => bytes.AsMemory(3),
        [0xFF, 0xFE, ..] => Encoding.UTF8.GetBytes(Encoding.Unicode.GetString(bytes, 2, bytes.Length - 2)),
        [0xFE, 0xFF, ..] => Encoding.UTF8.GetBytes(Encoding.BigEndianUnicode.GetString(bytes, 2, bytes.Length - 2)),
        _ => bytes,
    };

    // Python's json writes them for numbers that are none. Only what stands outside of texts is meant.
    private static ReadOnlyMemory<byte> WithoutNaN(ReadOnlyMemory<byte> json)
    {
        ReadOnlySpan<byte> text = json.Span;
        if (text.IndexOf("NaN"u8) < 0 && text.IndexOf("Infinity"u8) < 0)
            return json;
        using MemoryStream quoted = new();
        bool inText = false;
        for (int i = 0; i < text.Length; i++)
        {
            byte[]? found = inText ? null : Array.Find(NoNumbers, n => json.Span[i..].StartsWith(n));
            if (found is not null)
            {
                quoted.WriteByte((byte)'"');
                quoted.Write(found);
                quoted.WriteByte((byte)'"');
                i += found.Length - 1;
                continue;
            }
            if (text[i] == (byte)'"')
                inText = !inText;
            quoted.WriteByte(text[i]);
            if (inText && text[i] == (byte)'\\' && i + 1 < text.Length)
                quoted.WriteByte(text[++i]);
        }
        return quoted.ToArray();
    }

    private static JsonNode? Copy(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null:
                return null;
            case JsonValueKind.Object:
                JsonObject copy = [];
                foreach (JsonProperty property in element.EnumerateObject())
                    copy[property.Name] = Copy(property.Value);
                return copy;
            case JsonValueKind.Array:
                return new JsonArray([.. element.EnumerateArray().Select(Copy)]);
            case JsonValueKind.String:
                return JsonValue.Create(element.GetString());
            default:
                return JsonValue.Create(element.Clone());
        }
    }
}
