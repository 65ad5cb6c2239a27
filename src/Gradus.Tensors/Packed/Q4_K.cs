namespace Gradus.Tensors.Packed;

/// <summary>
/// 256 weights of 4 bits in eight sub-blocks of 32: w = d·s·q − dmin·m with 6-bit s and m. Block: f16 d, f16 dmin, 12 bytes of
/// scales, 128 bytes of nibbles: each run of 32 bytes holds one sub-block low and the next one high. Source: ggml.
/// </summary>
internal sealed class Q4_K : PackedFormat
{
    /// <inheritdoc/>
    public override string Name => "Q4_K";

    /// <inheritdoc/>
    public override int BlockSize => 256;

    /// <inheritdoc/>
    public override int BytesPerBlock => 144;

    /// <inheritdoc/>
    public override int CodeBits => 4;

    /// <inheritdoc/>
    public override void SetCode(Span<byte> block, int index, int code) => BlockBytes.ReplaceNibble(block.Slice(16 + (index / 64 * 32), 32), index % 64, code);

    /// <inheritdoc/>
    protected override void UnpackBlock(ReadOnlySpan<byte> block, Span<float> weights)
    {
        float d = BlockBytes.ReadScale(block), dmin = BlockBytes.ReadScale(block[2..]);
        for (int j = 0; j < 8; j++)
        {
            (int scale, int min) = KScales.Read(block.Slice(4, KScales.Bytes), j);
            float sub = d * scale, offset = dmin * min;
            ReadOnlySpan<byte> run = block.Slice(16 + (j / 2 * 32), 32);
            for (int i = 0; i < 32; i++)
                weights[(j * 32) + i] = (sub * BlockBytes.Nibble(run, (j % 2 * 32) + i)) - offset;
        }
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[256];
        KScales.Fit(weights, 15, block, q);
        Store(q, block);
    }

    /// <inheritdoc/>
    protected override void PackBlock(ReadOnlySpan<float> weights, ReadOnlySpan<float> importance, Span<byte> block)
    {
        Span<byte> q = stackalloc byte[256];
        KScales.Fit(weights, importance, 15, block, q);
        Store(q, block);
    }

    private static void Store(ReadOnlySpan<byte> q, Span<byte> block)
    {
        for (int run = 0; run < 4; run++)
            BlockIntegers.StoreNibbles(q.Slice(run * 64, 64), block.Slice(16 + (run * 32), 32));
    }
}
