using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class BatchSourceTests
{
    [Fact]
    public void Blocks_are_pieces_of_the_text_with_what_follows_them()
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
        Assert.Equal(0, blocks.BatchesPerEpoch);
    }

    [Fact]
    public void Blocks_depend_on_seed_and_number_alone()
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
    public void All_blocks_have_every_target_once(int length, int block, int count)
    {
        int[] text = [.. Enumerable.Range(0, length)];
        MicroBatch[] all = [.. new RandomBlocks(text, block, count, 1).All()];
        Assert.Equal(Enumerable.Range(1, length - 1), all.SelectMany(b => b.Targets));
        Assert.Equal(Enumerable.Range(0, length - 1), all.SelectMany(b => b.Tokens.Ids));
        Assert.All(all, b => Assert.All(b.Tokens.Positions, p => Assert.InRange(p, 0, block - 1)));
        Assert.All(all, b => Assert.InRange(b.Tokens.Sequences, 1, count));
    }

    [Fact]
    public void A_text_shorter_than_a_block_is_refused()
    {
        Assert.Contains("7 tokens, but a block takes 7", Assert.Throws<InvalidDataException>(() => new RandomBlocks(new int[7], 7, 1, 0)).Message, StringComparison.Ordinal);
        Assert.Single(new RandomBlocks(new int[8], 7, 1, 0).All());
    }

    [Fact]
    public void Every_example_comes_once_a_pass_in_an_order_of_its_own()
    {
        Example[] examples = Numbered(40);
        PackedExamples packed = new(examples, 64, seed: 9);
        Assert.InRange(packed.BatchesPerEpoch, 2, 40);
        int[][] passes = [.. Enumerable.Range(0, 6).Select(epoch => Pass(packed, epoch))];
        for (int epoch = 0; epoch < passes.Length; epoch++)
        {
            // A pass has as many batches as the first one: what another order needs more is left out, what it needs less comes again.
            int[] once = [.. passes[epoch].Distinct()];
            Assert.True(once.Length == passes[epoch].Length || once.Length == examples.Length, $"pass {epoch} repeats examples though it leaves some out");
            Assert.InRange(once.Length, examples.Length - 12, examples.Length);
        }
        Assert.Equal(examples.Length, passes[0].Distinct().Count());
        Assert.Equal(examples.Length, passes[0].Length);
        Assert.NotEqual(passes[0], passes[1]);
        Assert.NotEqual(passes[1], passes[2]);
        Assert.Equal(examples.Length, passes.SelectMany(p => p).Distinct().Count());
    }

    [Fact]
    public void Batches_depend_on_seed_and_number_alone_in_any_order_of_asking()
    {
        Example[] examples = Numbered(30);
        PackedExamples packed = new(examples, 50, seed: 9), same = new(examples, 50, seed: 9), other = new(examples, 50, seed: 10);
        long[] numbers = [0, 3, packed.BatchesPerEpoch, 1, (5 * packed.BatchesPerEpoch) + 2, 0, packed.BatchesPerEpoch - 1];
        foreach (long number in numbers)
            _ = same[number + 1];
        Assert.All(numbers, n => Assert.Equal(packed[n].Tokens.Ids, same[n].Tokens.Ids));
        Assert.NotEqual(packed[0].Tokens.Ids, other[0].Tokens.Ids);
    }

    [Fact]
    public void All_examples_are_there_once_in_order_and_no_batch_is_too_large()
    {
        Example[] examples = Numbered(25);
        PackedExamples packed = new(examples, 33, seed: 9);
        MicroBatch[] all = [.. packed.All()];
        Assert.Equal(examples.SelectMany(e => e.Ids), all.SelectMany(b => b.Tokens.Ids));
        Assert.All(all, b => Assert.InRange(b.Tokens.Count, 1, 33));
        Assert.Equal(all.SelectMany(b => b.Targets), packed.All().SelectMany(b => b.Targets));
    }

    [Fact]
    public void Targets_end_with_their_example_and_leave_out_what_does_not_count()
    {
        PackedExamples packed = new([new Example([1, 2, 3]), new Example([4]), new Example([5, 6, 7], [true, false, true])], 10, 0);
        MicroBatch batch = Assert.Single(packed.All());
        Assert.Equal([0, 3, 4, 7], batch.Tokens.Starts);
        Assert.Equal([0, 1, 2, 0, 0, 1, 2], batch.Tokens.Positions);
        Assert.Equal([2, 3, -100, -100, -100, 7, -100], batch.Targets);
        Assert.Equal(3, batch.TargetCount);
    }

    [Fact]
    public void Nothing_to_pack_and_too_long_examples_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => new PackedExamples([], 10, 0));
        Assert.Contains("has 11 tokens, but a micro-batch takes 10", Assert.Throws<InvalidDataException>(() => new PackedExamples([new Example(new int[11])], 10, 0)).Message, StringComparison.Ordinal);
    }

    // The first token of an example is its number, all others are larger.
    private static Example[] Numbered(int count) => [.. Enumerable.Range(0, count).Select(i => new Example([i, .. Enumerable.Repeat(1000, 3 + (i * 7 % 19))]))];

    private static int[] Pass(PackedExamples packed, int epoch) => [.. Enumerable.Range(0, (int)packed.BatchesPerEpoch)
        .SelectMany(b => packed[(epoch * packed.BatchesPerEpoch) + b].Tokens.Ids).Where(id => id < 1000)];
}
