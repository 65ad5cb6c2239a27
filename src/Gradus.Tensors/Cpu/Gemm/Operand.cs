namespace Gradus.Tensors.Cpu;

/// <summary>One operand of a matrix product: a matrix, or one of each batch entry, as it lies in memory.</summary>
internal unsafe readonly struct Operand
{
    /// <summary>A float matrix.</summary>
    /// <param name="data">The first element.</param>
    /// <param name="stride">The distance of the rows as stored, in elements.</param>
    /// <param name="transposed">The matrix is used as the transpose of what is stored.</param>
    public Operand(float* data, nint stride, bool transposed = false)
    {
        Data = (byte*)data;
        RowBytes = stride * sizeof(float);
        Transposed = transposed;
    }

    /// <summary>A bf16 matrix.</summary>
    /// <param name="data">The first element.</param>
    /// <param name="stride">The distance of the rows as stored, in elements.</param>
    /// <param name="transposed">The matrix is used as the transpose of what is stored.</param>
    public Operand(ushort* data, nint stride, bool transposed = false)
    {
        Data = (byte*)data;
        RowBytes = stride * sizeof(ushort);
        Transposed = transposed;
        IsBf16 = true;
    }

    /// <summary>A packed matrix; not for batches.</summary>
    /// <param name="data">The first panel, or the first row of a format without panels.</param>
    /// <param name="columns">The columns as stored.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="transposed">The matrix is used as the transpose of what is stored.</param>
    public Operand(byte* data, int columns, BlockFormat format, bool transposed = false)
    {
        Data = data;
        RowBytes = format.HasPanels() ? PanelLayout.PanelBytes(format, columns) : format.RowBytes(columns);
        Format = format;
        Transposed = transposed;
    }

    /// <summary>The first element.</summary>
    public byte* Data { get; init; }

    /// <summary>The distance of the rows as stored, in bytes; of the panels of a packed matrix.</summary>
    public nint RowBytes { get; init; }

    /// <summary>The distance of the matrices of a batch, in elements; 0 uses one matrix for all.</summary>
    public nint BatchStride { get; init; }

    /// <summary>The matrix is used as the transpose of what is stored.</summary>
    public bool Transposed { get; init; }

    /// <summary>The elements are bf16, not float.</summary>
    public bool IsBf16 { get; init; }

    /// <summary>The format of a matrix in blocks, which is unpacked on the way into the product.</summary>
    public BlockFormat Format { get; init; }

    /// <summary>For NF4 with double quantization: the offset, then the largest deviations of 256 blocks each.</summary>
    public float* DoubleScales { get; init; }

    /// <summary>Floats are rounded to bf16 before they are multiplied.</summary>
    public bool RoundToBf16 { get; init; }

    /// <summary>Bytes per element.</summary>
    public int ElementBytes => IsBf16 ? sizeof(ushort) : sizeof(float);

    /// <summary>The same operand for one entry of the batch.</summary>
    public Operand OfBatch(int entry) => this with { Data = Data + entry * BatchStride * ElementBytes };
}
