// Packing: a panel of an operand, `width` of its rows (of A) or columns (of B) over a block of k, becomes (k, width) floats in order.
// Lines beyond the operand's edge are packed as copies of the last one or not at all; what they give is never stored. Nothing outside
// the operand is read. Writes may go up to one register beyond the panel's end; there is room for it between panels.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Packs panels for <see cref="GemmTile{T, THeight}"/>.</summary>
internal static unsafe class GemmPack<T>
    where T : unmanaged, ILanes<T>
{
    private const int MaxWidth = 32;

    /// <summary>How many panels <see cref="PanelsAlongLines"/> packs side by side.</summary>
    public const int PanelsAtOnce = 8;

    /// <summary>Packs one panel of an operand whose neighbours in memory are neighbours in k.</summary>
    /// <param name="operand">The operand; "lines" are the rows of op(A) or the columns of op(B).</param>
    /// <param name="line">The first line.</param>
    /// <param name="lines">How many lines there are, 1 to <paramref name="width"/>.</param>
    /// <param name="width">The panel's width, up to 32.</param>
    /// <param name="k">The first k.</param>
    /// <param name="count">How many k.</param>
    /// <param name="to">Room for (count, width) floats and one register.</param>
    [SkipLocalsInit]
    public static void PanelAlongK(in Operand operand, int line, int lines, int width, int k, int count, float* to)
    {
        if (operand.Format != BlockFormat.None)
        {
            PackedAlongK(operand, line, lines, width, k, count, to);
            return;
        }
        byte** rows = stackalloc byte*[MaxWidth + 16];
        int registers = (width + T.Width - 1) / T.Width * T.Width;
        for (int i = 0; i < registers; i++)
            rows[i] = operand.Data + (line + Math.Min(i, lines - 1)) * operand.RowBytes + (nint)k * operand.ElementBytes;
        if (operand.IsBf16)
            TransposeBf16(rows, registers, width, count, to);
        else
            Transpose(rows, registers, width, count, to);
        if (operand.RoundToBf16 && !operand.IsBf16)
            Round(to, (nint)count * width);
    }

    /// <summary>
    /// Packs several panels of an operand whose neighbours in memory are neighbouring lines. All go along together, so that memory is read
    /// in long pieces; a panel every 4 KB would meet no prefetcher and few sets of the cache.
    /// </summary>
    /// <param name="operand">The operand.</param>
    /// <param name="line">The first line.</param>
    /// <param name="end">The line after the last.</param>
    /// <param name="width">The width of every panel.</param>
    /// <param name="k">The first k.</param>
    /// <param name="count">How many k.</param>
    /// <param name="to">Panels at a distance of <paramref name="distance"/> floats, at least count · width and one register.</param>
    /// <param name="distance">The distance of the panels.</param>
    public static void PanelsAlongLines(in Operand operand, int line, int end, int width, int k, int count, float* to, nint distance)
    {
        if (operand.Format != BlockFormat.None)
        {
            WindowsAlongLines(operand, line, end, width, k, count, to, distance);
            return;
        }
        for (; line < end; line += PanelsAtOnce * width)
        {
            int lines = Math.Min(PanelsAtOnce * width, end - line);
            byte* from = operand.Data + k * operand.RowBytes + (nint)line * operand.ElementBytes;
            if (operand.IsBf16)
                CopyBf16(from, operand.RowBytes, lines, width, count, to, distance);
            else if (lines % width == 0 && width == 2 * T.Width)
                CopyWhole(from, operand.RowBytes, lines, count, to, distance);
            else
                Copy(from, operand.RowBytes, lines, width, count, to, distance);
            for (int panel = 0; panel < PanelsAtOnce && operand.RoundToBf16 && !operand.IsBf16; panel++)
                Round(to + panel * distance, panel * width < lines ? (nint)count * width : 0);
            to += PanelsAtOnce * distance;
        }
    }

    // Where blocks of k begin with parts, a panel's weights are unpacked into their places.
    private static void PackedAlongK(in Operand operand, int line, int lines, int width, int k, int count, float* to)
    {
        if (operand.Format.HasPanels() && width % T.Width == 0 && k % PanelLayout.PartColumns == 0 && count % PanelLayout.PartColumns == 0)
        {
            PanelUnpack<T>.Parts(operand, line, lines, k / PanelLayout.PartColumns, (k + count) / PanelLayout.PartColumns, to, width);
            if (operand.RoundToBf16)
                Round(to, (nint)count * width);
            return;
        }
        float* window = (float*)Scratch.Get(Scratch.Slot.ProductWindow, (nuint)PanelUnpack<T>.WindowElements(lines, count) * sizeof(float));
        Operand unpacked = PanelUnpack<T>.Window(operand, line, lines, k, count, window, out bool columnsFirst);
        if (columnsFirst)
            PanelsAlongLines(unpacked, 0, lines, width, 0, count, to, 0);
        else
            PanelAlongK(unpacked, 0, lines, width, 0, count, to);
    }

    // A few k at a time, so that what is unpacked stays in the cache.
    private static void WindowsAlongLines(in Operand operand, int line, int end, int width, int k, int count, float* to, nint distance)
    {
        const int AtOnce = PanelLayout.Rows;
        for (; line < end; line += PanelsAtOnce * width)
        {
            int lines = Math.Min(PanelsAtOnce * width, end - line);
            float* window = (float*)Scratch.Get(Scratch.Slot.ProductWindow, (nuint)PanelUnpack<T>.WindowElements(AtOnce, lines) * sizeof(float));
            for (int first = 0; first < count; first += AtOnce)
            {
                int here = Math.Min(AtOnce, count - first);
                Operand unpacked = PanelUnpack<T>.Window(operand, k + first, here, line, lines, window, out bool columnsFirst);
                if (!columnsFirst)
                {
                    PanelsAlongLines(unpacked, 0, lines, width, 0, here, to + (nint)first * width, distance);
                    continue;
                }
                for (int at = 0; at < lines; at += width)
                    PanelAlongK(unpacked, at, Math.Min(width, lines - at), width, 0, here, to + at / width * distance + (nint)first * width);
            }
            to += PanelsAtOnce * distance;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyWhole(byte* from, nint rowBytes, int lines, int count, float* to, nint distance)
    {
        for (; count > 0; count--)
        {
            float* panel = to;
            for (int i = 0; i < lines; i += 2 * T.Width)
            {
                T.Store(panel, T.Load((float*)from + i));
                T.Store(panel + T.Width, T.Load((float*)from + i + T.Width));
                panel += distance;
            }
            from += rowBytes;
            to += 2 * T.Width;
        }
    }

    // A register at the end of a panel's part overlaps the next k, which is written after it: k is the outer loop.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(byte* from, nint rowBytes, int lines, int width, int count, float* to, nint distance)
    {
        for (; count > 0; count--)
        {
            float* panel = to;
            for (int first = 0; first < lines; first += width)
            {
                int here = Math.Min(width, lines - first), i = 0;
                for (; i + T.Width <= here; i += T.Width)
                    T.Store(panel + i, T.Load((float*)from + first + i));
                if (i < here)
                    T.Store(panel + i, T.LoadTail((float*)from + first + i, here - i));
                panel += distance;
            }
            from += rowBytes;
            to += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyBf16(byte* from, nint rowBytes, int lines, int width, int count, float* to, nint distance)
    {
        for (; count > 0; count--)
        {
            float* panel = to;
            for (int first = 0; first < lines; first += width)
            {
                int here = Math.Min(width, lines - first), i = 0;
                for (; i + T.Width <= here; i += T.Width)
                    T.Store(panel + i, LaneFormats<T>.LoadBf16((ushort*)from + first + i));
                if (i < here)
                    T.Store(panel + i, T.ShiftLeft(LaneFormats<T>.LoadBits16Tail((ushort*)from + first + i, here - i), 16));
                panel += distance;
            }
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
            {
                T.Transpose(rows + group, (nint)k * sizeof(float), to + (nint)k * width + group, width);
            }
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
