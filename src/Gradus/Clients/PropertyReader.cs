using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Gradus.Clients;

/// <summary>Reads the additional properties of a request: .NET values, or JSON's as a server has them.</summary>
internal sealed class PropertyReader
{
    private readonly AdditionalPropertiesDictionary? _values;

    /// <summary>Looks at the names.</summary>
    /// <param name="values">The properties, or null.</param>
    /// <param name="known">The names that there are.</param>
    /// <exception cref="ArgumentException">There is another name.</exception>
    public PropertyReader(AdditionalPropertiesDictionary? values, IReadOnlyList<string> known)
    {
        _values = values;
        if (values?.Keys.FirstOrDefault(k => !known.Contains(k)) is { } unknown)
            throw new ArgumentException($"AdditionalProperties has {unknown}, which a local model does not know; it knows {string.Join(", ", known)}.");
    }

    public bool Flag(string name) => Json(name) switch
    {
        null => false,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        _ => throw Wrong(name, "true or false"),
    };

    public float? Number(string name) => Json(name) switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => (float)value.AsDouble(),
        _ => throw Wrong(name, "a number"),
    };

    public int? Integer(string name) => Json(name) switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.Number && value.AsDouble() is var number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue => (int)number,
        _ => throw Wrong(name, "a whole number"),
    };

    public string? Text(string name) => Json(name) switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw Wrong(name, "a text"),
    };

    public IReadOnlyList<string>? Texts(string name) => Json(name) switch
    {
        null => null,
        JsonArray list when list.All(e => e?.GetValueKind() == JsonValueKind.String) => [.. list.Select(e => e!.GetValue<string>())],
        _ => throw Wrong(name, "a list of texts"),
    };

    public JsonObject? Object(string name) => Json(name) switch
    {
        null => null,
        JsonObject value => value,
        _ => throw Wrong(name, "an object"),
    };

    public IReadOnlyDictionary<int, float>? Biases(string name)
    {
        if (Object(name) is not { } given)
            return null;
        Dictionary<int, float> biases = [];
        foreach ((string key, JsonNode? value) in given)
        {
            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || value is not JsonValue number || number.GetValueKind() != JsonValueKind.Number)
                throw Wrong(name, "an object of token ids and numbers");
            biases[id] = (float)number.AsDouble();
        }
        return biases;
    }

    /// <summary>A value as JSON.</summary>
    public static JsonNode? ToJson(object? value) => value switch
    {
        null => null,
        JsonNode node => node,
        JsonElement element => JsonNode.Parse(element.GetRawText()),
        JsonDocument document => JsonNode.Parse(document.RootElement.GetRawText()),
        bool flag => flag,
        string text => text,
        int number => number,
        long number => number,
        float number => number,
        double number => number,
        IEnumerable<KeyValuePair<int, float>> map => new JsonObject(map.Select(p => KeyValuePair.Create(p.Key.ToString(CultureInfo.InvariantCulture), (JsonNode?)p.Value))),
        IEnumerable<KeyValuePair<string, object?>> map => new JsonObject(map.Select(p => KeyValuePair.Create(p.Key, ToJson(p.Value)))),
        System.Collections.IEnumerable list => new JsonArray([.. list.Cast<object?>().Select(ToJson)]),
        IConvertible number and (byte or short or uint or ulong or decimal) => number.ToDouble(CultureInfo.InvariantCulture),
        _ => Serialized(value),
    };

    // Whatever an application's function returned, as far as the library's own contracts know it; else its text.
    private static JsonNode? Serialized(object value) => AIJsonUtilities.DefaultOptions.TryGetTypeInfo(value.GetType(), out var type)
        ? JsonSerializer.SerializeToNode(value, type)
        : value.ToString();

    private JsonNode? Json(string name)
    {
        if (_values is null || !_values.TryGetValue(name, out object? value) || value is null)
            return null;
        JsonNode? node = ToJson(value);
        return node?.GetValueKind() == JsonValueKind.Null ? null : node;
    }

    private static ArgumentException Wrong(string name, string wanted) => new($"AdditionalProperties: {name} is not {wanted}.");
}

/// <summary>Numbers of JSON values, whichever type they were made of.</summary>
internal static class JsonNumbers
{
    public static double AsDouble(this JsonValue value) => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);
}
