namespace Gradus.Tensors.Packed;

/// <summary>32 weights of 5 bits around 16: w = d·(q − 16). Block: f16 d, 4 bytes of fifth bits, 16 bytes of nibbles. Source: ggml.</summary>
internal sealed class Q5_0 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q5_0";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 22;

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = d * ((BlockBytes.Nibble(block[6..], i) | (BlockBytes.Bit(block.Slice(2, 4), i) << 4)) - 16);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float d = BlockIntegers.Extreme(weights) / -16;
        BlockBytes.WriteScale(block, d);
        float inverse = BlockBytes.Inverse(d);
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Truncate(weights, 0, inverse, 16.5f, 31, q);
        BlockIntegers.StoreFifthBits(q, block.Slice(2, 4));
        BlockIntegers.StoreNibbles(q, block[6..]);
    }
}
