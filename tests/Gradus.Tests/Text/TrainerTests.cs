using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Text;

public sealed class TrainerTests
{
    private static string[] Corpus() => [.. File.ReadAllLines(Golden.Data("bpe-training-reference", "corpus.en")).Where(l => l.Length > 0)];

    [SharedFact("data", "tokenizers", "bpe-training-reference")]
    public void BpeTrainingIsTheSameFromFilesAndTextsAndForAnyNumberOfThreads()
    {
        string path = Golden.Data("bpe-training-reference", "corpus.en");
        byte[] one = TokenizerJson.Write(ByteLevelBpeTrainer.Train(Text.Corpus(path), new ByteLevelBpeOptions(700, MaxThreads: 1)).Tokenizer);
        byte[] four = TokenizerJson.Write(ByteLevelBpeTrainer.Train(Text.Corpus(path), new ByteLevelBpeOptions(700, MaxThreads: 4)).Tokenizer);
        Assert.Equal(one, four);
    }

    [SharedFact("data", "tokenizers", "bpe-training-reference")]
    public void BpeTrainingHonoursPatternsAndFrequencies()
    {
        ByteLevelBpeOptions options = new(600, ["<|endoftext|>"], MinFrequency: 40, Pattern: PatternSplitter.Qwen2Pattern);
        TrainedTokenizer trained = ByteLevelBpeTrainer.Train(Text.Corpus(Golden.Data("bpe-training-reference", "corpus.en")), options);
        Assert.InRange(trained.Tokenizer.VocabularySize, 300, 600);
        Assert.Equal(20, trained.Report.LongestTokens.Count);
        Assert.InRange(trained.Report.VocabularyUse, 0.4, 1);
        string text = File.ReadAllText(Golden.Data("bpe-training-reference", "corpus.en"));
        Assert.Equal(trained.Report.TextTokens, trained.Tokenizer.CountTokens(text));
        Tokenizer loaded = TokenizerJson.Parse(TokenizerJson.Write(trained.Tokenizer));
        Assert.Equal(trained.Tokenizer.Encode("iron cement 1234<|endoftext|>"), loaded.Encode("iron cement 1234<|endoftext|>"));
    }

    [SharedFact("data", "tokenizers", "bpe-training-reference")]
    public void UnigramTrainingCompressesAndIsDeterministic()
    {
        string[] texts = Corpus();
        TrainedTokenizer one = UnigramTrainer.Train(Gradus.Text.Corpus.FromTexts(texts), new UnigramTrainerOptions(1000, ["<pad>", "</s>", "<unk>"], MaxThreads: 1));
        TrainedTokenizer two = UnigramTrainer.Train(Gradus.Text.Corpus.FromTexts(texts), new UnigramTrainerOptions(1000, ["<pad>", "</s>", "<unk>"], MaxThreads: 3));
        byte[] json = TokenizerJson.Write(one.Tokenizer);
        Assert.Equal(json, TokenizerJson.Write(two.Tokenizer));
        Assert.Equal(1000, one.Tokenizer.VocabularySize);
        Assert.InRange(one.Report.BytesPerToken, 2.8, 8);
        Assert.InRange(one.Report.VocabularyUse, 0.9, 1);
        Assert.Equal(2, one.Tokenizer.UnknownId);
        Assert.NotNull(one.Tokenizer.TokenToId("▁the"));
        Assert.DoesNotContain(one.Report.LongestTokens, t => t.Contains('\n') || (t.Any(char.IsLetter) && t.Any(char.IsPunctuation)));
        Tokenizer loaded = TokenizerJson.Parse(json);
        Assert.Equal("iron cement is a paste", loaded.Decode(loaded.Encode("iron cement is a paste")));
    }

    [SharedFact("data", "tokenizers", "bpe-training-reference")]
    public void WordPieceTrainingGivesABertVocabulary()
    {
        TrainedTokenizer trained = WordPieceTrainer.Train(Gradus.Text.Corpus.FromTexts(Corpus()), new WordPieceTrainerOptions(800));
        Tokenizer tokenizer = trained.Tokenizer;
        Assert.Equal(800, tokenizer.VocabularySize);
        Assert.InRange(trained.Report.BytesPerToken, 2, 8);
        int[] ids = tokenizer.Encode("Iron cement is a PASTE");
        Assert.Equal(tokenizer.ClassifierId, ids[0]);
        Assert.Equal(tokenizer.SeparatorId, ids[^1]);
        Assert.DoesNotContain(tokenizer.UnknownId!.Value, ids);
        Assert.Equal("iron cement is a paste", tokenizer.Decode(ids));
        Assert.Equal(ids, TokenizerJson.Parse(TokenizerJson.Write(tokenizer)).Encode("Iron cement is a PASTE"));
    }

    private static class Text
    {
        public static Gradus.Text.Corpus Corpus(string path) => Gradus.Text.Corpus.FromFiles(path);
    }
}
