using System.Text.Json;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

public sealed class ByteLevelBpeTests
{
    public static TheoryData<string> MergeCases => [.. Golden.CasesWith("merges.txt")];

    [SharedTheory("golden", "tokenizers")]
    [MemberData(nameof(MergeCases))]
    public void VocabAndMergesGiveTheReferenceIds(string name)
    {
        Tokenizer tokenizer = Gpt2Files.Load(Golden.Case(name, "vocab.json"), Golden.Case(name, "merges.txt"));
        JsonElement expected = Golden.Json(Golden.Case(name, "expected.json"));
        Assert.Equal(expected.GetProperty("vocab_size").GetInt32(), tokenizer.VocabularySize);
        Tokenizer again = TokenizerJson.Parse(TokenizerJson.Write(tokenizer));
        Assert.NotEmpty(expected.GetProperty("rows").EnumerateArray());
        foreach (JsonElement row in expected.GetProperty("rows").EnumerateArray())
        {
            string text = row.GetProperty("text").GetString()!;
            int[] ids = Golden.Ints(row.GetProperty("ids"));
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(ids, again.Encode(text));
            Assert.Equal(ids, tokenizer.EncodeWithOffsets(text).Ids);
            Assert.Equal(Golden.Strings(row.GetProperty("tokens")), ids.Select(id => tokenizer.IdToToken(id)!));
            Assert.Equal(row.GetProperty("decoded").GetString(), tokenizer.Decode(ids, skipSpecialTokens: false));
        }
    }

    [SharedFact("golden", "tokenizers", "pretokenizer_regex")]
    public void SplittersAndTheRegexFallbackCutLikeTheReference()
    {
        JsonElement expected = Golden.Json(Golden.Case("pretokenizer_regex", "expected.json"));
        string[] texts = Golden.Strings(expected.GetProperty("texts"));
        foreach (JsonProperty pattern in expected.GetProperty("patterns").EnumerateObject())
        {
            string regex = pattern.Value.GetString()!;
            JsonElement[] splits = [.. expected.GetProperty("splits").GetProperty(pattern.Name).EnumerateArray()];
            PatternSplitter? known = PatternSplitter.ForPattern(regex);
            Assert.NotNull(known);
            RegexPattern fallback = new(regex);
            for (int i = 0; i < texts.Length; i++)
            {
                string[] want = Golden.Strings(splits[i]);
                byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(texts[i]);
                List<string> got = [];
                for (int at = 0; at < utf8.Length;)
                {
                    int end = known.Next(utf8, at);
                    got.Add(System.Text.Encoding.UTF8.GetString(utf8, at, end - at));
                    at = end;
                }
                Assert.Equal(want, got);
                MatchCollector matches = new();
                fallback.Collect(utf8, 0, invert: false, matches);
                Assert.Equal(want, matches.Parts.Where(p => p.Match).Select(p => System.Text.Encoding.UTF8.GetString(utf8, p.Start, p.End - p.Start)));
            }
        }
    }

    [SharedFact("data", "tokenizers", "gpt2")]
    public void Gpt2EncodesTheTiktokenTextToItsExpectedIds()
    {
        Tokenizer tokenizer = Gpt2Files.Load(Golden.Data("gpt2", "encoder.json"), Golden.Data("gpt2", "vocab.bpe"));
        string text = File.ReadAllText(Golden.Data("tiktoken-expected", "lib.rs.txt"));
        int[] ids = Golden.Ints(Golden.Json(Golden.Data("tiktoken-expected", "tokens_gpt2.json")));
        Assert.Equal(ids, tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(ids));
        Assert.Equal(50257, tokenizer.VocabularySize);
        Assert.Equal(50256, tokenizer.EndOfText);
    }

    [SharedFact("data", "tokenizers", "bpe-training-reference")]
    public void TrainingGivesTheReferenceMergesAndVocabulary()
    {
        TrainedTokenizer trained = ByteLevelBpeTrainer.Train(
            Corpus.FromFiles(Golden.Data("bpe-training-reference", "corpus.en")),
            new ByteLevelBpeOptions(500, ["<|endoftext|>"], MinFrequency: 1));
        Bpe model = Assert.IsType<Bpe>(trained.Tokenizer.Parts.Model);
        string[] merges = [.. File.ReadAllLines(Golden.Data("bpe-training-reference", "train-bpe-reference-merges.txt")).Where(l => l.Length > 0)];
        Assert.Equal(merges, model.ListMerges().Select(m => $"{model.Vocabulary.GetToken(m.Left)} {model.Vocabulary.GetToken(m.Right)}"));
        JsonElement vocabulary = Golden.Json(Golden.Data("bpe-training-reference", "train-bpe-reference-vocab.json"));
        Assert.Equal(500, trained.Tokenizer.VocabularySize);
        foreach (JsonProperty token in vocabulary.EnumerateObject())
            Assert.Equal(token.Value.GetInt32(), trained.Tokenizer.TokenToId(token.Name));
        Assert.Equal(133027, trained.Report.TextBytes);
        Assert.InRange(trained.Report.BytesPerToken, 1.5, 4);
    }

    [Fact]
    public void ACharacterTokenizerHasOneIdACharacterAndLoadsBack()
    {
        const string Text = "To be, or not to be: that is the question.\n";
        Tokenizer tokenizer = CharacterTokenizer.Train(Text);
        int[] ids = tokenizer.Encode(Text);
        Assert.Equal(Text.Length, ids.Length);
        Assert.Equal(Text.Distinct().Count(), tokenizer.VocabularySize);
        Assert.Equal(0, tokenizer.TokenToId("\n"));
        Assert.Equal(Text, tokenizer.Decode(ids));
        string folder = Directory.CreateTempSubdirectory("gradus-text").FullName;
        try
        {
            tokenizer.Save(folder);
            byte[] saved = File.ReadAllBytes(Path.Combine(folder, "tokenizer.json"));
            Tokenizer loaded = Tokenizer.Load(folder);
            Assert.Equal(ids, loaded.Encode(Text));
            Assert.Equal(Text, loaded.Decode(ids));
            Assert.Equal(saved, TokenizerJson.Write(loaded));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
