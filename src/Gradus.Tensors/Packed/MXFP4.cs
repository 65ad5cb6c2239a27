namespace Gradus.Tensors.Packed;

/// <summary>
/// 32 weights in FP4 (E2M1: 0, ½, 1, 1½, 2, 3, 4, 6 with sign) under a shared power of two: w = 2^(e − 127)·v. Block: byte e, 16 bytes of
/// nibbles. Source: OCP Microscaling Formats 1.0; the layout of the nibbles is ggml's.
/// </summary>
internal sealed class MXFP4 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "MXFP4";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 17;

    /// <summary>Twice the values, so that they are integers.</summary>
    private static ReadOnlySpan<sbyte> Levels => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override bool HasEvenLevels => false;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block[1..], index, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float half = MathF.ScaleB(1, block[0] - 128);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = half * Levels[BlockBytes.Nibble(block[1..], i)];
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float extreme = Math.Abs(BlockIntegers.Extreme(weights));
        // The largest exponent of E2M1 is 2: the extreme value then lies among the two largest powers.
        block[0] = extreme > 0 ? (byte)Math.Clamp(MathF.ILogB(extreme) - 2 + 127, 0, 254) : (byte)0;
        float half = MathF.ScaleB(1, block[0] - 128);
        for (int i = 0; i < weights.Length; i++)
            BlockBytes.SetNibble(block[1..], i, Nearest(weights[i], half));
    }

    private static int Nearest(float value, float half)
    {
        int best = 0;
        float least = float.PositiveInfinity;
        for (int i = 0; i < Levels.Length; i++)
        {
            float error = Math.Abs((Levels[i] * half) - value);
            if (error < least)
                (best, least) = (i, error);
        }
        return best;
    }
}
