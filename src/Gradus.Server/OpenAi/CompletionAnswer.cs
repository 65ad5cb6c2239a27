using System.Text;
using System.Text.Json.Nodes;
using Gradus.Server.Inference;

namespace Gradus.Server.OpenAi;

/// <summary>Bodies and chunks of completions. Source: the OpenAPI document of the OpenAI API, version 2.3.</summary>
/// <param name="sessions">A session for each prompt, in order.</param>
/// <param name="build">What made the answers.</param>
/// <param name="includeUsage">Whether chunks have a field for the usage.</param>
internal sealed class CompletionAnswer(IReadOnlyList<InferenceSession> sessions, string build, bool includeUsage)
{
    private const float Unlikely = -9999;
    private readonly string _id = $"cmpl-{Guid.NewGuid():N}";
    private readonly int[] _offsets = new int[sessions.Count * sessions[0].Request.Count];
    private readonly Decoder[] _decoders = [.. Enumerable.Range(0, sessions.Count * sessions[0].Request.Count).Select(_ => Encoding.UTF8.GetDecoder())];

    /// <summary>A log-probability as clients can read it: JSON knows no infinity.</summary>
    public static float LogProbability(float value) => float.IsNaN(value) || value < Unlikely ? Unlikely : value;

    /// <summary>The whole answer.</summary>
    /// <param name="answers">The answers to each prompt.</param>
    public JsonObject Whole(IReadOnlyList<CollectedAnswer[]> answers)
    {
        JsonObject body = Head();
        int index = 0;
        JsonArray choices = [];
        foreach (CollectedAnswer answer in answers.SelectMany(a => a))
        {
            choices.Add((JsonNode)Choice(index, answer.Text, [.. answer.Tokens, .. answer.EndTokens], ChatAnswer.Finish(answer.End.Reason), sessions[0].Request.LogProbabilities));
            index++;
        }
        body["choices"] = choices;
        body["usage"] = Usage();
        return body;
    }

    /// <summary>The chunk for a piece of an answer; null where there is nothing to say.</summary>
    public JsonObject? Chunk(int prompt, InferencePiece piece)
    {
        if (piece is { Text.Length: 0, Tokens.Count: 0, End: null })
            return null;
        JsonObject chunk = Head();
        int index = (prompt * sessions[0].Request.Count) + piece.Answer;
        chunk["choices"] = new JsonArray(Choice(index, piece.Text, piece.Tokens, piece.End is { } end ? ChatAnswer.Finish(end.Reason) : null, sessions[0].Request.LogProbabilities && piece.Tokens.Count > 0));
        if (includeUsage)
            chunk["usage"] = null;
        return chunk;
    }

    /// <summary>The chunk that ends a stream with the usage.</summary>
    public JsonObject UsageChunk()
    {
        JsonObject chunk = Head();
        chunk["choices"] = new JsonArray();
        chunk["usage"] = Usage();
        return chunk;
    }

    private JsonObject Usage()
    {
        int prompt = sessions.Sum(s => s.Prompt.Count), generated = sessions.Sum(s => s.Generated);
        return new JsonObject
        {
            ["prompt_tokens"] = prompt,
            ["completion_tokens"] = generated,
            ["total_tokens"] = prompt + generated,
            ["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = sessions.Sum(s => s.Cached) },
        };
    }

    private JsonObject Head()
    {
        JsonObject head = new()
        {
            ["id"] = _id,
            ["object"] = "text_completion",
            ["created"] = sessions[0].Created.ToUnixTimeSeconds(),
            ["model"] = sessions[0].Model,
            ["system_fingerprint"] = $"{build}-{sessions[0].Lease.Model.Fingerprint}",
        };
        if (sessions[0].Seed is { } seed)
            head["seed"] = seed;
        return head;
    }

    private JsonObject Choice(int index, string text, IReadOnlyList<ScoredToken> tokens, string? finish, bool scored) => new()
    {
        ["index"] = index,
        ["text"] = text,
        ["logprobs"] = scored ? Scores(index, tokens) : null,
        ["finish_reason"] = finish,
    };

    private JsonObject Scores(int index, IReadOnlyList<ScoredToken> tokens)
    {
        JsonArray offsets = [];
        foreach (ScoredToken token in tokens)
        {
            offsets.Add((JsonNode)_offsets[index]);
            // Special tokens are no part of the text, and a character may be the work of several tokens.
            if (token.Bytes is { } bytes)
                _offsets[index] += _decoders[index].GetChars(bytes, new char[bytes.Length + 3], flush: false);
        }
        JsonObject scores = new()
        {
            ["tokens"] = Http.JsonAnswer.Texts(tokens.Select(t => t.Text)),
            ["token_logprobs"] = new JsonArray([.. tokens.Select(t => t.LogProbability is { } p ? (JsonNode)LogProbability(p) : null)]),
            ["text_offset"] = offsets,
        };
        if (sessions[0].Request.Alternatives > 0)
            scores["top_logprobs"] = new JsonArray([.. tokens.Select(t => t.LogProbability is null ? null : (JsonNode)Alternatives(t))]);
        return scores;
    }

    private static JsonObject Alternatives(ScoredToken token)
    {
        JsonObject alternatives = [];
        foreach (ScoredToken alternative in token.Alternatives)
            alternatives.TryAdd(alternative.Text, LogProbability(alternative.LogProbability!.Value));
        return alternatives;
    }
}
