using System.Runtime.InteropServices;

namespace Gradus.Tensors.Packed;

/// <summary>
/// A matrix of block-quantized weights, (rows, columns), in the order that its device multiplies from. It takes as many bytes as the
/// blocks have, but for up to fifteen rows of padding, and is never trained.
/// </summary>
public sealed class PackedMatrix
{
    /// <summary>Makes a matrix of unspecified contents; <see cref="PutRows"/> or <see cref="Pack"/> fills it.</summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <exception cref="ArgumentException">A row is not a whole number of blocks.</exception>
    /// <exception cref="NotSupportedException">The format can be carried from file to file only.</exception>
    public PackedMatrix(Workspace store, PackedFormat format, int rows, int columns)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(format);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        (Format, Rows, Columns, RowBytes) = (format, rows, columns, checked((int)format.ByteLength(columns)));
        Data = store.Empty(store.Device.PackedShape(format, rows, columns), DType.U8);
        if (Data.Shape[0] > rows)
            ClearPadding();
    }

    private PackedMatrix(PackedFormat format, int rows, int columns, Tensor data) =>
        (Format, Rows, Columns, RowBytes, Data) = (format, rows, columns, data.Shape[1], data);

    /// <summary>A matrix whose blocks stay where they lie in a file, or null where the store's device has another order for them.</summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <param name="address">The first block, in host memory.</param>
    /// <param name="owner">What holds the memory; it is referenced as long as the matrix.</param>
    public static PackedMatrix? Borrow(Workspace store, PackedFormat format, int rows, int columns, nint address, SafeHandle owner)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(format);
        return store.Device.IsHost && store.Device.KeepsPackedRows(format)
            ? new PackedMatrix(format, rows, columns, store.Borrow(address, new Shape(rows, checked((int)format.ByteLength(columns))), DType.U8, owner))
            : null;
    }

    /// <summary>The blocks' format.</summary>
    public PackedFormat Format { get; }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>The length of a row.</summary>
    public int Columns { get; }

    /// <summary>Bytes of a row of blocks.</summary>
    public int RowBytes { get; }

    /// <summary>The memory, U8, in the device's own order.</summary>
    public Tensor Data { get; }

    /// <summary>
    /// Whether products in F32 take activations as they are. Else a device may round them to 16 bits per block of 32, off by at most
    /// 1/65,000 of the block's largest, where that is several times as fast; NF4's levels as well.
    /// </summary>
    public bool ExactActivations { get; set; }

    /// <summary>Stores rows of blocks as files have them.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="blocks"><see cref="RowBytes"/> bytes for each row.</param>
    /// <exception cref="ArgumentException">The bytes are not those of whole rows, or the rows do not lie in the matrix.</exception>
    public void PutRows(int row, ReadOnlySpan<byte> blocks)
    {
        CheckRows(row, blocks.Length);
        Data.MakeWritable();
        Data.Device.PutPackedRows(blocks, this, row);
    }

    /// <summary>The blocks of rows as files have them.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="blocks"><see cref="RowBytes"/> bytes for each row.</param>
    /// <exception cref="ArgumentException">The bytes are not those of whole rows, or the rows do not lie in the matrix.</exception>
    public void GetRows(int row, Span<byte> blocks)
    {
        CheckRows(row, blocks.Length);
        Data.Device.GetPackedRows(this, row, blocks);
    }

    /// <summary>Quantizes a whole matrix.</summary>
    /// <param name="values">(rows, columns), row-major, finite.</param>
    /// <exception cref="ArgumentException">There are not as many values as the matrix has.</exception>
    public unsafe void Pack(ReadOnlySpan<float> values)
    {
        if (values.Length != (long)Rows * Columns)
            throw new ArgumentException($"{values.Length} values are not a matrix of {Rows} × {Columns}.", nameof(values));
        fixed (float* from = values)
        {
            nint at = (nint)from;
            Parallel.For(0, (Rows + 15) / 16, group =>
            {
                int row = group * 16, rows = Math.Min(16, Rows - row);
                byte[] blocks = new byte[rows * RowBytes];
                Format.Pack(new ReadOnlySpan<float>((float*)at + (long)row * Columns, rows * Columns), blocks);
                PutRows(row, blocks);
            });
        }
    }

    /// <summary>The weights as F32, (rows, columns), in the given workspace.</summary>
    public Tensor Dense(Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        Tensor y = workspace.Empty(new Shape(Rows, Columns));
        Data.Device.Unpack(this, y);
        return y;
    }

    /// <summary>Format and shape, for messages: <c>Q4_K (512, 1024)</c>.</summary>
    public override string ToString() => $"{Format} ({Rows}, {Columns})";

    // Only the last rows are filled up, together with some of the matrix; to clear all of it would touch every page twice.
    private void ClearPadding()
    {
        const int MostRows = 16;
        int rows = Math.Min(Data.Shape[0], MostRows);
        Tensor last = Data.Workspace.View(Data, new Shape(rows, RowBytes), (Data.Shape[0] - rows) * (long)RowBytes);
        last.Clear();
        last.Free();
    }

    private void CheckRows(int row, int bytes)
    {
        if (row < 0 || (RowBytes == 0 ? bytes != 0 : bytes % RowBytes != 0 || row + (long)(bytes / RowBytes) > Rows))
            throw new ArgumentException($"{bytes} bytes from row {row} on are not whole rows of {RowBytes} bytes inside {this}.", nameof(bytes));
    }
}
