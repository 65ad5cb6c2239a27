// Packing for products in bf16. Operands become blocks of 16 lines × 16 pairs of k in bf16, 1 KB each; a panel is 32 lines, so two blocks per step of
// 32 k. Rows of A lie as (line, pair), columns of B as (pair, line): "VNNI". The source is either along k, which is A's order, or along
// lines, which is B's; the other one is a transpose of 16 × 16 elements of 32 bits. k beyond the end is zero on both sides; lines beyond
// the end are copies of the last one, and what they give is never stored.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Packs panels of 32 lines for <see cref="Bf16Kernels.Multiply"/>.</summary>
internal static unsafe class Bf16Pack
{
    /// <summary>Lines in a panel.</summary>
    public const int Lines = 32;

    /// <summary>k in a step.</summary>
    public const int StepK = 32;

    /// <summary>Elements of a panel in one step.</summary>
    public const int StepElements = Lines * StepK;

    private const int Block = 16;
    private const int RunSteps = 4;

    /// <summary>The number of steps over k.</summary>
    public static int Steps(int k) => (k + StepK - 1) / StepK;

    /// <summary>Packs panels over all of k, Steps(k) · 1024 elements each.</summary>
    /// <param name="operand">The operand.</param>
    /// <param name="alongLines">True where neighbours in memory are neighbouring lines; false where they are neighbours in k.</param>
    /// <param name="pairsFirst">True for B's order, false for A's.</param>
    /// <param name="line">The first line, a multiple of 32.</param>
    /// <param name="end">The line after the last.</param>
    /// <param name="k">The number of k.</param>
    /// <param name="to">The first panel.</param>
    public static void Panels(in Operand operand, bool alongLines, bool pairsFirst, int line, int end, int k, ushort* to)
    {
        if (operand.Format != BlockFormat.None)
        {
            Unpack(operand, alongLines, pairsFirst, line, end, 0, k, to);
            return;
        }
        nint panel = (nint)Steps(k) * StepElements;
        if (alongLines)
        {
            StepsAlongLines(operand, pairsFirst, line, end, k, 0, Steps(k), to);
            return;
        }
        for (int at = line; at < end; at += Block)
            AlongK(operand, pairsFirst, at, Math.Min(Block, end - at), k, to + (at - line) / Lines * panel + (at - line) % Lines * StepK);
    }

    /// <summary>
    /// Packs some steps of all panels of an operand whose neighbours in memory are neighbouring lines: whole rows of memory, one page after the
    /// other.
    /// </summary>
    /// <param name="operand">The operand; not of packed weights.</param>
    /// <param name="pairsFirst">True for B's order, false for A's.</param>
    /// <param name="line">The first line, a multiple of 32.</param>
    /// <param name="end">The line after the last.</param>
    /// <param name="k">The number of k.</param>
    /// <param name="step">The first step.</param>
    /// <param name="endStep">The step after the last.</param>
    /// <param name="to">The first panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StepsAlongLines(in Operand operand, bool pairsFirst, int line, int end, int k, int step, int endStep, ushort* to)
    {
        nint panel = (nint)Steps(k) * StepElements;
        for (; step < endStep; step++)
        {
            ushort* block = to + (nint)step * StepElements;
            for (int at = line; at < end; at += Block)
            {
                ushort* lines = block + (at - line) / Lines * panel + (at - line) % Lines * StepK;
                StepAlongLines(operand, pairsFirst, at, Math.Min(Block, end - at), step * StepK, Math.Min((step + 1) * StepK, k), lines);
            }
        }
    }

    /// <summary>Packs panels of packed weights over a part of k; pieces of them are unpacked on the way, which stay in the cache.</summary>
    /// <param name="operand">The operand.</param>
    /// <param name="alongLines">Rows as stored are neighbours in k; false where columns are.</param>
    /// <param name="pairsFirst">True for B's order, false for A's.</param>
    /// <param name="line">The first line, a multiple of 32.</param>
    /// <param name="end">The line after the last.</param>
    /// <param name="k">The first k, a multiple of 256.</param>
    /// <param name="endK">The k after the last.</param>
    /// <param name="to">The first panel, Steps(endK − k) · 1024 elements each.</param>
    public static void Unpack(in Operand operand, bool alongLines, bool pairsFirst, int line, int end, int k, int endK, ushort* to)
    {
        nint panel = (nint)Steps(endK - k) * StepElements;
        int pieceK = alongLines ? StepK : BlockFormats.LargestBlock, pieceLines = alongLines ? end - line : Block;
        int room = alongLines ? PanelUnpack<Lanes16>.WindowElements(StepK, pieceLines) : PanelUnpack<Lanes16>.WindowElements(Block, pieceK);
        float* window = (float*)Scratch.Get(Scratch.Slot.ProductWindow, (nuint)room * sizeof(float));
        for (int at = line; at < end; at += pieceLines)
        {
            int lines = Math.Min(pieceLines, end - at);
            for (int first = k; first < endK; first += pieceK)
            {
                int count = Math.Min(pieceK, endK - first);
                Operand piece = alongLines
                    ? PanelUnpack<Lanes16>.Window(operand, first, count, at, lines, window, out bool columnsFirst)
                    : PanelUnpack<Lanes16>.Window(operand, at, lines, first, count, window, out columnsFirst);
                ushort* step = to + (nint)((first - k) / StepK) * StepElements;
                for (int i = 0; i < lines; i += Block)
                    Piece(piece, alongLines ^ columnsFirst, pairsFirst, i, Math.Min(Block, lines - i), count, step + (at + i - line) / Lines * panel + (at + i - line) % Lines * StepK);
            }
        }
    }

    private static void Piece(in Operand piece, bool alongLines, bool pairsFirst, int line, int lines, int k, ushort* to)
    {
        if (!alongLines)
        {
            AlongK(piece, pairsFirst, line, lines, k, to);
            return;
        }
        for (int first = 0; first < k; first += StepK, to += StepElements)
            StepAlongLines(piece, pairsFirst, line, lines, first, Math.Min(first + StepK, k), to);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AlongK(in Operand operand, bool pairsFirst, int line, int lines, int k, ushort* to)
    {
        byte** rows = stackalloc byte*[Block];
        float* space = stackalloc float[Block * Block + Block];
        ushort* natural = (ushort*)(((nint)space + 63) & ~63);
        for (int i = 0; i < Block; i++)
            rows[i] = operand.Data + (line + Math.Min(i, lines - 1)) * operand.RowBytes;
        int whole = k / StepK;
        if (!pairsFirst)
        {
            // A few steps of each line at a time: those of a long line are far apart, and more of them than the first cache holds for all lines.
            for (int step = 0; step < whole; step += RunSteps)
            {
                for (int i = 0; i < Block; i++)
                {
                    byte* from = rows[i] + (nint)step * StepK * operand.ElementBytes;
                    Convert(operand.IsBf16, from, to + (nint)step * StepElements + i * StepK, Math.Min(RunSteps, whole - step), StepElements);
                }
            }
        }
        else
        {
            byte** converted = stackalloc byte*[Block];
            for (int i = 0; i < Block; i++)
                converted[i] = (byte*)(natural + i * StepK);
            for (int step = 0; step < whole; step++)
            {
                for (int i = 0; i < Block; i++)
                    Convert(operand.IsBf16, rows[i] + (nint)step * StepK * operand.ElementBytes, natural + i * StepK, 1, 0);
                Lanes16.Transpose(converted, 0, (float*)(to + (nint)step * StepElements), Block);
            }
        }
        if (whole * StepK < k)
            Rest(operand, alongLines: false, pairsFirst, line, lines, whole * StepK, k, to + (nint)whole * StepElements);
    }

    private static void Convert(bool isBf16, byte* from, ushort* to, int steps, int stride)
    {
        if (!isBf16)
        {
            Bf16Kernels.Convert((float*)from, to, steps, stride * sizeof(ushort));
            return;
        }
        for (int step = 0; step < steps; step++)
            Lanes16.Store((float*)(to + (nint)step * stride), Lanes16.Load((float*)from + step * Block));
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StepAlongLines(in Operand operand, bool pairsFirst, int line, int lines, int k, int end, ushort* to)
    {
        if (lines < Block || end - k < StepK)
        {
            Rest(operand, alongLines: true, pairsFirst, line, lines, k, end, to);
            return;
        }
        float* space = stackalloc float[Block * Block + Block];
        float* natural = pairsFirst ? (float*)to : (float*)(((nint)space + 63) & ~63);
        byte* from = operand.Data + k * operand.RowBytes + (nint)line * operand.ElementBytes;
        if (!operand.IsBf16)
            Bf16Kernels.Interleave((float*)from, (ushort*)natural, Block, operand.RowBytes);
        for (int pair = 0; pair < Block && operand.IsBf16; pair++, from += 2 * operand.RowBytes)
            Lanes16.Store(natural + pair * Block, Lanes16.LoadBits16((ushort*)from) | Lanes16.ShiftLeft(Lanes16.LoadBits16((ushort*)(from + operand.RowBytes)), 16));
        if (pairsFirst)
            return;
        byte** pairs = stackalloc byte*[Block];
        for (int i = 0; i < Block; i++)
            pairs[i] = (byte*)(natural + i * Block);
        Lanes16.Transpose(pairs, 0, (float*)to, Block);
    }

    // One step that is not whole, element by element.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rest(in Operand operand, bool alongLines, bool pairsFirst, int line, int lines, int k, int end, ushort* to)
    {
        for (int i = 0; i < Block; i++)
        {
            int at = line + Math.Min(i, lines - 1);
            for (int j = 0; j < StepK; j++)
            {
                nint offset = alongLines ? (k + j) * operand.RowBytes + (nint)at * operand.ElementBytes : at * operand.RowBytes + (nint)(k + j) * operand.ElementBytes;
                to[pairsFirst ? j / 2 * StepK + 2 * i + j % 2 : i * StepK + j] = k + j < end ? Element(operand, offset) : (ushort)0;
            }
        }
    }

    private static ushort Element(in Operand operand, nint offset)
    {
        if (operand.IsBf16)
            return *(ushort*)(operand.Data + offset);
        ushort bits;
        LaneFormats<Lanes1>.StoreBf16(&bits, Lanes1.Load((float*)(operand.Data + offset)));
        return bits;
    }
}
