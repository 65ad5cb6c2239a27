using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Text.Chat;

namespace Gradus.Server.OpenAi;

/// <summary>A request for a chat completion.</summary>
/// <param name="Inference">What is asked of the model.</param>
/// <param name="Stream">Whether the answer is streamed.</param>
/// <param name="IncludeUsage">Whether a stream ends with the usage.</param>
/// <param name="SkippedTools">Kinds of tools that were left out.</param>
internal sealed record ChatRequest(InferenceRequest Inference, bool Stream, bool IncludeUsage, IReadOnlyList<string> SkippedTools)
{
    private const int MostAlternatives = 20;

    /// <summary>Reads a body.</summary>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static ChatRequest Read(JsonField body)
    {
        foreach (string gone in new[] { "functions", "function_call", "audio", "web_search_options" })
        {
            if (body.Find(gone) is not null)
                throw ApiException.Invalid(gone, $"Unsupported parameter: '{gone}'{(gone[0] == 'f' ? "; use tools and tool_choice" : "")}.", "unsupported_parameter");
        }
        ToolFields tools = ToolFields.Read(body);
        List<ChatMessage> messages = ChatMessages.Read(body.Get("messages"));
        string? prefill = null;
        if ((body.Flag("continue_final_message") ?? false) && messages[^1] is { Role: "assistant" } last)
        {
            prefill = last.Text;
            messages.RemoveAt(messages.Count - 1);
        }
        bool scores = body.Flag("logprobs") ?? false;
        int alternatives = (int)(body.Whole("top_logprobs", 0, MostAlternatives) ?? 0);
        if (alternatives > 0 && !scores)
            throw ApiException.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.", "invalid_value");
        InferenceRequest request = SamplingFields.Apply(body, new InferenceRequest(new ConversationPrompt(messages, tools.Definitions, Variables(body), prefill))) with
        {
            MaxTokens = (int?)(body.Whole("max_completion_tokens", 1, int.MaxValue) ?? body.Whole("max_tokens", 1, int.MaxValue)),
            MaxTokensParameter = body.Find("max_completion_tokens") is null ? "max_tokens" : "max_completion_tokens",
            LogProbabilities = scores,
            Alternatives = alternatives,
            Tools = tools.Use,
            Structure = ResponseFormat(body) ?? SamplingFields.Structure(body),
        };
        return new ChatRequest(request, body.Flag("stream") ?? false, body.Find("stream_options")?.AsObject().Flag("include_usage") ?? false, tools.Skipped);
    }

    private static AnswerStructure? ResponseFormat(JsonField body)
    {
        if (body.Find("response_format") is not { } format)
            return null;
        switch (format.AsObject().Get("type").AsText())
        {
            case "text":
                return null;
            case "json_object":
                return SamplingFields.AnyObject("response_format");
            case "json_schema":
                JsonField schema = format.Get("json_schema").AsObject();
                return schema.Find("schema") is { } given ? SamplingFields.Schema(given, given.Path) : SamplingFields.AnyObject("response_format");
            default:
                throw format.Get("type").Unknown("'text', 'json_object' and 'json_schema'");
        }
    }

    private static Dictionary<string, JsonNode?>? Variables(JsonField body)
    {
        Dictionary<string, JsonNode?> variables = [];
        if (body.Text("reasoning_effort") is { } effort)
        {
            variables["reasoning_effort"] = effort;
            if (effort is "none" or "minimal")
                variables["enable_thinking"] = false;
        }
        foreach ((string name, JsonField value) in body.Find("chat_template_kwargs")?.Fields() ?? [])
            variables[name] = value.AsNode();
        return variables.Count == 0 ? null : variables;
    }
}
