using System.Runtime.InteropServices;

namespace Gradus.Tensors.Packed;

/// <summary>
/// A matrix of block-quantized weights, (rows, columns), in the order that its device multiplies from. It takes as many bytes as the
/// blocks have, but for up to fifteen rows of padding, and is never trained.
/// </summary>
public sealed class PackedMatrix
{
    private readonly Tensor? _file;
    private Tensor? _data;
    private int _uses;

    /// <summary>Makes a matrix of unspecified contents; <see cref="PutRows"/> or <see cref="Pack"/> fills it.</summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <exception cref="ArgumentException">A row is not a whole number of blocks.</exception>
    /// <exception cref="NotSupportedException">The format can be carried from file to file only.</exception>
    public PackedMatrix(Workspace store, PackedFormat format, int rows, int columns)
        : this(format, rows, columns)
    {
        ArgumentNullException.ThrowIfNull(store);
        _data = Allocate(store);
    }

    /// <summary>Makes an NF4 matrix whose scales are bytes (double quantization), of unspecified contents; <see cref="PutRows"/> fills it.</summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <param name="scales">What the scales have in common; to store rows rounds their scales to what this can hold.</param>
    /// <exception cref="ArgumentException">A row is not a whole number of blocks, or the scales are those of another number of blocks.</exception>
    public PackedMatrix(Workspace store, int rows, int columns, DoubleQuantizedScales scales)
        : this(PackedFormats.Get("NF4"), rows, columns)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(scales);
        long blocks = (long)rows * columns / NF4.Block, groups = (blocks + DoubleQuantizedScales.Blocks - 1) / DoubleQuantizedScales.Blocks;
        if (scales.Largest.Length != groups)
            throw new ArgumentException($"NF4 ({rows}, {columns}) has {groups} groups of 256 blocks, but there are {scales.Largest.Length} values for them.", nameof(scales));
        DoubleScales = scales;
        _data = Allocate(store);
        // With room for the rows that fill up the last panel.
        ScaleTable = store.Empty(new Shape(checked((int)(1 + (blocks + (_data.Shape[0] - rows) * (long)(columns / NF4.Block)) / DoubleQuantizedScales.Blocks + 1))));
        ScaleTable.Clear();
        ScaleTable.Span()[0] = scales.Offset;
        scales.Largest.CopyTo(ScaleTable.Span()[1..]);
    }

    private PackedMatrix(PackedFormat format, int rows, int columns, Tensor? file = null)
    {
        ArgumentNullException.ThrowIfNull(format);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        (Format, Rows, Columns, RowBytes) = (format, rows, columns, checked((int)format.ByteLength(columns)));
        _file = file;
    }

    /// <summary>Quantizes a matrix.</summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <param name="values">(rows, columns), row-major, finite.</param>
    /// <param name="doubleQuantization">Whether the blocks' scales are quantized too; NF4 only.</param>
    /// <exception cref="ArgumentException">The values are not those of whole blocks, or the format has no double quantization.</exception>
    public static PackedMatrix Quantize(Workspace store, PackedFormat format, int rows, int columns, ReadOnlySpan<float> values, bool doubleQuantization = false)
    {
        if (doubleQuantization && format is not NF4)
            throw new ArgumentException($"{format} has no double quantization; NF4 has.", nameof(doubleQuantization));
        if (values.Length != (long)rows * columns)
            throw new ArgumentException($"{values.Length} values are not a matrix of {rows} × {columns}.", nameof(values));
        PackedMatrix matrix;
        if (doubleQuantization)
        {
            float[] scales = new float[values.Length / NF4.Block];
            for (int i = 0; i < scales.Length; i++)
                scales[i] = NF4.Scale(values.Slice(i * NF4.Block, NF4.Block));
            matrix = new PackedMatrix(store, rows, columns, DoubleQuantizedScales.Of(scales));
        }
        else
        {
            matrix = new PackedMatrix(store, format, rows, columns);
        }
        matrix.Pack(values);
        return matrix;
    }

    /// <summary>
    /// A matrix whose blocks lie in a file. Where the device multiplies from their order they stay there. Elsewhere the first product brings
    /// them into the device's order piece by piece, without keeping that: new memory costs more than the work, and much is
    /// used once, or never (experts). What is used a second time is kept.
    /// </summary>
    /// <param name="store">The workspace that lives as long as the matrix.</param>
    /// <param name="format">The blocks' format.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="columns">The length of a row, whole blocks.</param>
    /// <param name="address">The first block, in host memory.</param>
    /// <param name="owner">What holds the memory; it is referenced as long as the matrix.</param>
    /// <exception cref="InvalidOperationException">The device does not read host memory.</exception>
    /// <exception cref="NotSupportedException">The format can be carried from file to file only.</exception>
    public static PackedMatrix Borrow(Workspace store, PackedFormat format, int rows, int columns, nint address, SafeHandle owner)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(format);
        bool keeps = store.Device.KeepsPackedRows(format);
        Tensor file = store.Borrow(address, new Shape(rows, checked((int)format.ByteLength(columns))), DType.U8, owner);
        return new PackedMatrix(format, rows, columns, file) { _data = keeps ? file : null };
    }

    /// <summary>The blocks' format.</summary>
    public PackedFormat Format { get; }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>The length of a row.</summary>
    public int Columns { get; }

    /// <summary>Bytes of a row of blocks as files have them; a matrix with <see cref="DoubleScales"/> takes less.</summary>
    public int RowBytes { get; }

    /// <summary>What the blocks' scales have in common where they are bytes (NF4 with double quantization); else null.</summary>
    public DoubleQuantizedScales? DoubleScales { get; }

    /// <summary>Bytes of memory that the matrix takes, but for a file's.</summary>
    public long Bytes => (Volatile.Read(ref _data) is { } data && data != _file ? data.Count : 0) + (ScaleTable is null ? 0 : ScaleTable.Count * sizeof(float));

    /// <summary>Offset and largest deviations of <see cref="DoubleScales"/> where the device finds them; else null.</summary>
    internal Tensor? ScaleTable { get; }

    /// <summary>Where the matrix lives and is computed with.</summary>
    public Device Device => Handle.Device;

    /// <summary>The memory, U8, in the device's own order; blocks that still lie in a file only are brought into it first.</summary>
    public Tensor Data => Volatile.Read(ref _data) ?? Load();

    /// <summary>What the matrix is of: its memory, or that of the file.</summary>
    internal Tensor Handle => Volatile.Read(ref _data) ?? _file!;

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
        Data.Device.PutPackedRows(DoubleScales is null ? blocks : WithRoundedScales(row, blocks), this, row);
    }

    /// <summary>The blocks of rows as files have them.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="blocks"><see cref="RowBytes"/> bytes for each row.</param>
    /// <exception cref="ArgumentException">The bytes are not those of whole rows, or the rows do not lie in the matrix.</exception>
    public void GetRows(int row, Span<byte> blocks)
    {
        CheckRows(row, blocks.Length);
        if (Volatile.Read(ref _data) is null)
            Blocks(_file!, row, blocks.Length).CopyTo(blocks);
        else
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

    /// <summary>Rows of the weights as F32, (number of ids, columns), in the workspace of the ids.</summary>
    /// <param name="ids">Which rows, I32.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public Tensor Gather(Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Span<int> rows = ids.Span<int>();
        Tensor y = ids.Workspace.Empty(new Shape(rows.Length, Columns));
        byte[] blocks = new byte[RowBytes];
        for (int i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)Rows)
                throw new ArgumentOutOfRangeException(nameof(ids), $"Gather: id {rows[i]} is outside the table's {Rows} rows; does the tokenizer fit the model?");
            GetRows(rows[i], blocks);
            Format.Unpack(blocks, y.Span().Slice(i * Columns, Columns));
        }
        return y;
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
    public override string ToString() => $"{Format}{(DoubleScales is null ? "" : " with double quantization")} ({Rows}, {Columns})";

    /// <summary>
    /// The blocks as files have them if this is the first product with them and they are in no other order yet; null from then on.
    /// </summary>
    internal Tensor? TakeFirstUse() => Volatile.Read(ref _data) is null && Interlocked.Exchange(ref _uses, 1) == 0 ? _file : null;

    // What a device of any layout stores is the same.
    private byte[] WithRoundedScales(int row, ReadOnlySpan<byte> blocks)
    {
        byte[] rounded = blocks.ToArray();
        int bytes = Format.BytesPerBlock;
        long first = (long)row * (Columns / NF4.Block);
        for (int i = 0; i < rounded.Length / bytes; i++)
        {
            Span<byte> scale = rounded.AsSpan(i * bytes, sizeof(float));
            float stored = DoubleScales!.Decode(first + i, DoubleScales.Encode(first + i, BitConverter.ToSingle(scale)));
            BitConverter.TryWriteBytes(scale, stored);
        }
        return rounded;
    }

    private Tensor Load()
    {
        // Whoever comes first; a model may be run by several threads, and they share its workspace.
        lock (_file!.Workspace)
        {
            if (_data is null)
            {
                PackedMatrix loaded = new(_file.Workspace, Format, Rows, Columns);
                const int RowsAtOnce = 64;
                Parallel.For(0, (Rows + RowsAtOnce - 1) / RowsAtOnce, group =>
                {
                    int row = group * RowsAtOnce;
                    loaded.PutRows(row, Blocks(_file, row, Math.Min(RowsAtOnce, Rows - row) * RowBytes));
                });
                Volatile.Write(ref _data, loaded._data);
            }
            return _data!;
        }
    }

    private unsafe ReadOnlySpan<byte> Blocks(Tensor file, int row, int bytes) => new((byte*)file.Address + (nint)row * RowBytes, bytes);

    // Only the last rows are filled up, together with some of the matrix; to clear all of it would touch every page twice.
    private Tensor Allocate(Workspace store)
    {
        const int MostRows = 16;
        Tensor data = store.Empty(store.Device.PackedShape(this), DType.U8);
        if (data.Shape[0] > Rows)
        {
            int rows = Math.Min(data.Shape[0], MostRows);
            Tensor last = store.View(data, new Shape(rows, data.Shape[1]), (data.Shape[0] - rows) * (long)data.Shape[1]);
            last.Clear();
            last.Free();
        }
        return data;
    }

    private void CheckRows(int row, int bytes)
    {
        if (row < 0 || (RowBytes == 0 ? bytes != 0 : bytes % RowBytes != 0 || row + (long)(bytes / RowBytes) > Rows))
            throw new ArgumentException($"{bytes} bytes from row {row} on are not whole rows of {RowBytes} bytes inside {this}.", nameof(bytes));
    }
}
