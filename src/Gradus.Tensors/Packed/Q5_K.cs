namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 5 bits in eight sub-blocks of 32: w = d·s·q − dmin·m with 6-bit s and m. Block: f16 d, f16 dmin, 12 bytes of
/// scales, 32 bytes of fifth bits (bit j of byte i belongs to weight i of sub-block j), 128 bytes of nibbles as in Q4_K. Source: ggml.
/// </summary>
internal sealed class Q5_K : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q5_K";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 176;

    /// <inheritdoc/>
    public override int CodeBits => 5;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code)
    {
        BlockBytes.ReplaceNibble(block.Slice(48 + (index / 64 * 32), 32), index % 64, code & 15);
        BlockBytes.ReplaceBits(ref block[16 + (index % 32)], index / 32, 1, code >> 4);
    }

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block), dmin = BlockBytes.ReadScale(block[2..]);
        ReadOnlySpan<byte> fifth = block.Slice(16, 32);
        for (int j = 0; j < 8; j++)
        {
            (int scale, int min) = KScales.Read(block.Slice(4, KScales.Bytes), j);
            float sub = d * scale, offset = dmin * min;
            ReadOnlySpan<byte> run = block.Slice(48 + (j / 2 * 32), 32);
            for (int i = 0; i < 32; i++)
                weights[(j * 32) + i] = (sub * (BlockBytes.Nibble(run, (j % 2 * 32) + i) | (((fifth[i] >> j) & 1) << 4))) - offset;
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[256];
        KScales.Fit(weights, 31, block, q);
        Store(q, block);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[256];
        KScales.Fit(weights, importance, 31, block, q);
        Store(q, block);
    }

    private static void Store(ReadOnlySpan<byte> q, Span<byte> block)
    {
        Span<byte> fifth = block.Slice(16, 32);
        for (int run = 0; run < 4; run++)
            BlockIntegers.StoreNibbles(q.Slice(run * 64, 64), block.Slice(48 + (run * 32), 32));
        for (int i = 0; i < 256; i++)
            fifth[i % 32] |= (byte)(q[i] >> 4 << (i / 32));
    }
}
