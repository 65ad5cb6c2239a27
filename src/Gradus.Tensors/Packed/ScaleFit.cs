using System.Numerics;
using System.Numerics.Tensors;

namespace Gradus.Tensors.Packed;

/// <summary>
/// Finds the scale (and offset) with which a few integers approximate a run of weights with the least squared error: a number of
/// scales around the obvious one are tried; each fixes the integers, and for fixed integers the best scale is a linear
/// least-squares problem. Lanes are scales, so that sums run over the weights in order on every processor.
/// </summary>
internal static class ScaleFit
{
    private const int Steps = 20;
    private const float StepSize = 0.1f;
    private const int MostWeights = 32;

    /// <summary>x ≈ d·q with integers low ≤ q ≤ high; returns d. The extreme value may take either end.</summary>
    public static float Symmetric(ReadOnlySpan<float> x, int low, int high)
    {
        const int Scales = 2 * (Steps + 1), Lanes = 48;
        float extreme = BlockIntegers.Extreme(x);
        if (extreme == 0)
            return 0;
        Span<float> targets = stackalloc float[Lanes], gains = stackalloc float[Lanes], scales = stackalloc float[Lanes];
        for (int i = 0; i < Lanes; i++)
            targets[i] = (i % 2 == 0 ? low : high) + ((Math.Min(i / 2, Steps) - (Steps / 2)) * StepSize);
        Span<float> parts = stackalloc float[MostWeights];
        parts = parts[..x.Length];
        TensorPrimitives.Divide(x, extreme, parts);
        Vector<float> bottom = Vector.Create((float)low), top = Vector.Create((float)high);
        for (int i = 0; i < Scales; i += Vector<float>.Count)
        {
            Vector<float> target = new(targets[i..]), xq = Vector<float>.Zero, qq = xq;
            foreach (float part in parts)
            {
                Vector<float> value = Vector.Create(part), q = Vector.Min(Vector.Max(Vector.Round(value * target), bottom), top);
                xq += value * q;
                qq += q * q;
            }
            Store(xq, qq, gains[i..], scales[i..]);
        }
        return extreme * Best(gains[..Scales], scales);
    }

    /// <summary>The least-squares scales Σxq / Σq², and what they take off the squared error Σx²: (Σxq)² / Σq².</summary>
    public static void Store(Vector<float> xq, Vector<float> qq, Span<float> gains, Span<float> scales)
    {
        Vector<float> scale = xq / qq;
        scale.CopyTo(scales);
        (xq * scale).CopyTo(gains);
    }

    /// <summary>The scale with the largest gain, the first of several; 0 where none has one.</summary>
    public static float Best(ReadOnlySpan<float> gains, ReadOnlySpan<float> scales)
    {
        float best = 0, most = 0;
        for (int i = 0; i < gains.Length; i++)
        {
            if (gains[i] > most)
                (most, best) = (gains[i], scales[i]);
        }
        return best;
    }

    /// <summary>x ≈ d·q − m with integers 0 ≤ q ≤ high, d ≥ 0 and m ≥ 0; returns d and m.</summary>
    public static (float D, float M) Affine(ReadOnlySpan<float> x, int high)
    {
        const int Lines = Steps + 1, Lanes = 32;
        float min = Math.Min(0, TensorPrimitives.Min(x)), range = TensorPrimitives.Max(x) - min;
        if (range <= 0)
            return (0, -min);
        // In parts u of the range: u ≈ a·q + b, where m ≥ 0 keeps b at or below where zero lies.
        Span<float> parts = stackalloc float[MostWeights];
        parts = parts[..x.Length];
        TensorPrimitives.Subtract(x, min, parts);
        TensorPrimitives.Divide(parts, range, parts);
        float zero = -min / range, sum = TensorPrimitives.Sum<float>(parts);
        Span<float> slopes = stackalloc float[Lanes], offsets = stackalloc float[Lanes], errors = stackalloc float[Lanes];
        for (int i = 0; i < Lanes; i++)
            slopes[i] = high + ((Math.Min(i, Steps) - (Steps / 2)) * StepSize);
        for (int i = 0; i < Lines; i += Vector<float>.Count)
            Fit(parts, sum, zero, high, slopes[i..], offsets[i..], errors[i..]);
        int best = TensorPrimitives.IndexOfMin<float>(errors[..Lines]);
        return float.IsFinite(errors[best]) ? (slopes[best] * range, -((offsets[best] * range) + min)) : (range / high, -min);
    }

    /// <summary>The nearest integer in a range; ties to even.</summary>
    public static int Quantize(float value, int low, int high) => (int)Math.Clamp(MathF.Round(value), low, high);

    // Least-squares lines u ≈ a·q + b, with the integers that each of the given factors fixes; b is at most zero's place. The factors
    // become the slopes; a falling line has no error that counts.
    private static void Fit(ReadOnlySpan<float> parts, float sum, float zero, int high, Span<float> slopes, Span<float> offsets, Span<float> errors)
    {
        Vector<float> factor = new(slopes), top = Vector.Create((float)high), q1 = Vector<float>.Zero, qq = q1, uq = q1;
        foreach (float part in parts)
        {
            Vector<float> u = Vector.Create(part), q = Vector.Min(Vector.Round(u * factor), top);
            q1 += q;
            qq += q * q;
            uq += u * q;
        }
        float n = parts.Length;
        Vector<float> determinant = (n * qq) - (q1 * q1), limit = Vector.Create(zero);
        Vector<float> free = ((qq * sum) - (q1 * uq)) / determinant;
        Vector<float> b = Vector.ConditionalSelect(Vector.GreaterThan(determinant, Vector<float>.Zero), Vector.Min(free, limit), limit);
        Vector<float> a = (uq - (b * q1)) / qq;
        // Σ(u − a·q − b)², less Σu², which all have.
        Vector<float> error = (a * ((a * qq) - (2f * uq) + (2f * b * q1))) + (b * ((n * b) - Vector.Create(2 * sum)));
        error = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(a, Vector<float>.Zero), error, Vector.Create(float.PositiveInfinity));
        a.CopyTo(slopes);
        b.CopyTo(offsets);
        error.CopyTo(errors);
    }
}
