using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>A value of a JSON file together with its path, so that every error can say where it is.</summary>
/// <remarks>A class, so that lists and dictionaries of it need no code of their own: compiling that is a large part of a cold start.</remarks>
internal sealed class JsonPlace(JsonElement element, string path)
{
    public JsonElement Element => element;

    public string Path => path;

    public bool IsNull => element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>A property, or an undefined value where it is absent.</summary>
    public JsonPlace this[string name]
    {
        get
        {
            if (element.ValueKind != JsonValueKind.Object)
                throw Wrong("an object");
            return element.TryGetProperty(name, out JsonElement value) ? new JsonPlace(value, $"{path}.{name}") : new JsonPlace(default, $"{path}.{name}");
        }
    }

    public IEnumerable<JsonPlace> Items()
    {
        if (IsNull)
            yield break;
        if (element.ValueKind != JsonValueKind.Array)
            throw Wrong("a list");
        int i = 0;
        foreach (JsonElement item in element.EnumerateArray())
            yield return new JsonPlace(item, $"{path}[{i++}]");
    }

    public IEnumerable<(string Name, JsonPlace Value)> Properties()
    {
        if (IsNull)
            yield break;
        if (element.ValueKind != JsonValueKind.Object)
            throw Wrong("an object");
        foreach (JsonProperty property in element.EnumerateObject())
            yield return (property.Name, new JsonPlace(property.Value, $"{path}.{property.Name}"));
    }

    public string Text() => element.ValueKind == JsonValueKind.String ? Read(element) : throw Wrong("a text");

    public string Text(string whenAbsent) => IsNull ? whenAbsent : Text();

    public string? TextOrNull() => IsNull ? null : Text();

    public bool Flag(bool whenAbsent)
    {
        return element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ when IsNull => whenAbsent,
            _ => throw Wrong("true or false"),
        };
    }

    public int Number() => element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value) ? value : throw Wrong("a whole number");

    public int Number(int whenAbsent) => IsNull ? whenAbsent : Number();

    public Rune Character(Rune whenAbsent)
    {
        if (IsNull)
            return whenAbsent;
        string text = Text();
        return Rune.DecodeFromUtf16(text, out Rune rune, out int used) == System.Buffers.OperationStatus.Done && used == text.Length ? rune : throw Wrong("a single character");
    }

    public InvalidDataException Wrong(string expected)
    {
        string found = element.ValueKind == JsonValueKind.Undefined ? "nothing" : element.GetRawText();
        return new InvalidDataException($"{path}: expected {expected}, found {(found.Length > 60 ? found[..60] + "…" : found)}.");
    }

    public InvalidDataException Unknown(string kind, string type)
    {
        return new InvalidDataException($"{path}: the {kind} \"{type}\" is not known.");
    }

    private string Read(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"{path}: the text {value.GetRawText()} holds half a surrogate pair.", e);
        }
    }
}
