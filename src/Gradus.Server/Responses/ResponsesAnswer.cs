using System.Text.Json.Nodes;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.OpenAi;

namespace Gradus.Server.Responses;

/// <summary>The body and the events of a response: items that are opened, grow and are closed, one after the other.</summary>
internal sealed class ResponsesAnswer(InferenceSession session, JsonField body, ResponsesRequest request, string id)
{
    private readonly JsonArray _output = [];
    private readonly List<ScoredToken> _tokens = [];
    private string _kind = "";
    private string _itemId = "";
    private string _callId = "";
    private string _name = "";
    private string _text = "";
    private int _call = -1;
    private int _sequence;

    /// <summary>The whole answer, once all its pieces were taken in.</summary>
    public JsonObject Whole(string status, AnswerSummary? end)
    {
        JsonObject response = new()
        {
            ["id"] = id,
            ["object"] = "response",
            ["created_at"] = session.Created.ToUnixTimeSeconds(),
            ["status"] = status,
            ["error"] = null,
            ["incomplete_details"] = status == "incomplete" ? new JsonObject { ["reason"] = "max_output_tokens" } : null,
            ["instructions"] = body.Text("instructions"),
            ["max_output_tokens"] = request.Inference.MaxTokens,
            ["model"] = session.Model,
            ["output"] = _output.DeepClone(),
            ["parallel_tool_calls"] = body.Flag("parallel_tool_calls") ?? true,
            ["previous_response_id"] = body.Text("previous_response_id"),
            ["reasoning"] = body.Find("reasoning")?.AsNode() ?? new JsonObject { ["effort"] = null, ["summary"] = null },
            ["store"] = request.Store,
            ["temperature"] = request.Inference.Greedy ? 0 : request.Inference.Sampling.Temperature,
            ["text"] = body.Find("text")?.AsNode() ?? new JsonObject { ["format"] = new JsonObject { ["type"] = "text" } },
            ["tool_choice"] = body.Find("tool_choice")?.AsNode() ?? "auto",
            ["tools"] = Tools(),
            ["top_p"] = request.Inference.Sampling.TopP,
            ["truncation"] = "disabled",
            ["metadata"] = body.Find("metadata")?.AsNode() ?? new JsonObject(),
        };
        if (session.Seed is { } seed)
            response["seed"] = seed;
        if (end is not null)
        {
            response["usage"] = new JsonObject
            {
                ["input_tokens"] = session.Prompt.Count,
                ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = end.CachedTokens, ["cache_write_tokens"] = 0 },
                ["output_tokens"] = end.Tokens,
                ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = end.ReasoningTokens },
                ["total_tokens"] = session.Prompt.Count + end.Tokens,
            };
        }
        return response;
    }

    /// <summary>The events that a stream begins with.</summary>
    public IEnumerable<JsonObject> Start() => [Event("response.created", "response", Whole("in_progress", null)), Event("response.in_progress", "response", Whole("in_progress", null))];

    /// <summary>Takes a piece in, and gives its events in order; the last has the whole answer.</summary>
    public IEnumerable<JsonObject> Take(InferencePiece piece)
    {
        List<JsonObject> events = [];
        if (piece.Reasoning.Length > 0)
        {
            Begin("reasoning", events);
            _text += piece.Reasoning;
            events.Add(Part("response.reasoning_text.delta", ("delta", piece.Reasoning)));
        }
        if (piece.Text.Length > 0)
        {
            Begin("message", events);
            _text += piece.Text;
            _tokens.AddRange(piece.Tokens);
            events.Add(Part("response.output_text.delta", ("delta", piece.Text), ("logprobs", Scores(piece.Tokens))));
        }
        if (piece.Call is { } call)
        {
            if (call.Call != _call)
            {
                Close(events);
                (_call, _name, _callId) = (call.Call, call.Name ?? "", CollectedAnswer.NewCallId());
                Begin("function_call", events);
            }
            if (call.Arguments is { Length: > 0 } arguments)
            {
                _text += arguments;
                events.Add(Item("response.function_call_arguments.delta", ("delta", arguments)));
            }
        }
        if (piece.End is { } end)
        {
            Close(events);
            string status = end.Reason == AnswerEnd.Length ? "incomplete" : "completed";
            events.Add(Event($"response.{status}", "response", Whole(status, end)));
        }
        return events;
    }

    private static JsonArray Scores(IReadOnlyList<ScoredToken> tokens) => [.. tokens.Select(t => (JsonNode)ChatAnswer.Score(t, true))];

    private void Begin(string kind, List<JsonObject> events)
    {
        if (_kind == kind && kind != "function_call")
            return;
        Close(events);
        _kind = kind;
        _text = "";
        _tokens.Clear();
        _itemId = $"{kind switch { "message" => "msg", "reasoning" => "rs", _ => "fc" }}_{Guid.NewGuid():N}";
        events.Add(WithItem("response.output_item.added", Build("in_progress", whole: false)));
        if (kind == "message")
            events.Add(Part("response.content_part.added", ("part", TextPart(""))));
    }

    private void Close(List<JsonObject> events)
    {
        if (_kind.Length == 0)
            return;
        if (_kind == "message")
        {
            events.Add(Part("response.output_text.done", ("text", _text), ("logprobs", Scores(_tokens))));
            events.Add(Part("response.content_part.done", ("part", TextPart(_text))));
        }
        else
        {
            events.Add(_kind == "reasoning"
                ? Part("response.reasoning_text.done", ("text", _text))
                : Item("response.function_call_arguments.done", ("name", _name), ("arguments", _text)));
        }
        JsonObject done = Build("completed", whole: true);
        events.Add(WithItem("response.output_item.done", (JsonObject)done.DeepClone()));
        _output.Add((JsonNode)done);
        _kind = "";
    }

    private JsonObject Build(string status, bool whole) => _kind switch
    {
        "message" => new JsonObject { ["id"] = _itemId, ["type"] = "message", ["role"] = "assistant", ["status"] = status, ["content"] = whole ? new JsonArray(TextPart(_text)) : new JsonArray() },
        "reasoning" => new JsonObject
        {
            ["id"] = _itemId,
            ["type"] = "reasoning",
            ["summary"] = new JsonArray(),
            ["content"] = whole ? new JsonArray(new JsonObject { ["type"] = "reasoning_text", ["text"] = _text }) : new JsonArray(),
            ["status"] = status,
        },
        _ => new JsonObject { ["id"] = _itemId, ["type"] = "function_call", ["call_id"] = _callId, ["name"] = _name, ["arguments"] = whole ? _text : "", ["status"] = status },
    };

    private JsonObject TextPart(string text) => new() { ["type"] = "output_text", ["text"] = text, ["annotations"] = new JsonArray(), ["logprobs"] = text.Length == 0 ? [] : Scores(_tokens) };

    private JsonObject Event(string type, string field, JsonNode value) => new() { ["type"] = type, ["sequence_number"] = _sequence++, [field] = value };

    private JsonObject WithItem(string type, JsonObject item)
    {
        JsonObject made = Event(type, "item", item);
        made["output_index"] = _output.Count;
        return made;
    }

    private JsonObject Item(string type, params ReadOnlySpan<(string Name, JsonNode Value)> fields)
    {
        JsonObject made = new() { ["type"] = type, ["sequence_number"] = _sequence++, ["item_id"] = _itemId, ["output_index"] = _output.Count };
        foreach ((string name, JsonNode value) in fields)
            made[name] = value;
        return made;
    }

    private JsonObject Part(string type, params ReadOnlySpan<(string Name, JsonNode Value)> fields)
    {
        JsonObject made = Item(type, fields);
        made["content_index"] = 0;
        return made;
    }

    private JsonArray Tools()
    {
        JsonArray tools = [];
        foreach (JsonField tool in body.Find("tools")?.Elements() ?? [])
        {
            JsonObject definition = (JsonObject)tool.AsNode()!;
            if (tool.Text("type") != "function")
                continue;
            definition.TryAdd("strict", false);
            definition.TryAdd("parameters", new JsonObject());
            tools.Add((JsonNode)definition);
        }
        return tools;
    }
}
