using System.Text;
using Gradus.Text;

namespace Gradus.Tests.Text;

/// <summary>BPE training joins the pairs that counting everything anew at each step would choose.</summary>
public sealed class PairMergerTests
{
    [Fact]
    public void TrainingChoosesThePairsOfTheObviousAlgorithm()
    {
        int merges = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            Random random = new(seed);
            string[] letters = seed % 3 == 0 ? ["a", "a", "b"] : ["a", "b", "c", " ", "é", "東", "京"];
            string text = string.Concat(Enumerable.Range(0, random.Next(5, 400)).Select(_ => letters[random.Next(letters.Length)]));
            int minimum = random.Next(1, 4);
            TrainedTokenizer trained = ByteLevelBpeTrainer.Train(Corpus.FromTexts([text]), new ByteLevelBpeOptions(256 + random.Next(1, 120), MinFrequency: minimum));
            Bpe bpe = (Bpe)trained.Tokenizer.Parts.Model;
            IReadOnlyList<Merge> found = bpe.ListMerges();
            List<(string, string)> expected = Train(text, found.Count, minimum);
            Assert.Equal(expected, found.Select(m => (Convert.ToHexString(bpe.Vocabulary.GetBytes(m.Left)), Convert.ToHexString(bpe.Vocabulary.GetBytes(m.Right)))));
            merges += found.Count;
            Assert.Equal(trained.Report.TextTokens, trained.Tokenizer.CountTokens(text));
        }
        Assert.InRange(merges, 1000, 10_000);
    }

    [Fact]
    public void AFileOfManyChunksTrainsLikeOneText()
    {
        Random random = new(9);
        StringBuilder text = new();
        string[] gaps = ["\n", "\n\n", " \n", "\r\n", " ", " ", " ", "  ", "! "];
        while (text.Length < 3_500_000)
            text.Append((char)('a' + random.Next(26))).Append((char)('a' + random.Next(26))).Append((char)('a' + random.Next(3))).Append(gaps[random.Next(gaps.Length)]);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text.ToString());
            foreach (string pattern in new[] { PatternSplitter.Gpt2Pattern, PatternSplitter.O200kPattern })
            {
                ByteLevelBpeOptions options = new(700, Pattern: pattern);
                byte[] inChunks = TokenizerJson.Write(ByteLevelBpeTrainer.Train(Corpus.FromFiles(path), options).Tokenizer);
                byte[] whole = TokenizerJson.Write(ByteLevelBpeTrainer.Train(Corpus.FromTexts([text.ToString()]), options with { MaxThreads = 1 }).Tokenizer);
                Assert.Equal(whole, inChunks);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Counts all pairs, joins the most frequent from left to right, and starts again.</summary>
    private static List<(string Left, string Right)> Train(string text, int most, int minimum)
    {
        List<List<string>> words = [];
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        for (int i = 0; i < utf8.Length;)
        {
            int end = PatternSplitter.Gpt2.Next(utf8, i);
            words.Add([.. utf8[i..end].Select(b => Convert.ToHexString([b]))]);
            i = end;
        }
        List<(string, string)> merges = [];
        while (merges.Count < most)
        {
            Dictionary<(string, string), int> counts = [];
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
            }
            // Ordinal order of hexadecimal digits is the order of the bytes.
            (string Left, string Right) best = counts.Where(c => c.Value >= minimum).OrderByDescending(c => c.Value)
                .ThenByDescending(c => c.Key.Item1, StringComparer.Ordinal).ThenByDescending(c => c.Key.Item2, StringComparer.Ordinal).First().Key;
            merges.Add(best);
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if ((word[i], word[i + 1]) != best)
                        continue;
                    word[i] += word[i + 1];
                    word.RemoveAt(i + 1);
                }
            }
        }
        return merges;
    }
}
