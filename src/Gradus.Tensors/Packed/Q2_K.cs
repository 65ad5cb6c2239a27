namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 2 bits in sixteen sub-blocks of 16: w = d·s·q − dmin·m with 4-bit s and m. Block: 16 bytes (s low, m high), 64 bytes
/// of 2-bit values (each half of 128 weights in 32 bytes, 32 weights to each bit pair), f16 d, f16 dmin. Source: ggml.
/// </summary>
internal sealed class Q2_K : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q2_K";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 84;

    /// <inheritdoc/>
    public override int CodeBits => 2;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) =>
        BlockBytes.ReplaceBits(ref block[16 + (index / 128 * 32) + (index % 32)], index % 128 / 32 * 2, 3, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block[80..]), dmin = BlockBytes.ReadScale(block[82..]);
        for (int i = 0; i < 256; i++)
        {
            byte scale = block[i / 16];
            int q = (block[16 + (i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3;
            weights[i] = (d * (scale & 15) * q) - (dmin * (scale >> 4));
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        Span<float> mins = stackalloc float[16];
        AffineBlocks.Fit(weights, 16, 3, scales, mins);
        (float d, float dmin) = AffineBlocks.Store(scales, mins, 15, block[80..], block[82..]);
        Span<byte> q = stackalloc byte[16];
        for (int j = 0; j < 16; j++)
        {
            (int scale, int min) = AffineBlocks.Quantize(weights.Slice(j * 16, 16), BlockImportance.Ones(16), scales[j], mins[j], d, dmin, 15, 3, q);
            Store(j, scale, min, q, block);
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<byte> scales = stackalloc byte[16], mins = stackalloc byte[16], q = stackalloc byte[256];
        (float d, float dmin) = SuperBlocks.Affine(weights, importance, 3, 15, scales, mins, q);
        BlockBytes.WriteScale(block[80..], d);
        BlockBytes.WriteScale(block[82..], dmin);
        for (int j = 0; j < 16; j++)
            Store(j, scales[j], mins[j], q.Slice(j * 16, 16), block);
    }

    private static void Store(int j, int scale, int min, ReadOnlySpan<byte> q, Span<byte> block)
    {
        block[j] = (byte)(scale | (min << 4));
        for (int k = 0; k < 16; k++)
        {
            int i = (j * 16) + k;
            block[16 + (i / 128 * 32) + (i % 32)] |= (byte)(q[k] << (i % 128 / 32 * 2));
        }
    }
}
