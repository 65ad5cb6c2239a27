using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Packed;

/// <summary>The code book of IQ4_NL and IQ4_XS: sixteen unevenly spaced integers, densest about zero. Source: ggml.</summary>
internal static class NonLinear4
{
    private const int Steps = 9;

    // The levels' midpoints are multiples of ½, so that a value's ⌈2·value⌉ decides; the table covers −128 to 128.
    private static readonly byte[] NearestToHalves = [.. Enumerable.Range(-256, 513).Select(h => (byte)Enumerable.Range(0, 15).Count(i => h > Levels[i] + Levels[i + 1]))];

    private static readonly Vector256<float> OddMiddles = Vector256.Create(Middle(1), Middle(5), Middle(9), Middle(13), 0, 0, 0, 0);
    private static readonly Vector256<float> EvenMiddles =
        Vector256.Create(Middle(0), Middle(2), Middle(4), Middle(6), Middle(8), Middle(10), Middle(12), Middle(14));

    private static readonly Vector256<float> LowerLevels = Vector256.ConvertToSingle(Vector256.Create(-127, -104, -83, -65, -49, -35, -22, -10));
    private static readonly Vector256<float> UpperLevels = Vector256.ConvertToSingle(Vector256.Create(1, 13, 25, 38, 53, 69, 89, 113));

    /// <summary>The integers that the nibbles 0 to 15 stand for.</summary>
    public static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The index of the level nearest to a value; the lower of two equally near.</summary>
    public static int Nearest(float value) => NearestToHalves[(int)MathF.Ceiling(Math.Clamp(value * 2, -256, 256)) + 256];

    /// <summary>x ≈ d·level with the least squared error; returns d.</summary>
    public static float Fit(ReadOnlySpan<float> x)
    {
        const int Lanes = 40;
        float extreme = BlockIntegers.Extreme(x);
        if (extreme == 0)
            return 0;
        Span<float> targets = stackalloc float[Lanes], gains = stackalloc float[Lanes], scales = stackalloc float[Lanes];
        for (int i = 0; i < Lanes; i++)
            targets[i] = (i % 2 == 0 ? Levels[0] : Levels[^1]) + Math.Min(i / 2, 2 * Steps) - Steps;
        Span<float> parts = stackalloc float[x.Length];
        TensorPrimitives.Divide(x, extreme, parts);
        for (int i = 0; i < Lanes; i += 8)
        {
            Vector256<float> target = Vector256.Create(targets.Slice(i, 8)), xq = Vector256<float>.Zero, qq = xq;
            foreach (float part in parts)
            {
                Vector256<float> value = Vector256.Create(part), q = NearestLevels(value * target);
                xq += value * q;
                qq += q * q;
            }
            // A scale of the other sign would not find these levels again.
            ScaleFit.Store(xq & Vector256.GreaterThan(xq * target, Vector256<float>.Zero), qq, gains.Slice(i, 8), scales.Slice(i, 8));
        }
        return extreme * ScaleFit.Best(gains, scales);
    }

    // A search of the levels' midpoints: four comparisons.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> NearestLevels(Vector256<float> values)
    {
        Vector256<int> one = Vector256<int>.One;
        Vector256<float> upper = Vector256.GreaterThan(values, Vector256.Create(Middle(7)));
        Vector256<float> second = Vector256.ConditionalSelect(upper, Vector256.Create(Middle(11)), Vector256.Create(Middle(3)));
        Vector256<int> at = (upper.AsInt32() & (one << 1)) | (Vector256.GreaterThan(values, second).AsInt32() & one);
        at = (at << 1) | (Vector256.GreaterThan(values, Vector256.ShuffleNative(OddMiddles, at)).AsInt32() & one);
        at = (at << 1) | (Vector256.GreaterThan(values, Vector256.ShuffleNative(EvenMiddles, at)).AsInt32() & one);
        at &= Vector256.Create(7);
        return Vector256.ConditionalSelect(upper, Vector256.ShuffleNative(UpperLevels, at), Vector256.ShuffleNative(LowerLevels, at));
    }

    // Above it, a value is nearer to level i + 1 than to level i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Middle(int i) => (Levels[i] + Levels[i + 1]) * 0.5f;
}
