using System.Text.Json.Nodes;
using Gradus.Generation.Structure.ToolCalls;
using Microsoft.Extensions.AI;
using ModelMessage = Gradus.Text.Chat.ChatMessage;

namespace Gradus.Clients;

/// <summary>Messages and tools of Microsoft.Extensions.AI as those that chat templates read.</summary>
internal static class Conversations
{
    /// <summary>The messages that a template reads; all system messages are one, the first.</summary>
    /// <exception cref="ArgumentException">A message holds something other than text, reasoning, calls and results; or there is none.</exception>
    public static List<ModelMessage> Read(IEnumerable<ChatMessage> messages, string? instructions)
    {
        List<string> system = string.IsNullOrEmpty(instructions) ? [] : [instructions];
        List<ModelMessage> read = [];
        int index = 0;
        foreach (ChatMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
            Add(message, index++, system, read);
        }
        if (read.Count == 0 && system.Count == 0)
            throw new ArgumentException("There is no message to answer; give at least one.", nameof(messages));
        if (system.Count > 0)
            read.Insert(0, new ModelMessage("system", string.Join("\n\n", system)));
        return read;
    }

    /// <summary>Tools as JSON Schema, as templates write them; null for none.</summary>
    /// <exception cref="ArgumentException">A tool is no function.</exception>
    public static JsonArray? Tools(IEnumerable<AIFunctionDeclaration> tools)
    {
        JsonArray list = [.. tools.Select(tool =>
        {
            JsonObject function = new() { ["name"] = tool.Name };
            if (!string.IsNullOrEmpty(tool.Description))
                function["description"] = tool.Description;
            function["parameters"] = JsonNode.Parse(tool.JsonSchema.GetRawText());
            return (JsonNode)new JsonObject { ["type"] = "function", ["function"] = function };
        })];
        return list.Count == 0 ? null : list;
    }

    /// <summary>The functions among tools.</summary>
    /// <exception cref="ArgumentException">One is no function.</exception>
    public static AIFunctionDeclaration[] Functions(IEnumerable<AITool>? tools) =>
        [.. (tools ?? []).Select(t => t as AIFunctionDeclaration ?? throw new ArgumentException($"Tools: {t.Name} ({t.GetType().Name}) is no function; a local model calls functions only."))];

    /// <summary>A function as the grammar of calls wants it.</summary>
    public static CallableTool Callable(AIFunctionDeclaration tool) =>
        new(tool.Name, tool.JsonSchema) { Strict = tool.AdditionalProperties.TryGetValue("strict", out object? strict) && strict is true };

    private static void Add(ChatMessage message, int index, List<string> system, List<ModelMessage> read)
    {
        string text = "", reasoning = "";
        JsonArray calls = [];
        List<ModelMessage> results = [];
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent part:
                    text += part.Text;
                    break;
                case TextReasoningContent part:
                    reasoning += part.Text;
                    break;
                case FunctionCallContent call:
                    calls.Add(new JsonObject
                    {
                        ["id"] = call.CallId,
                        ["type"] = "function",
                        ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = PropertyReader.ToJson(call.Arguments) ?? new JsonObject() },
                    });
                    break;
                case FunctionResultContent result:
                    results.Add(new ModelMessage("tool", Text(result)).With("tool_call_id", result.CallId));
                    break;
                case UsageContent:
                    break;
                case ErrorContent error:
                    text += error.Message;
                    break;
                default:
                    throw new ArgumentException($"Message {index} holds {content.GetType().Name}; the model reads text only.");
            }
        }
        read.AddRange(results);
        if (message.Role == ChatRole.System || message.Role.Value == "developer")
        {
            system.Add(text);
            return;
        }
        if (results.Count > 0 && text.Length == 0)
            return;
        ModelMessage own = new(message.Role.Value, calls.Count > 0 && text.Length == 0 ? null : text);
        if (message.AuthorName is { Length: > 0 } name)
            own = own.With("name", name);
        if (reasoning.Length > 0)
            own = own.With("reasoning_content", reasoning);
        read.Add(calls.Count > 0 ? own.With("tool_calls", calls) : own);
    }

    private static string Text(FunctionResultContent result) => result.Exception is { } error && result.Result is null
        ? $"Error: {error.Message}"
        : PropertyReader.ToJson(result.Result) switch
        {
            null => "",
            JsonValue value when value.TryGetValue(out string? text) => text,
            JsonNode node => node.ToJsonString(),
        };
}
