using System.Text;
using Gradus.Generation;
using Gradus.Text;

namespace Gradus.Bundle;

/// <summary>
/// Turns the tokens of a text, as they come, into the text that may be shown: whole characters only, and nothing that may turn
/// out to be the beginning of a stop text.
/// </summary>
public sealed class StreamedText
{
    private const int ContextTokens = 8;
    private readonly IReadOnlyList<string> _stops;
    private readonly DecodeStream _decoder;
    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlySet<int>? _written;
    private readonly StringBuilder _text = new();
    private int _shown;

    /// <summary>Begins a text.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="before">The tokens that it goes on from (<see cref="GenerationRequest.TextBefore"/>): many tokenizers drop a space at the very beginning, but not after a prompt.</param>
    /// <param name="stops">Texts that end it; the first to occur cuts it off.</param>
    /// <param name="written">Special tokens that are written out, such as the marks around a call of a tool; none where null.</param>
    public StreamedText(Tokenizer tokenizer, ReadOnlySpan<int> before, IReadOnlyList<string> stops, IReadOnlySet<int>? written = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(stops);
        _stops = stops;
        _tokenizer = tokenizer;
        _written = written;
        _decoder = tokenizer.CreateDecodeStream();
        foreach (int id in before[Math.Max(0, before.Length - ContextTokens)..])
            _decoder.Append(id);
    }

    /// <summary>The stop text that has come; null while there was none.</summary>
    public string? StopText { get; private set; }

    /// <summary>Whether a stop text has come.</summary>
    public bool Stopped => StopText is not null;

    /// <summary>The text so far, without the stop text.</summary>
    public string Text => _text.ToString();

    /// <summary>Adds a token.</summary>
    /// <returns>What can be shown now.</returns>
    public string Append(int id) => Stopped ? "" : Take(_written?.Contains(id) == true ? _decoder.Flush() + _tokenizer.IdToToken(id) : _decoder.Append(id), last: false);

    /// <summary>Ends the text.</summary>
    /// <returns>What was held back.</returns>
    public string Finish() => Stopped ? "" : Take(_decoder.Flush(), last: true);

    private string Take(string added, bool last)
    {
        _text.Append(added);
        string pending = _text.ToString(_shown, _text.Length - _shown);
        int end = pending.Length;
        foreach (string stop in _stops)
        {
            int at = pending.IndexOf(stop, StringComparison.Ordinal);
            if (at < 0)
                continue;
            if (StopText is null || at < end)
                StopText = stop;
            end = Math.Min(end, at);
        }
        if (Stopped)
            _text.Length = _shown + end;
        else if (!last)
            end -= _stops.Select(stop => Overlap(pending, stop)).DefaultIfEmpty(0).Max();
        _shown += end;
        return pending[..end];
    }

    /// <summary>How many characters at the end of a text begin a stop text.</summary>
    private static int Overlap(string text, string stop)
    {
        for (int length = Math.Min(text.Length, stop.Length - 1); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                return length;
        }
        return 0;
    }
}
