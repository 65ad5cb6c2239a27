using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Data.Tokens;

namespace Gradus.Training.Tests.Data;

/// <summary>Tokens of documents are the same in memory, in files, and after any interruption.</summary>
public sealed class TokenShardsTests : IDisposable
{
    private static readonly string[] Documents = [.. Enumerable.Range(0, 50).Select(i => string.Concat(Enumerable.Repeat($"word {i} and more. ", i * 7 % 11)))];
    private static readonly Tokenizer Tokenizer = WithEnd(CharacterTokenizer.Train(Documents, ["<|endoftext|>"]));
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    [InlineData(1 << 20)]
    public void FilesHoldWhatMemoryHolds(int shardTokens)
    {
        int[][] expected = Tokenizer.EncodeDocuments(Documents);
        int[] all = [.. expected.SelectMany(d => d)];
        using TokenShards memory = TokenShards.InMemory(Documents, Tokenizer);
        using TokenShards files = TokenShards.InFiles(_folder["a"], Documents, Tokenizer, shardTokens: shardTokens);
        Assert.All(new[] { memory, files }, shards =>
        {
            Assert.Equal(all, Read(shards, 0, all.Length));
            Assert.Equal(Documents.Length, shards.Documents);
            Assert.Equal(expected.Select((_, i) => (long)expected.Take(i).Sum(d => d.Length)), Enumerable.Range(0, Documents.Length).Select(shards.StartOf));
            Assert.Equal(Documents.Sum(d => (long)d.Length), shards.TextBytes(0, Documents.Length));
            Assert.Equal(all[133..777], Read(shards, 133, 777 - 133));
            Assert.Throws<ArgumentOutOfRangeException>(() => Read(shards, all.Length - 1, 2));
        });
    }

    [Fact]
    public void WideVocabulariesHaveWideTokens()
    {
        Tokenizer wide = new(Tokenizer.Parts with { AddedTokens = [.. Tokenizer.Parts.AddedTokens, new AddedToken(70_000, "<wide>", true)] });
        using TokenShards files = TokenShards.InFiles(_folder["a"], ["a<wide>d"], wide);
        Assert.Equal([.. wide.Encode("a<wide>d", addSpecialTokens: false), wide.EndOfText!.Value], Read(files, 0, 4));
    }

    [Fact]
    public void AnInterruptedRunGoesOnAndADamagedShardIsMadeAnew()
    {
        using CancellationTokenSource stop = new();
        Assert.Throws<OperationCanceledException>(() => TokenShards.InFiles(_folder["a"], StopAt(20), Tokenizer, cancel: stop.Token, shardTokens: 200));
        string[] before = Directory.GetFiles(_folder["a"], "*.tokens");
        Assert.Empty(before);

        // One portion is tokenized at a time; what stops between portions leaves whole shards.
        string[] large = [.. Documents.Take(16).Select(d => d + new string('a', 1 << 20))];
        Assert.Throws<OperationCanceledException>(() => TokenShards.InFiles(_folder["b"], large.Select((d, i) => i == 13 ? throw new OperationCanceledException() : d), Tokenizer, shardTokens: 2_000_000));
        before = [.. Directory.GetFiles(_folder["b"], "*.tokens").Order(StringComparer.Ordinal)];
        Assert.NotEmpty(before);
        DateTime written = File.GetLastWriteTimeUtc(before[0]);
        using (FileStream cut = new(before[^1], FileMode.Open))
            cut.SetLength(cut.Length - 1);
        using TokenShards whole = TokenShards.InFiles(_folder["b"], large, Tokenizer, shardTokens: 2_000_000);
        Assert.Equal(written, File.GetLastWriteTimeUtc(before[0]));
        using TokenShards memory = TokenShards.InMemory(large, Tokenizer);
        Assert.Equal(memory.Tokens, whole.Tokens);
        for (long at = 0; at < memory.Tokens; at += 1 << 20)
            Assert.Equal(Read(memory, at, (int)Math.Min(1 << 20, memory.Tokens - at)), Read(whole, at, (int)Math.Min(1 << 20, memory.Tokens - at)));

        IEnumerable<string> StopAt(int document)
        {
            for (int i = 0; i < Documents.Length; i++)
            {
                if (i == document)
                    stop.Cancel();
                yield return Documents[i];
            }
        }
    }

    [Fact]
    public void EveryTokenButTheFirstOfADocumentIsPredictedOnce()
    {
        using TokenShards shards = TokenShards.InMemory(Documents, Tokenizer);
        DocumentTokens some = new(shards, 7, 31);
        DocumentExamples examples = new(some, 16);
        int[][] documents = [.. Tokenizer.EncodeDocuments(Documents)[7..31]];
        Assert.Equal(documents.SelectMany(d => d[1..]), Enumerable.Range(0, examples.Count).SelectMany(i => examples[i].Ids[1..]));
        Assert.Equal(examples.Targets, documents.Sum(d => d.Length - 1));
        Assert.All(Enumerable.Range(0, examples.Count), i => Assert.Equal(examples[i].Ids.Length, examples.TokensOf(i)));
        Assert.All(Enumerable.Range(0, examples.Count), i => Assert.InRange(examples.TokensOf(i), 2, 16));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.2)]
    public void APretrainingHoldsOutTheEnd(double fraction)
    {
        string several = _folder.Write("a.jsonl", string.Concat(Documents.Select(d => $"{{\"text\": \"{d}\"}}\n"))), one = _folder.Write("a.txt", string.Concat(Documents));
        using PretrainingText lines = PretrainingText.Read(new TextFileSet([several], [], fraction), Tokenizer, null);
        Assert.Equal(fraction > 0 ? 40 : 50, lines.Train.Documents);
        Assert.Equal(50, lines.Train.Documents + lines.HeldOut.Documents);
        using PretrainingText text = PretrainingText.Read(new TextFileSet([one], [], fraction), Tokenizer, null);
        Assert.Equal(1, text.Train.Documents);
        Assert.Equal(fraction > 0 ? 1 : 0, text.HeldOut.Documents);
        Assert.InRange(text.HeldOut.TextBytes, (fraction * (text.HeldOut.TextBytes + text.Train.TextBytes)) - 1, (fraction * (text.HeldOut.TextBytes + text.Train.TextBytes)) + 1);
        (PackedExamples train, PackedExamples? heldOut, int examples, _) = text.Packed(64, 256, 1);
        Assert.Equal(fraction > 0, heldOut is not null);
        Assert.Equal(text.Train.Length - 1, train.All().Sum(b => b.TargetCount));
        Assert.True(examples > 1);
        (BatchSource blocks, BatchSource? heldOutBlocks) = text.Blocks(16, 4, 1);
        Assert.Equal(fraction > 0, heldOutBlocks is not null);
        Assert.Equal(text.Train.Length - 1, blocks.All().Sum(b => b.TargetCount));
    }

    [Fact]
    public void LargeTextIsTokenizedOnce()
    {
        string line = $"{{\"text\": \"{new string('w', 1 << 20)}\"}}\n";
        string path = _folder.Write("large.jsonl", string.Concat(Enumerable.Repeat(line, 33)));
        using PretrainingText first = PretrainingText.Read(new TextFileSet([path], []), Tokenizer, _folder["cache"]);
        string shard = Assert.Single(Directory.GetFiles(_folder["cache"], "*.tokens", SearchOption.AllDirectories).Take(1));
        DateTime written = File.GetLastWriteTimeUtc(shard);
        File.Copy(path, _folder["other-name.jsonl"]);
        using PretrainingText second = PretrainingText.Read(new TextFileSet([_folder["other-name.jsonl"]], []), Tokenizer, _folder["cache"]);
        Assert.Single(Directory.GetDirectories(_folder["cache"]));
        Assert.Equal(written, File.GetLastWriteTimeUtc(shard));
        Assert.Equal(first.Train.Length, second.Train.Length);
        Tokenizer other = WithEnd(CharacterTokenizer.Train(["w x"], ["<|endoftext|>"]));
        using PretrainingText third = PretrainingText.Read(new TextFileSet([path], []), other, _folder["cache"]);
        Assert.Equal(2, Directory.GetDirectories(_folder["cache"]).Length);
    }

    private static int[] Read(TokenShards shards, long start, int count)
    {
        int[] tokens = new int[count];
        shards.Read(start, tokens);
        return tokens;
    }

    private static Tokenizer WithEnd(Tokenizer tokenizer) => new(tokenizer.Parts with { SpecialTokens = tokenizer.Parts.SpecialTokens with { Eos = "<|endoftext|>" } });
}
