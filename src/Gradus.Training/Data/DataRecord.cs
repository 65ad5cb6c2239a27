using System.Text;
using System.Text.Json;

namespace Gradus.Training.Data;

/// <summary>One record of a file: a JSON object, or a row of a table as one.</summary>
/// <param name="Json">The object.</param>
/// <param name="Path">The file.</param>
/// <param name="Line">The number of the line (of a Parquet file: the row) at which the record begins, from 1.</param>
public sealed record DataRecord(JsonElement Json, string Path, long Line)
{
    /// <summary>Whether the object has a field that is not null.</summary>
    public bool Has(string field) => Json.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>The text of a field; a number or a boolean is the text it is written as, a list or an object its JSON text.</summary>
    /// <exception cref="InvalidDataException">The field is missing or null.</exception>
    public string Text(string field) => Has(field)
        ? TextOf(Json.GetProperty(field))
        : throw Wrong($"the field \"{field}\" is missing or null; the record has {Fields()}.");

    /// <summary>The error that names this record.</summary>
    /// <param name="what">What is wrong, and what to do.</param>
    public InvalidDataException Wrong(string what) => new($"{Path}: line {Line}: {what}");

    /// <summary>The names of the fields, for messages.</summary>
    public string Fields() => Names(Json);

    internal static string Names(JsonElement element)
    {
        const int Most = 12;
        string[] names = [.. element.EnumerateObject().Select(p => p.Name)];
        return names.Length == 0 ? "no fields" : string.Join(", ", names.Take(Most)) + (names.Length > Most ? $" and {names.Length - Most} more" : "");
    }

    internal static string TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    /// <summary>This record with fields renamed, so that a file of other names can be read.</summary>
    /// <param name="columns">The file's name of a field, and the name that it is read as.</param>
    /// <exception cref="InvalidDataException">A field is missing, or two would have one name.</exception>
    internal DataRecord Renamed(IReadOnlyDictionary<string, string> columns)
    {
        if (columns.Keys.FirstOrDefault(k => !Json.TryGetProperty(k, out _)) is { } missing)
            throw Wrong($"columns: there is no field \"{missing}\"; the record has {Fields()}.");
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            HashSet<string> written = [];
            writer.WriteStartObject();
            foreach (JsonProperty property in Json.EnumerateObject())
            {
                string name = columns.GetValueOrDefault(property.Name, property.Name);
                if (!written.Add(name))
                    throw Wrong($"columns: two fields would be called \"{name}\"; map the other one to a name of its own.");
                writer.WritePropertyName(name);
                property.Value.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(stream.ToArray()));
        return this with { Json = document.RootElement.Clone() };
    }
}
