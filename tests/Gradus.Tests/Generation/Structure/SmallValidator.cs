using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gradus.Tests.Generation.Structure;

/// <summary>A validator of the keywords that the random schemas have, written the plain way.</summary>
internal static class SmallValidator
{
    public static bool IsValid(JsonElement value, JsonNode? schema)
    {
        if (schema is JsonValue flag && flag.TryGetValue(out bool all))
            return all;
        foreach ((string keyword, JsonNode? says) in schema!.AsObject())
        {
            if (!Holds(value, keyword, says!, schema.AsObject()))
                return false;
        }
        return true;
    }

    private static bool Holds(JsonElement value, string keyword, JsonNode says, JsonObject schema)
    {
        bool isObject = value.ValueKind == JsonValueKind.Object;
        bool isArray = value.ValueKind == JsonValueKind.Array;
        bool isText = value.ValueKind == JsonValueKind.String;
        bool isNumber = value.ValueKind == JsonValueKind.Number;
        return keyword switch
        {
            "type" => IsType(value, says.GetValue<string>()),
            "enum" => says.AsArray().Any(v => JsonNode.DeepEquals(Canonical(v), Canonical(JsonNode.Parse(value.GetRawText())))),
            "anyOf" => says.AsArray().Any(s => IsValid(value, s)),
            "allOf" => says.AsArray().All(s => IsValid(value, s)),
            "oneOf" => says.AsArray().Count(s => IsValid(value, s)) == 1,
            "not" => !IsValid(value, says),
            "minLength" => !isText || value.GetString()!.EnumerateRunes().Count() >= says.GetValue<int>(),
            "maxLength" => !isText || value.GetString()!.EnumerateRunes().Count() <= says.GetValue<int>(),
            "pattern" => !isText || Regex.IsMatch(value.GetString()!, says.GetValue<string>().Replace("$", "\\z", StringComparison.Ordinal)),
            "minimum" => !isNumber || value.GetDouble() >= (double)Number(says),
            "exclusiveMinimum" => !isNumber || value.GetDouble() > (double)Number(says),
            "maximum" => !isNumber || value.GetDouble() <= (double)Number(says),
            "multipleOf" => !isNumber || !value.TryGetDecimal(out decimal number) || number % Number(says) == 0,
            "minItems" => !isArray || value.GetArrayLength() >= says.GetValue<int>(),
            "maxItems" => !isArray || value.GetArrayLength() <= says.GetValue<int>(),
            "prefixItems" => !isArray || value.EnumerateArray().Zip(says.AsArray()).All(p => IsValid(p.First, p.Second)),
            "items" => !isArray || value.EnumerateArray().Skip((schema["prefixItems"] as JsonArray)?.Count ?? 0).All(v => IsValid(v, says)),
            "contains" => !isArray || value.EnumerateArray().Any(v => IsValid(v, says)),
            "required" => !isObject || says.AsArray().All(n => value.TryGetProperty(n!.GetValue<string>(), out _)),
            "minProperties" => !isObject || value.EnumerateObject().Select(p => p.Name).Distinct().Count() >= says.GetValue<int>(),
            "maxProperties" => !isObject || value.EnumerateObject().Count() <= says.GetValue<int>(),
            "properties" => !isObject || value.EnumerateObject().All(p => says[p.Name] is null || IsValid(p.Value, says[p.Name])),
            "patternProperties" => !isObject || value.EnumerateObject().All(p => says.AsObject().All(s => !Regex.IsMatch(p.Name, s.Key) || IsValid(p.Value, s.Value))),
            "additionalProperties" => !isObject || value.EnumerateObject().All(p => schema["properties"]?[p.Name] is not null
                || (schema["patternProperties"]?.AsObject().Any(s => Regex.IsMatch(p.Name, s.Key)) ?? false) || IsValid(p.Value, says)),
            _ => throw new InvalidOperationException(keyword),
        };
    }

    private static decimal Number(JsonNode node) => decimal.Parse(node.ToJsonString(), System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture);

    private static bool IsType(JsonElement value, string type) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && (!value.TryGetDecimal(out decimal number) || number % 1 == 0),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => value.ValueKind.ToString().Equals(type, StringComparison.OrdinalIgnoreCase),
    };

    /// <summary>Numbers of one value as one text.</summary>
    private static JsonNode? Canonical(JsonNode? node) => node switch
    {
        JsonArray list => new JsonArray([.. list.Select(Canonical)]),
        JsonObject map => new JsonObject(map.Select(p => KeyValuePair.Create(p.Key, Canonical(p.Value)))),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => JsonValue.Create(double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture)),
        _ => node?.DeepClone(),
    };
}
