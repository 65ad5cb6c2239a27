using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

/// <summary>The formats of <see cref="PackedFormats"/> as a number, for jobs that hold no references. Layouts are described there.</summary>
internal enum BlockFormat : byte
{
    /// <summary>Not packed.</summary>
    None,

    /// <summary>d·q, 8 bits.</summary>
    Q8_0,

    /// <summary>d·(q − 8).</summary>
    Q4_0,

    /// <summary>d·q + m.</summary>
    Q4_1,

    /// <summary>d·(q − 16), 5 bits.</summary>
    Q5_0,

    /// <summary>d·q + m, 5 bits.</summary>
    Q5_1,

    /// <summary>d·sc·q − dmin·m, 4 bits.</summary>
    Q4_K,

    /// <summary>d·sc·q − dmin·m, 5 bits.</summary>
    Q5_K,

    /// <summary>d·sc·(q − 32), 6 bits.</summary>
    Q6_K,

    /// <summary>d·table[q], 4 bits.</summary>
    IQ4_NL,

    /// <summary>a·table[q], 4 bits.</summary>
    NF4,

    /// <summary>NF4 with a byte for a: map[code]·largest + offset (<see cref="DoubleQuantizedScales"/>). A block is the code and NF4's nibbles.</summary>
    NF4Double,

    /// <summary>Kept in rows, as files have it.</summary>
    IQ4_XS,

    /// <summary>Kept in rows, as files have it.</summary>
    MXFP4,

    /// <summary>Kept in rows, as files have it.</summary>
    Q2_K,

    /// <summary>Kept in rows, as files have it.</summary>
    Q3_K,

    /// <summary>Kept in rows, as files have it.</summary>
    TQ1_0,

    /// <summary>Kept in rows, as files have it.</summary>
    TQ2_0,
}

/// <summary>Properties of block formats.</summary>
internal static class BlockFormats
{
    private static readonly PackedFormat?[] Specifications =
        [.. Enum.GetValues<BlockFormat>().Select(format => PackedFormats.TryGet(format == BlockFormat.NF4Double ? "NF4" : format.ToString(), out PackedFormat? packed) ? packed : null)];

    /// <summary>The most weights that a block has.</summary>
    public const int LargestBlock = 256;

    /// <summary>The number of a format.</summary>
    /// <exception cref="NotSupportedException">The format can be carried from file to file only.</exception>
    public static BlockFormat Of(PackedFormat format) => Enum.TryParse(format.Name, out BlockFormat number)
        ? number
        : throw new NotSupportedException($"There are no products with {format.Name} weights; get the model in one of {string.Join(", ", PackedFormats.All)}.");

    /// <summary>How this processor keeps a matrix.</summary>
    /// <exception cref="NotSupportedException">The format can be carried from file to file only.</exception>
    public static BlockFormat Of(PackedMatrix matrix) => matrix.DoubleScales is null ? Of(matrix.Format) : BlockFormat.NF4Double;

    /// <summary>The specification of a format.</summary>
    public static PackedFormat Specification(this BlockFormat format) =>
        Specifications[(int)format] ?? throw new ArgumentOutOfRangeException(nameof(format), format, "not a block format");

    /// <summary>Weights per block.</summary>
    public static int Weights(this BlockFormat format) => format switch
    {
        BlockFormat.Q4_K or BlockFormat.Q5_K or BlockFormat.Q6_K => 256,
        BlockFormat.NF4 or BlockFormat.NF4Double => NF4.Block,
        <= BlockFormat.NF4 => 32,
        _ => format.Specification().BlockSize,
    };

    /// <summary>Bytes per block.</summary>
    public static int Bytes(this BlockFormat format) => format == BlockFormat.NF4Double ? 1 + NF4.Block / 2 : format.Specification().BytesPerBlock;

    /// <summary>Whether the format is kept in panels of sixteen rows (<see cref="PanelLayout"/>) rather than in rows.</summary>
    public static bool HasPanels(this BlockFormat format) => format is > BlockFormat.None and <= BlockFormat.NF4Double;

    /// <summary>Bytes of a row of blocks.</summary>
    public static nint RowBytes(this BlockFormat format, int weights) => checked((nint)(format.Specification().ByteLength(weights) / format.Specification().BytesPerBlock * format.Bytes()));
}
