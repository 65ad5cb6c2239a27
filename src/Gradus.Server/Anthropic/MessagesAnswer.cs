using System.Text.Json.Nodes;
using Gradus.Server.Inference;

namespace Gradus.Server.Anthropic;

/// <summary>Bodies and events of Anthropic's Messages API.</summary>
internal sealed class MessagesAnswer(InferenceSession session)
{
    private readonly string _id = $"msg_{Guid.NewGuid():N}";
    private string? _open;
    private int _index = -1;
    private int _call = -1;

    /// <summary>The whole answer.</summary>
    public JsonObject Whole(CollectedAnswer answer)
    {
        JsonArray content = [];
        if (answer.Reasoning.Length > 0)
            content.Add((JsonNode)new JsonObject { ["type"] = "thinking", ["thinking"] = answer.Reasoning, ["signature"] = "" });
        if (answer.Text.Length > 0)
            content.Add((JsonNode)new JsonObject { ["type"] = "text", ["text"] = answer.Text });
        foreach (CollectedCall call in answer.Calls)
            content.Add((JsonNode)new JsonObject { ["type"] = "tool_use", ["id"] = ToolId(call.Id), ["name"] = call.Name, ["input"] = call.ArgumentsObject() });
        return Message(content, answer.End);
    }

    /// <summary>The event that a stream begins with.</summary>
    public JsonObject Start() => new() { ["type"] = "message_start", ["message"] = Message([], null) };

    /// <summary>The events for a piece of the answer, in order.</summary>
    public IEnumerable<JsonObject> Events(InferencePiece piece)
    {
        if (piece.Reasoning.Length > 0)
        {
            foreach (JsonObject change in Open("thinking", new JsonObject { ["type"] = "thinking", ["thinking"] = "", ["signature"] = "" }))
                yield return change;
            yield return Delta(new JsonObject { ["type"] = "thinking_delta", ["thinking"] = piece.Reasoning });
        }
        if (piece.Text.Length > 0)
        {
            foreach (JsonObject change in Open("text", new JsonObject { ["type"] = "text", ["text"] = "" }))
                yield return change;
            yield return Delta(new JsonObject { ["type"] = "text_delta", ["text"] = piece.Text });
        }
        if (piece.Call is { } call)
        {
            if (call.Call != _call)
            {
                _call = call.Call;
                JsonObject block = new() { ["type"] = "tool_use", ["id"] = ToolId(CollectedAnswer.NewCallId()), ["name"] = call.Name, ["input"] = new JsonObject() };
                foreach (JsonObject change in Open($"tool {call.Call}", block))
                    yield return change;
            }
            if (call.Arguments is { Length: > 0 } arguments)
                yield return Delta(new JsonObject { ["type"] = "input_json_delta", ["partial_json"] = arguments });
        }
        if (piece.End is { } end)
        {
            foreach (JsonObject change in Open(null, []))
                yield return change;
            yield return new JsonObject
            {
                ["type"] = "message_delta",
                ["delta"] = new JsonObject { ["stop_reason"] = Reason(end), ["stop_sequence"] = end.StopText },
                ["usage"] = Usage(end),
            };
            yield return new JsonObject { ["type"] = "message_stop" };
        }
    }

    private static string Reason(AnswerSummary end) => end.Reason switch
    {
        AnswerEnd.Length => "max_tokens",
        AnswerEnd.ToolCalls => "tool_use",
        _ => end.StopText is null ? "end_turn" : "stop_sequence",
    };

    private static string ToolId(string id) => id.Replace("call_", "toolu_", StringComparison.Ordinal);

    // Closes the block that is open where another begins.
    private IEnumerable<JsonObject> Open(string? name, JsonObject block)
    {
        if (_open == name)
            yield break;
        if (_open is not null)
            yield return new JsonObject { ["type"] = "content_block_stop", ["index"] = _index };
        _open = name;
        if (name is not null)
            yield return new JsonObject { ["type"] = "content_block_start", ["index"] = ++_index, ["content_block"] = block };
    }

    private JsonObject Delta(JsonObject delta) => new() { ["type"] = "content_block_delta", ["index"] = _index, ["delta"] = delta };

    private JsonObject Message(JsonArray content, AnswerSummary? end) => new()
    {
        ["id"] = _id,
        ["type"] = "message",
        ["role"] = "assistant",
        ["model"] = session.Model,
        ["content"] = content,
        ["stop_reason"] = end is null ? null : Reason(end),
        ["stop_sequence"] = end?.StopText,
        ["usage"] = Usage(end),
    };

    private JsonObject Usage(AnswerSummary? end) => new()
    {
        ["input_tokens"] = session.Prompt.Count - (end?.CachedTokens ?? 0),
        ["cache_creation_input_tokens"] = 0,
        ["cache_read_input_tokens"] = end?.CachedTokens ?? 0,
        ["output_tokens"] = end?.Tokens ?? 0,
    };
}
