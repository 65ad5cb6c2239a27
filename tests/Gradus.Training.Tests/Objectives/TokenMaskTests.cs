using Gradus.Training.Objectives;

namespace Gradus.Training.Tests.Objectives;

public sealed class TokenMaskTests
{
    private const int Words = 1000, Mask = 3, Ignored = -100;

    // Ids below 5 are special; every third of the others goes on with the word before it.
    private static readonly MaskVocabulary Vocabulary = new(Mask, [.. Enumerable.Range(0, Words).Select(i => i < 5)], [.. Enumerable.Range(0, Words).Select(i => i % 3 == 0)]);

    [Theory]
    [InlineData(128, 0, 19)]
    [InlineData(128, 10, 10)]
    [InlineData(512, 77, 77)]
    [InlineData(10, 0, 2)]
    [InlineData(3, 0, 1)]
    public void TheNumberIsTheRoundedShareOfTheWholeSequence(int length, int cap, int expected)
    {
        for (long number = 0; number < 20; number++)
            Assert.Equal(expected, Apply(new MaskOptions(Cap: cap), length, number).Chosen.Length);
    }

    [Fact]
    public void SpecialTokensAreNeitherMaskedNorDrawn()
    {
        for (long number = 0; number < 200; number++)
        {
            (int[] before, int[] ids, int[] targets, int[] chosen) = Apply(new MaskOptions(0.9, 0.2, 0.7), 24, number);
            Assert.All(chosen, i => Assert.True(before[i] >= 5));
            Assert.All(chosen, i => Assert.True(ids[i] == Mask || ids[i] >= 5));
            Assert.All(chosen, i => Assert.Equal(before[i], targets[i]));
            Assert.All(Enumerable.Range(0, 24).Except(chosen), i => Assert.Equal((before[i], Ignored), (ids[i], targets[i])));
        }
        TokenMask mask = new(new MaskOptions(), Vocabulary, 1);
        int[] onlySpecial = [1, 2, 0], none = new int[3];
        Assert.Equal(0, mask.Apply(onlySpecial, none, 0));
        Assert.Equal([1, 2, 0], onlySpecial);
    }

    [Theory]
    [InlineData(MaskCount.Exact)]
    [InlineData(MaskCount.Independent)]
    public void EightyTenTenAndFifteen(MaskCount count)
    {
        int chosen = 0, masked = 0, kept = 0, all = 0;
        HashSet<int> places = [];
        for (long number = 0; number < 1000; number++)
        {
            (int[] before, int[] ids, _, int[] which) = Apply(new MaskOptions(Count: count), 100, number);
            all += before.Count(id => id >= 5);
            chosen += which.Length;
            masked += which.Count(i => ids[i] == Mask);
            kept += which.Count(i => ids[i] == before[i]);
            places.UnionWith(which);
        }
        // Four standard deviations of so many draws; the exact number counts special tokens too.
        Assert.Equal(0.15, (double)chosen / (count == MaskCount.Exact ? 100_000 : all), 0.005);
        Assert.Equal(0.8, (double)masked / chosen, 0.014);
        Assert.Equal(0.1, (double)kept / chosen, 0.011);
        Assert.Equal(98, places.Count);
    }

    [Fact]
    public void WordsAreMaskedWhole()
    {
        for (long number = 0; number < 100; number++)
        {
            (int[] before, _, int[] targets, int[] chosen) = Apply(new MaskOptions(0.3, WholeWords: true), 60, number);
            Assert.InRange(chosen.Length, 14, 18);
            for (int i = 2; i < 59; i++)
            {
                if (Vocabulary.Continues(before[i]))
                    Assert.Equal(targets[i - 1] >= 0, targets[i] >= 0);
            }
        }
    }

    [Fact]
    public void AWordLongerThanTheShareIsCut()
    {
        int[] ids = [1, 5, 6, 9, 12, 15, 18, 21, 24, 2], targets = new int[10];
        Assert.Equal(2, new TokenMask(new MaskOptions(0.15, WholeWords: true), new MaskVocabulary(Mask, [.. Enumerable.Range(0, Words).Select(i => i < 5)], [.. Enumerable.Range(0, Words).Select(i => i > 5)]), 1).Apply(ids, targets, 0));
        Assert.Equal([1, 2], Enumerable.Range(0, 10).Where(i => targets[i] >= 0));
    }

    [Fact]
    public void RunsOfNHaveAProbabilityProportionalToOneOverN()
    {
        int[] lengths = new int[4];
        for (long number = 0; number < 4000; number++)
        {
            // So few of so many that runs hardly ever touch.
            (_, _, _, int[] chosen) = Apply(new MaskOptions(0.015, LongestSpan: 3), 200, number);
            Assert.Equal(3, chosen.Length);
            lengths[chosen[1] == chosen[0] + 1 ? chosen[2] == chosen[1] + 1 ? 3 : 2 : 1]++;
        }
        // The first run of three tokens in all is 3 long with 2/11; 1 and 2 may also meet 2 and 1.
        Assert.InRange(lengths[3] / 4000.0, 2 / 11.0 - 0.03, 2 / 11.0 + 0.05);
        Assert.True(lengths[1] > 0 && lengths[2] > 0);
    }

    [Fact]
    public void StaticMasksComeBackAndDynamicOnesDoNot()
    {
        static int[][] Targets(MaskOptions options) => [.. Enumerable.Range(0, 12).Select(n => Apply(options, 64, n, sameText: true).Targets)];
        int[][] copies = Targets(new MaskOptions(StaticCopies: 4)), once = Targets(new MaskOptions(StaticCopies: 1)), always = Targets(new MaskOptions());
        Assert.Equal(4, copies.Select(Text).Distinct().Count());
        Assert.Equal(copies[..4].Select(Text), copies[4..8].Select(Text));
        Assert.Single(once.Select(Text).Distinct());
        Assert.Equal(12, always.Select(Text).Distinct().Count());

        static string Text(int[] values) => string.Join(' ', values);
    }

    private static (int[] Before, int[] Ids, int[] Targets, int[] Chosen) Apply(MaskOptions options, int length, long number, bool sameText = false)
    {
        // [CLS] … [SEP]
        int[] before = [.. Enumerable.Range(0, length).Select(i => i == 0 ? 1 : i == length - 1 ? 2 : 5 + (int)(((i * 37) + (sameText ? 0 : number * 11)) % (Words - 5)))];
        int[] ids = [.. before], targets = new int[length];
        int count = new TokenMask(options, Vocabulary, 1).Apply(ids, targets, number);
        int[] chosen = [.. Enumerable.Range(0, length).Where(i => targets[i] >= 0)];
        Assert.Equal(count, chosen.Length);
        return (before, ids, targets, chosen);
    }
}
