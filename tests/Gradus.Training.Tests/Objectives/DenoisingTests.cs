using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Tests.Objectives;

public sealed class DenoisingTests
{
    private static readonly DenoisingVocabulary Vocabulary = new(FirstSentinel: 999, Sentinels: 100, Start: 0, End: 1);

    [Fact]
    public void T5sLengthsAreItsOwn()
    {
        // 512 inputs need 568 raw tokens and give 114 targets (training.md).
        (int tokens, int spans) = new SpanDenoiser().CountsOf(568);
        Assert.Equal((512, 114), (568 - tokens + spans + 1, tokens + spans + 1));
        (int[] source, int[] target) = Of(new SpanDenoiser()).Cut([.. Enumerable.Range(10, 568)], 0);
        Assert.Equal((512, 114), (source.Length, target.Length));
    }

    [Theory]
    [InlineData(2, 0.15, 3.0)]
    [InlineData(3, 0.5, 3.0)]
    [InlineData(10, 0.9, 1.0)]
    [InlineData(100, 0.15, 3.0)]
    [InlineData(100, 0.5, 64.0)]
    [InlineData(301, 0.15, 8.0)]
    public void SpansAlternateFromKeptToCutAndTheTextCanBePutTogetherAgain(int length, double share, double mean)
    {
        SpanDenoiser denoiser = new(share, mean);
        (int tokens, int spans) = denoiser.CountsOf(length);
        int[] text = [.. Enumerable.Range(10, length)];
        for (long number = 0; number < 50; number++)
        {
            bool[] noise = denoiser.Noise(length, (ulong)number);
            Assert.Equal(tokens, noise.Count(n => n));
            Assert.Equal(spans, Enumerable.Range(0, length).Count(i => noise[i] && !noise[i - 1]));
            Assert.True(!noise[0] && noise[^1]);
            (int[] source, int[] target) = Of(denoiser).Cut(text, number);
            Assert.Equal((Vocabulary.End, Vocabulary.End), (source[^1], target[^1]));
            // Targets end with a span, not with a sentinel.
            Assert.True(target[0] == 999 && target[^2] is >= 10 and < 900);
            Assert.Equal(text, PutTogether(source, target));
        }
    }

    [Fact]
    public void EveryDivisionIsEquallyLikely()
    {
        // 4 kept and 3 cut tokens in 2 spans each: 3 · 2 masks.
        SpanDenoiser denoiser = new(3 / 7.0, 1.5);
        Assert.Equal((3, 2), denoiser.CountsOf(7));
        Dictionary<string, int> seen = [];
        for (ulong key = 0; key < 6000; key++)
        {
            string mask = string.Concat(denoiser.Noise(7, key).Select(n => n ? '1' : '0'));
            seen[mask] = seen.GetValueOrDefault(mask) + 1;
        }
        Assert.Equal(6, seen.Count);
        Assert.All(seen.Values, count => Assert.InRange(count, 1000 - 120, 1000 + 120));
    }

    [Fact]
    public void APrefixModelWritesTheEndWithoutSentinels()
    {
        int[] text = [.. Enumerable.Range(10, 40)];
        HashSet<int> lengths = [];
        for (long number = 0; number < 500; number++)
        {
            (int[] source, int[] target) = Of(new PrefixDenoiser(0.25, Mode: 7)).Cut(text, number);
            Assert.Equal(7, source[0]);
            Assert.Equal(text, (int[])[.. source[1..^1], .. target[..^1]]);
            lengths.Add(target.Length - 1);
        }
        Assert.Equal((1, 20), (lengths.Min(), lengths.Max()));
    }

    [Fact]
    public void Ul2TakesItsSevenDenoisersAlike()
    {
        Denoising mixture = new(new Nothing(), Denoising.Ul2(2, 3, 4), Vocabulary, 1);
        int[] text = [.. Enumerable.Range(10, 200)];
        int[] modes = [.. Enumerable.Range(0, 7000).Select(n => mixture.Cut(text, n).Source[0])];
        Assert.InRange(modes.Count(m => m == 2), 2000 - 180, 2000 + 180);
        Assert.InRange(modes.Count(m => m == 3), 1000 - 140, 1000 + 140);
        Assert.InRange(modes.Count(m => m == 4), 4000 - 200, 4000 + 200);
    }

    [Fact]
    public void MoreSpansThanSentinelsAreRefused() =>
        Assert.Contains("more spans to cut out than the 100 sentinels", Assert.Throws<InvalidDataException>(() => Of(new SpanDenoiser()).Cut(new int[3000], 0)).Message, StringComparison.Ordinal);

    private static Denoising Of(params Denoiser[] denoisers) => new(new Nothing(), denoisers, Vocabulary, 1);

    private static int[] PutTogether(int[] source, int[] target)
    {
        List<int> text = [];
        foreach (int id in source[..^1])
        {
            if (id < 900)
                text.Add(id);
            else
                text.AddRange(target.SkipWhile(t => t != id).Skip(1).TakeWhile(t => t is >= 10 and < 900));
        }
        return [.. text];
    }

    private sealed class Nothing : BatchSource
    {
        public override MicroBatch this[long index] => throw new NotSupportedException();

        public override IEnumerable<MicroBatch> All() => [];
    }
}
