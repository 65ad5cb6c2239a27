using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;
using Gradus.Text.Chat;

namespace Gradus.Server.Ollama;

/// <summary>A request of Ollama's <c>/api/chat</c> or <c>/api/generate</c>.</summary>
/// <param name="Inference">What is asked of the model.</param>
/// <param name="Stream">Whether the answer is streamed.</param>
internal sealed record OllamaRequest(InferenceRequest Inference, bool Stream)
{
    /// <summary>Reads a conversation.</summary>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static OllamaRequest Chat(JsonField body)
    {
        ToolFields tools = ToolFields.Read(body);
        List<string> system = [];
        List<ChatMessage> messages = [];
        foreach (JsonField message in body.Get("messages").Elements())
        {
            string role = message.AsObject().Get("role").AsText(), text = message.Text("content") ?? "";
            CheckImages(message);
            if (role == "system")
                system.Add(text);
            else
                messages.Add(Message(message, role, text));
        }
        return Make(body, new ConversationPrompt(ChatMessages.WithSystem(system, messages), tools.Definitions, Thinking(body))) is var request && tools.Use is { } use
            ? request with { Inference = request.Inference with { Tools = use } }
            : request;
    }

    /// <summary>Reads a prompt, which goes through the model's chat template unless it is raw.</summary>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static OllamaRequest Generate(JsonField body)
    {
        string prompt = body.Text("prompt") ?? "";
        CheckImages(body);
        foreach (string unknown in new[] { "suffix", "template" })
        {
            if (body.Text(unknown) is { Length: > 0 })
                throw ApiException.Invalid(unknown, $"{unknown} is not supported.");
        }
        if (body.Flag("raw") ?? false)
            return Make(body, new TextPrompt(prompt));
        return Make(body, new ConversationPrompt(ChatMessages.WithSystem(body.Text("system") is { Length: > 0 } system ? [system] : [], [new ChatMessage("user", prompt)]), null, Thinking(body)));
    }

    private static ChatMessage Message(JsonField message, string role, string text)
    {
        switch (role)
        {
            case "user":
                return new ChatMessage("user", text);
            case "tool":
                return ChatMessages.Result(text, message.Text("tool_call_id"), message.Text("tool_name") ?? message.Text("name"));
            case "assistant":
                ChatMessage answer = new("assistant", text);
                if (message.Text("thinking") is { Length: > 0 } thinking)
                    answer = answer.With("reasoning_content", thinking);
                JsonArray calls = [.. (message.Find("tool_calls")?.Elements() ?? []).Select((call, i) =>
                {
                    JsonField function = call.AsObject().Get("function").AsObject();
                    return (JsonNode)ChatMessages.Call(call.Text("id") ?? $"call_{i}", function.Get("name").AsText(), function.Find("arguments")?.Value.GetRawText() ?? "{}");
                })];
                return calls.Count == 0 ? answer : answer.With("tool_calls", calls);
            default:
                throw message.Get("role").Unknown("'system', 'user', 'assistant' and 'tool'");
        }
    }

    private static OllamaRequest Make(JsonField body, InferencePrompt prompt)
    {
        InferenceRequest request = new(prompt);
        if (body.Find("options") is { } options)
        {
            options.AsObject();
            request = SamplingFields.Apply(options, request);
            long most = options.Whole("num_predict", -2, int.MaxValue) ?? -1;
            // −1 and −2 mean as many as there is room for.
            request = request with { MaxTokens = most < 0 ? null : (int)most, MaxTokensParameter = "options.num_predict" };
        }
        AnswerStructure? structure = body.Find("format") is not { } format || (format.IsText && format.AsText().Length == 0) ? null
            : format.IsText ? format.AsText() == "json" ? SamplingFields.AnyObject("format") : throw format.Unknown("'json' and a JSON schema")
            : SamplingFields.Schema(format.AsObject(), "format");
        bool scores = body.Flag("logprobs") ?? false;
        return new OllamaRequest(
            request with { Count = 1, Structure = structure, LogProbabilities = scores, Alternatives = (int)(body.Whole("top_logprobs", 0, 20) ?? 0) },
            body.Flag("stream") ?? true);
    }

    private static Dictionary<string, JsonNode?>? Thinking(JsonField body)
    {
        if (body.Find("think") is not { } think)
            return null;
        return think.IsText ? new() { ["reasoning_effort"] = think.AsText(), ["enable_thinking"] = true } : new() { ["enable_thinking"] = think.AsFlag() };
    }

    private static void CheckImages(JsonField message)
    {
        if (message.Find("images") is { } images && images.Elements().Any())
            throw ApiException.Invalid(images.Path, "The model reads text only, no images.");
    }
}
