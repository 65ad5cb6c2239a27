namespace Gradus.Tensors.Packed;

/// <summary>32 weights of 4 bits from an uneven code book T: w = d·T[q]. Block: f16 d, 16 bytes of nibbles. Source: ggml.</summary>
internal sealed class IQ4_NL : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "IQ4_NL";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 18;

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override bool HasEvenLevels => false;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block[2..], index, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = d * NonLinear4.Levels[BlockBytes.Nibble(block[2..], i)];
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block) => Store(weights, NonLinear4.Fit(weights), block);

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block) => Store(weights, NonLinear4.Fit(weights, importance), block);

    private static void Store(ReadOnlySpan<float> weights, float scale, Span<byte> block)
    {
        float inverse = BlockBytes.Inverse(BlockBytes.WriteScale(block, scale));
        for (int i = 0; i < weights.Length; i++)
            BlockBytes.SetNibble(block[2..], i, NonLinear4.Nearest(weights[i] * inverse));
    }
}
