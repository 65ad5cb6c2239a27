// Packing: a panel of an operand, `width` of its rows (of A) or columns (of B) over a block of k, becomes (k, width) floats in order.
// Lines beyond the operand's edge are packed as copies of the last one or not at all; what they give is never stored. Nothing outside
// the operand is read. Writes may go up to one register beyond the panel's end, so the buffer has room there and panels are packed in
// ascending order.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Packs panels for <see cref="GemmTile{T, THeight}"/>.</summary>
internal static unsafe class GemmPack<T>
    where T : unmanaged, ILanes<T>
{
    private const int MaxWidth = 32;

    /// <summary>Packs one panel.</summary>
    /// <param name="operand">The operand; "lines" are the rows of op(A) or the columns of op(B).</param>
    /// <param name="alongLines">True where neighbours in memory are neighbouring lines; false where they are neighbours in k.</param>
    /// <param name="line">The first line.</param>
    /// <param name="lines">How many lines there are, 1 to <paramref name="width"/>.</param>
    /// <param name="width">The panel's width, up to 32.</param>
    /// <param name="k">The first k.</param>
    /// <param name="count">How many k.</param>
    /// <param name="to">Room for (count, width) floats and one register.</param>
    [SkipLocalsInit]
    public static void Panel(in Operand operand, bool alongLines, int line, int lines, int width, int k, int count, float* to)
    {
        int size = operand.ElementBytes;
        if (alongLines)
        {
            byte* from = operand.Data + k * operand.RowBytes + (nint)line * size;
            if (operand.IsBf16)
                CopyBf16(from, operand.RowBytes, lines, width, count, to);
            else
                Copy(from, operand.RowBytes, lines, width, count, to);
        }
        else
        {
            byte** rows = stackalloc byte*[MaxWidth + 16];
            int registers = (width + T.Width - 1) / T.Width * T.Width;
            for (int i = 0; i < registers; i++)
                rows[i] = operand.Data + (line + Math.Min(i, lines - 1)) * operand.RowBytes + (nint)k * size;
            if (operand.IsBf16)
                TransposeBf16(rows, registers, width, count, to);
            else
                Transpose(rows, registers, width, count, to);
        }
        if (operand.RoundToBf16 && !operand.IsBf16)
            Round(to, (nint)count * width);
    }

    // A register at the end of a line's part overlaps the next k, which is written after it: k is the outer loop.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(byte* from, nint rowBytes, int lines, int width, int count, float* to)
    {
        int whole = lines / T.Width * T.Width, rest = lines - whole;
        if (rest == 0 && whole == 2 * T.Width)
        {
            for (; count > 0; count--)
            {
                T.Store(to, T.Load((float*)from));
                T.Store(to + T.Width, T.Load((float*)from + T.Width));
                from += rowBytes;
                to += width;
            }
            return;
        }
        for (; count > 0; count--)
        {
            for (int i = 0; i < whole; i += T.Width)
                T.Store(to + i, T.Load((float*)from + i));
            if (rest > 0)
                T.Store(to + whole, T.LoadTail((float*)from + whole, rest));
            from += rowBytes;
            to += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyBf16(byte* from, nint rowBytes, int lines, int width, int count, float* to)
    {
        int whole = lines / T.Width * T.Width, rest = lines - whole;
        for (; count > 0; count--)
        {
            for (int i = 0; i < whole; i += T.Width)
                T.Store(to + i, LaneFormats<T>.LoadBf16((ushort*)from + i));
            if (rest > 0)
                T.Store(to + whole, T.ShiftLeft(LaneFormats<T>.LoadBits16Tail((ushort*)from + whole, rest), 16));
            from += rowBytes;
            to += width;
        }
    }

    // Within a block the last group of rows goes first: its overlap into the next k is then overwritten by the first group.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(byte** rows, int registers, int width, int count, float* to)
    {
        int k = 0;
        for (; k + T.Width <= count; k += T.Width)
        {
            for (int group = registers - T.Width; group >= 0; group -= T.Width)
                T.Transpose(rows + group, (nint)k * sizeof(float), to + (nint)k * width + group, width);
        }
        for (; k < count; k++)
        {
            for (int i = 0; i < width; i++)
                to[(nint)k * width + i] = ((float*)rows[i])[k];
        }
    }

    // Pairs of bf16 are transposed as 32-bit elements and taken apart afterwards.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeBf16(byte** rows, int registers, int width, int count, float* to)
    {
        float* pairs = stackalloc float[16 * 16];
        T high = T.BroadcastBits(unchecked((int)0xFFFF0000));
        int k = 0;
        for (; k + 2 * T.Width <= count; k += 2 * T.Width)
        {
            for (int group = registers - T.Width; group >= 0; group -= T.Width)
            {
                T.Transpose(rows + group, (nint)k * sizeof(ushort), pairs, T.Width);
                float* column = to + (nint)k * width + group;
                for (int i = 0; i < T.Width; i++)
                {
                    T pair = T.Load(pairs + i * T.Width);
                    T.Store(column, T.ShiftLeft(pair, 16));
                    T.Store(column + width, pair & high);
                    column += 2 * (nint)width;
                }
            }
        }
        for (; k < count; k++)
        {
            for (int i = 0; i < width; i++)
                to[(nint)k * width + i] = BitConverter.Int32BitsToSingle(((ushort*)rows[i])[k] << 16);
        }
    }

    private static void Round(float* values, nint count)
    {
        nint i = 0;
        for (; i + T.Width <= count; i += T.Width)
            T.Store(values + i, LaneFormats<T>.RoundToBf16(T.Load(values + i)));
        for (; i < count; i++)
            Lanes1.Store(values + i, LaneFormats<Lanes1>.RoundToBf16(Lanes1.Load(values + i)));
    }
}
