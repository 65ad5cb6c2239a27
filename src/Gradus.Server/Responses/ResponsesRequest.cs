using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;
using Gradus.Text.Chat;

namespace Gradus.Server.Responses;

/// <summary>A request of OpenAI's Responses API, translated into a conversation. Source: the OpenAPI document of the OpenAI API, version 2.3.</summary>
/// <param name="Inference">What is asked of the model.</param>
/// <param name="Messages">The conversation so far, without the instructions, which do not carry over.</param>
/// <param name="Stream">Whether the answer is streamed.</param>
/// <param name="Store">Whether the answer is stored, so that a later request can go on from it.</param>
/// <param name="SkippedTools">Kinds of tools that were left out.</param>
internal sealed record ResponsesRequest(InferenceRequest Inference, IReadOnlyList<ChatMessage> Messages, bool Stream, bool Store, IReadOnlyList<string> SkippedTools)
{
    /// <summary>Reads a body.</summary>
    /// <param name="body">The body.</param>
    /// <param name="earlier">The conversation that it goes on from; empty for none.</param>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static ResponsesRequest Read(JsonField body, IReadOnlyList<ChatMessage> earlier)
    {
        if (body.Flag("background") ?? false)
            throw ApiException.Invalid("background", "Unsupported parameter: 'background'.", "unsupported_parameter");
        if (body.Find("truncation") is { } truncation && truncation.AsText() != "disabled")
            throw ApiException.Invalid("truncation", "Unsupported value for 'truncation': nothing is ever cut here; only 'disabled' is supported.", "unsupported_value");
        ToolFields tools = ToolFields.Read(body);
        List<string> system = body.Text("instructions") is { } instructions ? [instructions] : [];
        List<ChatMessage> messages = [.. earlier];
        ReadInput(body.Get("input"), system, messages);
        if (messages.Count + system.Count == 0)
            throw ApiException.Invalid("input", "Invalid 'input': there is nothing to answer.", "empty_array");
        bool scores = body.Texts("include").Contains("message.output_text.logprobs");
        InferenceRequest request = SamplingFields.Apply(body, new InferenceRequest(new ConversationPrompt(ChatMessages.WithSystem(system, messages), tools.Definitions, Variables(body)))) with
        {
            Count = 1,
            Stops = [],
            MaxTokens = (int?)body.Whole("max_output_tokens", 1, int.MaxValue),
            MaxTokensParameter = "max_output_tokens",
            Tools = tools.Use,
            Structure = Format(body),
            LogProbabilities = scores,
            Alternatives = scores ? (int)(body.Whole("top_logprobs", 0, 20) ?? 0) : 0,
        };
        return new ResponsesRequest(request, messages, body.Flag("stream") ?? false, body.Flag("store") ?? true, tools.Skipped);
    }

    private static void ReadInput(JsonField input, List<string> system, List<ChatMessage> messages)
    {
        if (input.IsText)
        {
            messages.Add(new ChatMessage("user", input.AsText()));
            return;
        }
        Dictionary<string, string> callers = Callers(messages);
        string? reasoning = null;
        foreach (JsonField item in input.Elements())
        {
            switch (item.AsObject().Text("type") ?? "message")
            {
                case "message":
                    string role = item.Get("role").AsText(), text = ChatMessages.Text(item.Get("content"));
                    if (role is "system" or "developer")
                        system.Add(text);
                    else if (role is "user" or "assistant")
                        messages.Add(WithReasoning(new ChatMessage(role, text), ref reasoning));
                    else
                        throw item.Get("role").Unknown("'user', 'assistant', 'system' and 'developer'");
                    break;
                case "function_call":
                    string id = item.Get("call_id").AsText(), name = item.Get("name").AsText();
                    callers[id] = name;
                    AddCall(messages, ChatMessages.Call(id, name, item.Get("arguments").AsText()), ref reasoning);
                    break;
                case "function_call_output":
                    string answered = item.Get("call_id").AsText();
                    messages.Add(ChatMessages.Result(ChatMessages.Text(item.Get("output")), answered, callers.GetValueOrDefault(answered)));
                    break;
                case "reasoning":
                    reasoning = string.Concat((item.Find("content")?.Elements() ?? []).Select(c => c.Text("text")));
                    break;
                default:
                    throw ApiException.Invalid($"{item.Path}.type", $"Unsupported input item: '{item.Text("type")}'.", "unsupported_value");
            }
        }
    }

    // The tools that earlier turns have called, by the calls' names.
    private static Dictionary<string, string> Callers(List<ChatMessage> messages)
    {
        Dictionary<string, string> callers = new(StringComparer.Ordinal);
        foreach (JsonNode? call in messages.SelectMany(m => m.ToJson()["tool_calls"] as JsonArray ?? []))
        {
            if ((string?)call?["id"] is { } id && (string?)call["function"]?["name"] is { } name)
                callers[id] = name;
        }
        return callers;
    }

    private static ChatMessage WithReasoning(ChatMessage message, ref string? reasoning)
    {
        if (message.Role == "assistant" && reasoning is { Length: > 0 } text)
            message = message.With("reasoning_content", text);
        reasoning = null;
        return message;
    }

    // Calls that stand one behind the other are one turn.
    private static void AddCall(List<ChatMessage> messages, JsonObject call, ref string? reasoning)
    {
        if (messages.Count > 0 && messages[^1] is { Role: "assistant" } last)
        {
            JsonArray calls = last.ToJson()["tool_calls"]?.DeepClone() as JsonArray ?? [];
            calls.Add((JsonNode)call);
            messages[^1] = last.With("tool_calls", calls);
            return;
        }
        messages.Add(WithReasoning(new ChatMessage("assistant", ""), ref reasoning).With("tool_calls", new JsonArray(call)));
    }

    private static AnswerStructure? Format(JsonField body)
    {
        if (body.Find("text")?.AsObject().Find("format") is not { } format)
            return SamplingFields.Structure(body);
        return format.AsObject().Get("type").AsText() switch
        {
            "text" => null,
            "json_object" => SamplingFields.AnyObject("text.format"),
            "json_schema" => SamplingFields.Schema(format.Get("schema"), "text.format.schema"),
            _ => throw format.Get("type").Unknown("'text', 'json_object' and 'json_schema'"),
        };
    }

    private static Dictionary<string, JsonNode?>? Variables(JsonField body)
    {
        if (body.Find("reasoning")?.AsObject().Text("effort") is not { } effort)
            return null;
        Dictionary<string, JsonNode?> variables = new() { ["reasoning_effort"] = effort };
        if (effort is "none" or "minimal")
            variables["enable_thinking"] = false;
        return variables;
    }
}
