using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gradus.Training.Data;

/// <summary>
/// Documents and records from files: plain text (<c>.txt</c>, one document) or JSON lines (<c>.jsonl</c>, one record a line), both
/// also with <c>.gz</c>. Text must be UTF-8.
/// </summary>
public static class TextFiles
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    // Without it the runtime takes the end of a truncated gzip file for the end of the text.
    static TextFiles() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    /// <summary>The documents of files: a whole text file, or the <c>text</c> of every JSON line.</summary>
    /// <exception cref="InvalidDataException">A file is missing, empty, not UTF-8 or not JSON lines; the message names the file and line.</exception>
    public static IEnumerable<string> Documents(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        foreach (string path in paths)
        {
            if (!IsJsonLines(path))
            {
                yield return ReadText(path);
                continue;
            }
            foreach (Record record in Records(path))
                yield return record.Text("text");
        }
    }

    /// <summary>The records of a file of JSON lines.</summary>
    /// <exception cref="InvalidDataException">The file is missing, empty, not UTF-8 or not JSON lines; the message names the file and line.</exception>
    public static IEnumerable<Record> Records(string path)
    {
        int number = 0;
        bool any = false;
        foreach (string line in Lines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            any = true;
            yield return new Record(Parse(line, path, number), path, number);
        }
        if (!any)
            throw new InvalidDataException($"{path}: the file is empty; give a file with one JSON object a line.");
    }

    /// <summary>All text of a file: a whole text file, or what every record of JSON lines says.</summary>
    /// <exception cref="InvalidDataException">As <see cref="Documents"/>, or a record has no text.</exception>
    public static IEnumerable<string> Texts(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return IsJsonLines(path) ? Records(path).SelectMany(Conversations.Texts) : Documents([path]);
    }

    /// <summary>The whole of a file as it is, JSON lines too.</summary>
    /// <exception cref="InvalidDataException">The file is missing or not UTF-8; the message names the file and line.</exception>
    public static string ReadAll(string path)
    {
        using StreamReader reader = Open(path);
        return Guarded(path, reader.ReadToEnd);
    }

    /// <summary>Whether a file can be read piece by piece as the text it is: not compressed, no records, no mark of the byte order.</summary>
    /// <exception cref="InvalidDataException">The file is missing or not UTF-8; the message names the file and line.</exception>
    public static bool IsPlain(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (IsJsonLines(path) || IsCompressed(path))
            return false;
        using StreamReader reader = Open(path);
        Span<byte> mark = stackalloc byte[3];
        int read = reader.BaseStream.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false);
        reader.BaseStream.Position = 0;
        char[] block = new char[1 << 16];
        Func<int> next = () => reader.Read(block);
        while (Guarded(path, next) > 0)
        {
            // Reading is the check.
        }
        return !mark[..read].SequenceEqual(Encoding.UTF8.Preamble);
    }

    private static bool IsCompressed(string path) => path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    private static bool IsJsonLines(string path) =>
        path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".jsonl.gz", StringComparison.OrdinalIgnoreCase);

    private static string ReadText(string path)
    {
        string text = ReadAll(path);
        return text.Length > 0 ? text : throw new InvalidDataException($"{path}: the file is empty; give a file with text in it.");
    }

    private static IEnumerable<string> Lines(string path)
    {
        using StreamReader reader = Open(path);
        Func<string?> next = reader.ReadLine;
        while (Guarded(path, next) is { } line)
            yield return line;
    }

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{path}: line {LineOfBadBytes(path)}: not UTF-8 text; convert the file first (iconv -t UTF-8).", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: not a whole gzip file; get it again.", e);
        }
    }

    private static int LineOfBadBytes(string path)
    {
        using StreamReader bytes = new(OpenBytes(path), Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        int number = 1;
        while (bytes.ReadLine() is { } line && Utf8.IsValid(Encoding.Latin1.GetBytes(line)))
            number++;
        return number;
    }

    // Detection would take a byte order mark as leave to pass over broken bytes; the encoding itself skips its own mark.
    private static StreamReader Open(string path)
    {
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path}: is a folder; give a text or JSON-lines file.");
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: no such file.");
        return new StreamReader(OpenBytes(path), Strict, detectEncodingFromByteOrderMarks: false);
    }

    private static Stream OpenBytes(string path)
    {
        Stream stream = File.OpenRead(path);
        return IsCompressed(path) ? new GZipStream(stream, CompressionMode.Decompress) : stream;
    }

    private static JsonElement Parse(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return IsWholeText(line)
                    ? document.RootElement.Clone()
                    : throw new InvalidDataException($"{path}: line {number}: a text has half a surrogate pair (\\ud800 to \\udfff alone); write whole characters.");
            }
        }
        catch (JsonException)
        {
            // Falls through to the one message for both.
        }
        throw new InvalidDataException($"{path}: line {number}: not a JSON object; the file must have one a line.");
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

    /// <summary>One line of a file of JSON lines.</summary>
    /// <param name="Json">The object.</param>
    /// <param name="Path">The file.</param>
    /// <param name="Line">The line's number, from 1.</param>
    public sealed record Record(JsonElement Json, string Path, int Line)
    {
        /// <summary>Whether the object has a field.</summary>
        public bool Has(string field) => Json.TryGetProperty(field, out _);

        /// <summary>The text of a field.</summary>
        /// <exception cref="InvalidDataException">The field is missing or not text.</exception>
        public string Text(string field) => Json.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new InvalidDataException($"{Path}: line {Line}: the field \"{field}\" is missing or not text.");
    }
}
