namespace Gradus.Tensors.Cpu;

/// <summary>Block-quantized layouts, GGUF's and NF4: a row is a sequence of blocks, each with its own scale.</summary>
internal enum BlockFormat : byte
{
    /// <summary>Not packed.</summary>
    None,

    /// <summary>32 weights: f16 scale d, 32 signed bytes; d·q.</summary>
    Q8_0,

    /// <summary>32 weights: f16 scale d, 4 bits each; d·(q − 8).</summary>
    Q4_0,

    /// <summary>32 weights: f16 scale d and offset m, 4 bits each; d·q + m.</summary>
    Q4_1,

    /// <summary>32 weights: f16 scale d, 5 bits each; d·(q − 16).</summary>
    Q5_0,

    /// <summary>32 weights: f16 scale d and offset m, 5 bits each; d·q + m.</summary>
    Q5_1,

    /// <summary>256 weights, 8 parts of 32 with 6-bit scale and offset, 4 bits each; d·sc·q − dmin·m.</summary>
    Q4_K,

    /// <summary>256 weights, 8 parts of 32 with 6-bit scale and offset, 5 bits each; d·sc·q − dmin·m.</summary>
    Q5_K,

    /// <summary>256 weights, 16 parts of 16 with 8-bit scale, 6 bits each; d·sc·(q − 32).</summary>
    Q6_K,

    /// <summary>32 weights: f16 scale d, 4 bits each into a table that is denser near zero; d·table[q].</summary>
    IQ4_NL,

    /// <summary>
    /// 64 weights: f32 largest size a, 4 bits each into the quantiles of a normal distribution; a·table[q]. QLoRA's NF4, but with the scale
    /// in the block and weight j beside weight j + 32 in a byte; see <see cref="Nf4"/> for the layout in files.
    /// </summary>
    NF4,
}

/// <summary>Sizes of blocks.</summary>
internal static class BlockFormats
{
    /// <summary>The most weights that a block has.</summary>
    public const int LargestBlock = 256;

    /// <summary>Weights per block.</summary>
    public static int Weights(this BlockFormat format) => format switch
    {
        BlockFormat.Q4_K or BlockFormat.Q5_K or BlockFormat.Q6_K => 256,
        BlockFormat.NF4 => 64,
        _ => 32,
    };

    /// <summary>Bytes per block.</summary>
    public static int Bytes(this BlockFormat format) => format switch
    {
        BlockFormat.Q8_0 => 34,
        BlockFormat.Q4_0 or BlockFormat.IQ4_NL => 18,
        BlockFormat.Q4_1 => 20,
        BlockFormat.Q5_0 => 22,
        BlockFormat.Q5_1 => 24,
        BlockFormat.Q4_K => 144,
        BlockFormat.Q5_K => 176,
        BlockFormat.Q6_K => 210,
        BlockFormat.NF4 => 36,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not a block format"),
    };

    /// <summary>Bytes of a row.</summary>
    /// <exception cref="ArgumentException">The row is not a whole number of blocks.</exception>
    public static nint RowBytes(this BlockFormat format, int weights) => weights % format.Weights() == 0
        ? (nint)(weights / format.Weights()) * format.Bytes()
        : throw new ArgumentException($"{format} packs {format.Weights()} weights at a time; a row of {weights} is not a multiple of that.", nameof(weights));
}
