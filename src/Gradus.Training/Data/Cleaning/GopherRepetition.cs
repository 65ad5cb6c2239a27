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
