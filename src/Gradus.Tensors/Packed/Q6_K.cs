namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 6 bits in sixteen sub-blocks of 16: w = d·s·(q − 32) with 8-bit s. Block: 128 bytes of low nibbles (each half of 128
/// weights in 64 bytes), 64 bytes of high bit pairs (each half in 32 bytes), 16 signed scales, f16 d. Source: ggml.
/// </summary>
internal sealed class Q6_K : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q6_K";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 210;

    /// <inheritdoc/>
    public override int CodeBits => 6;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code)
    {
        int within = index % 128;
        BlockBytes.ReplaceNibble(block.Slice(index / 128 * 64, 64), within, code & 15);
        BlockBytes.ReplaceBits(ref block[128 + (index / 128 * 32) + (within % 32)], within / 32 * 2, 3, code >> 4);
    }

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block[208..]);
        for (int i = 0; i < 256; i++)
        {
            int within = i % 128;
            int low = BlockBytes.Nibble(block.Slice(i / 128 * 64, 64), within);
            int high = (block[128 + (i / 128 * 32) + (within % 32)] >> (within / 32 * 2)) & 3;
            weights[i] = d * (sbyte)block[192 + (i / 16)] * ((low | (high << 4)) - 32);
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        for (int j = 0; j < 16; j++)
            scales[j] = ScaleFit.Symmetric(weights.Slice(j * 16, 16), -32, 31);
        float d = BlockBytes.WriteScale(block[208..], BlockIntegers.Extreme(scales) / -128);
        float inverse = BlockBytes.Inverse(d);
        Span<int> integers = stackalloc int[16];
        for (int j = 0; j < 16; j++)
            integers[j] = ScaleFit.Quantize(scales[j] * inverse, -128, 127);
        Store(weights, d, integers, block);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<int> scales = stackalloc int[16];
        float d = SuperBlocks.Symmetric(weights, importance, (w, i) => WeightedFit.Symmetric(w, i, -32, 31), v => ScaleFit.Quantize(v, -32, 31), -128, 127, scales);
        Store(weights, BlockBytes.WriteScale(block[208..], d), scales, block);
    }

    private static void Store(ReadOnlySpan<float> weights, float d, ReadOnlySpan<int> scales, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[256];
        for (int j = 0; j < 16; j++)
        {
            int scale = scales[j];
            block[192 + j] = (byte)(sbyte)scale;
            BlockIntegers.Round(weights.Slice(j * 16, 16), 0, BlockBytes.Inverse(d * scale), -32, 31, q.Slice(j * 16, 16));
        }
        for (int half = 0; half < 2; half++)
        {
            ReadOnlySpan<byte> run = q.Slice(half * 128, 128);
            BlockIntegers.StoreNibbles(run, block.Slice(half * 64, 64));
            Span<byte> high = block.Slice(128 + (half * 32), 32);
            for (int i = 0; i < 32; i++)
                high[i] = (byte)((run[i] >> 4) | (run[32 + i] >> 4 << 2) | (run[64 + i] >> 4 << 4) | (run[96 + i] >> 4 << 6));
        }
    }
}
