using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Server.Http;

/// <summary>
/// A value of a request's body and its path: fields are read by name, null counts as absent, unknown ones are passed over, and a known one of
/// the wrong type or out of its range is an error that names its path.
/// </summary>
internal readonly struct JsonField
{
    private JsonField(JsonElement value, string path)
    {
        Value = value;
        Path = path;
    }

    /// <summary>The value.</summary>
    public JsonElement Value { get; }

    /// <summary>Where it stands, such as <c>messages[1].content</c>; empty at the top.</summary>
    public string Path { get; }

    /// <summary>Whether it is a string.</summary>
    public bool IsText => Value.ValueKind == JsonValueKind.String;

    /// <summary>Whether it is a list.</summary>
    public bool IsList => Value.ValueKind == JsonValueKind.Array;

    /// <summary>Whether it is an object.</summary>
    public bool IsObject => Value.ValueKind == JsonValueKind.Object;

    /// <summary>Whether it is a number.</summary>
    public bool IsNumber => Value.ValueKind == JsonValueKind.Number;

    /// <summary>The top of a body.</summary>
    /// <exception cref="ApiException">It is no object.</exception>
    public static JsonField Body(JsonElement body) => body.ValueKind == JsonValueKind.Object
        ? new JsonField(body, "")
        : throw ApiException.Invalid(null, $"The body is {Kind(body)}, but has to be a JSON object.");

    /// <summary>A field of an object; null where it is absent or null.</summary>
    public JsonField? Find(string name) =>
        Value.TryGetProperty(name, out JsonElement field) && field.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined) ? new JsonField(field, PathOf(name)) : null;

    /// <summary>A field of an object that has to be there.</summary>
    public JsonField Get(string name) => Find(name) ?? throw ApiException.Invalid(PathOf(name), $"Missing required parameter: '{PathOf(name)}'.", "missing_required_parameter");

    /// <summary>The elements of a list.</summary>
    public IEnumerable<JsonField> Elements()
    {
        if (!IsList)
            throw Wrong("an array");
        string path = Path;
        return Value.EnumerateArray().Select((element, i) => new JsonField(element, $"{path}[{i}]"));
    }

    /// <summary>The fields of an object.</summary>
    public IEnumerable<(string Name, JsonField Field)> Fields()
    {
        if (!IsObject)
            throw Wrong("an object");
        JsonField self = this;
        return Value.EnumerateObject().Select(p => (p.Name, new JsonField(p.Value, self.PathOf(p.Name))));
    }

    /// <summary>The value as a string.</summary>
    public string AsText() => IsText ? Value.GetString()! : throw Wrong("a string");

    /// <summary>The value as an object.</summary>
    public JsonField AsObject() => IsObject ? this : throw Wrong("an object");

    /// <summary>The value as a whole number.</summary>
    public long AsWhole(long least, long most)
    {
        if (!IsNumber)
            throw Wrong("an integer");
        if (!Value.TryGetInt64(out long number) && !(Value.TryGetDouble(out double real) && Math.Floor(real) == real && Math.Abs(real) < 9e15 && (number = (long)real) == real))
            throw Wrong("an integer");
        return number >= least && number <= most ? number : throw OutOfRange(least.ToString(CultureInfo.InvariantCulture), most.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The value as a number.</summary>
    public double AsNumber(double least, double most)
    {
        if (!IsNumber)
            throw Wrong("a number");
        return Value.TryGetDouble(out double number) && number >= least && number <= most ? number : throw OutOfRange($"{least}", $"{most}");
    }

    /// <summary>The value as true or false.</summary>
    public bool AsFlag() => Value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => throw Wrong("a boolean") };

    /// <summary>The value as a tree that can be changed.</summary>
    public JsonNode? AsNode() => JsonNode.Parse(Value.GetRawText());

    /// <summary>A string field, or null.</summary>
    public string? Text(string name) => Find(name)?.AsText();

    /// <summary>A whole number field, or null.</summary>
    public long? Whole(string name, long least, long most) => Find(name)?.AsWhole(least, most);

    /// <summary>A number field, or null.</summary>
    public double? Number(string name, double least, double most) => Find(name)?.AsNumber(least, most);

    /// <summary>A true or false field, or null.</summary>
    public bool? Flag(string name) => Find(name)?.AsFlag();

    /// <summary>A field that is a string or a list of strings; empty where it is absent.</summary>
    public IReadOnlyList<string> Texts(string name) => Find(name) is not { } field ? [] : field.IsText ? [field.AsText()] : [.. field.Elements().Select(e => e.AsText())];

    /// <summary>The error that the value is of another type.</summary>
    public ApiException Wrong(string expected) => ApiException.Invalid(Path, $"Invalid type for '{Path}': expected {expected}, but got {Kind(Value)} instead.", "invalid_type");

    /// <summary>The error that the value is not one of those that there are.</summary>
    public ApiException Unknown(string expected) => ApiException.Invalid(Path, $"Invalid value for '{Path}': supported are {expected}.", "invalid_value");

    private ApiException OutOfRange(string least, string most) =>
        ApiException.Invalid(Path, $"Invalid value for '{Path}': {Value.GetRawText()} is not between {least} and {most}.", "invalid_value");

    private string PathOf(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => "an array",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
