using System.Text;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>Byte-level BPE searches for the tokens of a piece; merging its bytes, pair by pair, says which tokens are right.</summary>
public sealed class BpeSearchTests
{
    private static readonly string[] Units =
    [
        "a", "b", "e", "th", "ing", " ", "  ", "\n", "1", "=", "é", "ß", "И", "не", "ا", "ن", "हि", "न्दी", "の", "は", "。", "的", "一", "東", "京", "人", "言", "안", "녕", "Ä", "😀", "👨‍👩‍👧", "𝔘", "\u0301",
    ];

    private static readonly string[] Letters = ["a", "b", "é", "東", "亰", "😀"];

    private delegate (int Rank, int Joined) RankOf(int left, int right);

    [SharedFact("data", "tokenizers")]
    public void PublishedVocabulariesGiveTheIdsOfMerging()
    {
        (Tokenizer Tokenizer, bool RanksAreIds)[] tokenizers =
        [
            (Gpt2Files.Load(Golden.Data("gpt2", "encoder.json"), Golden.Data("gpt2", "vocab.bpe")), false),
            (Tokenizer.Load(Golden.Data("tiktoken", "cl100k_base.tiktoken")), true),
            (Tokenizer.Load(Golden.Data("tiktoken", "o200k_base.tiktoken.gz")), true),
        ];
        foreach ((Tokenizer tokenizer, bool ranksAreIds) in tokenizers)
        {
            Bpe bpe = (Bpe)tokenizer.Parts.Model;
            RankOf rankOf = Ranks(bpe, ranksAreIds);
            BeginSearching(bpe);
            Random random = new(17);
            for (int i = 0; i < 1500; i++)
                AssertMerged(bpe, rankOf, Piece(random, bpe.Vocabulary, random.Next(1, i % 10 == 0 ? 150 : 16)));
        }
    }

    [Fact]
    public void RandomMergesInAnyOrderGiveTheIdsOfMerging()
    {
        int tokens = 0;
        for (int seed = 0; seed < 250; seed++)
        {
            Random random = new(seed);
            (Bpe byMerges, Bpe byRanks) = RandomModels(random);
            foreach ((Bpe bpe, bool ranksAreIds) in new[] { (byMerges, false), (byRanks, true) })
            {
                RankOf rankOf = Ranks(bpe, ranksAreIds);
                BeginSearching(bpe);
                for (int i = 0; i < 40; i++)
                    tokens += AssertMerged(bpe, rankOf, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => Letters[random.Next(Letters.Length)]))));
            }
        }
        Assert.InRange(tokens, 100_000, 2_000_000);
    }

    [SharedFact("data", "tokenizers")]
    public void LongRunsTakeNoQuadraticWork()
    {
        // A quadratic search would need minutes for these; the test then hangs rather than passes.
        Random random = new(3);
        string ideographs = string.Concat(Enumerable.Range(0, 350_000).Select(_ => (char)random.Next(0x4E00, 0x9F00)));
        foreach (string file in new[] { "cl100k_base.tiktoken", "o200k_base.tiktoken.gz" })
        {
            Tokenizer tokenizer = Tokenizer.Load(Golden.Data("tiktoken", file));
            foreach (string text in new[] { new string('a', 3_000_000), new string('東', 1_000_000), new string(' ', 3_000_000), ideographs })
                Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    /// <summary>Gives a model enough text that it merges no more.</summary>
    private static void BeginSearching(Bpe bpe)
    {
        EncodeScratch scratch = new();
        scratch.Begin(trackOffsets: false);
        bpe.Encode(new byte[bpe.Vocabulary.Count], scratch);
    }

    /// <summary>Encodes a piece twice, the second time from the memory of words, and with offsets. Returns the number of tokens.</summary>
    private static int AssertMerged(Bpe bpe, RankOf rankOf, byte[] piece)
    {
        int[] expected = bpe.Options.IgnoreMerges && bpe.Vocabulary.Find(piece) is var whole and >= 0 ? [whole] : MergeAll(bpe.Vocabulary, rankOf, piece);
        EncodeScratch scratch = new();
        for (int round = 0; round < 3; round++)
        {
            scratch.Begin(trackOffsets: round == 2);
            bpe.Encode(piece, scratch);
            Assert.True(expected.AsSpan().SequenceEqual(scratch.Ids.AsSpan(0, scratch.Count)), $"{Convert.ToHexString(piece)}: {string.Join(' ', expected)}, not {string.Join(' ', scratch.Ids[..scratch.Count])}");
        }
        int at = 0;
        for (int i = 0; i < scratch.Count; at = scratch.Ends[i++])
        {
            Assert.Equal(at, scratch.Starts[i]);
            Assert.Equal(bpe.Vocabulary.GetBytes(scratch.Ids[i]).Length, scratch.Ends[i] - at);
        }
        return expected.Length;
    }

    /// <summary>The specification: join the leftmost pair of the lowest rank until no pair has one.</summary>
    private static int[] MergeAll(Vocabulary vocabulary, RankOf rankOf, byte[] piece)
    {
        List<int> ids = [.. piece.Select(b => vocabulary.Find([b]))];
        while (true)
        {
            int best = -1;
            (int Rank, int Joined) lowest = (int.MaxValue, -1);
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                (int Rank, int Joined) pair = rankOf(ids[i], ids[i + 1]);
                if (pair.Rank < lowest.Rank)
                    (best, lowest) = (i, pair);
            }
            if (best < 0)
                return [.. ids];
            ids[best] = lowest.Joined;
            ids.RemoveAt(best + 1);
        }
    }

    private static RankOf Ranks(Bpe bpe, bool ranksAreIds)
    {
        Dictionary<(int, int), (int Rank, int Joined)> ranks = [];
        int rank = 0;
        foreach (Merge merge in bpe.ListMerges())
            ranks[(merge.Left, merge.Right)] = (ranksAreIds ? merge.Joined : rank++, merge.Joined);
        return (left, right) => ranks.TryGetValue((left, right), out (int, int) found) ? found : (int.MaxValue, -1);
    }

    private static byte[] Piece(Random random, Vocabulary vocabulary, int parts)
    {
        StringBuilder text = new();
        bool mixed = random.Next(2) == 0;
        int alphabet = random.Next(0x3040, 0x9F00);
        for (int i = 0; i < parts; i++)
        {
            // Tokens in a row are where boundaries are likeliest to be contested.
            string token = Encoding.UTF8.GetString(vocabulary.GetBytes(random.Next(vocabulary.Count)));
            if (mixed && !token.Contains('\uFFFD', StringComparison.Ordinal))
                text.Append(token);
            else
                text.Append(random.Next(3) == 0 ? ((char)Math.Min(0xD7FF, alphabet + random.Next(60))).ToString() : Units[random.Next(Units.Length)]);
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>
    /// Two models over all bytes with tokens joined at random from bytes of <see cref="Letters"/> and one another, so that tokens begin
    /// and end inside characters, some can never be reached, and ranks do not rise from parts to wholes.
    /// </summary>
    private static (Bpe ByMerges, Bpe ByRanks) RandomModels(Random random)
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(_ => Letters[random.Next(Letters.Length)])));
        Dictionary<string, int> ids = [];
        List<byte[]> tokens = [];
        for (int b = 0; b < 256; b++)
            Add([(byte)b]);
        List<Merge> merges = [];
        for (int i = 0; i < 80; i++)
        {
            int start = random.Next(text.Length - 12);
            int cut = start + random.Next(1, 6);
            int end = cut + random.Next(1, 6);
            merges.Add(new Merge(Add(text[start..cut]), Add(text[cut..end]), Add(text[start..end])));
        }
        Merge[] shuffled = [.. merges];
        random.Shuffle(shuffled);
        byte[][] inOrder = [.. tokens];
        random.Shuffle(inOrder.AsSpan(random.Next(256)));
        Vocabulary byMerges = Build(tokens);
        Vocabulary byRanks = Build(inOrder);
        return (Bpe.FromMerges(byMerges, shuffled, new BpeOptions()), Bpe.FromPriorities(byRanks, [.. Enumerable.Range(0, inOrder.Length)], new BpeOptions(IgnoreMerges: random.Next(2) == 0)));

        int Add(byte[] token)
        {
            if (ids.TryAdd(Convert.ToHexString(token), tokens.Count))
                tokens.Add(token);
            return ids[Convert.ToHexString(token)];
        }
    }

    private static Vocabulary Build(IReadOnlyList<byte[]> tokens)
    {
        Vocabulary.Builder builder = new(byteLevel: true, tokens.Count);
        for (int id = 0; id < tokens.Count; id++)
            builder.Add(tokens[id], id);
        return builder.Build("vocabulary");
    }
}
