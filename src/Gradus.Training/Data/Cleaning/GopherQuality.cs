using System.Collections.Frozen;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// The quality rules of Gopher (Rae et al., 2021, table A1), as datatrove and FineWeb run them. 0 turns a rule off. Words of punctuation alone do not
/// count for length and mean length.
/// </summary>
/// <param name="MinWords">The least words.</param>
/// <param name="MaxWords">The most words.</param>
/// <param name="MinMeanWordLength">The least mean length of a word.</param>
/// <param name="MaxMeanWordLength">The largest mean length of a word.</param>
/// <param name="MaxSymbolRatio">The most hash signs, and the most ellipses, per word.</param>
/// <param name="MaxBulletLines">The largest share of lines that begin with • or -.</param>
/// <param name="MaxEllipsisLines">The largest share of lines that end in an ellipsis.</param>
/// <param name="MinAlphabeticWords">The least share of words with a letter.</param>
/// <param name="MinStopWords">The least different stop words.</param>
public sealed record GopherQuality(
    int MinWords = 50,
    int MaxWords = 100_000,
    double MinMeanWordLength = 3,
    double MaxMeanWordLength = 10,
    double MaxSymbolRatio = 0.1,
    double MaxBulletLines = 0.9,
    double MaxEllipsisLines = 0.3,
    double MinAlphabeticWords = 0.8,
    int MinStopWords = 2) : DocumentFilter
{
    private static readonly string[] English = ["the", "be", "to", "of", "and", "that", "have", "with"];
    private readonly FrozenSet<string> _stopWords = English.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The stop words, case-sensitive.</summary>
    public IReadOnlyCollection<string> StopWords
    {
        get => _stopWords;
        init => _stopWords = value.ToFrozenSet(StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public override FilterDecision Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new FilterDecision(Judge(text), text);
    }

    private string? Judge(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        int real = 0, alphabetic = 0;
        long length = 0;
        HashSet<string> stopWords = [];
        FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> known = _stopWords.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (TextPart part in words)
        {
            ReadOnlySpan<char> word = text.AsSpan(part.Start, part.End - part.Start);
            if (HasLetter(word))
                alphabetic++;
            if (known.TryGetValue(word, out string? stopWord))
                stopWords.Add(stopWord);
            if (Punctuation.IsAll(word))
                continue;
            real++;
            length += TextUnits.Length(word);
        }
        double mean = length / (double)real, all = words.Count;
        int ellipses = Count(text, "...") + text.AsSpan().Count('…');
        return MinWords > 0 && real < MinWords ? "gopher_short_doc"
            : MaxWords > 0 && real > MaxWords ? "gopher_long_doc"
            : MinMeanWordLength > 0 && mean < MinMeanWordLength ? "gopher_below_avg_threshold"
            : MaxMeanWordLength > 0 && mean > MaxMeanWordLength ? "gopher_above_avg_threshold"
            : words.Count == 0 && MaxSymbolRatio > 0 ? "gopher_no_words"
            : MaxSymbolRatio > 0 && text.AsSpan().Count('#') / all > MaxSymbolRatio ? "gopher_too_many_hashes"
            : MaxSymbolRatio > 0 && ellipses / all > MaxSymbolRatio ? "gopher_too_many_ellipsis"
            : OfLines(text) is { } lines ? lines
            : words.Count == 0 && MinAlphabeticWords > 0 ? "gopher_no_words"
            : MinAlphabeticWords > 0 && alphabetic / all < MinAlphabeticWords ? "gopher_below_alpha_threshold"
            : MinStopWords > 0 && stopWords.Count < MinStopWords ? "gopher_enough_stop_words"
            : null;
    }

    private string? OfLines(string text)
    {
        if (MaxBulletLines <= 0 && MaxEllipsisLines <= 0)
            return null;
        List<TextPart> lines = TextUnits.Lines(text);
        int bullets = 0, ellipses = 0;
        foreach (TextPart part in lines)
        {
            ReadOnlySpan<char> line = TextUnits.Trim(text.AsSpan(part.Start, part.End - part.Start));
            bullets += line is ['•' or '-', ..] ? 1 : 0;
            ellipses += line.EndsWith("...") || line.EndsWith("…") ? 1 : 0;
        }
        return lines.Count == 0 ? "gopher_no_words"
            : MaxBulletLines > 0 && bullets / (double)lines.Count > MaxBulletLines ? "gopher_too_many_bullets"
            : MaxEllipsisLines > 0 && ellipses / (double)lines.Count > MaxEllipsisLines ? "gopher_too_many_end_ellipsis"
            : null;
    }

    private static bool HasLetter(ReadOnlySpan<char> word)
    {
        for (int i = 0; i < word.Length; i++)
        {
            if (char.IsLetter(word[i]) || (char.IsHighSurrogate(word[i]) && i + 1 < word.Length && char.IsLowSurrogate(word[i + 1]) && System.Text.Rune.IsLetter(new System.Text.Rune(word[i], word[i + 1]))))
                return true;
        }
        return false;
    }

    private static int Count(ReadOnlySpan<char> text, ReadOnlySpan<char> what) => text.Count(what);
}
