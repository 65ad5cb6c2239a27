namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 3 bits in sixteen sub-blocks of 16: w = d·(s − 32)·(q − 4) with 6-bit s. Block: 32 bytes of third bits (bit i/32 of
/// byte i mod 32), 64 bytes of 2-bit values as in Q2_K, 12 bytes of scales (low nibbles of 0–7 and 8–15 in bytes 0–7; two high bits
/// of scale j in byte 8 + j mod 4), f16 d. Source: ggml.
/// </summary>
internal sealed class Q3_K : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q3_K";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 110;

    /// <inheritdoc/>
    public override int CodeBits => 3;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code)
    {
        BlockBytes.ReplaceBits(ref block[32 + (index / 128 * 32) + (index % 32)], index % 128 / 32 * 2, 3, code);
        BlockBytes.ReplaceBits(ref block[index % 32], index / 32, 1, code >> 2);
    }

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block[108..]);
        ReadOnlySpan<byte> scales = block.Slice(96, 12);
        for (int i = 0; i < 256; i++)
        {
            int j = i / 16;
            int scale = BlockBytes.Nibble(scales[..8], j) | (((scales[8 + (j % 4)] >> (j / 4 * 2)) & 3) << 4);
            int low = (block[32 + (i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3;
            int high = (block[i % 32] >> (i / 32)) & 1;
            weights[i] = d * (scale - 32) * ((low | (high << 2)) - 4);
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        for (int j = 0; j < 16; j++)
            scales[j] = ScaleFit.Symmetric(weights.Slice(j * 16, 16), -4, 3);
        float d = BlockBytes.WriteScale(block[108..], BlockIntegers.Extreme(scales) / -32);
        float inverse = BlockBytes.Inverse(d);
        Span<int> integers = stackalloc int[16];
        for (int j = 0; j < 16; j++)
            integers[j] = ScaleFit.Quantize(scales[j] * inverse, -32, 31);
        Store(weights, d, integers, block);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<int> scales = stackalloc int[16];
        float d = SuperBlocks.Symmetric(weights, importance, (w, i) => WeightedFit.Symmetric(w, i, -4, 3), v => ScaleFit.Quantize(v, -4, 3), -32, 31, scales);
        Store(weights, BlockBytes.WriteScale(block[108..], d), scales, block);
    }

    private static void Store(ReadOnlySpan<float> weights, float d, ReadOnlySpan<int> scales, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[16];
        for (int j = 0; j < 16; j++)
        {
            int scale = scales[j];
            BlockBytes.SetNibble(block.Slice(96, 8), j, (scale + 32) & 15);
            block[104 + (j % 4)] |= (byte)((scale + 32) >> 4 << (j / 4 * 2));
            BlockIntegers.Round(weights.Slice(j * 16, 16), 0, BlockBytes.Inverse(d * scale), -4, 3, q);
            for (int k = 0; k < 16; k++)
            {
                int i = (j * 16) + k;
                block[32 + (i / 128 * 32) + (i % 32)] |= (byte)((q[k] & 3) << (i % 128 / 32 * 2));
                block[i % 32] |= (byte)(q[k] >> 2 << (i / 32));
            }
        }
    }
}
