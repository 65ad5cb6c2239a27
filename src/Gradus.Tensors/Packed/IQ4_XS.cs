using System.Buffers.Binary;

namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 4 bits from an uneven code book T in eight sub-blocks of 32: w = d·(s − 32)·T[q] with 6-bit s. Block: f16 d, 16 bits
/// with the high bit pairs of s, 4 bytes with their low nibbles, 128 bytes of nibbles (16 to a sub-block). Source: ggml.
/// </summary>
internal sealed class IQ4_XS : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "IQ4_XS";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 136;

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override bool HasEvenLevels => false;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block.Slice(8 + (index / 32 * 16), 16), index % 32, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block);
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (int j = 0; j < 8; j++)
        {
            int scale = ((block[4 + (j / 2)] >> (j % 2 * 4)) & 15) | (((high >> (j * 2)) & 3) << 4);
            float sub = d * (scale - 32);
            for (int i = 0; i < 32; i++)
                weights[(j * 32) + i] = sub * NonLinear4.Levels[BlockBytes.Nibble(block.Slice(8 + (j * 16), 16), i)];
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[8];
        for (int j = 0; j < 8; j++)
            scales[j] = NonLinear4.Fit(weights.Slice(j * 32, 32));
        float d = BlockBytes.WriteScale(block, BlockIntegers.Extreme(scales) / -32);
        float inverse = BlockBytes.Inverse(d);
        Span<int> integers = stackalloc int[8];
        for (int j = 0; j < 8; j++)
            integers[j] = ScaleFit.Quantize(scales[j] * inverse, -32, 31);
        Store(weights, d, integers, block);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<int> scales = stackalloc int[8];
        float d = SuperBlocks.Symmetric(weights, importance, NonLinear4.Fit, v => NonLinear4.Levels[NonLinear4.Nearest(v)], -32, 31, scales);
        Store(weights, BlockBytes.WriteScale(block, d), scales, block);
    }

    private static void Store(ReadOnlySpan<float> weights, float d, ReadOnlySpan<int> scales, Span<byte> block)
    {
        int high = 0;
        for (int j = 0; j < 8; j++)
        {
            int scale = scales[j];
            block[4 + (j / 2)] |= (byte)(((scale + 32) & 15) << (j % 2 * 4));
            high |= (scale + 32) >> 4 << (j * 2);
            float sub = BlockBytes.Inverse(d * scale);
            for (int i = 0; i < 32; i++)
                BlockBytes.SetNibble(block.Slice(8 + (j * 16), 16), i, NonLinear4.Nearest(weights[(j * 32) + i] * sub));
        }
        BinaryPrimitives.WriteUInt16LittleEndian(block[2..], (ushort)high);
    }
}
