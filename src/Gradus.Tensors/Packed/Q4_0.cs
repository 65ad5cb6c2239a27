namespace Gradus.Tensors.Packed;

/// <summary>32 weights of 4 bits around 8: w = d·(q − 8). Block: f16 d, 16 bytes of nibbles. Source: ggml.</summary>
internal sealed class Q4_0 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q4_0";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 18;

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block[2..], index, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = d * (BlockBytes.Nibble(block[2..], i) - 8);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        // The extreme value becomes −8, the one integer that has no opposite.
        float d = BlockIntegers.Extreme(weights) / -8;
        BlockBytes.WriteScale(block, d);
        float inverse = BlockBytes.Inverse(d);
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Truncate(weights, 0, inverse, 8.5f, 15, q);
        BlockIntegers.StoreNibbles(q, block[2..]);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        float inverse = BlockBytes.Inverse(BlockBytes.WriteScale(block, WeightedFit.Symmetric(weights, importance, -8, 7)));
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Round(weights, 0, inverse, -8, 7, q);
        BlockIntegers.StoreNibbles(q, block[2..]);
    }
}
