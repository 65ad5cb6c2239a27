namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Takes spans of sentences (or lines) out of documents that an earlier document, or the same one, has had (Raffel et al., 2020, with spans of three
/// sentences; as datatrove has it). First every document is looked at, then each can be cleaned.
/// </summary>
/// <param name="Sentences">Sentences of a span, ≥ 1.</param>
/// <param name="SplitSentences">Compare sentences; otherwise lines.</param>
/// <param name="MinWords">The least words that a changed document keeps; 0 for any.</param>
/// <param name="MinSentences">The least sentences that a changed document keeps; 0 for any.</param>
/// <param name="MinSpanWords">Spans whose first sentence has fewer words keep it; 0 for none.</param>
public sealed record SentenceDeduplication(int Sentences = 3, bool SplitSentences = true, int MinWords = 50, int MinSentences = 3, int MinSpanWords = 0)
{
    private static readonly TextNormalization Normalization = new();

    /// <summary>How spans are hashed.</summary>
    public Fingerprint Fingerprint { get; init; } = new(FingerprintKind.XxHash, 64);

    /// <summary>The hashes of a document's spans with the number of the sentence at which each begins; blank spans have none.</summary>
    public IEnumerable<(ulong Hash, int Sentence)> Spans(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = [.. Parts(text).Select(p => Normalization.Apply(text[p.Start..p.End]))];
        for (int i = 0; i + Sentences <= parts.Length; i++)
        {
            string span = string.Join(' ', parts, i, Sentences);
            if (!TextUnits.Trim(span).IsEmpty)
                yield return (Fingerprint.Of(span), i);
        }
    }

    /// <summary>The document without spans that were seen before; null where too little is left of it, or it was empty.</summary>
    /// <param name="text">The text.</param>
    /// <param name="seen">The sentences at which spans begin that were seen before, ascending.</param>
    public string? Clean(string text, IReadOnlyList<int> seen)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(seen);
        if (text.Length == 0)
            return null;
        if (seen.Count == 0)
            return text;
        List<string> kept = [];
        List<TextPart> parts = SplitSentences ? TextUnits.Sentences(text) : TextUnits.Lines(text);
        int next = 0, until = 0, last = 0;
        string? removed = null;
        for (int i = 0; i < parts.Count; i++)
        {
            string part = SplitSentences ? text[last..parts[i].End] : text[parts[i].Start..parts[i].End];
            last = parts[i].End;
            if (next < seen.Count && seen[next] == i)
            {
                until = i + Sentences;
                next++;
            }
            if (i < until)
            {
                removed ??= part;
                continue;
            }
            PutBack();
            kept.Add(part);
        }
        PutBack();
        string cleaned = string.Join(SplitSentences ? "" : "\n", kept);
        cleaned = cleaned.TrimStart(TextUnits.SpaceCharacters);
        if (cleaned == text)
            return text;
        return cleaned.Length == 0 || (MinWords > 0 && CountWords(cleaned) < MinWords) || (MinSentences > 0 && TextUnits.SentencePieces(cleaned).Count < MinSentences) ? null : cleaned;

        void PutBack()
        {
            if (removed is not null && MinSpanWords > 0 && CountWords(removed) < MinSpanWords)
                kept.Add(removed);
            removed = null;
        }
    }

    private List<TextPart> Parts(string text) => SplitSentences ? TextUnits.SentencePieces(text) : TextUnits.Lines(text);

    private static int CountWords(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        return words.Count;
    }
}
