using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat.Jinja;

namespace Gradus.Text.Chat;

/// <summary>
/// One message of a conversation: the JSON object that chat templates read, with at least a <c>role</c>.
/// Other fields go by the names that published templates use: <c>content</c>, <c>tool_calls</c>, <c>tool_call_id</c>, <c>name</c>,
/// <c>reasoning_content</c> and whatever a template knows. Immutable; fields keep their order.
/// </summary>
public sealed class ChatMessage
{
    private ChatMessage(DictValue fields) => Fields = fields;

    /// <summary>A message with text.</summary>
    /// <param name="role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, <c>tool</c> or another role of the template.</param>
    /// <param name="content">The text; null where the message has only tool calls (templates see <c>none</c>).</param>
    public ChatMessage(string role, string? content)
    {
        ArgumentException.ThrowIfNullOrEmpty(role);
        Fields = new DictValue();
        Fields.Entries[Value.Of("role")] = Value.Of(role);
        Fields.Entries[Value.Of("content")] = content is null ? NoneValue.Instance : Value.Of(content);
    }

    /// <summary>Who speaks.</summary>
    public string Role => ((TextValue)Field("role")!).Text;

    /// <summary>The text of the content: the string, or the texts of its parts joined; null where there is none.</summary>
    public string? Text => Field("content") switch
    {
        TextValue text => text.Text,
        ListValue parts => string.Concat(parts.Elements.Select(PartText)),
        _ => null,
    };

    internal DictValue Fields { get; }

    /// <summary>Reads a message.</summary>
    /// <param name="message">An object with a string <c>role</c>.</param>
    /// <exception cref="FormatException">It is not an object or has no role.</exception>
    public static ChatMessage FromJson(JsonElement message) => FromValue(JsonValues.From(message));

    /// <summary>Reads a message.</summary>
    /// <param name="message">An object with a string <c>role</c>.</param>
    /// <exception cref="FormatException">It is not an object or has no role.</exception>
    public static ChatMessage FromJson(JsonNode message) => FromValue(JsonValues.From(message));

    /// <summary>This message with one field more, or with another value for it.</summary>
    /// <param name="field">The name, such as <c>tool_calls</c>.</param>
    /// <param name="value">The value; null is JSON's null.</param>
    /// <exception cref="FormatException">The role is set to something other than a string.</exception>
    public ChatMessage With(string field, JsonNode? value)
    {
        ArgumentException.ThrowIfNullOrEmpty(field);
        DictValue fields = new();
        foreach ((Value key, Value entry) in Fields.Entries)
            fields.Entries[key] = entry;
        fields.Entries[Value.Of(field)] = JsonValues.From(value);
        return FromValue(fields);
    }

    /// <summary>The message as a JSON object.</summary>
    public JsonObject ToJson() => (JsonObject)JsonValues.ToNode(Fields)!;

    internal static ChatMessage FromValue(Value value)
    {
        if (value is not DictValue fields)
            throw new FormatException("A chat message has to be a JSON object with a 'role'.");
        if (fields.Entries.GetValueOrDefault(Value.Of("role")) is not TextValue { Text.Length: > 0 })
            throw new FormatException("A chat message needs a 'role' that is a string, such as \"user\".");
        return new ChatMessage(fields);
    }

    /// <summary>The fields with the number of the message in every text and container, role and name excepted: those are header, not content.</summary>
    internal DictValue Tagged(int message)
    {
        DictValue tagged = new(message);
        foreach ((Value key, Value entry) in Fields.Entries)
            tagged.Entries[key] = ((TextValue)key).Text is "role" or "name" ? entry : JsonValues.Tagged(entry, message);
        return tagged;
    }

    private Value? Field(string name) => Fields.Entries.GetValueOrDefault(Value.Of(name));

    private static string PartText(Value part) => part switch
    {
        TextValue text => text.Text,
        DictValue dict when dict.Entries.GetValueOrDefault(Value.Of("text")) is TextValue text => text.Text,
        _ => "",
    };
}
