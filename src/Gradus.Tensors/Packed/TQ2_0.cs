namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 ternary weights of 2 bits: w = d·(q − 1), q ∈ {0, 1, 2}. Block: 64 bytes (each half of 128 weights in 32 bytes, 32 weights to
/// each bit pair), f16 d. Source: ggml.
/// </summary>
internal sealed class TQ2_0 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "TQ2_0";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 66;

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block[64..]);
        for (int i = 0; i < 256; i++)
            weights[i] = d * (((block[(i / 128 * 32) + (i % 32)] >> (i % 128 / 32 * 2)) & 3) - 1);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float d = Math.Abs(BlockIntegers.Extreme(weights));
        BlockBytes.WriteScale(block[64..], d);
        float inverse = BlockBytes.Inverse(d);
        for (int i = 0; i < 256; i++)
            block[(i / 128 * 32) + (i % 32)] |= (byte)(Ternary.Quantize(weights[i] * inverse) << (i % 128 / 32 * 2));
    }
}
