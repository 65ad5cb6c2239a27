namespace Gradus.Training.Data.Cleaning;

/// <summary>The share of a text that n-grams of a length may take.</summary>
/// <param name="Words">Words of an n-gram.</param>
/// <param name="Share">The largest share of the text's characters.</param>
public readonly record struct NgramLimit(int Words, double Share);

/// <summary>
/// The repetition rules of Gopher (Rae et al., 2021, table A1), as datatrove and FineWeb run them. Shares are of all characters of the text; 0 turns a
/// rule off. Empty texts are dropped.
/// </summary>
/// <param name="DuplicateLines">The largest share of lines that were there before, by number.</param>
/// <param name="DuplicateParagraphs">The largest share of paragraphs that were there before, by number.</param>
/// <param name="DuplicateLineCharacters">The largest share of characters in repeated lines.</param>
/// <param name="DuplicateParagraphCharacters">The largest share of characters in repeated paragraphs.</param>
public sealed record GopherRepetition(
    double DuplicateLines = 0.3, double DuplicateParagraphs = 0.3, double DuplicateLineCharacters = 0.2, double DuplicateParagraphCharacters = 0.2) : DocumentFilter
{
    private static readonly Fingerprint Hash = new(FingerprintKind.XxHash, 64);

    /// <summary>Limits of the most frequent n-gram: characters of all its occurrences.</summary>
    public IReadOnlyList<NgramLimit> TopNgrams { get; init; } = [new(2, 0.2), new(3, 0.18), new(4, 0.16)];

    /// <summary>Limits of n-grams that were there before: characters of their repetitions, counted from left to right without overlap.</summary>
    public IReadOnlyList<NgramLimit> DuplicateNgrams { get; init; } = [new(5, 0.15), new(6, 0.14), new(7, 0.13), new(8, 0.12), new(9, 0.11), new(10, 0.1)];

    /// <inheritdoc/>
    public override FilterDecision Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool dividesByLength = DuplicateLineCharacters > 0 || DuplicateParagraphCharacters > 0 || DuplicateNgrams.Count > 0;
        return new FilterDecision(text.Length == 0 && dividesByLength ? "empty" : Judge(text), text);
    }

    private string? Judge(string text)
    {
        double length = TextUnits.Length(text);
        ReadOnlySpan<char> stripped = TextUnits.Trim(text);
        (int count, int repeated, int characters) = Repeated(stripped, TextUnits.BetweenLineFeeds(stripped, 2));
        if (DuplicateParagraphs > 0 && repeated / (double)count > DuplicateParagraphs)
            return "dup_para_frac";
        if (DuplicateParagraphCharacters > 0 && characters / length > DuplicateParagraphCharacters)
            return "dup_para_char_frac";
        (count, repeated, characters) = Repeated(text, TextUnits.BetweenLineFeeds(text, 1));
        if (DuplicateLines > 0 && repeated / (double)count > DuplicateLines)
            return "dup_line_frac";
        if (DuplicateLineCharacters > 0 && characters / length > DuplicateLineCharacters)
            return "dup_line_char_frac";
        if (TopNgrams.Count == 0 && DuplicateNgrams.Count == 0)
            return null;
        WordHashes words = new(text);
        foreach (NgramLimit limit in TopNgrams)
        {
            if (words.TopCharacters(limit.Words) / length > limit.Share)
                return $"top_{limit.Words}_gram";
        }
        foreach (NgramLimit limit in DuplicateNgrams)
        {
            if (words.RepeatedCharacters(limit.Words) / length > limit.Share)
                return $"duplicated_{limit.Words}_n_grams";
        }
        return null;
    }

    /// <summary>How many parts there are, how many of them were there before, and their characters.</summary>
    internal static (int Count, int Repeated, int Characters) Repeated(ReadOnlySpan<char> text, List<TextPart> parts)
    {
        HashSet<ulong> seen = new(parts.Count);
        int repeated = 0, characters = 0;
        foreach (TextPart part in parts)
        {
            ReadOnlySpan<char> piece = text[part.Start..part.End];
            if (seen.Add(Hash.Of(piece)))
                continue;
            repeated++;
            characters += TextUnits.Length(piece);
        }
        return (parts.Count, repeated, characters);
    }
}

/// <summary>The words of a text as rolling hashes of their characters, so that n-grams are compared without being written out.</summary>
internal sealed class WordHashes
{
    private const ulong Base = 0x9E3779B97F4A7C15;
    private readonly ulong[] _sums;
    private readonly ulong[] _powers;
    private readonly int[] _starts;
    private readonly int[] _lengths;

    public WordHashes(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        int units = words.Sum(w => w.End - w.Start);
        _sums = new ulong[units + 1];
        _powers = new ulong[units + 1];
        _starts = new int[words.Count + 1];
        _lengths = new int[words.Count + 1];
        _powers[0] = 1;
        int at = 0;
        for (int w = 0; w < words.Count; w++)
        {
            for (int i = words[w].Start; i < words[w].End; i++, at++)
            {
                _sums[at + 1] = (_sums[at] * Base) + text[i] + 1;
                _powers[at + 1] = _powers[at] * Base;
            }
            _starts[w + 1] = at;
            _lengths[w + 1] = _lengths[w] + TextUnits.Length(text.AsSpan(words[w].Start, words[w].End - words[w].Start));
        }
    }

    private int Count => _starts.Length - 1;

    /// <summary>Characters of all occurrences of the most frequent n-gram, its spaces included; of those equally frequent the first.</summary>
    public int TopCharacters(int n)
    {
        Dictionary<(ulong, ulong), int> counts = [];
        int top = 0, first = -1;
        for (int i = 0; i + n <= Count; i++)
        {
            (ulong, ulong) key = Spaced(i, n);
            int count = counts.GetValueOrDefault(key) + 1;
            counts[key] = count;
            top = Math.Max(top, count);
        }
        for (int i = 0; i + n <= Count && first < 0; i++)
        {
            if (counts[Spaced(i, n)] == top)
                first = i;
        }
        return first < 0 ? 0 : top * (_lengths[first + n] - _lengths[first] + n - 1);
    }

    /// <summary>Characters of n-grams that were there before, without spaces; behind one of them the scan goes on n words later.</summary>
    public int RepeatedCharacters(int n)
    {
        HashSet<(ulong, int)> seen = [];
        int characters = 0;
        for (int i = 0; i + n <= Count;)
        {
            int units = _starts[i + n] - _starts[i];
            if (seen.Add((Between(_starts[i], _starts[i + n]), units)))
            {
                i++;
                continue;
            }
            characters += _lengths[i + n] - _lengths[i];
            i += n;
        }
        return characters;
    }

    private ulong Between(int start, int end) => _sums[end] - (_sums[start] * _powers[end - start]);

    // The words' borders count: two sums over the words, each with factors of its own.
    private (ulong, ulong) Spaced(int first, int n)
    {
        ulong a = 0, b = 0;
        for (int w = first; w < first + n; w++)
        {
            ulong word = (Between(_starts[w], _starts[w + 1]) ^ (ulong)(_starts[w + 1] - _starts[w])) * 0xD6E8FEB86659FD93;
            a = ((a ^ (a >> 29)) * 0xBF58476D1CE4E5B9) + word;
            b = ((b ^ (b >> 31)) * 0x94D049BB133111EB) + (word ^ (word >> 32));
        }
        return (a, b);
    }
}
