// Packed weights to floats, over lanes: a lane is a row. Values are computed in the order of ggml's reference decoder (scale times integer,
// then the offset), so they have its bits.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Reads packed matrices.</summary>
internal static unsafe class PanelUnpack<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Room for a <see cref="Window"/> of any place, in floats.</summary>
    public static int WindowElements(int rows, int columns) =>
        Math.Max((rows + 2 * PanelLayout.Rows) * (columns + 2 * PanelLayout.PartColumns), rows * (columns + 2 * BlockFormats.LargestBlock));

    /// <summary>Unpacks the part of a matrix that covers some rows and columns, and returns it as an operand of floats.</summary>
    /// <param name="operand">A packed matrix.</param>
    /// <param name="row">The first row, as stored.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="column">The first column, as stored.</param>
    /// <param name="columns">The number of columns.</param>
    /// <param name="to">Room for WindowElements(rows, columns) floats.</param>
    /// <param name="columnsFirst">Neighbours in the window's memory are neighbouring rows; else neighbouring columns.</param>
    public static Operand Window(in Operand operand, int row, int rows, int column, int columns, float* to, out bool columnsFirst)
    {
        columnsFirst = operand.Format.HasPanels();
        return columnsFirst ? Panels(operand, row, rows, column, columns, to) : Rows(operand, row, rows, column, columns, to);
    }

    private static Operand Panels(in Operand operand, int row, int rows, int column, int columns, float* to)
    {
        int firstRow = row / T.Width * T.Width, stride = (row + rows + T.Width - 1) / T.Width * T.Width - firstRow;
        int firstPart = column / PanelLayout.PartColumns, endPart = (column + columns + PanelLayout.PartColumns - 1) / PanelLayout.PartColumns;
        Parts(operand, firstRow, row + rows - firstRow, firstPart, endPart, to, stride);
        return new Operand(to + (nint)(column - firstPart * PanelLayout.PartColumns) * stride + (row - firstRow), stride) { RoundToBf16 = operand.RoundToBf16 };
    }

    /// <summary>Unpacks whole parts: column c of row r goes to to + c · stride + r, and rows are filled up to whole registers.</summary>
    /// <param name="operand">A matrix in panels.</param>
    /// <param name="row">The first row, a multiple of the number of lanes.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="part">The first 32 columns.</param>
    /// <param name="endPart">The part after the last.</param>
    /// <param name="to">Where the first column goes.</param>
    /// <param name="stride">The distance of the columns, in floats.</param>
    [SkipLocalsInit]
    public static void Parts(in Operand operand, int row, int rows, int part, int endPart, float* to, nint stride)
    {
        BlockFormat format = operand.Format;
        int partsPerUnit = format.Weights() / PanelLayout.PartColumns;
        float* scales = stackalloc float[PanelLayout.Rows];
        for (int r = row; r < row + rows; r += T.Width)
        {
            byte* panel = operand.Data + r / PanelLayout.Rows * operand.RowBytes;
            for (int p = part; p < endPart; p++)
            {
                byte* unit = panel + (nint)(p / partsPerUnit) * PanelLayout.UnitBytes(format);
                if (format == BlockFormat.NF4Double)
                    PanelDoubleScales.Unit(operand, r / PanelLayout.Rows, p / partsPerUnit, scales);
                Part(format, unit, p % partsPerUnit, r % PanelLayout.Rows, scales, to + (p - part) * PanelLayout.PartColumns * stride + (r - row), stride);
            }
        }
    }

    private static Operand Rows(in Operand operand, int row, int rows, int column, int columns, float* to)
    {
        BlockFormat format = operand.Format;
        int size = format.Weights(), first = column / size * size, count = (column + columns + size - 1) / size * size - first;
        int bytes = checked((int)format.RowBytes(count));
        for (int r = 0; r < rows; r++)
        {
            ReadOnlySpan<byte> blocks = new(operand.Data + (row + r) * operand.RowBytes + format.RowBytes(first), bytes);
            format.Specification().Unpack(blocks, new Span<float>(to + (nint)r * count, count));
        }
        return new Operand(to + (column - first), count) { RoundToBf16 = operand.RoundToBf16 };
    }

    /// <summary>Unpacks 32 columns of as many rows as there are lanes.</summary>
    /// <param name="format">The format.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="part">Which part of the unit.</param>
    /// <param name="row">The first row of the panel, a multiple of the number of lanes.</param>
    /// <param name="scales">The unit's scales, for a format that does not have them in its head.</param>
    /// <param name="to">Column c goes to to + c · stride.</param>
    /// <param name="stride">The distance of the columns, in floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Part(BlockFormat format, byte* unit, int part, int row, float* scales, float* to, nint stride)
    {
        byte* codes = unit + PanelLayout.HeadBytes(format) + part * PanelLayout.PartBytes(format) + row * sizeof(int);
        T d = format switch
        {
            BlockFormat.NF4 => T.Load((float*)unit + row),
            BlockFormat.NF4Double => T.Load(scales + row),
            _ => LaneFormats<T>.LoadF16((ushort*)unit + row),
        };
        switch (format)
        {
            case BlockFormat.Q8_0:
                for (int i = 0; i < 8; i++)
                    Four(T.Load((float*)(codes + 64 * i)), d, T.Broadcast(-128), to + 4 * i * stride, stride);
                break;
            case BlockFormat.Q4_0:
                Nibbles(codes, null, d, T.Broadcast(-8), to, stride);
                break;
            case BlockFormat.Q5_0:
                Nibbles(codes + 64, codes, d, T.Broadcast(-16), to, stride);
                break;
            case BlockFormat.Q4_1:
                NibblesAbove(codes, null, d, LaneFormats<T>.LoadF16((ushort*)(unit + 32) + row), to, stride);
                break;
            case BlockFormat.Q5_1:
                NibblesAbove(codes + 64, codes, d, LaneFormats<T>.LoadF16((ushort*)(unit + 32) + row), to, stride);
                break;
            case BlockFormat.Q4_K or BlockFormat.Q5_K:
                (T scale, T min) = SixBits(unit + 64 + row * sizeof(int), part);
                T offset = -(LaneFormats<T>.LoadF16((ushort*)(unit + 32) + row) * min);
                if (format == BlockFormat.Q4_K)
                    NibblesAbove(codes, null, d * scale, offset, to, stride);
                else
                    NibblesAbove(codes + 64, codes, d * scale, offset, to, stride);
                break;
            case BlockFormat.Q6_K:
                for (int half = 0; half < 2; half++)
                    SixteenOfSixBits(codes + 192 * half, d * Signed(unit + 32 + 16 * (2 * part + half) + row), to + 16 * half * stride, stride);
                break;
            default:
                Levels(codes, d, format is BlockFormat.NF4 or BlockFormat.NF4Double ? BlockTables.Nf4 : BlockTables.Iq4Nl, to, stride);
                break;
        }
    }

    // Q6_K: d·s is rounded before it is multiplied by the weight's integer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SixteenOfSixBits(byte* codes, T scale, float* to, nint stride)
    {
        T low = T.BroadcastBits(0x0F0F0F0F), high = T.BroadcastBits(0x30303030), zero = T.Broadcast(-32);
        T upper = T.Load((float*)codes), first = T.Load((float*)(codes + 64)), second = T.Load((float*)(codes + 128));
        Four(first & low | T.ShiftLeft(upper, 4) & high, scale, zero, to, stride);
        Four(T.ShiftRight(first, 4) & low | T.ShiftLeft(upper, 2) & high, scale, zero, to + 4 * stride, stride);
        Four(second & low | upper & high, scale, zero, to + 8 * stride, stride);
        Four(T.ShiftRight(second, 4) & low | T.ShiftRight(upper, 2) & high, scale, zero, to + 12 * stride, stride);
    }

    // scale·(q + zero). A method of its own, as are the next: inlined into one they are too much for the JIT, which then calls every
    // single operation.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles(byte* codes, byte* fifth, T scale, T zero, float* to, nint stride)
    {
        for (int i = 0; i < 8; i++)
            Four(Codes(codes, fifth, i), scale, zero, to + 4 * i * stride, stride);
    }

    // scale·q + offset.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void NibblesAbove(byte* codes, byte* fifth, T scale, T offset, float* to, nint stride)
    {
        T mask = T.BroadcastBits(255);
        for (int i = 0; i < 8; i++, to += 4 * stride)
        {
            T four = Codes(codes, fifth, i);
            T.Store(to, scale * T.FromInteger(four & mask) + offset);
            T.Store(to + stride, scale * T.FromInteger(T.ShiftRight(four, 8) & mask) + offset);
            T.Store(to + 2 * stride, scale * T.FromInteger(T.ShiftRight(four, 16) & mask) + offset);
            T.Store(to + 3 * stride, scale * T.FromInteger(T.ShiftRight(four, 24)) + offset);
        }
    }

    // scale·level[q].
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Levels(byte* codes, T scale, float* levels, float* to, nint stride)
    {
        T mask = T.BroadcastBits(15);
        for (int i = 0; i < 8; i++, to += 4 * stride)
        {
            T four = Codes(codes, null, i);
            T.Store(to, scale * T.Lookup(levels, four & mask));
            T.Store(to + stride, scale * T.Lookup(levels, T.ShiftRight(four, 8) & mask));
            T.Store(to + 2 * stride, scale * T.Lookup(levels, T.ShiftRight(four, 16) & mask));
            T.Store(to + 3 * stride, scale * T.Lookup(levels, T.ShiftRight(four, 24) & mask));
        }
    }

    // The integers of columns 4i to 4i + 3, a byte each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Codes(byte* codes, byte* fifth, int i)
    {
        T four = T.ShiftRight(T.Load((float*)(codes + 64 * (i / 2))), 4 * (i % 2)) & T.BroadcastBits(0x0F0F0F0F);
        return fifth == null ? four : four | T.ShiftLeft(T.ShiftRight(T.Load((float*)fifth), i) & T.BroadcastBits(0x01010101), 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(T codes, T scale, T zero, float* to, nint stride)
    {
        T mask = T.BroadcastBits(255);
        T.Store(to, scale * (T.FromInteger(codes & mask) + zero));
        T.Store(to + stride, scale * (T.FromInteger(T.ShiftRight(codes, 8) & mask) + zero));
        T.Store(to + 2 * stride, scale * (T.FromInteger(T.ShiftRight(codes, 16) & mask) + zero));
        T.Store(to + 3 * stride, scale * (T.FromInteger(T.ShiftRight(codes, 24)) + zero));
    }

    /// <summary>Signed bytes as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Signed(byte* bytes) => T.FromInteger(T.ShiftRightSigned(T.ShiftLeft(T.LoadBits8(bytes), 24), 24));

    // Scale and minimum of a part, from the three words of every row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (T Scale, T Min) SixBits(byte* words, int part)
    {
        T first = T.Load((float*)words), second = T.Load((float*)(words + 64)), third = T.Load((float*)(words + 128));
        int shift = part % 4 * 8;
        if (part < 4)
            return (T.FromInteger(T.ShiftRight(first, shift) & T.BroadcastBits(63)), T.FromInteger(T.ShiftRight(second, shift) & T.BroadcastBits(63)));
        T low = T.BroadcastBits(15), top = T.BroadcastBits(48);
        T both = T.ShiftRight(third, shift);
        return (
            T.FromInteger(both & low | T.ShiftRight(T.ShiftRight(first, shift), 2) & top),
            T.FromInteger(T.ShiftRight(both, 4) & low | T.ShiftRight(T.ShiftRight(second, shift), 2) & top));
    }
}
