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

    /// <summary>A sub-block's scale and minimum as integers.</summary>
    public static (int Scale, int Min) Round(float scale, float min, float d, float dmin, int most) =>
        (ScaleFit.Quantize(scale * BlockBytes.Inverse(d), 0, most), ScaleFit.Quantize(min * BlockBytes.Inverse(dmin), 0, most));

    /// <summary>The integers nearest to a sub-block's weights under the scale and minimum that were stored.</summary>
    public static void Quantize(ReadOnlySpan<float> weights, float d, float m, int high, Span<int> q)
    {
        float inverse = BlockBytes.Inverse(d);
        for (int i = 0; i < q.Length; i++)
            q[i] = ScaleFit.Quantize((weights[i] + m) * inverse, 0, high);
    }
}
