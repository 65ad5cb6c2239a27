namespace Gradus.Training.Data;

/// <summary>
/// Documents and records from files, for training, evaluation and tokenizers alike. By its name a file holds JSON records
/// (<c>.jsonl</c>, <c>.ndjson</c>, <c>.json</c>), a table (<c>.csv</c>, <c>.tsv</c>, <c>.parquet</c>), or, with any other ending, plain text,
/// which is one document. Gzip and Zstandard are recognized by what the file holds. Text is UTF-8, or UTF-16 with a byte order mark.
/// </summary>
public static class TextFiles
{
    /// <summary>The documents of files: a whole text file, or what every record says (<see cref="Conversations.Texts"/>).</summary>
    /// <param name="paths">The files.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">A file is missing, empty, not text, or a record has no text; the message names the file and line.</exception>
    public static IEnumerable<string> Documents(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return paths.SelectMany(path => DataFile.FormatOf(path) == DataFormat.Text
            ? [ReadText(path)]
            : Records(path, columns).SelectMany(Conversations.Texts));
    }

    /// <summary>The records of a file. One whose name tells no format is read as JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="columns">The file's names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">The file is missing, empty, or holds no records; the message names the file and line.</exception>
    public static IEnumerable<DataRecord> Records(string path, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        IEnumerable<DataRecord> records = DataFile.FormatOf(path) switch
        {
            DataFormat.CommaSeparated => TableRecords.Read(path, ','),
            DataFormat.TabSeparated => TableRecords.Read(path, '\t'),
            DataFormat.Parquet => ParquetRecords.Read(path),
            _ => JsonRecords.Read(path),
        };
        bool any = false;
        foreach (DataRecord record in records)
        {
            any = true;
            yield return columns is { Count: > 0 } ? record.Renamed(columns) : record;
        }
        if (!any)
            throw new InvalidDataException($"{path}: the file is empty; give a file with records in it.");
    }

    /// <summary>The whole of a file as it is, records too.</summary>
    /// <exception cref="InvalidDataException">The file is missing or not text; the message names the file and line.</exception>
    public static string ReadAll(string path)
    {
        using StreamReader reader = DataFile.OpenText(path);
        return DataFile.Guarded(path, reader.ReadToEnd);
    }

    /// <summary>Whether a file can be read piece by piece as the text it is: not compressed, no records, UTF-8 without a byte order mark.</summary>
    /// <exception cref="InvalidDataException">The file is missing or not text; the message names the file and line.</exception>
    public static bool IsPlain(string path)
    {
        if (DataFile.FormatOf(path) != DataFormat.Text || !DataFile.IsPlain(path))
            return false;
        using StreamReader reader = DataFile.OpenText(path);
        char[] block = new char[1 << 16];
        Func<int> next = () => reader.Read(block);
        while (DataFile.Guarded(path, next) > 0)
        {
            // Reading is the check.
        }
        return true;
    }

    private static string ReadText(string path)
    {
        string text = ReadAll(path);
        if (text.Length == 0)
            throw new InvalidDataException($"{path}: the file is empty; give a file with text in it.");
        return !JsonRecords.HoldsRecords(text)
            ? text
            : throw new InvalidDataException($"{path}: line 1: holds JSON records, but its name is that of plain text; call it .jsonl, so that their text is read and not their brackets.");
    }
}
