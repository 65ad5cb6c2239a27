namespace Gradus.Tensors.Packed;

/// <summary>What Q2_K, Q4_K and Q5_K share: sub-blocks w = d·s·q − dmin·m whose s and m are small integers.</summary>
internal static class AffineBlocks
{
    /// <summary>The best scale and minimum of each sub-block.</summary>
    public static void Fit(ReadOnlySpan<float> weights, int size, int high, Span<float> scales, Span<float> mins)
    {
        for (int j = 0; j < scales.Length; j++)
            (scales[j], mins[j]) = ScaleFit.Affine(weights.Slice(j * size, size), high);
    }

    /// <summary>Stores the scale of scales and the scale of minima, so that the largest of each becomes <paramref name="most"/>.</summary>
    public static (float D, float Dmin) Store(ReadOnlySpan<float> scales, ReadOnlySpan<float> mins, int most, Span<byte> d, Span<byte> dmin) =>
        (BlockBytes.WriteScale(d, BlockBytes.Extreme(scales) / most), BlockBytes.WriteScale(dmin, BlockBytes.Extreme(mins) / most));

    /// <summary>
    /// A sub-block's scale and minimum as integers, and the integers of its weights: among the roundings of scale and minimum up
    /// and down, those that together leave the least squared error.
    /// </summary>
    public static (int Scale, int Min) Quantize(
        ReadOnlySpan<float> weights, float scale, float min, float d, float dmin, int most, int high, Span<int> q)
    {
        int nearScale = ScaleFit.Quantize(scale * BlockBytes.Inverse(d), 0, most);
        int nearMin = ScaleFit.Quantize(min * BlockBytes.Inverse(dmin), 0, most);
        (int Scale, int Min) best = (nearScale, nearMin);
        double least = double.PositiveInfinity;
        for (int s = Math.Max(0, nearScale - 1); s <= Math.Min(most, nearScale + 1); s++)
        {
            for (int m = Math.Max(0, nearMin - 1); m <= Math.Min(most, nearMin + 1); m++)
            {
                double error = Error(weights, d * s, dmin * m, high);
                if (error < least)
                    (least, best) = (error, (s, m));
            }
        }
        float inverse = BlockBytes.Inverse(d * best.Scale);
        for (int i = 0; i < q.Length; i++)
            q[i] = ScaleFit.Quantize((weights[i] + (dmin * best.Min)) * inverse, 0, high);
        return best;
    }

    private static double Error(ReadOnlySpan<float> weights, float d, float m, int high)
    {
        float inverse = BlockBytes.Inverse(d);
        double error = 0;
        foreach (float weight in weights)
        {
            double off = (d * ScaleFit.Quantize((weight + m) * inverse, 0, high)) - m - weight;
            error += off * off;
        }
        return error;
    }
}
