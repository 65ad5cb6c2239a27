using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;

namespace Gradus.Tests.Generation;

/// <summary>Pages: who owns them, who shares them, and that what was forgotten can be read anew.</summary>
public sealed class KvCacheTests : IDisposable
{
    private readonly GenerativeModel _model = TinyModels.Make("llama", TinyModels.Cpu(2));
    private readonly CachedForward _forward;

    public KvCacheTests()
    {
        _forward = new CachedForward(_model);
    }

    [Fact]
    public void PagesGoBack()
    {
        KvCache cache = (KvCache)_forward.Cache;
        CachedSequence a = cache.NewSequence(), b = cache.NewSequence();
        Read(a, TinyModels.Prompt(32, 1));
        Assert.Equal(1, cache.PagesInUse);
        Read(a, [5]);
        Read(b, TinyModels.Prompt(70, 2));
        Assert.Equal(2 + 3, cache.PagesInUse);
        Assert.Equal(33, a.Length);
        long bytes = cache.Bytes;
        a.Truncate(32);
        Assert.Equal(1 + 3, cache.PagesInUse);
        a.Dispose();
        b.Dispose();
        b.Dispose();
        Assert.Equal(0, cache.PagesInUse);
        using CachedSequence c = cache.NewSequence();
        Read(c, TinyModels.Prompt(90, 3));
        Assert.Equal(bytes, cache.Bytes);
    }

    [Fact]
    public void TruncatedSequenceGoesOnAsIfNothingHadBeen()
    {
        int[] tokens = TinyModels.Prompt(60, 1);
        using CachedSequence plain = _forward.Cache.NewSequence(), changed = _forward.Cache.NewSequence();
        float[] expected = Read(plain, tokens);
        Read(changed, tokens[..50]);
        Read(changed, TinyModels.Prompt(40, 9));
        changed.Truncate(50);
        Assert.Throws<ArgumentOutOfRangeException>(() => changed.Truncate(51));
        Near(expected, Read(changed, tokens[50..]));
    }

    [Fact]
    public void GrowingKeepsWhatWasRead()
    {
        int[] tokens = TinyModels.Prompt(60, 1);
        using CachedSequence plain = _forward.Cache.NewSequence();
        float[] expected = Read(plain, tokens);
        using CachedForward other = new(_model);
        using CachedSequence early = other.Cache.NewSequence();
        Read(other, early, tokens[..50]);
        long bytes = other.Cache.Bytes;
        List<CachedSequence> crowd = [.. Enumerable.Range(0, 10).Select(_ => other.Cache.NewSequence())];
        foreach (CachedSequence one in crowd)
            Read(other, one, TinyModels.Prompt(90, 4));
        Assert.True(other.Cache.Bytes > bytes);
        Near(expected, Read(other, early, tokens[50..]));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(50)]
    [InlineData(1)]
    public void ForksSharePagesUntilOneWrites(int length)
    {
        int[] start = TinyModels.Prompt(length, 1), left = [.. start, 3, 4, 5], right = [.. start, 6, 7, 8];
        float[] expectedLeft = Alone(left, length), expectedRight = Alone(right, length);
        KvCache cache = (KvCache)_forward.Cache;
        CachedSequence a = cache.NewSequence();
        Read(a, start);
        int pages = cache.PagesInUse;
        CachedSequence b = a.Fork();
        Assert.Equal(pages, cache.PagesInUse);
        Assert.Equal(length, b.Length);

        // Both write in one step: one of them copies the last page, the other keeps it.
        _forward.Begin();
        _forward.Add(a, left.AsSpan(length), scored: 1);
        _forward.Add(b, right.AsSpan(length), scored: 1);
        float[] both = _forward.Run()!.ToArray();
        Assert.Equal(expectedLeft, both[..expectedLeft.Length]);
        Assert.Equal(expectedRight, both[expectedLeft.Length..]);
        Assert.Equal(pages + (length == 64 ? 2 : 1), cache.PagesInUse);

        CachedSequence c = a.Fork();
        a.Dispose();
        c.Truncate(length);
        Assert.Equal(expectedRight, Read(c, right[length..]));
        b.Dispose();
        c.Dispose();
        Assert.Equal(0, cache.PagesInUse);
    }

    public void Dispose()
    {
        _forward.Dispose();
        _model.Dispose();
    }

    private float[] Alone(int[] tokens, int firstPiece)
    {
        using CachedSequence sequence = _forward.Cache.NewSequence();
        Read(sequence, tokens[..firstPiece]);
        return Read(sequence, tokens[firstPiece..]);
    }

    private float[] Read(CachedSequence sequence, int[] tokens) => Read(_forward, sequence, tokens);

    private static float[] Read(CachedForward forward, CachedSequence sequence, int[] tokens)
    {
        forward.Begin();
        forward.Add(sequence, tokens, scored: 1);
        return forward.Run()!.ToArray();
    }

    private static void Near(float[] expected, float[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4f);
    }
}
