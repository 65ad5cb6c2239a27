using System.Text.Json;

namespace Gradus.Text;

/// <summary>
/// Cuts the normalized text into pieces that the model encodes one by one. The kinds and their settings are those of tokenizer.json.
/// Immutable and safe for use by many threads.
/// </summary>
public abstract class PreTokenizer
{
    private protected PreTokenizer()
    {
    }

    /// <summary>Replaces the scratch memory's pieces by finer ones, and its text where the kind rewrites it.</summary>
    internal abstract void Apply(EncodeScratch scratch);

    /// <summary>Writes the object that tokenizer.json has under "pre_tokenizer".</summary>
    internal abstract void Write(Utf8JsonWriter writer);
}

/// <summary>What happens to the parts of a text that a pattern matches.</summary>
public enum SplitBehavior
{
    /// <summary>Matches are dropped.</summary>
    Removed,

    /// <summary>Each match is a piece.</summary>
    Isolated,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches are one piece.</summary>
    Contiguous,
}

/// <summary>Collects the matches of one piece and turns them into pieces.</summary>
internal sealed class MatchCollector
{
    private readonly List<(int Start, int End, bool Match)> _parts = [];

    public void Clear() => _parts.Clear();

    public void Add(int start, int end, bool match)
    {
        if (end > start)
            _parts.Add((start, end, match));
    }

    /// <summary>Adds a match of nothing, at which the text is cut all the same.</summary>
    public void AddEmpty(int at, bool match) => _parts.Add((at, at, match));

    /// <summary>The text with every match replaced.</summary>
    public string Replace(ReadOnlySpan<byte> text, string content)
    {
        System.Text.StringBuilder result = new();
        foreach ((int start, int end, bool match) in _parts)
            result.Append(match ? content : System.Text.Encoding.UTF8.GetString(text[start..end]));
        return result.ToString();
    }

    /// <summary>The parts in order.</summary>
    public IReadOnlyList<(int Start, int End, bool Match)> Parts => _parts;

    /// <summary>Appends the pieces that the parts make under a behaviour.</summary>
    public void AppendTo(List<TextPiece> pieces, SplitBehavior behavior)
    {
        int first = pieces.Count;
        switch (behavior)
        {
            case SplitBehavior.Removed:
                foreach ((int start, int end, bool match) in _parts)
                {
                    if (!match)
                        pieces.Add(new TextPiece(start, end));
                }
                break;
            case SplitBehavior.Isolated:
                foreach ((int start, int end, bool _) in _parts)
                    pieces.Add(new TextPiece(start, end));
                break;
            case SplitBehavior.MergedWithPrevious:
                bool before = false;
                foreach ((int start, int end, bool match) in _parts)
                {
                    if (match && !before && pieces.Count > first)
                        pieces[^1] = pieces[^1] with { End = end };
                    else
                        pieces.Add(new TextPiece(start, end));
                    before = match;
                }
                break;
            case SplitBehavior.MergedWithNext:
                bool after = false;
                for (int i = _parts.Count - 1; i >= 0; i--)
                {
                    (int start, int end, bool match) = _parts[i];
                    if (match && !after && pieces.Count > first)
                        pieces[^1] = pieces[^1] with { Start = start };
                    else
                        pieces.Add(new TextPiece(start, end));
                    after = match;
                }
                pieces.Reverse(first, pieces.Count - first);
                break;
            case SplitBehavior.Contiguous:
                bool same = false;
                foreach ((int start, int end, bool match) in _parts)
                {
                    if (match == same && pieces.Count > first)
                        pieces[^1] = pieces[^1] with { End = end };
                    else
                        pieces.Add(new TextPiece(start, end));
                    same = match;
                }
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(behavior));
        }
        for (int i = pieces.Count - 1; i >= first; i--)
        {
            if (pieces[i].Start == pieces[i].End)
                pieces.RemoveAt(i);
        }
    }
}
