// Products of a panel of sixteen rows with packed weights (PanelLayout) and one to eight rows of activations (ActivationBlocks), on lanes:
// what VnniCode's kernels compute, to the bit. Sums over a part (half of one for Q6_K) are integers, and so exact; each then adds to sixteen
// float sums, in ascending order of the parts. So a row of activations gets the same bits whatever the others are. A register takes as
// many of the panel's rows as there are lanes, one after the other within a part, so that memory is read from front to back, once.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>The kernel of one width, one way of multiplying, one format, and one, two or four rows of activations at a time.</summary>
internal static unsafe class PanelProduct<T, TColumns, TFormat, THeight>
    where T : unmanaged, ILanes<T>
    where TColumns : struct, IFourColumns<T>
    where TFormat : struct, IPanelFormat
    where THeight : struct, ITileHeight
{
    private const int PrefetchBytes = 4096;
    private const int BlockBytes = ActivationBlocks.Bytes;

    // Registers of weights at a time, which share what is read of the activations: as many as leave room for eight sums.
    private static int Strips
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => T.Width == PanelLayout.Rows || THeight.Rows > 2 ? 1 : 2;
    }

    /// <summary>sums[m, r] = Σ weight[r, k]·activation[m, k].</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="activations">The rows' blocks of the first part, side by side, then of the next.</param>
    /// <param name="rows">Rows of activations, a multiple of the height.</param>
    /// <param name="stride">The distance of the parts' first blocks of activations, in bytes.</param>
    /// <param name="sums">(rows, 16).</param>
    /// <param name="units">The number of units, at least one.</param>
    /// <param name="scratch">Memory that <see cref="ProductScratch.Prepare"/> has seen.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(byte* panel, byte* activations, int rows, nint stride, float* sums, nint units, byte* scratch)
    {
        BlockFormat format = TFormat.Format;
        nint parts = format.Weights() / PanelLayout.PartColumns, partBytes = PanelLayout.PartBytes(format);
        for (int i = 0; i < rows * PanelLayout.Rows; i += T.Width)
            T.Store(sums + i, T.Zero);
        for (; units > 0; units--)
        {
            if (PanelScales<T>.AreOfUnit(format))
                PanelScales<T>.OfUnit(format, panel, (float*)scratch);
            byte* codes = panel + PanelLayout.HeadBytes(format);
            for (nint part = 0; part < parts; part++, codes += partBytes, activations += stride)
            {
                for (nint line = 0; line < partBytes && Sse.IsSupported; line += 64)
                    Sse.Prefetch0(codes + PrefetchBytes + line);
                for (nint row = 0; row < PanelLayout.Rows; row += Strips * T.Width)
                    Part(panel, part, codes + row * sizeof(int), row, activations, rows, sums + row, scratch);
            }
            panel = codes;
            if (format == BlockFormat.NF4Double)
                *(float**)(scratch + ProductScratch.ScalesOffset) += PanelLayout.Rows;
        }
    }

    // A part of some of the panel's rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Part(byte* unit, nint part, byte* codes, nint row, byte* blocks, int rows, float* sums, byte* scratch)
    {
        BlockFormat format = TFormat.Format;
        for (int pass = 0; pass < PanelCodes<T, TColumns, TFormat>.Passes; pass++)
        {
            T scale = PanelScales<T>.Scale(format, unit, part, pass, row, scratch);
            T scaleNext = Strips > 1 ? PanelScales<T>.Scale(format, unit, part, pass, row + T.Width, scratch) : scale;
            byte* at = codes + pass * PanelCodes<T, TColumns, TFormat>.PassBytes, block = blocks;
            byte* table = scratch + ProductScratch.LevelsOffset + pass * PanelCodes<T, TColumns, TFormat>.PassTableBytes;
            float* to = sums;
            for (int m = rows; m > 0; m -= THeight.Rows, block += THeight.Rows * BlockBytes, to += THeight.Rows * PanelLayout.Rows)
                Add(at, table, block, pass, scale, scaleNext, to);
        }
        if (!PanelScales<T>.HaveOffset(format))
            return;
        for (int strip = 0; strip < Strips; strip++)
        {
            T offset = PanelScales<T>.Offset(format, unit, part, row + strip * T.Width, scratch);
            float* to = sums + strip * T.Width;
            for (byte* block = blocks, end = blocks + rows * BlockBytes; block < end; block += BlockBytes, to += PanelLayout.Rows)
                T.Store(to, T.Fma(offset, T.Broadcast(*(float*)(block + ActivationBlocks.SumOffset)), T.Load(to)));
        }
    }

    // As many rows of activations as the height says; their sums stay in registers. With two strips the second's sums are a2, b2, a3 and b3;
    // with one these are of further rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(byte* codes, byte* table, byte* blocks, int pass, T scale, T scaleNext, float* sums)
    {
        T a0 = T.Zero, a1 = T.Zero, a2 = T.Zero, a3 = T.Zero, b0 = T.Zero, b1 = T.Zero, b2 = T.Zero, b3 = T.Zero;
        T upper = T.Zero, upperNext = T.Zero;
        if (PanelCodes<T, TColumns, TFormat>.HaveUpperBits)
        {
            upper = T.Load((float*)codes);
            upperNext = Strips > 1 ? T.Load((float*)codes + T.Width) : upper;
            codes += 64;
        }
        byte* block = blocks + pass * PanelCodes<T, TColumns, TFormat>.PassColumns;
        for (int eights = PanelCodes<T, TColumns, TFormat>.Eights; eights > 0; eights--)
        {
            Four(codes, table, upper, upperNext, false, block, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
            block += sizeof(int);
            Four(codes, table, upper, upperNext, true, block, ref a0, ref b0, ref a1, ref b1, ref a2, ref b2, ref a3, ref b3);
            block += sizeof(int);
            codes += PanelCodes<T, TColumns, TFormat>.EightBytes;
            upper = PanelCodes<T, TColumns, TFormat>.Next(upper);
            upperNext = PanelCodes<T, TColumns, TFormat>.Next(upperNext);
        }
        AddSum(a0, b0, blocks, pass, scale, sums);
        if (THeight.Rows > 1)
            AddSum(a1, b1, blocks + BlockBytes, pass, scale, sums + PanelLayout.Rows);
        if (Strips > 1)
            AddSum(a2, b2, blocks, pass, scaleNext, sums + T.Width);
        if (Strips > 1 && THeight.Rows > 1)
            AddSum(a3, b3, blocks + BlockBytes, pass, scaleNext, sums + PanelLayout.Rows + T.Width);
        if (THeight.Rows > 2)
        {
            AddSum(a2, b2, blocks + 2 * BlockBytes, pass, scale, sums + 2 * PanelLayout.Rows);
            AddSum(a3, b3, blocks + 3 * BlockBytes, pass, scale, sums + 3 * PanelLayout.Rows);
        }
    }

    // Four columns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(
        byte* codes, byte* table, T upper, T upperNext, bool last, byte* block, ref T a0, ref T b0, ref T a1, ref T b1, ref T a2, ref T b2, ref T a3, ref T b3)
    {
        TColumns.Split(PanelCodes<T, TColumns, TFormat>.Read(codes, upper, table, last), out T first, out T second);
        TColumns.Add(block, first, second, ref a0, ref b0);
        if (THeight.Rows > 1)
            TColumns.Add(block + BlockBytes, first, second, ref a1, ref b1);
        if (Strips > 1)
            TColumns.Split(PanelCodes<T, TColumns, TFormat>.Read(codes + T.Width * sizeof(float), upperNext, table, last), out first, out second);
        if (Strips > 1 || THeight.Rows > 2)
            TColumns.Add(Strips > 1 ? block : block + 2 * BlockBytes, first, second, ref a2, ref b2);
        if (Strips > 1 && THeight.Rows > 1 || THeight.Rows > 2)
            TColumns.Add(Strips > 1 ? block + BlockBytes : block + 3 * BlockBytes, first, second, ref a3, ref b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSum(T first, T second, byte* block, int pass, T scale, float* sums)
    {
        T start = T.BroadcastBits(*(int*)(block + ActivationBlocks.StartOffset + pass * sizeof(int)));
        T sum = T.FromInteger(T.AddBits(TColumns.Combine(first, second), start));
        T.Store(sums, T.Fma(sum, scale * T.Broadcast(*(float*)(block + ActivationBlocks.ScaleOffset)), T.Load(sums)));
    }
}
