namespace Gradus.Clients;

/// <summary>A token of an answer and how probable it was under the model itself, before any setting of sampling.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">What it writes; U+FFFD stands for the part of a character.</param>
/// <param name="Bytes">What it writes, in UTF-8; null for a special token.</param>
/// <param name="LogProbability">log p, in nats.</param>
/// <param name="Alternatives">The most probable tokens in its place, the most probable first; as many as were asked for.</param>
public sealed record TokenLogProbability(int Id, string Text, byte[]? Bytes, float LogProbability, IReadOnlyList<TokenLogProbability> Alternatives);
