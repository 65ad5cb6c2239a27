// Tools for models whose chat template knows none: they are described in the system message, and calls and results are written out, as Hermes models have
// them (Nous Research, "Hermes Function Calling", 2024). Where the template has tools, it writes all that itself.

using System.Text;
using System.Text.Json.Nodes;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Text.Chat;
using ModelMessage = Gradus.Text.Chat.ChatMessage;

namespace Gradus.Clients;

/// <summary>Brings a conversation with tools into plain messages.</summary>
public static class ToolPrompt
{
    /// <summary>Whether a template writes tools, calls and results itself.</summary>
    /// <param name="template">The template; null for none.</param>
    /// <param name="format">How it writes calls; null where it writes none.</param>
    public static bool IsNative(ChatTemplate? template, ToolCallFormat? format) => format is not null && template?.Source.Contains("tools", StringComparison.Ordinal) == true;

    /// <summary>The conversation without tools in the template's sense.</summary>
    /// <param name="messages">The messages; one system message at most, first.</param>
    /// <param name="tools">The tools, or null where only calls and results of earlier turns are to be written out.</param>
    public static IReadOnlyList<ModelMessage> Plain(IReadOnlyList<ModelMessage> messages, JsonArray? tools)
    {
        ArgumentNullException.ThrowIfNull(messages);
        List<ModelMessage> plain = [];
        int first = messages.Count > 0 && messages[0].Role == "system" ? 1 : 0;
        string system = first == 1 ? messages[0].Text ?? "" : "";
        if (tools is { Count: > 0 })
            system = (system.Length > 0 ? system + "\n\n" : "") + Describe(tools);
        if (system.Length > 0)
            plain.Add(new ModelMessage("system", system));
        StringBuilder results = new();
        foreach (ModelMessage message in messages.Skip(first))
        {
            JsonObject fields = message.ToJson();
            if (message.Role == "tool")
            {
                if (results.Length > 0)
                    results.Append('\n');
                results.Append("<tool_response>\n").Append(message.Text).Append("\n</tool_response>");
                continue;
            }
            EndResults();
            plain.Add(message.Role == "assistant" && fields["tool_calls"] is JsonArray { Count: > 0 } calls ? new ModelMessage("assistant", Write(message.Text, calls)) : message);
        }
        EndResults();
        return plain;

        void EndResults()
        {
            if (results.Length > 0)
                plain.Add(new ModelMessage("user", results.ToString()));
            results.Clear();
        }
    }

    /// <summary>The conversation with its system message at the head of what the user says first, for templates that refuse a system message.</summary>
    /// <param name="messages">The messages; the first is the system's.</param>
    public static IReadOnlyList<ModelMessage> WithoutSystem(IReadOnlyList<ModelMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        string system = messages[0].Text ?? "";
        List<ModelMessage> rest = [.. messages.Skip(1)];
        int user = rest.FindIndex(m => m.Role == "user");
        if (user < 0)
            rest.Insert(0, new ModelMessage("user", system));
        else
            rest[user] = new ModelMessage("user", $"{system}\n\n{rest[user].Text}");
        return rest;
    }

    private static string Describe(JsonArray tools) =>
        "You can call these tools:\n<tools>\n" + string.Join('\n', tools.Select(t => t!.ToJsonString()))
        + "\n</tools>\nTo call one, write:\n<tool_call>\n{\"name\": \"NAME\", \"arguments\": {}}\n</tool_call>";

    private static string Write(string? text, JsonArray calls)
    {
        IEnumerable<string> written = calls.Select(c =>
        {
            JsonNode function = c!["function"] ?? c;
            return $"<tool_call>\n{{\"name\": {function["name"]!.ToJsonString()}, \"arguments\": {function["arguments"]?.ToJsonString() ?? "{}"}}}\n</tool_call>";
        });
        return string.Join('\n', string.IsNullOrEmpty(text) ? written : written.Prepend(text));
    }
}
