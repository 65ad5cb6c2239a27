namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 ternary weights, five to a byte: w = d·t, t ∈ {−1, 0, 1}. A byte holds five base-3 digits as a fraction of 256, first digit
/// first, so that multiplying by 3 brings the next digit on top. Block: 48 bytes (32 bytes with digits 32 apart, then 16 with
/// digits 16 apart), 4 bytes of four digits 4 apart, f16 d. Source: ggml.
/// </summary>
internal sealed class TQ1_0 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "TQ1_0";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 54;

    // First byte, bytes in the run (also the distance of a byte's digits), digits to a byte, first weight.
    private static readonly (int Start, int Count, int Digits, int Weight)[] Runs = [(0, 32, 5, 0), (32, 16, 5, 160), (48, 4, 4, 240)];

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block[52..]);
        foreach ((int start, int count, int digits, int weight) in Runs)
        {
            for (int m = 0; m < count; m++)
            {
                byte fraction = block[start + m];
                for (int n = 0; n < digits; n++)
                {
                    weights[weight + (n * count) + m] = d * ((fraction * 3 >> 8) - 1);
                    fraction = (byte)(fraction * 3);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float d = Math.Abs(BlockIntegers.Extreme(weights));
        BlockBytes.WriteScale(block[52..], d);
        float inverse = BlockBytes.Inverse(d);
        foreach ((int start, int count, int digits, int weight) in Runs)
        {
            for (int m = 0; m < count; m++)
            {
                int number = 0;
                for (int n = 0; n < 5; n++)
                    number = (number * 3) + (n < digits ? Ternary.Quantize(weights[weight + (n * count) + m] * inverse) : 0);
                // 243 numbers as fractions of 256, rounded up so that the digits come out again.
                block[start + m] = (byte)(((number * 256) + 242) / 243);
            }
        }
    }
}
