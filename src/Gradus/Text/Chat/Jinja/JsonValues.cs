using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Text.Chat.Jinja;

/// <summary>JSON to values of the engine and back, by the types that Python's json gives: 1 is an int, 1.0 a float.</summary>
internal static class JsonValues
{
    public static Value From(JsonElement element)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                DictValue dict = new();
                foreach (JsonProperty property in element.EnumerateObject())
                    dict.Entries[Value.Of(property.Name)] = From(property.Value);
                return dict;
            case JsonValueKind.Array:
                return new ListValue([.. element.EnumerateArray().Select(From)]);
            case JsonValueKind.String:
                return Value.Of(element.GetString()!);
            case JsonValueKind.Number:
                return Number(element.GetRawText());
            case JsonValueKind.True or JsonValueKind.False:
                return Value.Of(element.ValueKind == JsonValueKind.True);
            default:
                return NoneValue.Instance;
        }
    }

    public static Value From(JsonNode? node)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (node)
        {
            case null:
                return NoneValue.Instance;
            case JsonObject properties:
                DictValue dict = new();
                foreach ((string name, JsonNode? value) in properties)
                    dict.Entries[Value.Of(name)] = From(value);
                return dict;
            case JsonArray array:
                return new ListValue([.. array.Select(From)]);
            default:
                return FromScalar(node.AsValue());
        }
    }

    public static JsonNode? ToNode(Value value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (value)
        {
            case DictValue dict:
                JsonObject properties = [];
                foreach ((Value key, Value entry) in dict.Entries)
                    properties[((TextValue)key).Text] = ToNode(entry);
                return properties;
            case ListValue list:
                return new JsonArray([.. list.Elements.Select(ToNode)]);
            case TextValue text:
                return JsonValue.Create(text.Text);
            case BoolValue:
                return JsonValue.Create(value.IsTrue);
            case IntValue integer:
                return JsonNode.Parse(integer.Number.ToString(CultureInfo.InvariantCulture));
            case FloatValue real:
                return double.IsFinite(real.Number) ? JsonNode.Parse(PythonText.Repr(real.Number)) : JsonValue.Create(real.Number);
            default:
                return null;
        }
    }

    /// <summary>A copy whose texts and containers remember a message.</summary>
    public static Value Tagged(Value value, int message)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (value)
        {
            case TextValue text:
                return TextValue.FromMessage(text.Text, message);
            case ListValue list:
                return new ListValue(Array.ConvertAll(list.Elements, e => Tagged(e, message)), message);
            case DictValue dict:
                DictValue copy = new(message);
                foreach ((Value key, Value entry) in dict.Entries)
                    copy.Entries[Tagged(key, message)] = Tagged(entry, message);
                return copy;
            default:
                return value;
        }
    }

    private static Value FromScalar(JsonValue value)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.String:
                return Value.Of(value.TryGetValue(out string? text) ? text : value.ToString());
            case JsonValueKind.True or JsonValueKind.False:
                return Value.Of(value.GetValueKind() == JsonValueKind.True);
            case JsonValueKind.Number:
                // A double made in memory writes 2.0 as 2, so its type has to be asked for first.
                if (!value.TryGetValue(out JsonElement _) && (value.TryGetValue(out double real) || (value.TryGetValue(out float single) && (real = single) == single)))
                    return new FloatValue(real);
                return Number(value.ToJsonString());
            default:
                return NoneValue.Instance;
        }
    }

    private static Value Number(string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') < 0 && text.Length <= 1200)
            return new IntValue(BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
        return new FloatValue(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
    }
}
