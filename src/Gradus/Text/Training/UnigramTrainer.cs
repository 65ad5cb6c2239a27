// Trains a unigram model the way SentencePiece does: many candidate pieces from the text, then EM over their probabilities and pruning of
// those whose loss costs the likelihood least, again and again until the vocabulary is small enough.
// Source: Kudo 2018 (arXiv:1804.10959), section 3.2; SentencePiece, unigram_model_trainer.cc (the digamma M-step, the pruning score).
// Leaves out: the suffix array for candidates (all substrings of words up to a length are counted instead, which the word counts allow).

namespace Gradus.Text;

/// <summary>The settings of unigram training.</summary>
/// <param name="VocabularySize">The tokens wanted, special ones included.</param>
/// <param name="SpecialTokens">Tokens with the first ids; they part the text. The unknown token is put first where it is missing.</param>
/// <param name="UnknownToken">The token for characters the text does not have.</param>
/// <param name="Normalizer">Rewrites the text first; null is SentencePiece's: white space and line breaks are single spaces, then NFKC.</param>
/// <param name="MaxPieceLength">The most characters in a piece, 1 or more.</param>
/// <param name="MinFrequency">A candidate of several characters must occur at least so often.</param>
/// <param name="SeedSize">The most candidates to begin with.</param>
/// <param name="ShrinkingFactor">How much of the vocabulary each round of pruning keeps, above 0 and below 1.</param>
/// <param name="SubIterations">EM steps between prunings, 1 or more.</param>
/// <param name="SplitByScript">Whether a piece keeps to one script (writing system), so that letters, digits and punctuation, or Latin and Cyrillic, do not mix.</param>
/// <param name="MaxThreads">The most threads, or null for one a core; the result is the same for any number.</param>
public sealed record UnigramTrainerOptions(
    int VocabularySize,
    IReadOnlyList<string>? SpecialTokens = null,
    string UnknownToken = "<unk>",
    Normalizer? Normalizer = null,
    int MaxPieceLength = 16,
    int MinFrequency = 2,
    int SeedSize = 1_000_000,
    double ShrinkingFactor = 0.75,
    int SubIterations = 2,
    bool SplitByScript = true,
    int? MaxThreads = null);

/// <summary>Trains unigram tokenizers, as T5 and XLNet use.</summary>
public static class UnigramTrainer
{
    /// <summary>Trains on a corpus.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">The vocabulary has no room for the characters of the text and the special tokens.</exception>
    public static TrainedTokenizer Train(Corpus corpus, UnigramTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxPieceLength, 1, "options.MaxPieceLength");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SubIterations, 1, "options.SubIterations");
        if (options.ShrinkingFactor is not (> 0 and < 1))
            throw new ArgumentException($"ShrinkingFactor {options.ShrinkingFactor} is not above 0 and below 1.", nameof(options));
        List<string> special = [.. options.SpecialTokens ?? []];
        if (!special.Contains(options.UnknownToken))
            special.Insert(0, options.UnknownToken);
        Normalizer normalizer = options.Normalizer
            ?? new NormalizerSequence([new NmtNormalizer(), new UnicodeNormalizer(NormalForm.Nfkc), new ReplaceNormalizer(" {2,}", isRegex: true, " ")]);
        MetaspacePreTokenizer words = new(new System.Text.Rune('▁'), PrependScheme.Always, split: true);
        int threads = options.MaxThreads ?? Environment.ProcessorCount;
        WordCounts counts = corpus.CountWords(special, () => new PipelineCounter(normalizer, words), threads);

        UnigramEstimation estimation = new(counts, options, threads);
        int room = options.VocabularySize - special.Count;
        if (estimation.RequiredPieces > room)
            throw new ArgumentException($"VocabularySize {options.VocabularySize} has no room for the {estimation.RequiredPieces} characters of the text and {special.Count} special tokens.", nameof(options));
        List<(byte[] Piece, double Score)> pieces = estimation.Run(room);
        Tokenizer tokenizer = Build(pieces, special, options, normalizer, words);
        (long bytes, long[] use) = TrainingUse.Count(tokenizer, counts);
        return new TrainedTokenizer(tokenizer, TokenizerTrainingReport.Create(tokenizer, bytes, counts.Distinct, use));
    }

    private static Tokenizer Build(List<(byte[] Piece, double Score)> pieces, List<string> special, UnigramTrainerOptions options, Normalizer normalizer, MetaspacePreTokenizer words)
    {
        Vocabulary.Builder vocabulary = new(byteLevel: false, pieces.Count + special.Count);
        List<double> scores = [];
        foreach (string token in special)
        {
            vocabulary.Add(System.Text.Encoding.UTF8.GetBytes(token), scores.Count);
            scores.Add(0);
        }
        foreach ((byte[] piece, double score) in pieces)
        {
            vocabulary.Add(piece, scores.Count);
            scores.Add(score);
        }
        AddedToken[] added = [.. special.Select((content, id) => new AddedToken(id, content))];
        Unigram model = new(vocabulary.Build("vocabulary", allowDuplicates: true), [.. scores], special.IndexOf(options.UnknownToken), byteFallback: false);
        return new Tokenizer(new TokenizerParts(model)
        {
            Normalizer = normalizer,
            PreTokenizer = words,
            Decoder = new MetaspaceDecoder(new System.Text.Rune('▁'), PrependScheme.Always),
            AddedTokens = added,
            SpecialTokens = TokenizerJson.GuessSpecialTokens(added),
        });
    }
}

/// <summary>Counts what a trained tokenizer makes of its training text.</summary>
internal static class TrainingUse
{
    public static (long Bytes, long[] UseOfIds) Count(Tokenizer tokenizer, WordCounts counts)
    {
        long[] use = new long[tokenizer.VocabularySize];
        EncodeScratch scratch = new();
        for (int w = 0; w < counts.Distinct; w++)
        {
            scratch.Begin(trackOffsets: false);
            tokenizer.Parts.Model.Encode(counts.Word(w), scratch);
            for (int i = 0; i < scratch.Count; i++)
                use[scratch.Ids[i]] += counts.Count(w);
        }
        return (counts.TextBytes, use);
    }
}
