namespace Gradus.Tensors.Packed;

/// <summary>32 weights of 8 bits: w = d·q. Block: f16 d, 32 signed bytes. Source: ggml.</summary>
internal sealed class Q8_0 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q8_0";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 34;

    /// <inheritdoc/>
    public override int CodeBits => 8;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => block[2 + index] = (byte)(sbyte)(code - 128);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = d * (sbyte)block[2 + i];
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float d = Math.Abs(BlockIntegers.Extreme(weights)) / 127;
        BlockBytes.WriteScale(block, d);
        float inverse = BlockBytes.Inverse(d);
        BlockIntegers.RoundAway(weights, inverse, block[2..]);
    }
}
