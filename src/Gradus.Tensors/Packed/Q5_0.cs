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
    public override int CodeBits => 5;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code)
    {
        BlockBytes.ReplaceNibble(block[6..], index, code & 15);
        BlockBytes.ReplaceBits(ref block[2 + (index / 8)], index % 8, 1, code >> 4);
    }

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

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        float inverse = BlockBytes.Inverse(BlockBytes.WriteScale(block, WeightedFit.Symmetric(weights, importance, -16, 15)));
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Round(weights, 0, inverse, -16, 15, q);
        BlockIntegers.StoreFifthBits(q, block.Slice(2, 4));
        BlockIntegers.StoreNibbles(q, block[6..]);
    }
}
