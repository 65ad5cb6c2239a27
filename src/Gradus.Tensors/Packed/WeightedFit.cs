using System.Numerics;

namespace Gradus.Tensors.Packed;

/// <summary>
/// Scales with the least weighted error Σ importance·(x − decoded)², sought more widely than <see cref="ScaleFit"/> does where all weights count alike:
/// the largest weights may count little and are then better cut off. Each scale tried fixes the integers; the best one is refined by fixing
/// the integers and the scale in turn. Lanes are scales.
/// </summary>
internal static class WeightedFit
{
    private const int Rounds = 8;

    // A weight that counts less than this part of the mean does not span the range of the second search.
    private const float Counts = 0.05f;

    // Factors of the obvious scale: near it, then ever more of the range is cut off.
    private static readonly float[] Factors =
        [.. Enumerable.Range(0, 18).Select(i => 0.82f + (0.02f * i)), .. Enumerable.Range(0, 14).Select(i => 1.18f + (0.08f * i))];

    /// <summary>x ≈ d·q with integers low ≤ q ≤ high; returns d.</summary>
    public static float Symmetric(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, int low, int high)
    {
        float all = BlockIntegers.Extreme(x), counted = Extreme(x, importance), best = 0;
        double least = double.PositiveInfinity;
        foreach (float extreme in counted == all ? (ReadOnlySpan<float>)[all] : [all, counted])
        {
            if (extreme == 0)
                continue;
            foreach (int end in (ReadOnlySpan<int>)[low, high])
            {
                float d = Refined(x, importance, extreme / (end * BestFactor(x, importance, end / extreme, low, high)), low, high, out double error);
                if (error < least)
                    (least, best) = (error, d);
            }
        }
        return best;
    }

    /// <summary>x ≈ d·q − m with integers 0 ≤ q ≤ high and d ≥ 0; returns d and m.</summary>
    /// <param name="x">The weights.</param>
    /// <param name="importance">How much the error of each counts.</param>
    /// <param name="high">The largest integer.</param>
    /// <param name="anyOffset">Whether m may be negative.</param>
    public static (float D, float M) Affine(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, int high, bool anyOffset)
    {
        (float D, float M) best = (0, -Math.Min(anyOffset ? float.PositiveInfinity : 0, Bounds(x, importance, 0).Low));
        double least = double.PositiveInfinity;
        foreach (float threshold in (ReadOnlySpan<float>)[0, Counts])
        {
            (float low, float top) = Bounds(x, importance, threshold);
            low = anyOffset ? low : Math.Min(0, low);
            if (top <= low)
                continue;
            foreach (float factor in Factors)
            {
                float d = (top - low) / (high * factor);
                (float D, float M) line = Line(x, importance, d, -low, high, anyOffset, out double error);
                if (error < least)
                    (least, best) = (error, line);
            }
        }
        for (int round = 0; round < Rounds && double.IsFinite(least); round++)
        {
            (float D, float M) line = Line(x, importance, best.D, best.M, high, anyOffset, out double error);
            if (error >= least)
                break;
            (least, best) = (error, line);
        }
        return best;
    }

    /// <summary>The value of largest magnitude among those that count.</summary>
    public static float Extreme(ReadOnlySpan<float> x, ReadOnlySpan<float> importance)
    {
        float extreme = 0;
        for (int i = 0; i < x.Length; i++)
        {
            if (importance[i] >= Counts && Math.Abs(x[i]) > Math.Abs(extreme))
                extreme = x[i];
        }
        return extreme;
    }

    /// <summary>The factors of an obvious scale to try.</summary>
    public static ReadOnlySpan<float> Tried => Factors;

    private static (float Low, float Top) Bounds(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float threshold)
    {
        (float low, float top) = (float.PositiveInfinity, float.NegativeInfinity);
        for (int i = 0; i < x.Length; i++)
        {
            if (importance[i] >= threshold)
                (low, top) = (Math.Min(low, x[i]), Math.Max(top, x[i]));
        }
        return (low, top);
    }

    // The factor of an inverse scale whose integers take most off the error.
    private static float BestFactor(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float inverse, int low, int high)
    {
        Span<float> gains = stackalloc float[Factors.Length], scales = stackalloc float[Factors.Length];
        Vector<float> bottom = Vector.Create((float)low), top = Vector.Create((float)high);
        for (int i = 0; i < Factors.Length; i += Vector<float>.Count)
        {
            Vector<float> factor = new Vector<float>(Factors, i) * inverse, xq = Vector<float>.Zero, qq = xq;
            for (int j = 0; j < x.Length; j++)
            {
                Vector<float> value = Vector.Create(x[j]), q = Vector.Min(Vector.Max(Vector.Round(value * factor), bottom), top);
                Vector<float> counted = Vector.Create(importance[j]) * q;
                xq += value * counted;
                qq += q * counted;
            }
            ScaleFit.Store(xq, qq, gains[i..], scales[i..]);
        }
        int best = 0;
        for (int i = 1; i < gains.Length; i++)
            best = gains[i] > gains[best] || float.IsNaN(gains[best]) ? i : best;
        return Factors[best];
    }

    // Integers and scale in turn, as long as the error falls.
    private static float Refined(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float d, int low, int high, out double least)
    {
        least = double.PositiveInfinity;
        float best = 0;
        for (int round = 0; round < Rounds; round++)
        {
            double xq = 0, qq = 0, xx = 0;
            float inverse = BlockBytes.Inverse(d);
            for (int i = 0; i < x.Length; i++)
            {
                double q = ScaleFit.Quantize(x[i] * inverse, low, high), counted = importance[i] * q;
                xq += x[i] * counted;
                qq += q * counted;
                xx += (double)importance[i] * x[i] * x[i];
            }
            double error = qq > 0 ? xx - (xq * xq / qq) : xx;
            if (error >= least)
                break;
            (least, best) = (error, qq > 0 ? (float)(xq / qq) : 0);
            d = best;
        }
        return best;
    }

    // The least-squares line through the integers that a line fixes, and its error.
    private static (float D, float M) Line(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float d, float m, int high, bool anyOffset, out double error)
    {
        double n = 0, q1 = 0, qq = 0, x1 = 0, xq = 0, xx = 0;
        float inverse = BlockBytes.Inverse(d);
        for (int i = 0; i < x.Length; i++)
        {
            double q = ScaleFit.Quantize((x[i] + m) * inverse, 0, high), w = importance[i];
            n += w;
            q1 += w * q;
            qq += w * q * q;
            x1 += w * x[i];
            xq += w * q * x[i];
            xx += w * x[i] * x[i];
        }
        double determinant = (n * qq) - (q1 * q1);
        double b = determinant > 0 ? ((qq * x1) - (q1 * xq)) / determinant : x1 / n;
        if (!anyOffset)
            b = Math.Min(0, b);
        double a = qq > 0 ? (xq - (b * q1)) / qq : 0;
        error = a < 0 ? double.PositiveInfinity : xx + (a * ((a * qq) - (2 * xq) + (2 * b * q1))) + (b * ((n * b) - (2 * x1)));
        return ((float)a, (float)-b);
    }
}
