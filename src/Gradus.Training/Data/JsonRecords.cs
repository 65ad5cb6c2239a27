// JSON records as people have them: one object a line, a list of objects, or objects over several lines one after the other. All are read
// as a stream; no more than one record is in memory.

using System.Text;
using System.Text.Json;

namespace Gradus.Training.Data;

/// <summary>Reads the JSON objects of a file.</summary>
internal static class JsonRecords
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    /// <summary>The records of a file.</summary>
    /// <exception cref="InvalidDataException">The file is no text, or something in it is no JSON object; the message names line, column and reason.</exception>
    public static IEnumerable<DataRecord> Read(string path) => IsOneALine(path) ? Lines(path) : Values(path);

    // An object that ends with its first line is the first of one a line.
    private static bool IsOneALine(string path)
    {
        using StreamReader reader = DataFile.OpenText(path);
        Func<string?> next = reader.ReadLine;
        while (DataFile.Guarded(path, next) is { } line)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            string start = line.TrimStart();
            return start[0] != '[' && !(start[0] == '{' && IsUnfinished(start));
        }
        return true;
    }

    /// <summary>Whether a text that is not called so begins with a record of a known shape.</summary>
    public static bool HoldsRecords(string text)
    {
        ReadOnlySpan<char> line = text.AsSpan().TrimStart();
        int end = line.IndexOf('\n');
        line = (end < 0 ? line : line[..end]).TrimEnd();
        if (line is not ['{', .., '}'])
            return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(line.ToString(), Options);
            DataRecord record = new(document.RootElement, "", 1);
            return record.Has("text") || Conversations.IsConversation(record);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static bool IsUnfinished(string text)
    {
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(text), isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth == 0 && reader.TokenType == JsonTokenType.EndObject)
                    return false;
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static IEnumerable<DataRecord> Lines(string path)
    {
        using StreamReader reader = DataFile.OpenText(path);
        Func<string?> next = reader.ReadLine;
        long number = 0;
        while (DataFile.Guarded(path, next) is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                yield return new DataRecord(Parse(line, path, number, 1, "; the file must have one a line"), path, number);
        }
    }

    // Objects in a list, or one after the other.
    private static IEnumerable<DataRecord> Values(string path)
    {
        using StreamReader reader = DataFile.OpenText(path);
        JsonCursor cursor = new(reader, path);
        cursor.SkipWhiteSpace();
        bool inList = cursor.Take('[');
        bool first = true;
        while (true)
        {
            cursor.SkipWhiteSpace();
            if (inList && cursor.Take(']'))
            {
                cursor.SkipWhiteSpace();
                inList = cursor.AtEnd ? false : throw cursor.Wrong("something follows the list");
                yield break;
            }
            if (cursor.AtEnd)
            {
                if (inList)
                    throw cursor.Wrong("the list is not closed with ]; is the file whole?");
                yield break;
            }
            if (inList && !first)
            {
                if (!cursor.Take(','))
                    throw cursor.Wrong("a comma is missing between two records");
                cursor.SkipWhiteSpace();
            }
            first = false;
            (long line, long column) = (cursor.Line, cursor.Column);
            string text = cursor.TakeObject();
            yield return new DataRecord(Parse(text, path, line, column, ""), path, line);
        }
    }

    private static JsonElement Parse(string text, string path, long line, long column, string advice)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, Options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{path}: line {line}: not a JSON object{advice}.");
            return IsWholeText(text) ? document.RootElement.Clone() : throw TornCharacter(path, line);
        }
        catch (InvalidOperationException)
        {
            // The name of a field; values are not read yet.
            throw TornCharacter(path, line);
        }
        catch (JsonException e)
        {
            long below = e.LineNumber ?? 0;
            long at = (e.BytePositionInLine ?? 0) + (below == 0 ? column : 1);
            throw new InvalidDataException($"{path}: line {line + below}: not a JSON object (column {at}: {Reason(e, text)}){advice}.", e);
        }
    }

    private static InvalidDataException TornCharacter(string path, long line) =>
        new($"{path}: line {line}: a text has half a surrogate pair (\\ud800 to \\udfff alone); write whole characters.");

    private static string Reason(JsonException e, string text)
    {
        string message = e.Message;
        int end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        message = (end < 0 ? message : message[..end]).TrimEnd('.').ReplaceLineEndings(" ");
        return message.StartsWith("'N'", StringComparison.Ordinal) || message.StartsWith("'I'", StringComparison.Ordinal) ? $"{message}; NaN and Infinity are no JSON, write null"
            : text.TrimEnd().EndsWith("},", StringComparison.Ordinal) && message.StartsWith("','", StringComparison.Ordinal) ? $"{message}; take the comma out, or put the records in [ ]"
            : message;
    }

    // Half a surrogate pair passes the parser and fails where the text is read.
    private static bool IsWholeText(string json)
    {
        if (!json.Contains("\\u", StringComparison.Ordinal))
            return true;
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(json));
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                    reader.GetString();
            }
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
