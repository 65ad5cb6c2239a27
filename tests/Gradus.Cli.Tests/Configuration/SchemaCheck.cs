using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Configuration;

/// <summary>
/// A validator for the part of JSON Schema draft 2020-12 that the schemas under test use, written from the specification;
/// a keyword it does not know fails the test.
/// </summary>
internal static class SchemaCheck
{
    private static readonly string[] s_annotations = ["$schema", "$defs", "title", "description", "default", "$comment"];

    public static bool Accepts(JsonNode schema, string json)
    {
        return Accepts(schema, schema, JsonNode.Parse(json, null, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip }));
    }

    private static bool Accepts(JsonNode root, JsonNode schema, JsonNode? value)
    {
        return schema.AsObject().All(keyword => keyword.Value is not { } rule || Accepts(root, schema, keyword.Key, rule, value));
    }

    private static bool Accepts(JsonNode root, JsonNode schema, string keyword, JsonNode rule, JsonNode? value)
    {
        return keyword switch
        {
            "type" => rule is JsonArray types ? types.Any(t => IsOf((string)t!, value)) : IsOf((string)rule!, value),
            "enum" => rule.AsArray().Any(v => JsonNode.DeepEquals(v, value)),
            "const" => JsonNode.DeepEquals(rule, value),
            "minimum" => value is not JsonValue || !IsOf("number", value) || (double)value >= (double)rule,
            "maximum" => value is not JsonValue || !IsOf("number", value) || (double)value <= (double)rule,
            "exclusiveMinimum" => !IsOf("number", value) || (double)value! > (double)rule,
            "exclusiveMaximum" => !IsOf("number", value) || (double)value! < (double)rule,
            "minLength" => !IsOf("string", value) || ((string)value!).Length >= (int)rule,
            "minItems" => value is not JsonArray items || items.Count >= (int)rule,
            "pattern" => !IsOf("string", value) || System.Text.RegularExpressions.Regex.IsMatch((string)value!, (string)rule!),
            "items" => value is not JsonArray array || array.All(item => Accepts(root, rule, item)),
            "required" => value is not JsonObject given || rule.AsArray().All(key => given.ContainsKey((string)key!)),
            "properties" => value is not JsonObject o || o.All(m => rule[m.Key] is not { } property || Accepts(root, property, m.Value)),
            "additionalProperties" => value is not JsonObject o || o.All(m =>
                schema["properties"]?[m.Key] is not null || (rule is JsonObject additional ? Accepts(root, additional, m.Value) : (bool)rule)),
            "oneOf" => rule.AsArray().Count(s => Accepts(root, s!, value)) == 1,
            "anyOf" => rule.AsArray().Any(s => Accepts(root, s!, value)),
            "$ref" => Accepts(root, Resolve(root, (string)rule!), value),
            _ => s_annotations.Contains(keyword) ? true : throw new NotSupportedException(keyword),
        };
    }

    /// <summary>The schema that a JSON pointer names.</summary>
    public static JsonNode Resolve(JsonNode root, string reference)
    {
        Assert.StartsWith("#/", reference, StringComparison.Ordinal);
        return reference[2..].Split('/').Aggregate(root, (node, key) => node[key] ?? throw new KeyNotFoundException(reference));
    }

    private static bool IsOf(string type, JsonNode? value)
    {
        JsonValueKind kind = value?.GetValueKind() ?? JsonValueKind.Null;
        return type switch
        {
            "null" => kind == JsonValueKind.Null,
            "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
            "string" => kind == JsonValueKind.String,
            "number" => kind == JsonValueKind.Number,
            "integer" => kind == JsonValueKind.Number && double.IsInteger((double)value!),
            "array" => kind == JsonValueKind.Array,
            "object" => kind == JsonValueKind.Object,
            _ => throw new NotSupportedException(type),
        };
    }
}
