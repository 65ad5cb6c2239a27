using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Text.Chat;

namespace Gradus.Server.OpenAi;

/// <summary>
/// Messages of a conversation as chat templates read them: contents as one text each, arguments of calls as objects, the names of tools beside
/// their results, and everything that instructs in one system message at the beginning, because templates refuse a later one.
/// </summary>
internal static class ChatMessages
{
    /// <summary>Reads a list of messages.</summary>
    /// <exception cref="ApiException">A message is not well formed.</exception>
    public static List<ChatMessage> Read(JsonField list)
    {
        List<string> system = [];
        List<ChatMessage> messages = [];
        Dictionary<string, string> callers = new(StringComparer.Ordinal);
        foreach (JsonField element in list.Elements())
        {
            JsonField message = element.AsObject();
            string role = message.Get("role").AsText();
            switch (role)
            {
                case "system" or "developer":
                    system.Add(Text(message.Get("content")));
                    break;
                case "user":
                    messages.Add(Named(new ChatMessage("user", Text(message.Get("content"))), message));
                    break;
                case "assistant":
                    messages.Add(Assistant(message, callers));
                    break;
                case "tool" or "function":
                    messages.Add(Tool(message, callers));
                    break;
                default:
                    throw message.Get("role").Unknown("'system', 'developer', 'user', 'assistant' and 'tool'");
            }
        }
        return messages.Count + system.Count == 0
            ? throw ApiException.Invalid(list.Path, $"Invalid '{list.Path}': empty array. Expected at least one message.", "empty_array")
            : WithSystem(system, messages);
    }

    /// <summary>Messages behind one of the system.</summary>
    public static List<ChatMessage> WithSystem(IReadOnlyCollection<string> system, IEnumerable<ChatMessage> messages) =>
        system.Count == 0 ? [.. messages] : [new ChatMessage("system", string.Join("\n\n", system)), .. messages];

    /// <summary>The text of a content: a string, or a list of parts.</summary>
    /// <exception cref="ApiException">A part is no text.</exception>
    public static string Text(JsonField content)
    {
        if (content.IsText)
            return content.AsText();
        StringBuilder text = new();
        foreach (JsonField part in content.Elements())
        {
            string type = part.AsObject().Text("type") ?? "text";
            text.Append(type switch
            {
                "text" or "input_text" or "output_text" => part.Get("text").AsText(),
                "refusal" => part.Get("refusal").AsText(),
                _ => throw ApiException.Invalid(part.Path, $"Invalid value for '{part.Path}.type': the model reads text only, not '{type}'.", "unsupported_content"),
            });
        }
        return text.ToString();
    }

    /// <summary>A call of a tool as templates read it.</summary>
    public static JsonObject Call(string id, string name, string arguments) => new()
    {
        ["id"] = id,
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = name, ["arguments"] = Arguments(arguments) },
    };

    /// <summary>The result of a call as templates read it.</summary>
    public static ChatMessage Result(string text, string? callId, string? name)
    {
        ChatMessage message = new("tool", text);
        if (callId is not null)
            message = message.With("tool_call_id", callId);
        return name is null ? message : message.With("name", name);
    }

    private static ChatMessage Assistant(JsonField message, Dictionary<string, string> callers)
    {
        // Templates add texts together; what has none has an empty one.
        ChatMessage assistant = new("assistant", message.Find("content") is { } content ? Text(content) : "");
        if ((message.Text("reasoning_content") ?? message.Text("reasoning")) is { } reasoning)
            assistant = assistant.With("reasoning_content", reasoning);
        JsonArray calls = [];
        foreach (JsonField call in message.Find("tool_calls")?.Elements() ?? [])
        {
            JsonField function = call.AsObject().Get("function").AsObject();
            string id = call.Text("id") ?? "", name = function.Get("name").AsText();
            callers[id] = name;
            calls.Add((JsonNode)Call(id, name, function.Text("arguments") ?? "{}"));
        }
        if (calls.Count == 0 && message.Find("content") is null && message.Find("refusal") is null)
            throw ApiException.Invalid($"{message.Path}.content", $"Invalid value for '{message.Path}.content': an assistant message has content or tool_calls.", "invalid_value");
        return Named(calls.Count == 0 ? assistant : assistant.With("tool_calls", calls), message);
    }

    private static ChatMessage Tool(JsonField message, Dictionary<string, string> callers)
    {
        string? id = message.Text("tool_call_id");
        return Result(message.Find("content") is { } content ? Text(content) : "", id, message.Text("name") ?? (id is null ? null : callers.GetValueOrDefault(id)));
    }

    private static ChatMessage Named(ChatMessage message, JsonField source) => source.Text("name") is { } name ? message.With("name", name) : message;

    // Templates write arguments as JSON; those that are none stay the text they are.
    private static JsonNode Arguments(string text)
    {
        try
        {
            return JsonNode.Parse(text.Length == 0 ? "{}" : text) is JsonObject parsed ? parsed : JsonValue.Create(text)!;
        }
        catch (JsonException)
        {
            return JsonValue.Create(text)!;
        }
    }
}
