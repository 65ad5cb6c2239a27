using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Packed;

/// <summary>The code book of IQ4_NL and IQ4_XS: sixteen unevenly spaced integers, densest about zero. Source: ggml.</summary>
internal static class NonLinear4
{
    private const int Steps = 9;

    // The levels' midpoints are multiples of ½, so that a value's ⌈2·value⌉ decides; the table covers −128 to 128.
    private static readonly byte[] NearestToHalves = [.. Enumerable.Range(-256, 513).Select(h => (byte)Enumerable.Range(0, 15).Count(i => h > Levels[i] + Levels[i + 1]))];

    /// <summary>The integers that the nibbles 0 to 15 stand for.</summary>
    public static ReadOnlySpan<sbyte> Levels => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The index of the level nearest to a value; the lower of two equally near.</summary>
    public static int Nearest(float value) => NearestToHalves[(int)MathF.Ceiling(Math.Clamp(value * 2, -256, 256)) + 256];

    /// <summary>x ≈ d·level with the least squared error; returns d.</summary>
    public static float Fit(ReadOnlySpan<float> x)
    {
        const int Scales = 2 * ((2 * Steps) + 1), Lanes = 48;
        float extreme = BlockIntegers.Extreme(x);
        if (extreme == 0)
            return 0;
        Span<float> targets = stackalloc float[Lanes], gains = stackalloc float[Lanes], scales = stackalloc float[Lanes];
        for (int i = 0; i < Lanes; i++)
            targets[i] = (i % 2 == 0 ? Levels[0] : Levels[^1]) + Math.Min(i / 2, 2 * Steps) - Steps;
        Span<float> parts = stackalloc float[x.Length];
        TensorPrimitives.Divide(x, extreme, parts);
        for (int i = 0; i < Scales; i += Vector<float>.Count)
        {
            Vector<float> target = new(targets[i..]), xq = Vector<float>.Zero, qq = xq;
            foreach (float part in parts)
            {
                Vector<float> value = Vector.Create(part), q = NearestLevels(value * target);
                xq += value * q;
                qq += q * q;
            }
            // A scale of the other sign would not find these levels again.
            xq = Vector.ConditionalSelect(Vector.GreaterThan(xq * target, Vector<float>.Zero), xq, Vector<float>.Zero);
            ScaleFit.Store(xq, qq, gains[i..], scales[i..]);
        }
        return extreme * ScaleFit.Best(gains[..Scales], scales);
    }

    /// <summary>x ≈ d·level with the least weighted error; returns d.</summary>
    public static float Fit(ReadOnlySpan<float> x, ReadOnlySpan<float> importance)
    {
        float all = BlockIntegers.Extreme(x), counted = WeightedFit.Extreme(x, importance), best = 0;
        double most = 0;
        foreach (float extreme in counted == all ? (ReadOnlySpan<float>)[all] : [all, counted])
        {
            foreach (float factor in WeightedFit.Tried)
            {
                foreach (int end in (ReadOnlySpan<int>)[Levels[0], Levels[^1]])
                    (most, best) = Refine(x, importance, extreme / (end * factor), most, best);
            }
        }
        return best;
    }

    // Levels and scale in turn, as long as more is taken off the error.
    private static (double Gain, float Scale) Refine(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float d, double most, float best)
    {
        for (int round = 0; round < 2; round++)
        {
            double xq = 0, qq = 0;
            float inverse = BlockBytes.Inverse(d);
            for (int i = 0; i < x.Length; i++)
            {
                double level = Levels[Nearest(x[i] * inverse)], counts = importance[i] * level;
                xq += x[i] * counts;
                qq += level * counts;
            }
            if (!(qq > 0) || xq * xq / qq <= most)
                break;
            (most, best) = (xq * xq / qq, (float)(xq / qq));
            d = best;
        }
        return (most, best);
    }

    // Sixteen levels and fifteen midpoints as a tree of comparisons.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> NearestLevels(Vector<float> values)
    {
        Vector<int> first = Vector.GreaterThan(values, Vector.Create(Middle(7)));
        Vector<int> second = Vector.GreaterThan(values, Vector.ConditionalSelect(first, Vector.Create(Middle(11)), Vector.Create(Middle(3))));
        return Vector.ConditionalSelect(
            first,
            Vector.ConditionalSelect(second, Quarter(values, 12), Quarter(values, 8)),
            Vector.ConditionalSelect(second, Quarter(values, 4), Quarter(values, 0)));
    }

    // The nearest of four levels.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Quarter(Vector<float> values, int at) => Vector.ConditionalSelect(
        Vector.GreaterThan(values, Vector.Create(Middle(at + 1))),
        Half(values, at + 2),
        Half(values, at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Half(Vector<float> values, int at) =>
        Vector.ConditionalSelect(Vector.GreaterThan(values, Vector.Create(Middle(at))), Vector.Create((float)Levels[at + 1]), Vector.Create((float)Levels[at]));

    // Above it, a value is nearer to level i + 1 than to level i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Middle(int i) => (Levels[i] + Levels[i + 1]) * 0.5f;
}
