namespace Gradus.Tensors.Packed;

/// <summary>
/// Blocks whose sub-blocks have integer scales under one scale of all, with the least weighted error: for the scale of all, the best integers; for these,
/// the least-squares scale; in turn, from several beginnings.
/// </summary>
internal static class SuperBlocks
{
    private const int Rounds = 3;

    // What the largest sub-scale becomes, in parts of the largest integer.
    private static ReadOnlySpan<float> Starts => [1, 0.97f, 1.06f, 0.9f, 1.25f];

    /// <summary>w ≈ d·s·q − dmin·m: scales, minima and integers of equal sub-blocks.</summary>
    /// <param name="weights">The block.</param>
    /// <param name="importance">How much the error of each counts.</param>
    /// <param name="high">The largest integer of a weight.</param>
    /// <param name="most">The largest scale and minimum.</param>
    /// <param name="scales">Become the sub-blocks' scales.</param>
    /// <param name="mins">Become their minima.</param>
    /// <param name="q">Become the integers.</param>
    /// <returns>The scale of scales and that of minima, in half precision.</returns>
    public static (float D, float Dmin) Affine(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, int high, int most, Span<byte> scales, Span<byte> mins, Span<byte> q)
    {
        int count = scales.Length, size = weights.Length / count;
        Span<float> subs = stackalloc float[count], offsets = stackalloc float[count];
        for (int j = 0; j < count; j++)
            (subs[j], offsets[j]) = WeightedFit.Affine(weights.Slice(j * size, size), importance.Slice(j * size, size), high, anyOffset: false);
        float top = BlockIntegers.Extreme(subs) / most, topMin = BlockIntegers.Extreme(offsets) / most;
        Span<byte> tried = stackalloc byte[count], triedMins = stackalloc byte[count], codes = stackalloc byte[weights.Length];
        (float D, float Dmin) best = (0, 0);
        double least = double.PositiveInfinity;
        for (int start = 0; start < Starts.Length * 2; start++)
        {
            // Scale and minimum of all are varied one at a time.
            float d = start < Starts.Length ? top * Starts[start] : top, dmin = start < Starts.Length ? topMin : topMin * Starts[start - Starts.Length];
            for (int round = 0; round < Rounds; round++)
            {
                (d, dmin) = ((float)(Half)d, (float)(Half)dmin);
                double error = 0;
                for (int j = 0; j < count; j++)
                {
                    ReadOnlySpan<float> w = weights.Slice(j * size, size), counts = importance.Slice(j * size, size);
                    (int s, int m) = AffineBlocks.Quantize(w, counts, subs[j], offsets[j], d, dmin, most, high, codes.Slice(j * size, size));
                    (tried[j], triedMins[j]) = ((byte)s, (byte)m);
                    for (int i = 0; i < size; i++)
                    {
                        double off = ((double)d * s * codes[(j * size) + i]) - ((double)dmin * m) - w[i];
                        error += counts[i] * off * off;
                    }
                }
                if (error >= least)
                    break;
                (least, best) = (error, (d, dmin));
                tried.CopyTo(scales);
                triedMins.CopyTo(mins);
                codes.CopyTo(q);
                (d, dmin) = Refit(weights, importance, tried, triedMins, codes, size, best);
            }
        }
        return best;
    }

    /// <summary>w ≈ d·s·level[q]: scales and integers of equal sub-blocks, with even levels or those of a code book.</summary>
    /// <param name="weights">The block.</param>
    /// <param name="importance">How much the error of each counts.</param>
    /// <param name="fit">The best scale of a sub-block.</param>
    /// <param name="level">The level nearest to a value.</param>
    /// <param name="low">The least scale.</param>
    /// <param name="high">The largest scale.</param>
    /// <param name="scales">Become the sub-blocks' scales.</param>
    /// <returns>The scale of scales, in half precision.</returns>
    public static float Symmetric(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, SubFit fit, Func<float, int> level, int low, int high, Span<int> scales)
    {
        int count = scales.Length, size = weights.Length / count;
        Span<float> subs = stackalloc float[count];
        for (int j = 0; j < count; j++)
            subs[j] = fit(weights.Slice(j * size, size), importance.Slice(j * size, size));
        float top = BlockIntegers.Extreme(subs) / low, best = 0;
        Span<int> tried = stackalloc int[count];
        double least = double.PositiveInfinity;
        foreach (float start in Starts)
        {
            float d = top * start;
            for (int round = 0; round < Rounds; round++)
            {
                d = (float)(Half)d;
                float inverse = BlockBytes.Inverse(d);
                double error = 0, xq = 0, qq = 0;
                for (int j = 0; j < count; j++)
                {
                    int near = ScaleFit.Quantize(subs[j] * inverse, low, high);
                    Sub bestSub = new(double.PositiveInfinity, 0, 0, 0);
                    for (int s = Math.Max(low, near - 1); s <= Math.Min(high, near + 1); s++)
                    {
                        Sub sub = Measure(weights.Slice(j * size, size), importance.Slice(j * size, size), d, s, level);
                        bestSub = sub.Error < bestSub.Error ? sub : bestSub;
                    }
                    tried[j] = bestSub.Scale;
                    error += bestSub.Error;
                    xq += bestSub.Xq;
                    qq += bestSub.Qq;
                }
                if (error >= least)
                    break;
                (least, best) = (error, d);
                tried.CopyTo(scales);
                d = qq > 0 ? (float)(xq / qq) : d;
            }
        }
        return best;
    }

    /// <summary>The best scale of a sub-block.</summary>
    public delegate float SubFit(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance);

    // A sub-block under an integer scale: its error, and the sums of which the best scale of all is made.
    private readonly record struct Sub(double Error, int Scale, double Xq, double Qq);

    private static Sub Measure(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float d, int scale, Func<float, int> level)
    {
        float inverse = BlockBytes.Inverse(d * scale);
        double error = 0, xq = 0, qq = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double unit = (double)scale * level(x[i] * inverse), off = (d * unit) - x[i], counted = importance[i] * unit;
            error += importance[i] * off * off;
            xq += x[i] * counted;
            qq += unit * counted;
        }
        return new Sub(error, scale, xq, qq);
    }

    // d and dmin for fixed integers: two linear equations.
    private static (float D, float Dmin) Refit(
        ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, ReadOnlySpan<byte> scales, ReadOnlySpan<byte> mins, ReadOnlySpan<byte> q, int size, (float D, float Dmin) old)
    {
        double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            double a = scales[i / size] * q[i], b = -mins[i / size], w = importance[i];
            aa += w * a * a;
            ab += w * a * b;
            bb += w * b * b;
            ax += w * a * weights[i];
            bx += w * b * weights[i];
        }
        double determinant = (aa * bb) - (ab * ab);
        if (determinant <= 1e-9 * aa * bb)
            return aa > 0 ? ((float)((ax - (old.Dmin * ab)) / aa), old.Dmin) : old;
        (double d, double dmin) = (((bb * ax) - (ab * bx)) / determinant, ((aa * bx) - (ab * ax)) / determinant);
        return d > 0 && dmin >= 0 ? ((float)d, (float)dmin) : old;
    }
}
