using System.Text.Json.Nodes;
using Gradus.Server.Inference;

namespace Gradus.Server.OpenAi;

/// <summary>Bodies and chunks of chat completions. Source: the OpenAPI document of the OpenAI API, version 2.3.</summary>
internal sealed class ChatAnswer(InferenceSession session, string build, bool includeUsage)
{
    private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";
    private readonly bool[] _begun = new bool[session.Request.Count];
    private readonly List<string>[] _calls = [.. Enumerable.Range(0, session.Request.Count).Select(_ => new List<string>())];

    /// <summary>The usage of a request.</summary>
    public static JsonObject Usage(InferenceSession session) => new()
    {
        ["prompt_tokens"] = session.Prompt.Count,
        ["completion_tokens"] = session.Generated,
        ["total_tokens"] = session.Prompt.Count + session.Generated,
        ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = session.Cached },
        ["completion_tokens_details"] = new JsonObject { ["reasoning_tokens"] = session.Reasoning },
    };

    /// <summary>The whole answer.</summary>
    public JsonObject Whole(IReadOnlyList<CollectedAnswer> answers)
    {
        JsonObject body = Head("chat.completion");
        body["choices"] = new JsonArray([.. answers.Select((a, i) => (JsonNode)Choice(a, i))]);
        body["usage"] = Usage(session);
        return body;
    }

    /// <summary>The chunks for a piece of an answer.</summary>
    public IEnumerable<JsonObject> Chunks(InferencePiece piece)
    {
        if (!_begun[piece.Answer])
        {
            _begun[piece.Answer] = true;
            yield return Chunk(piece.Answer, new JsonObject { ["role"] = "assistant", ["content"] = "", ["refusal"] = null }, [], null);
        }
        if (piece.Reasoning.Length > 0)
            yield return Chunk(piece.Answer, new JsonObject { ["reasoning_content"] = piece.Reasoning }, [], null);
        if (piece.Text.Length > 0)
            yield return Chunk(piece.Answer, new JsonObject { ["content"] = piece.Text }, piece.Tokens, null);
        if (piece.Call is { } call)
            yield return Chunk(piece.Answer, new JsonObject { ["tool_calls"] = new JsonArray(Call(piece.Answer, call.Call, call.Name, call.Arguments)) }, [], null);
        if (piece.End is { } end)
            yield return Chunk(piece.Answer, [], [], Finish(end.Reason));
    }

    /// <summary>The chunk that ends a stream with the usage.</summary>
    public JsonObject UsageChunk()
    {
        JsonObject chunk = Head("chat.completion.chunk");
        chunk["choices"] = new JsonArray();
        chunk["usage"] = Usage(session);
        return chunk;
    }

    /// <summary>Why an answer ended, in OpenAI's words.</summary>
    public static string Finish(AnswerEnd end) => end switch { AnswerEnd.Length => "length", AnswerEnd.ToolCalls => "tool_calls", _ => "stop" };

    /// <summary>A token with its log-probability.</summary>
    public static JsonObject Score(ScoredToken token, bool withAlternatives)
    {
        JsonObject score = new()
        {
            ["token"] = token.Text,
            ["logprob"] = CompletionAnswer.LogProbability(token.LogProbability ?? 0),
            ["bytes"] = token.Bytes is { } bytes ? Http.JsonAnswer.Numbers(bytes.Select(b => (int)b)) : null,
        };
        if (withAlternatives)
            score["top_logprobs"] = new JsonArray([.. token.Alternatives.Select(a => (JsonNode)Score(a, false))]);
        return score;
    }

    private JsonObject Head(string kind)
    {
        JsonObject head = new()
        {
            ["id"] = _id,
            ["object"] = kind,
            ["created"] = session.Created.ToUnixTimeSeconds(),
            ["model"] = session.Model,
            ["system_fingerprint"] = $"{build}-{session.Lease.Model.Fingerprint}",
            ["service_tier"] = "default",
        };
        if (session.Seed is { } seed)
            head["seed"] = seed;
        return head;
    }

    private JsonObject Chunk(int answer, JsonObject delta, IReadOnlyList<ScoredToken> tokens, string? finish)
    {
        JsonObject chunk = Head("chat.completion.chunk");
        chunk["choices"] = new JsonArray(new JsonObject { ["index"] = answer, ["delta"] = delta, ["logprobs"] = Scores(tokens, tokens.Count > 0), ["finish_reason"] = finish });
        if (includeUsage)
            chunk["usage"] = null;
        return chunk;
    }

    private JsonObject Call(int answer, int index, string? name, string? arguments)
    {
        if (name is null)
            return new JsonObject { ["index"] = index, ["function"] = new JsonObject { ["arguments"] = arguments ?? "" } };
        _calls[answer].Add(CollectedAnswer.NewCallId());
        return new JsonObject
        {
            ["index"] = index,
            ["id"] = _calls[answer][^1],
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments ?? "" },
        };
    }

    private JsonObject? Scores(IReadOnlyList<ScoredToken> tokens, bool wanted) => !wanted || !session.Request.LogProbabilities ? null : new JsonObject
    {
        ["content"] = new JsonArray([.. tokens.Select(t => (JsonNode)Score(t, true))]),
        ["refusal"] = null,
    };

    private JsonObject Choice(CollectedAnswer answer, int index)
    {
        JsonObject message = new() { ["role"] = "assistant", ["content"] = answer.Calls.Count > 0 && answer.Text.Length == 0 ? null : answer.Text, ["refusal"] = null };
        if (answer.Reasoning.Length > 0)
            message["reasoning_content"] = answer.Reasoning;
        if (answer.Calls.Count > 0)
        {
            message["tool_calls"] = new JsonArray([.. answer.Calls.Select(c => (JsonNode)new JsonObject
            {
                ["id"] = c.Id,
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = c.Name, ["arguments"] = c.Arguments },
            })]);
        }
        return new JsonObject { ["index"] = index, ["message"] = message, ["logprobs"] = Scores(answer.Tokens, true), ["finish_reason"] = Finish(answer.End.Reason) };
    }
}
