using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Training.Data.Formats;

/// <summary>Tools and calls of tools, in the forms in which records have them, as templates read them (OpenAI's).</summary>
internal static class ToolFields
{
    /// <summary>
    /// The tools of a record: <c>tools</c> or, of old, <c>functions</c>; a list, one object, or either as JSON text. Bare functions are
    /// wrapped (<c>{"type": "function", "function": …}</c>). Null where there are none.
    /// </summary>
    /// <exception cref="InvalidDataException">They have another form.</exception>
    public static JsonArray? Tools(RecordFields fields)
    {
        JsonElement? tools = fields.Value("tools"), functions = fields.Value("functions");
        if (tools is { } both && functions is not null && !RecordFields.IsEmpty(both))
            throw fields.Record.Wrong("the record has both tools and functions; keep one of them.");
        string name = tools is null ? "functions" : "tools";
        if ((tools ?? functions) is not { } given || RecordFields.IsEmpty(given))
            return null;
        JsonNode? node = Node(given);
        JsonArray list = node switch
        {
            JsonArray array => array,
            JsonObject one => [one.DeepClone()],
            _ => throw fields.Record.Wrong($"{name} must be a list of tools, or its JSON text."),
        };
        JsonArray wrapped = [];
        foreach (JsonNode? tool in list)
        {
            if (tool is not JsonObject description)
                throw fields.Record.Wrong($"{name}: every tool must be an object with a name.");
            JsonNode copy = description.DeepClone();
            wrapped.Add(description["name"] is not null && description["function"] is null && description["type"] is null ? new JsonObject { ["type"] = "function", ["function"] = copy } : copy);
        }
        return wrapped.Count == 0 ? null : wrapped;
    }

    /// <summary>Calls in OpenAI's form: from <c>tool_calls</c>, an older <c>function_call</c>, or the JSON text of a ShareGPT turn.</summary>
    /// <param name="given">A list of calls, one call, or either as JSON text; a call has name and arguments, perhaps below <c>function</c>.</param>
    /// <param name="problem">Makes the error of the turn.</param>
    /// <exception cref="InvalidDataException">It has another form.</exception>
    public static JsonArray Calls(JsonElement given, Func<string, InvalidDataException> problem)
    {
        JsonArray list = Node(given) switch
        {
            JsonArray array => array,
            JsonObject one => [one.DeepClone()],
            _ => throw problem("a call of a tool must be JSON with name and arguments"),
        };
        JsonArray calls = [];
        foreach (JsonNode? call in list)
        {
            if (call is not JsonObject outer || (outer["function"] ?? outer) is not JsonObject function || function["name"] is not JsonValue name || name.GetValueKind() != JsonValueKind.String)
                throw problem("a call of a tool must be JSON with name and arguments");
            JsonObject copy = outer["function"] is null ? [] : (JsonObject)outer.DeepClone();
            copy["type"] ??= "function";
            JsonNode arguments = (function["arguments"] ?? function["parameters"])?.DeepClone() ?? new JsonObject();
            copy["function"] = new JsonObject { ["name"] = name.DeepClone(), ["arguments"] = Arguments(arguments) };
            calls.Add((JsonNode)copy);
        }
        return calls;
    }

    // Templates print arguments as JSON: the text of an object would be quoted a second time.
    private static JsonNode Arguments(JsonNode arguments) =>
        arguments is JsonValue value && value.GetValueKind() == JsonValueKind.String && Parsed((string)value!) is JsonObject parsed ? parsed : arguments;

    private static JsonNode? Node(JsonElement given) => given.ValueKind == JsonValueKind.String ? Parsed(given.GetString()!) : JsonNode.Parse(given.GetRawText());

    private static JsonNode? Parsed(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
