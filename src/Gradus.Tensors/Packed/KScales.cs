namespace Gradus.Tensors.Packed;

/// <summary>
/// The eight 6-bit scales and eight 6-bit minima that Q4_K and Q5_K keep in 12 bytes: bytes 0–3 and 4–7 hold the first four of each
/// in their low 6 bits and two high bits of the last four on top; bytes 8–11 hold the low 4 bits of the last four, scale low.
/// </summary>
internal static class KScales
{
    /// <summary>The number of scale bytes.</summary>
    public const int Bytes = 12;

    /// <summary>Scale and minimum of sub-block <paramref name="j"/>, 0 to 63 each.</summary>
    public static (int Scale, int Min) Read(ReadOnlySpan<byte> packed, int j) => j < 4
        ? (packed[j] & 63, packed[j + 4] & 63)
        : ((packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4), (packed[j + 4] >> 4) | (packed[j] >> 6 << 4));

    /// <summary>Stores scale and minimum of sub-block <paramref name="j"/> in bytes that were zero.</summary>
    public static void Write(Span<byte> packed, int j, int scale, int min)
    {
        if (j < 4)
        {
            packed[j] |= (byte)scale;
            packed[j + 4] |= (byte)min;
            return;
        }
        packed[j + 4] |= (byte)((scale & 15) | ((min & 15) << 4));
        packed[j - 4] |= (byte)(scale >> 4 << 6);
        packed[j] |= (byte)(min >> 4 << 6);
    }

    /// <summary>
    /// Fits eight sub-blocks of 32 weights, stores d, dmin and the 12 bytes after them, and gives the integers 0 to
    /// <paramref name="high"/> that go with what was stored.
    /// </summary>
    public static void Fit(ReadOnlySpan<float> weights, int high, Span<byte> block, Span<byte> q)
    {
        Span<float> scales = stackalloc float[8];
        Span<float> mins = stackalloc float[8];
        AffineBlocks.Fit(weights, 32, high, scales, mins);
        (float d, float dmin) = AffineBlocks.Store(scales, mins, 63, block, block[2..]);
        Span<byte> packed = block.Slice(4, Bytes);
        for (int j = 0; j < 8; j++)
        {
            (int scale, int min) = AffineBlocks.Quantize(weights.Slice(j * 32, 32), BlockImportance.Ones(32), scales[j], mins[j], d, dmin, 63, high, q.Slice(j * 32, 32));
            Write(packed, j, scale, min);
        }
    }

    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, Span{byte}, Span{byte})"/>
    public static void Fit(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, int high, Span<byte> block, Span<byte> q)
    {
        Span<byte> scales = stackalloc byte[8], mins = stackalloc byte[8];
        (float d, float dmin) = SuperBlocks.Affine(weights, importance, high, 63, scales, mins, q);
        BlockBytes.WriteScale(block, d);
        BlockBytes.WriteScale(block[2..], dmin);
        for (int j = 0; j < 8; j++)
            Write(block.Slice(4, Bytes), j, scales[j], mins[j]);
    }
}
