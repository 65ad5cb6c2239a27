using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gradus.Training.Data.Registry;

/// <summary>Writes a file of a data set from the files of its source: the records it keeps, with the names and fields that the registry gives them, a line each.</summary>
internal static class DataSetConversion
{
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the records of all parts.</summary>
    /// <param name="file">What the registry says of the file.</param>
    /// <param name="parts">The fetched parts, in their order, under names that end as those of their source.</param>
    /// <param name="target">What is written.</param>
    /// <exception cref="InvalidDataException">A part is not what the registry says; the message names it, the record and the field.</exception>
    public static void Write(DataSetFile file, IReadOnlyList<string> parts, Stream target)
    {
        IEnumerable<(DataSetPart Part, JsonElement Record, int Number)>[] sources = [.. parts.Select((path, i) => Records(file, file.Parts[i], path))];
        foreach ((DataSetPart part, JsonElement record, int number) in file.Alternate ? InTurn(sources) : sources.SelectMany(s => s))
        {
            using (Utf8JsonWriter writer = new(target, Readable))
                Write(writer, file, part, record, string.Create(CultureInfo.InvariantCulture, $"{part.Address}: record {number}"));
            target.WriteByte((byte)'\n');
        }
    }

    /// <summary>Writes a file of a zip archive, as UTF-8 where it is text in another encoding.</summary>
    /// <param name="part">What the registry says of it.</param>
    /// <param name="archive">The fetched archive.</param>
    /// <param name="target">The file to write.</param>
    /// <exception cref="InvalidDataException">It is no archive, or has no such file.</exception>
    public static void Extract(DataSetPart part, string archive, string target)
    {
        try
        {
            using ZipArchive zip = ZipFile.OpenRead(archive);
            ZipArchiveEntry entry = zip.GetEntry(part.Entry!) ?? throw new InvalidDataException($"{part.Address}: the archive has no file \"{part.Entry}\".");
            using Stream from = entry.Open();
            using FileStream to = File.Create(target);
            using Stream text = part.IsLatin1 ? Encoding.CreateTranscodingStream(from, Encoding.Latin1, new UTF8Encoding(false), leaveOpen: true) : from;
            text.CopyTo(to);
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(part.Address.ToString(), StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{part.Address}: is no zip archive that can be read ({e.Message.TrimEnd('.')}).", e);
        }
    }

    /// <summary>Writes the first lines of a text as they are.</summary>
    public static void WriteLines(string path, int lines, Stream target)
    {
        using StreamReader reader = DataFile.OpenText(path);
        for (int i = 0; i < lines && DataFile.Guarded(path, reader.ReadLine) is { } line; i++)
            target.Write(Encoding.UTF8.GetBytes(line + "\n"));
    }

    private static IEnumerable<(DataSetPart Part, JsonElement Record, int Number)> Records(DataSetFile file, DataSetPart part, string path)
    {
        IEnumerable<JsonElement> records = part.Line is not null ? LinesOf(path, part.Line)
            : file.Each is not null ? Elements(path, file.Each)
            : TextFiles.Records(path, file.Columns).Select(r => r.Json);
        IEnumerable<JsonElement> kept = records.Skip(part.Skip);
        return (part.Records > 0 ? kept.Take(part.Records) : kept).Select((record, i) => (part, record, part.Skip + i + 1));
    }

    private static IEnumerable<T> InTurn<T>(IEnumerable<T>[] sources)
    {
        IEnumerator<T>[] places = [.. sources.Select(s => s.GetEnumerator())];
        try
        {
            for (int i = 0; places[i].MoveNext(); i = (i + 1) % places.Length)
                yield return places[i].Current;
        }
        finally
        {
            Array.ForEach(places, p => p.Dispose());
        }
    }

    private static IEnumerable<JsonElement> LinesOf(string path, string field)
    {
        using StreamReader reader = DataFile.OpenText(path);
        while (DataFile.Guarded(path, reader.ReadLine) is { } line)
        {
            using MemoryStream stream = new();
            using (Utf8JsonWriter writer = new(stream))
            {
                writer.WriteStartObject();
                writer.WriteString(field, line.Trim());
                writer.WriteEndObject();
            }
            using JsonDocument document = JsonDocument.Parse(stream.ToArray());
            yield return document.RootElement.Clone();
        }
    }

    private static void Write(Utf8JsonWriter writer, DataSetFile file, DataSetPart part, JsonElement record, string where)
    {
        writer.WriteStartObject();
        foreach ((string name, JsonElement value) in part.Add)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
        if (file.Fields is null)
        {
            foreach (JsonProperty property in record.EnumerateObject())
                property.WriteTo(writer);
        }
        else
        {
            foreach ((string name, DataSetField field) in file.Fields)
                WriteField(writer, name, field, record, where);
        }
        writer.WriteEndObject();
    }

    private static void WriteField(Utf8JsonWriter writer, string name, DataSetField field, JsonElement record, string where)
    {
        writer.WritePropertyName(name);
        if (!field.IsList)
        {
            Get(record, field.Paths[0], where).WriteTo(writer);
            return;
        }
        writer.WriteStartArray();
        foreach (string path in field.Paths)
            Get(record, path, where).WriteTo(writer);
        writer.WriteEndArray();
    }

    private static JsonElement Get(JsonElement record, string path, string where)
    {
        JsonElement at = record;
        foreach (string step in path.Split('.'))
        {
            if (!(at.ValueKind == JsonValueKind.Object && at.TryGetProperty(step, out JsonElement next)) && !IsElement(at, step, out next))
                throw new InvalidDataException($"{where}: there is no \"{step}\" of \"{path}\"; the file is not as the registry says.");
            at = next;
        }
        return at;
    }

    private static bool IsElement(JsonElement list, string step, out JsonElement element)
    {
        element = default;
        if (list.ValueKind != JsonValueKind.Array || !int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index >= list.GetArrayLength())
            return false;
        element = list[index];
        return true;
    }

    private static IEnumerable<JsonElement> Elements(string path, string each)
    {
        JsonElement root;
        try
        {
            using JsonDocument document = JsonDocument.Parse(TextFiles.ReadAll(path));
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not valid JSON ({e.Message.ReplaceLineEndings(" ")}).", e);
        }
        IEnumerable<JsonElement> found = [root];
        foreach (string step in each.Split('.'))
            found = step == "*" ? found.SelectMany(f => Children(f, path, each)) : found.Select(f => Get(f, step, path));
        return found.Select(f => f.ValueKind == JsonValueKind.Object ? f : throw new InvalidDataException($"{path}: what lies at {each} is no object."));
    }

    private static JsonElement.ArrayEnumerator Children(JsonElement list, string path, string each) =>
        list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw new InvalidDataException($"{path}: there is no list where {each} says one is.");
}
