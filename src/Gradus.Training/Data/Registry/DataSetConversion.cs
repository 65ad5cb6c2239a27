using System.Globalization;
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
        for (int i = 0; i < parts.Count; i++)
        {
            DataSetPart part = file.Parts[i];
            IEnumerable<JsonElement> records = (file.Each is null ? TextFiles.Records(parts[i], file.Columns).Select(r => r.Json) : Elements(parts[i], file.Each)).Skip(part.Skip);
            int number = part.Skip;
            foreach (JsonElement record in part.Records > 0 ? records.Take(part.Records) : records)
            {
                number++;
                using (Utf8JsonWriter writer = new(target, Readable))
                    Write(writer, file, part, record, string.Create(CultureInfo.InvariantCulture, $"{part.Address}: record {number}"));
                target.WriteByte((byte)'\n');
            }
        }
    }

    /// <summary>Writes the first lines of a text as they are.</summary>
    public static void WriteLines(string path, int lines, Stream target)
    {
        using StreamReader reader = DataFile.OpenText(path);
        for (int i = 0; i < lines && DataFile.Guarded(path, reader.ReadLine) is { } line; i++)
            target.Write(Encoding.UTF8.GetBytes(line + "\n"));
    }

    private static void Write(Utf8JsonWriter writer, DataSetFile file, DataSetPart part, JsonElement record, string where)
    {
        writer.WriteStartObject();
        foreach ((string name, string value) in part.Add)
            writer.WriteString(name, value);
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
