using System.Numerics.Tensors;

namespace Gradus.Tensors.Packed;

/// <summary>32 weights of 5 bits above a minimum: w = d·q + m. Block: f16 d, f16 m, 4 bytes of fifth bits, 16 bytes of nibbles. Source: ggml.</summary>
internal sealed class Q5_1 : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q5_1";

    /// <inheritdoc/>
    public override int BlockSize => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 24;

    /// <inheritdoc/>
    public override int CodeBits => 5;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code)
    {
        BlockBytes.ReplaceNibble(block[8..], index, code & 15);
        BlockBytes.ReplaceBits(ref block[4 + (index / 8)], index % 8, 1, code >> 4);
    }

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block), m = BlockBytes.ReadScale(block[2..]);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = (d * (BlockBytes.Nibble(block[8..], i) | (BlockBytes.Bit(block.Slice(4, 4), i) << 4))) + m;
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        float min = TensorPrimitives.Min(weights);
        float d = (TensorPrimitives.Max(weights) - min) / 31;
        BlockBytes.WriteScale(block, d);
        BlockBytes.WriteScale(block[2..], min);
        float inverse = BlockBytes.Inverse(d);
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Truncate(weights, min, inverse, 0.5f, 31, q);
        BlockIntegers.StoreFifthBits(q, block.Slice(4, 4));
        BlockIntegers.StoreNibbles(q, block[8..]);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        (float scale, float below) = WeightedFit.Affine(weights, importance, 31, anyOffset: true);
        float inverse = BlockBytes.Inverse(BlockBytes.WriteScale(block, scale)), min = BlockBytes.WriteScale(block[2..], -below);
        Span<byte> q = stackalloc byte[32];
        BlockIntegers.Round(weights, -min, inverse, 0, 31, q);
        BlockIntegers.StoreFifthBits(q, block.Slice(4, 4));
        BlockIntegers.StoreNibbles(q, block[8..]);
    }
}
