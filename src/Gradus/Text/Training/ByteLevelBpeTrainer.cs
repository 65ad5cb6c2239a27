// Trains byte-level BPE: count the pieces of the text, then join the most frequent pair again and again. Of equally frequent pairs the
// greater one (by the bytes of its first token, then of its second) wins, so that the result depends on the text alone.
// Source: Sennrich et al. 2016 (arXiv:1508.07909); GPT-2 for bytes and pattern; the tie rule of the Stanford CS336 reference.

namespace Gradus.Text;

/// <summary>The settings of byte-level BPE training.</summary>
/// <param name="VocabularySize">The tokens wanted, special ones and the 256 bytes included; fewer come out where the text has no more pairs.</param>
/// <param name="SpecialTokens">Tokens with the first ids; they part the text and are never cut.</param>
/// <param name="MinFrequency">A pair must occur at least so often to be joined, 1 or more.</param>
/// <param name="Pattern">The regular expression that cuts text into pieces, or null for GPT-2's.</param>
/// <param name="MaxThreads">The most threads, or null for one a core; the result is the same for any number.</param>
public sealed record ByteLevelBpeOptions(
    int VocabularySize,
    IReadOnlyList<string>? SpecialTokens = null,
    int MinFrequency = 2,
    string? Pattern = null,
    int? MaxThreads = null);

/// <summary>Trains byte-level BPE tokenizers, as GPT-2, Llama 3 and Qwen use.</summary>
public static class ByteLevelBpeTrainer
{
    /// <summary>Trains on a corpus.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">The vocabulary has no room for the bytes and the special tokens.</exception>
    public static TrainedTokenizer Train(Corpus corpus, ByteLevelBpeOptions options)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MinFrequency, 1, "options.MinFrequency");
        IReadOnlyList<string> special = options.SpecialTokens ?? [];
        int least = 256 + special.Count;
        if (options.VocabularySize < least)
            throw new ArgumentException($"VocabularySize {options.VocabularySize} is less than {least}: 256 bytes and {special.Count} special tokens.", nameof(options));
        string pattern = options.Pattern ?? PatternSplitter.Gpt2Pattern;
        SplitPreTokenizer split = new(pattern);
        int threads = options.MaxThreads ?? Environment.ProcessorCount;
        WordCounts counts = corpus.CountWords(special, () => split.Splitter is { } known ? new SplitterCounter(known) : new PipelineCounter(null, split), threads);

        Vocabulary.Builder vocabulary = new(byteLevel: true, options.VocabularySize);
        foreach (string token in special)
            vocabulary.AddText(System.Text.Encoding.UTF8.GetBytes(token), vocabulary.Count);
        int[] byteIds = new int[256];
        foreach (byte b in ByteAlphabet.InCharacterOrder())
        {
            byteIds[b] = vocabulary.Count;
            vocabulary.Add([b], vocabulary.Count);
        }
        PairMerger merger = PairMerger.Create(counts, byteIds);
        List<Merge> merges = merger.Run(options.VocabularySize - least, options.MinFrequency, firstNewId: least);
        while (vocabulary.Count < options.VocabularySize && merger.HasToken(vocabulary.Count))
            vocabulary.Add(merger.TokenBytes(vocabulary.Count), vocabulary.Count);

        Tokenizer tokenizer = Build(vocabulary.Build("vocabulary", allowDuplicates: true), merges, special, pattern);
        long[] use = merger.CountUse(vocabulary.Count);
        return new TrainedTokenizer(tokenizer, TokenizerTrainingReport.Create(tokenizer, counts.TextBytes, counts.Distinct, use));
    }

    private static Tokenizer Build(Vocabulary vocabulary, List<Merge> merges, IReadOnlyList<string> special, string pattern)
    {
        bool gpt2 = pattern == PatternSplitter.Gpt2Pattern;
        return new Tokenizer(new TokenizerParts(Bpe.FromMerges(vocabulary, [.. merges], new BpeOptions()))
        {
            PreTokenizer = gpt2
                ? new ByteLevelPreTokenizer(addPrefixSpace: false, trimOffsets: true, useRegex: true, keepBytes: true)
                : new PreTokenizerSequence([new SplitPreTokenizer(pattern), new ByteLevelPreTokenizer(false, true, useRegex: false, keepBytes: true)]),
            PostProcessor = new ByteLevelProcessing(trimOffsets: false),
            Decoder = new ByteLevelDecoder(),
            AddedTokens = [.. special.Select((content, id) => new AddedToken(id, content))],
            SpecialTokens = TokenizerJson.GuessSpecialTokens([.. special.Select((content, id) => new AddedToken(id, content))]),
        });
    }
}
