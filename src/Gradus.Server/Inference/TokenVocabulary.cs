using System.Text;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Text;

namespace Gradus.Server.Inference;

/// <summary>
/// What each token of a model writes: for grammars, for log-probabilities, and for the markers of calls and reasoning, which may be special
/// tokens that write nothing themselves. Made once for a model; safe for use by many threads.
/// </summary>
internal sealed class TokenVocabulary
{
    private readonly Tokenizer _tokenizer;
    private readonly byte[][] _texts;
    private readonly Dictionary<int, string> _markers = [];

    public TokenVocabulary(Tokenizer tokenizer, int size, ToolCallFormat calls)
    {
        _tokenizer = tokenizer;
        byte[][] texts = tokenizer.TokenTexts();
        // A model's table may be padded beyond the tokenizer's.
        _texts = [.. texts.Take(size), .. Enumerable.Repeat<byte[]>([], Math.Max(0, size - texts.Length))];
        foreach (string marker in calls.MarkerTokens().Append(AnswerText.ReasoningOpen).Append(AnswerText.ReasoningClose))
        {
            if (tokenizer.TokenToId(marker) is { } id && tokenizer.IsSpecial(id))
                _markers[id] = marker;
        }
        byte[][] written = [.. _texts];
        foreach ((int id, string marker) in _markers)
            written[id] = Encoding.UTF8.GetBytes(marker);
        Written = new TokenBytes(written);
    }

    /// <summary>What a grammar sees.</summary>
    public TokenBytes Written { get; }

    /// <summary>The text of a special token that marks a call or reasoning; null for others.</summary>
    public string? Marker(int id) => _markers.GetValueOrDefault(id);

    /// <summary>A token with its log-probability.</summary>
    /// <param name="id">The token.</param>
    /// <param name="logProbability">log p, or null.</param>
    /// <param name="alternatives">The most probable tokens in its place.</param>
    public ScoredToken Score(int id, float? logProbability, IReadOnlyList<TokenScore> alternatives) =>
        new(id, Bytes(id), Text(id), logProbability, [.. alternatives.Select(a => new ScoredToken(a.Id, Bytes(a.Id), Text(a.Id), a.LogProbability, []))]);

    private byte[]? Bytes(int id) => (uint)id < (uint)_texts.Length && !_tokenizer.IsSpecial(id) ? _texts[id] : null;

    // Bytes that are no text by themselves are written out, so that two tokens never read the same.
    private string Text(int id)
    {
        if (Bytes(id) is not { } bytes)
            return _tokenizer.IdToToken(id) ?? $"<id {id}>";
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : $"bytes:{string.Concat(bytes.Select(b => $"\\x{b:x2}"))}";
    }
}
