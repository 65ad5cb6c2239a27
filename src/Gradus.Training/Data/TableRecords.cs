using System.Text;
using System.Text.Json;

namespace Gradus.Training.Data;

/// <summary>
/// Reads tables of text (RFC 4180): a header with the names of the columns, then a record a row. Fields in double quotes may hold
/// separators, line ends and doubled quotes. A header without commas but with semicolons or tabs says which separator the file has.
/// </summary>
internal static class TableRecords
{
    /// <summary>The records of a file; every value is text.</summary>
    /// <exception cref="InvalidDataException">A row has another number of fields than the header, or quotes do not fit; the message names the line.</exception>
    public static IEnumerable<DataRecord> Read(string path, char separator)
    {
        using StreamReader reader = DataFile.OpenText(path);
        TableCursor cursor = new(reader, path);
        List<string> fields = [];
        separator = cursor.HeaderSeparator(separator);
        if (!cursor.ReadRow(separator, fields, out _))
            yield break;
        string[] header = [.. fields.Select(f => f.Trim())];
        if (header.FirstOrDefault(h => header.Count(other => other == h) > 1) is { } twice)
            throw new InvalidDataException($"{path}: line 1: two columns are called \"{twice}\"; give each a name of its own.");
        while (cursor.ReadRow(separator, fields, out long line))
        {
            if (fields.Count != header.Length)
                throw new InvalidDataException($"{path}: line {line}: {fields.Count} fields, but the header has {header.Length} ({string.Join(", ", header)}); put fields with separators in double quotes.");
            yield return new DataRecord(Object(header, fields), path, line);
        }
    }

    private static JsonElement Object(string[] header, List<string> fields)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            writer.WriteStartObject();
            for (int i = 0; i < header.Length; i++)
                writer.WriteString(header[i], fields[i]);
            writer.WriteEndObject();
        }
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        return document.RootElement.Clone();
    }
}

/// <summary>Walks over the rows of a table.</summary>
internal sealed class TableCursor(StreamReader reader, string path)
{
    private readonly StringBuilder _field = new();
    private string? _line;
    private long _number;

    /// <summary>The separator of a table: the usual one of its name, or the one that its header has instead.</summary>
    public char HeaderSeparator(char usual)
    {
        _line = NextLine();
        return _line is null || _line.Contains(usual, StringComparison.Ordinal) ? usual
            : _line.Contains('\t', StringComparison.Ordinal) ? '\t'
            : _line.Contains(';', StringComparison.Ordinal) ? ';'
            : usual;
    }

    /// <summary>Reads the next row that is not blank.</summary>
    /// <param name="separator">What parts fields.</param>
    /// <param name="fields">Becomes the row's fields.</param>
    /// <param name="start">The line at which the row begins.</param>
    /// <returns>False at the end.</returns>
    public bool ReadRow(char separator, List<string> fields, out long start)
    {
        fields.Clear();
        while (_line is { } blank && string.IsNullOrWhiteSpace(blank))
            _line = NextLine();
        start = _number;
        if (_line is null)
            return false;
        int at = 0;
        while (true)
        {
            at = at < _line.Length && _line[at] == '"' ? Quoted(at + 1, separator) : Bare(at, separator);
            fields.Add(_field.ToString());
            if (at > _line!.Length)
                break;
        }
        _line = NextLine();
        return true;
    }

    // Both return the place behind the separator, or one behind the end of the line.
    private int Bare(int at, char separator)
    {
        int end = _line!.IndexOf(separator, at);
        end = end < 0 ? _line.Length : end;
        _field.Clear().Append(_line, at, end - at);
        return end + 1;
    }

    private int Quoted(int at, char separator)
    {
        long start = _number;
        _field.Clear();
        while (true)
        {
            int quote = _line!.IndexOf('"', at);
            if (quote < 0)
            {
                _field.Append(_line, at, _line.Length - at).Append('\n');
                _line = NextLine() ?? throw new InvalidDataException($"{path}: line {start}: a quoted field that begins here does not end; close it, and double the quotes inside it.");
                at = 0;
                continue;
            }
            _field.Append(_line, at, quote - at);
            at = quote + 1;
            if (at < _line.Length && _line[at] == '"')
            {
                _field.Append('"');
                at++;
                continue;
            }
            return at == _line.Length || _line[at] == separator
                ? at + 1
                : throw new InvalidDataException($"{path}: line {_number}: text follows a closing quote (column {at + 1}); double the quotes inside a quoted field.");
        }
    }

    private string? NextLine()
    {
        _number++;
        return DataFile.Guarded(path, reader.ReadLine);
    }
}
