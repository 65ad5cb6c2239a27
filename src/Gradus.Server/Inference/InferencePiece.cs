using Gradus.Generation.Structure.ToolCalls;

namespace Gradus.Server.Inference;

/// <summary>A token that was read or written, and how probable it was.</summary>
/// <param name="Id">The token.</param>
/// <param name="Bytes">The bytes that it adds to a text; null for special tokens.</param>
/// <param name="Text">Those bytes as text, a special token as the tokenizer writes it.</param>
/// <param name="LogProbability">log p under the model itself, in nats; null for the first token of a prompt.</param>
/// <param name="Alternatives">The most probable tokens in its place, the most probable first.</param>
public sealed record ScoredToken(int Id, byte[]? Bytes, string Text, float? LogProbability, IReadOnlyList<ScoredToken> Alternatives);

/// <summary>Why an answer ended.</summary>
public enum AnswerEnd
{
    /// <summary>The model ended it, or a stop text came.</summary>
    Stop,

    /// <summary>The budget of tokens or the model's context is used up.</summary>
    Length,

    /// <summary>It called tools.</summary>
    ToolCalls,
}

/// <summary>How an answer ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="StopText">The stop text that ended it, or null.</param>
/// <param name="Tokens">Tokens that were generated for it, those of a stop text and an end token included.</param>
/// <param name="ReasoningTokens">Those of them that reasoned.</param>
/// <param name="CachedTokens">Tokens of the prompt that did not have to be read.</param>
public sealed record AnswerSummary(AnswerEnd Reason, string? StopText, int Tokens, int ReasoningTokens, int CachedTokens);

/// <summary>The next piece of one of the answers to a request.</summary>
/// <param name="Answer">The answer's number, from 0.</param>
public sealed record InferencePiece(int Answer)
{
    /// <summary>What the answer goes on with; may be empty.</summary>
    public string Text { get; init; } = "";

    /// <summary>What the reasoning before the answer goes on with; may be empty.</summary>
    public string Reasoning { get; init; } = "";

    /// <summary>A piece of a call of a tool, or null.</summary>
    public ToolCallPiece? Call { get; init; }

    /// <summary>The tokens of the text, where log-probabilities were asked for.</summary>
    public IReadOnlyList<ScoredToken> Tokens { get; init; } = [];

    /// <summary>How the answer ended; null before its last piece.</summary>
    public AnswerSummary? End { get; init; }
}
