using Gradus.Testing;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class BatchSourceTests
{
    [Fact]
    public void BlocksArePiecesOfTheTextWithWhatFollowsThem()
    {
        int[] text = [.. Enumerable.Range(100, 57)];
        RandomBlocks blocks = new(text, block: 7, count: 3, seed: 1);
        HashSet<int> drawn = [];
        for (long i = 0; i < 200; i++)
        {
            MicroBatch batch = blocks[i];
            Assert.Equal([0, 7, 14, 21], batch.Tokens.Starts);
            Assert.Equal(21, batch.TargetCount);
            Assert.Equal(batch.Tokens.Ids.Select(id => id + 1), batch.Targets);
            for (int b = 0; b < 3; b++)
                Assert.Equal(Enumerable.Range(batch.Tokens.Ids[7 * b], 7), batch.Tokens.Ids[(7 * b)..(7 * (b + 1))]);
            drawn.UnionWith(batch.Tokens.Ids);
            drawn.UnionWith(batch.Targets);
        }
        Assert.Equal(text.Length, drawn.Count);
        Assert.Equal(0, blocks.BatchesOf(3));
    }

    [Fact]
    public void BlocksDependOnSeedAndNumberAlone()
    {
        int[] text = [.. Enumerable.Range(0, 1000)];
        RandomBlocks blocks = new(text, 8, 4, seed: 1), same = new(text, 8, 4, seed: 1), other = new(text, 8, 4, seed: 2);
        Assert.Equal(blocks[5].Tokens.Ids, same[5].Tokens.Ids);
        Assert.Equal(blocks[0].Tokens.Ids, same[0].Tokens.Ids);
        Assert.NotEqual(blocks[0].Tokens.Ids, other[0].Tokens.Ids);
        Assert.NotEqual(blocks[0].Tokens.Ids, blocks[1].Tokens.Ids);
        Assert.NotEqual(blocks[long.MaxValue / 8].Tokens.Ids, blocks[1].Tokens.Ids);
    }

    [Theory]
    [InlineData(2, 1, 1)]
    [InlineData(22, 7, 3)]
    [InlineData(23, 7, 3)]
    [InlineData(50, 7, 3)]
    [InlineData(8, 7, 3)]
    public void AllBlocksHaveEveryTargetOnce(int length, int block, int count)
    {
        int[] text = [.. Enumerable.Range(0, length)];
        MicroBatch[] all = [.. new RandomBlocks(text, block, count, 1).All()];
        Assert.Equal(Enumerable.Range(1, length - 1), all.SelectMany(b => b.Targets));
        Assert.Equal(Enumerable.Range(0, length - 1), all.SelectMany(b => b.Tokens.Ids));
        Assert.All(all, b => Assert.All(b.Tokens.Positions, p => Assert.InRange(p, 0, block - 1)));
        Assert.All(all, b => Assert.InRange(b.Tokens.Sequences, 1, count));
    }

    [Fact]
    public void ATextShorterThanABlockIsRefused()
    {
        Assert.Contains("7 tokens, but a block takes 7", Assert.Throws<InvalidDataException>(() => new RandomBlocks(new int[7], 7, 1, 0)).Message, StringComparison.Ordinal);
        Assert.Single(new RandomBlocks(new int[8], 7, 1, 0).All());
    }

    [Theory]
    [InlineData(64)]
    [InlineData(30)]
    [InlineData(22)]
    public void EveryExampleComesOnceInEveryPassInAnOrderOfItsOwn(int tokens)
    {
        Example[] examples = Numbered(40);
        PackedExamples packed = new(examples, tokens, seed: 9);
        int[][] passes = [.. Enumerable.Range(0, 12).Select(pass => Pass(packed, pass))];
        Assert.All(passes, pass => Assert.Equal(Enumerable.Range(0, examples.Length), pass.Order()));
        Assert.Equal(passes.Length, passes.Select(p => string.Join(' ', p)).Distinct().Count());
        // Passes have different numbers of micro-batches, which is why the first one must not fix those of all.
        if (tokens < 64)
            Assert.NotEqual(1, Enumerable.Range(0, 12).Select(p => packed.BatchesOf(p + 1) - packed.BatchesOf(p)).Distinct().Count());
    }

    [Fact]
    public void BatchesDependOnSeedAndNumberAloneInAnyOrderOfAskingAndFromAnyThread()
    {
        Example[] examples = Numbered(30);
        PackedExamples packed = new(examples, 50, seed: 9), same = new(examples, 50, seed: 9), other = new(examples, 50, seed: 10);
        int[][] inOrder = [.. Enumerable.Range(0, 120).Select(i => packed[i].Tokens.Ids)];
        Parallel.For(0, 120, i => Assert.Equal(inOrder[(i * 77) % 120], same[(i * 77) % 120].Tokens.Ids));
        PackedExamples late = new(examples, 50, seed: 9);
        Assert.Equal(inOrder[119], late[119].Tokens.Ids);
        Assert.Equal(inOrder[0], late[0].Tokens.Ids);
        Assert.NotEqual(packed[0].Tokens.Ids, other[0].Tokens.Ids);
    }

    // Case 14: the tokens of a pass are those of the data, whatever the size of a micro-batch.
    [SharedFact("cases", "finetuning")]
    public void APassOverTheCasesHasAllTheirTokens()
    {
        string[] files = [.. Directory.EnumerateFiles(SharedFolder.Find("cases", "finetuning")!, "*.jsonl", SearchOption.AllDirectories).Where(f => File.ReadLines(f).Skip(3).Any())];
        Assert.NotEmpty(files);
        Assert.All(files, file =>
        {
            Example[] examples = [.. File.ReadLines(file).Select(l => new Example([.. l.Select(c => c % 61).Take(70)]))];
            int total = examples.Sum(e => e.Ids.Length);
            Assert.All(new[] { 74, 100, 256 }, tokens =>
            {
                PackedExamples packed = new(examples, tokens, 1);
                for (int pass = 0; pass < 20; pass++)
                    Assert.Equal(total, Range(packed, pass).Sum(i => packed[i].Tokens.Count));
            });
        });
    }

    [Fact]
    public void AllExamplesAreThereOnceInOrderAndNoBatchIsTooLarge()
    {
        Example[] examples = Numbered(25);
        PackedExamples packed = new(examples, 33, seed: 9);
        MicroBatch[] all = [.. packed.All()];
        Assert.Equal(examples.SelectMany(e => e.Ids), all.SelectMany(b => b.Tokens.Ids));
        Assert.All(all, b => Assert.InRange(b.Tokens.Count, 1, 33));
        Assert.Equal(all.SelectMany(b => b.Targets), packed.All().SelectMany(b => b.Targets));
    }

    [Fact]
    public void TargetsEndWithTheirExampleAndLeaveOutWhatDoesNotCount()
    {
        PackedExamples packed = new([new Example([1, 2, 3]), new Example([4]), new Example([5, 6, 7], [true, false, true])], 10, 0);
        MicroBatch batch = Assert.Single(packed.All());
        Assert.Equal([0, 3, 4, 7], batch.Tokens.Starts);
        Assert.Equal([0, 1, 2, 0, 0, 1, 2], batch.Tokens.Positions);
        Assert.Equal([2, 3, -100, -100, -100, 7, -100], batch.Targets);
        Assert.Equal(3, batch.TargetCount);
    }

    [Fact]
    public void NothingToPackAndTooLongExamplesAreRefused()
    {
        Assert.Throws<InvalidDataException>(() => new PackedExamples([], 10, 0));
        Assert.Contains("has 11 tokens, but a micro-batch takes 10", Assert.Throws<InvalidDataException>(() => new PackedExamples([new Example(new int[11])], 10, 0)).Message, StringComparison.Ordinal);
    }

    // The first token of an example is its number, all others are larger.
    private static Example[] Numbered(int count) => [.. Enumerable.Range(0, count).Select(i => new Example([i, .. Enumerable.Repeat(1000, 3 + (i * 7 % 19))]))];

    private static int[] Pass(PackedExamples packed, int pass) =>
        [.. Range(packed, pass).SelectMany(i => packed[i].Tokens.Ids).Where(id => id < 1000)];

    private static IEnumerable<long> Range(PackedExamples packed, int pass)
    {
        for (long i = packed.BatchesOf(pass); i < packed.BatchesOf(pass + 1); i++)
            yield return i;
    }
}
