// Trains a WordPiece vocabulary: BPE over words whose symbols after the first are written with the prefix, as Hugging Face does; the
// merges are then forgotten, because WordPiece takes the longest match.
// Source: Hugging Face tokenizers, models/wordpiece/trainer. Leaves out: Schuster and Nakajima's likelihood score.

using System.Text;

namespace Gradus.Text;

/// <summary>The settings of WordPiece training.</summary>
/// <param name="VocabularySize">The tokens wanted, special ones included; fewer come out where the text has no more pairs.</param>
/// <param name="SpecialTokens">Tokens with the first ids; null is BERT's five: [PAD], [UNK], [CLS], [SEP], [MASK].</param>
/// <param name="MinFrequency">A pair must occur at least so often to be joined, 1 or more.</param>
/// <param name="Normalizer">Rewrites the text first; null is BERT's uncased one.</param>
/// <param name="Prefix">What continuing tokens begin with.</param>
/// <param name="MaxThreads">The most threads, or null for one a core; the result is the same for any number.</param>
public sealed record WordPieceTrainerOptions(
    int VocabularySize,
    IReadOnlyList<string>? SpecialTokens = null,
    int MinFrequency = 2,
    Normalizer? Normalizer = null,
    string Prefix = "##",
    int? MaxThreads = null);

/// <summary>Trains WordPiece tokenizers, as BERT uses.</summary>
public static class WordPieceTrainer
{
    private static readonly string[] BertTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>Trains on a corpus.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="ArgumentException">The special tokens lack [UNK], or the vocabulary has no room for the characters of the text.</exception>
    public static TrainedTokenizer Train(Corpus corpus, WordPieceTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MinFrequency, 1, "options.MinFrequency");
        IReadOnlyList<string> special = options.SpecialTokens ?? BertTokens;
        if (!special.Contains("[UNK]"))
            throw new ArgumentException("SpecialTokens lacks [UNK], which WordPiece needs.", nameof(options));
        Normalizer normalizer = options.Normalizer ?? new BertNormalizer();
        int threads = options.MaxThreads ?? Environment.ProcessorCount;
        WordCounts counts = corpus.CountWords(special, () => new PipelineCounter(normalizer, new BertPreTokenizer()), threads);
        byte[] prefix = Encoding.UTF8.GetBytes(options.Prefix);

        SortedDictionary<string, int> alphabet = FindAlphabet(counts, options.Prefix);
        int first = special.Count;
        int least = first + alphabet.Count;
        if (options.VocabularySize < least)
            throw new ArgumentException($"VocabularySize {options.VocabularySize} is less than {least}: the characters of the text, at the start of words and within, and {first} special tokens.", nameof(options));
        foreach (string symbol in alphabet.Keys.ToArray())
            alphabet[symbol] = first++;

        PairMerger merger = CreateMerger(counts, alphabet, options.Prefix);
        merger.Run(options.VocabularySize - least, options.MinFrequency, least, (a, b) => [.. a, .. b.AsSpan(prefix.Length)]);
        Vocabulary.Builder vocabulary = new(byteLevel: false, options.VocabularySize);
        foreach (string token in special)
            vocabulary.Add(Encoding.UTF8.GetBytes(token), vocabulary.Count);
        while (merger.HasToken(vocabulary.Count))
            vocabulary.Add(merger.TokenBytes(vocabulary.Count), vocabulary.Count);
        Tokenizer tokenizer = Build(vocabulary.Build("vocabulary", allowDuplicates: true), special, normalizer, options.Prefix);
        (long bytes, long[] use) = TrainingUse.Count(tokenizer, counts);
        return new TrainedTokenizer(tokenizer, TokenizerTrainingReport.Create(tokenizer, bytes, counts.Distinct, use));
    }

    private static Tokenizer Build(Vocabulary vocabulary, IReadOnlyList<string> special, Normalizer normalizer, string prefix)
    {
        AddedToken[] added = [.. special.Select((content, id) => new AddedToken(id, content))];
        PostProcessor? template = vocabulary.Find("[CLS]") is int cls && vocabulary.Find("[SEP]") is int sep
            ? ClassifierProcessing.Bert(("[SEP]", sep), ("[CLS]", cls))
            : null;
        return new Tokenizer(new TokenizerParts(new WordPiece(vocabulary, "[UNK]", prefix))
        {
            Normalizer = normalizer,
            PreTokenizer = new BertPreTokenizer(),
            PostProcessor = template,
            Decoder = new WordPieceDecoder(prefix),
            AddedTokens = added,
            SpecialTokens = TokenizerJson.GuessSpecialTokens(added),
        });
    }

    private static SortedDictionary<string, int> FindAlphabet(WordCounts counts, string prefix)
    {
        SortedDictionary<string, int> alphabet = new(StringComparer.Ordinal);
        for (int w = 0; w < counts.Distinct; w++)
        {
            foreach (string symbol in Symbols(counts.Word(w), prefix))
                alphabet[symbol] = 0;
        }
        return alphabet;
    }

    private static PairMerger CreateMerger(WordCounts counts, SortedDictionary<string, int> alphabet, string prefix)
    {
        int[] order = counts.InByteOrder();
        int[][] words = [.. order.Select(w => Symbols(counts.Word(w), prefix).Select(s => alphabet[s]).ToArray())];
        long[] times = [.. order.Select(counts.Count)];
        return PairMerger.Create(words, times, alphabet.ToDictionary(a => a.Value, a => Encoding.UTF8.GetBytes(a.Key)));
    }

    private static List<string> Symbols(ReadOnlySpan<byte> word, string prefix)
    {
        List<string> symbols = [];
        for (int i = 0; i < word.Length;)
        {
            int length = Math.Min(CharacterClasses.LengthOf(word[i]), word.Length - i);
            string character = Encoding.UTF8.GetString(word.Slice(i, length));
            symbols.Add(i == 0 ? character : prefix + character);
            i += length;
        }
        return symbols;
    }
}
