// The JSON schema (draft 2020-12) of a recipe, for editors: types, enums, ranges, defaults, kinds and the XML documentation.
// A recipe is partial, so nothing is required but the kind of an object that has no default kind. JsonSchemaExporter
// describes single types with their own converter; the tree is walked here, because the defaults of a place are those of
// the default configuration, and because what the merge allows (sizes, kinds without "kind") is no property of a type.
// Left out: a size may leave out a kind that the recipe itself changed; the schema asks for it.
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Configuration;

/// <summary>Writes the JSON schema of a recipe.</summary>
public sealed class ConfigurationSchema
{
    private static readonly Origin s_origin = new(new ConfigurationSource("defaults"));

    private readonly JsonObject _definitions = [];
    private readonly Dictionary<(Type, string?), string> _names = [];
    private readonly XmlDescriptions _descriptions = new(AppContext.BaseDirectory);

    private ConfigurationSchema()
    {
    }

    /// <summary>The schema of a root record with its defaults, indented.</summary>
    /// <remarks>Descriptions come from the XML documentation beside the program, and are left out where it is absent.</remarks>
    /// <param name="type">The record's source-generated metadata.</param>
    /// <param name="defaults">The default configuration.</param>
    public static string Write(JsonTypeInfo type, object defaults)
    {
        ConfigurationType root = ConfigurationTree.Root(type);
        JsonObject schema = new ConfigurationSchema().Root(root, root.Serialize(defaults, s_origin));
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            schema.WriteTo(writer);
        return Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private JsonObject Root(ConfigurationType root, ConfigurationNode defaults)
    {
        JsonObject schema = Record(root, null, defaults);
        JsonObject properties = schema["properties"]!.AsObject();
        JsonObject size = [];
        foreach (string key in root.Properties.Keys)
            size[key] = Reference($"#/properties/{Escape(key)}");
        _definitions["(size)"] = Closed(size);

        properties["$schema"] = new JsonObject { ["type"] = "string" };
        properties["description"] = new JsonObject { ["type"] = "string", ["description"] = "What the recipe is for." };
        properties["sizes"] = new JsonObject
        {
            ["type"] = "object",
            ["description"] = "Named variants; --size=name lays one over the recipe.",
            ["additionalProperties"] = Reference("#/$defs/(size)"),
        };
        schema.Insert(0, "$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.Insert(1, "title", root.Type.Name);
        schema["$defs"] = _definitions;
        return schema;
    }

    /// <summary>A value that stands in the default configuration.</summary>
    private JsonObject Value(ConfigurationType type, bool nullable, ConfigurationNode? standing, RangeAttribute? range, int minLength = 0)
    {
        JsonObject schema = Value(type, standing is { Kind: JsonValueKind.Object } ? standing : null, range, minLength);
        if (nullable)
            schema = OrNull(schema);
        if (standing is not null && (type.IsScalar || type.Shape == ValueShape.Any || standing.Kind is not JsonValueKind.Object))
            schema["default"] = JsonNode.Parse(standing.ToUtf8());
        return schema;
    }

    private JsonObject Value(ConfigurationType type, ConfigurationNode? standing, RangeAttribute? range, int minLength = 0)
    {
        switch (type.Shape)
        {
            case ValueShape.Record:
                return standing is null ? Definition(type, null) : Record(type, null, standing);
            case ValueShape.Kinds:
                return Kinds(type, standing);
            case ValueShape.Map:
                JsonObject map = new()
                {
                    ["type"] = "object",
                    ["additionalProperties"] = Value(type.Element, type.ElementNullable, null, range),
                };
                if (standing is { Members.Count: > 0 })
                    map["default"] = JsonNode.Parse(standing.ToUtf8());
                return map;
            case ValueShape.List:
                JsonObject list = new() { ["type"] = "array", ["items"] = Value(type.Element, type.ElementNullable, null, range) };
                if (minLength > 0)
                    list["minItems"] = minLength;
                return list;
            default:
                return Scalar(type, range, minLength);
        }
    }

    private static JsonObject Scalar(ConfigurationType type, RangeAttribute? range, int minLength)
    {
        switch (type.Shape)
        {
            case ValueShape.Boolean:
                return new() { ["type"] = "boolean" };
            case ValueShape.Integer or ValueShape.Number:
                return Number(type, range);
            case ValueShape.Text:
                JsonObject text = new() { ["type"] = "string" };
                if (minLength > 0)
                    text["minLength"] = minLength;
                return text;
            case ValueShape.Choice:
                return new() { ["type"] = "string", ["enum"] = Names(type.Choices) };
            case ValueShape.Other:
                return JsonSchemaExporter.GetJsonSchemaAsNode(type.Info, new() { TreatNullObliviousAsNonNullable = true }) as JsonObject ?? [];
            default:
                return [];
        }
    }

    private static JsonObject Number(ConfigurationType type, RangeAttribute? range)
    {
        JsonObject schema = new() { ["type"] = type.Shape == ValueShape.Integer ? "integer" : "number" };
        Bounds bounds = range is null ? default : Bounds.Of(range);
        if (bounds.Least is { } from)
            schema[bounds.LeastExcluded ? "exclusiveMinimum" : "minimum"] = Number(from);
        else if (type.Shape == ValueShape.Integer)
            schema["minimum"] = JsonNode.Parse(type.IntegerRange.Least.ToString(CultureInfo.InvariantCulture));
        if (bounds.Most is { } to)
            schema[bounds.MostExcluded ? "exclusiveMaximum" : "maximum"] = Number(to);
        else if (type.Shape == ValueShape.Integer)
            schema["maximum"] = JsonNode.Parse(type.IntegerRange.Most.ToString(CultureInfo.InvariantCulture));
        return schema;
    }

    private static JsonNode Number(double value) => JsonNode.Parse(value.ToString("R", CultureInfo.InvariantCulture))!;

    private JsonObject Record(ConfigurationType record, (string Key, string Value)? kind, ConfigurationNode standing)
    {
        JsonObject properties = [];
        if (kind is { } k)
            properties[k.Key] = new JsonObject { ["const"] = k.Value };
        foreach (ConfigurationProperty property in record.Properties.Values)
        {
            JsonObject value = Value(property.Type, property.Nullable, standing.Members.GetValueOrDefault(property.Name), property.Range, property.MinLength);
            Describe(value, _descriptions.Of(property));
            properties[property.Name] = value;
        }
        JsonObject schema = Closed(properties);
        Describe(schema, _descriptions.Of(record.Type));
        return schema;
    }

    // The kind that stands there may be left out; any other must be named.
    private JsonObject Kinds(ConfigurationType type, ConfigurationNode? standing)
    {
        string? current = standing?.Members[type.Discriminator].Text;
        JsonArray kinds = [];
        foreach ((string name, ConfigurationType record) in type.Kinds)
        {
            JsonObject schema = name == current
                ? Record(record, (type.Discriminator, name), standing!)
                : Definition(record, (type.Discriminator, name));
            if (name == current)
                schema["properties"]![type.Discriminator]!["default"] = name;
            else
                schema["required"] = Names([type.Discriminator]);
            kinds.Add((JsonNode)schema);
        }
        return new() { ["oneOf"] = kinds };
    }

    /// <summary>A reference to a record with its own defaults, for places where none stands; written once, so that trees may recur.</summary>
    private JsonObject Definition(ConfigurationType record, (string Key, string Value)? kind)
    {
        if (!_names.TryGetValue((record.Type, kind?.Value), out string? name))
        {
            name = record.Type.Name;
            for (int i = 2; _definitions.ContainsKey(name); i++)
                name = $"{record.Type.Name}{i}";
            _names.Add((record.Type, kind?.Value), name);
            _definitions[name] = new JsonObject();
            _definitions[name] = Record(record, kind, record.Defaults(kind, s_origin));
        }
        return Reference($"#/$defs/{Escape(name)}");
    }

    private static JsonObject OrNull(JsonObject schema)
    {
        if (schema["type"] is JsonValue type && schema["properties"] is null)
        {
            schema["type"] = Names([type.GetValue<string>(), "null"]);
            if (schema["enum"] is JsonArray names)
                names.Add((JsonNode?)null);
            return schema;
        }
        return schema.Count == 0 ? schema : new() { ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }) };
    }

    private static JsonObject Closed(JsonObject properties)
    {
        return new() { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
    }

    private static JsonObject Reference(string pointer) => new() { ["$ref"] = pointer };

    private static JsonArray Names(IEnumerable<string> names) => [.. names.Select(n => (JsonNode)n)];

    private static void Describe(JsonObject schema, string? description)
    {
        if (description is not null)
            schema["description"] = description;
    }

    // RFC 6901; percent signs and the like do not occur in C# names and snake_case keys.
    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
