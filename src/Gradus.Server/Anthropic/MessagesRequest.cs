using System.Text.Json.Nodes;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;
using Gradus.Text.Chat;

namespace Gradus.Server.Anthropic;

/// <summary>A request of Anthropic's Messages API. Source: Anthropic's API reference, version 2023-06-01.</summary>
/// <param name="Inference">What is asked of the model.</param>
/// <param name="Stream">Whether the answer is streamed.</param>
internal sealed record MessagesRequest(InferenceRequest Inference, bool Stream)
{
    // Claude Code puts a line that changes with every request before its instructions; with it no prefix would ever be shared.
    private const string BillingLine = "x-anthropic-billing-header";

    /// <summary>Reads a body.</summary>
    /// <param name="body">The body.</param>
    /// <param name="counts">Whether only the tokens are counted, so that nothing is said of the answer.</param>
    /// <exception cref="ApiException">A field is wrong.</exception>
    public static MessagesRequest Read(JsonField body, bool counts = false)
    {
        (ToolUse? use, JsonArray? definitions) = Tools(body);
        List<ChatMessage> messages = ChatMessages.WithSystem(System(body), Messages(body.Get("messages")));
        if (messages.Count == 0)
            throw ApiException.Invalid("messages", "messages: at least one message is required.");
        string? prefill = null;
        if (messages[^1] is { Role: "assistant" } last)
        {
            prefill = last.Text;
            messages.RemoveAt(messages.Count - 1);
        }
        InferenceRequest request = SamplingFields.Apply(body, new InferenceRequest(new ConversationPrompt(messages, definitions, Thinking(body), prefill))) with
        {
            MaxTokens = counts ? 1 : (int)body.Get("max_tokens").AsWhole(1, int.MaxValue),
            Stops = SamplingFields.Stops(body, "stop_sequences"),
            Tools = use,
            Count = 1,
        };
        return new MessagesRequest(request, body.Flag("stream") ?? false);
    }

    private static IReadOnlyCollection<string> System(JsonField body)
    {
        if (body.Find("system") is not { } system)
            return [];
        IEnumerable<string> texts = system.IsText ? [system.AsText()] : system.Elements().Select(b => b.AsObject().Get("text").AsText());
        return [.. texts.Where(t => !t.StartsWith(BillingLine, StringComparison.Ordinal))];
    }

    private static Dictionary<string, JsonNode?>? Thinking(JsonField body) => body.Find("thinking")?.AsObject().Text("type") switch
    {
        null => null,
        "disabled" => new() { ["enable_thinking"] = false },
        _ => new() { ["enable_thinking"] = true },
    };

    private static IEnumerable<ChatMessage> Messages(JsonField list)
    {
        Dictionary<string, string> callers = new(StringComparer.Ordinal);
        foreach (JsonField message in list.Elements())
        {
            string role = message.AsObject().Get("role").AsText();
            JsonField content = message.Get("content");
            if (role is not ("user" or "assistant"))
                throw message.Get("role").Unknown("'user' and 'assistant'");
            if (content.IsText)
            {
                yield return new ChatMessage(role, content.AsText());
                continue;
            }
            JsonField[] blocks = [.. content.Elements()];
            foreach (ChatMessage read in role == "user" ? FromUser(blocks, callers) : [FromAssistant(blocks, callers)])
                yield return read;
        }
    }

    // Results of calls come first, whatever text stands around them.
    private static IEnumerable<ChatMessage> FromUser(JsonField[] blocks, Dictionary<string, string> callers)
    {
        List<string> texts = [];
        foreach (JsonField block in blocks)
        {
            switch (block.AsObject().Get("type").AsText())
            {
                case "text":
                    texts.Add(block.Get("text").AsText());
                    break;
                case "tool_result":
                    string id = block.Get("tool_use_id").AsText();
                    yield return ChatMessages.Result(block.Find("content") is { } result ? ChatMessages.Text(result) : "", id, callers.GetValueOrDefault(id));
                    break;
                default:
                    throw Unsupported(block);
            }
        }
        if (texts.Count > 0)
            yield return new ChatMessage("user", string.Join("\n\n", texts));
    }

    private static ChatMessage FromAssistant(JsonField[] blocks, Dictionary<string, string> callers)
    {
        string text = "", thinking = "";
        JsonArray calls = [];
        foreach (JsonField block in blocks)
        {
            switch (block.AsObject().Get("type").AsText())
            {
                case "text":
                    text += block.Get("text").AsText();
                    break;
                case "thinking":
                    thinking += block.Get("thinking").AsText();
                    break;
                case "redacted_thinking":
                    break;
                case "tool_use":
                    (string id, string name) = (block.Get("id").AsText(), block.Get("name").AsText());
                    callers[id] = name;
                    calls.Add((JsonNode)ChatMessages.Call(id, name, block.Get("input").AsObject().Value.GetRawText()));
                    break;
                default:
                    throw Unsupported(block);
            }
        }
        ChatMessage message = new("assistant", text);
        if (thinking.Length > 0)
            message = message.With("reasoning_content", thinking);
        return calls.Count == 0 ? message : message.With("tool_calls", calls);
    }

    private static ApiException Unsupported(JsonField block) =>
        ApiException.Invalid(block.Path, $"{block.Path}: the model reads text only, not '{block.Text("type")}'.");

    private static (ToolUse? Use, JsonArray? Definitions) Tools(JsonField body)
    {
        List<CallableTool> tools = [];
        JsonArray definitions = [];
        foreach (JsonField tool in body.Find("tools")?.Elements() ?? [])
        {
            // Tools that Anthropic runs itself have a type of their own, and nobody runs them here.
            if (tool.AsObject().Text("type") is { } type && type != "custom")
                continue;
            string name = tool.Get("name").AsText();
            JsonField schema = tool.Get("input_schema").AsObject();
            tools.Add(new CallableTool(name, schema.Value) { Strict = tool.Flag("strict") ?? false });
            definitions.Add((JsonNode)ToolFields.Definition(name, tool.Text("description"), schema.AsNode()));
        }
        JsonField? choice = body.Find("tool_choice")?.AsObject();
        string mode = choice?.Get("type").AsText() ?? "auto";
        if (tools.Count == 0 || mode == "none")
            return (null, null);
        bool parallel = !(choice?.Flag("disable_parallel_tool_use") ?? false);
        if (mode != "tool")
            return mode is "auto" or "any" ? (new ToolUse(tools, mode == "any", parallel), definitions) : throw choice!.Value.Get("type").Unknown("'auto', 'any', 'tool' and 'none'");
        string named = choice!.Value.Get("name").AsText();
        CallableTool only = tools.Find(t => t.Name == named) ?? throw ApiException.Invalid("tool_choice.name", $"tool_choice.name: there is no tool called '{named}'.");
        return (new ToolUse([only], Required: true, parallel), definitions);
    }
}
