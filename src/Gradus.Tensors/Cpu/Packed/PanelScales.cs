using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Scales and offsets of a panel's rows as products on integers take them; a lane is a row.</summary>
internal static unsafe class PanelScales<T>
    where T : unmanaged, ILanes<T>
{
    private const int Register = PanelLayout.Rows;
    private const int PartsOfUnit = BlockFormats.LargestBlock / PanelLayout.PartColumns;

    /// <summary>Whether scales are worked out once for a whole unit: <see cref="OfUnit"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AreOfUnit(BlockFormat format) => format is BlockFormat.Q4_K or BlockFormat.Q5_K or BlockFormat.Q6_K;

    /// <summary>Whether something is added to scale times integer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HaveOffset(BlockFormat format) => format is BlockFormat.Q4_1 or BlockFormat.Q5_1 or BlockFormat.Q4_K or BlockFormat.Q5_K;

    /// <summary>Scales of a unit of 256 as floats: sixteen for every part or half of one, then as many offsets.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void OfUnit(BlockFormat format, byte* unit, float* to)
    {
        for (int row = 0; row < PanelLayout.Rows; row += T.Width, to += T.Width)
        {
            T d = LaneFormats<T>.LoadF16((ushort*)unit + row);
            if (format == BlockFormat.Q6_K)
            {
                for (int half = 0; half < 2 * PartsOfUnit; half++)
                    T.Store(to + half * Register, d * PanelUnpack<T>.Signed(unit + 32 + 16 * half + row));
                continue;
            }
            T dmin = -LaneFormats<T>.LoadF16((ushort*)(unit + 32) + row);
            byte* words = unit + 64 + row * sizeof(int);
            T first = T.Load((float*)words), second = T.Load((float*)(words + 64)), third = T.Load((float*)(words + 128));
            // Words 0 and 1 have six bits of the first four parts, and above them two upper bits of the last four; word 2 has the four lower.
            T six = T.BroadcastBits(0x3F3F3F3F), two = T.BroadcastBits(0x30303030), four = T.BroadcastBits(0x0F0F0F0F);
            Bytes(first & six, d, to);
            Bytes(third & four | T.ShiftRight(first, 2) & two, d, to + 4 * Register);
            Bytes(second & six, dmin, to + PartsOfUnit * Register);
            Bytes(T.ShiftRight(third, 4) & four | T.ShiftRight(second, 2) & two, dmin, to + (PartsOfUnit + 4) * Register);
        }
    }

    // The four bytes of every lane, times a factor.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Bytes(T four, T factor, float* to)
    {
        T mask = T.BroadcastBits(255);
        T.Store(to, factor * T.FromInteger(four & mask));
        T.Store(to + Register, factor * T.FromInteger(T.ShiftRight(four, 8) & mask));
        T.Store(to + 2 * Register, factor * T.FromInteger(T.ShiftRight(four, 16) & mask));
        T.Store(to + 3 * Register, factor * T.FromInteger(T.ShiftRight(four, 24)));
    }

    /// <summary>The scale of a part's integers.</summary>
    /// <param name="format">The format.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="part">The part.</param>
    /// <param name="pass">Which half of the part (Q6_K), or which byte of the weights (NF4: the upper one first).</param>
    /// <param name="row">The first lane's row.</param>
    /// <param name="scratch">Where <see cref="OfUnit"/> and <see cref="ProductScratch.Prepare"/> have written.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scale(BlockFormat format, byte* unit, nint part, int pass, nint row, byte* scratch)
    {
        if (AreOfUnit(format))
            return T.Load((float*)scratch + (format == BlockFormat.Q6_K ? 2 * part + pass : part) * Register + row);
        if (format is not (BlockFormat.NF4 or BlockFormat.NF4Double))
            return LaneFormats<T>.LoadF16((ushort*)unit + row);
        float* largest = format == BlockFormat.NF4 ? (float*)unit : *(float**)(scratch + ProductScratch.ScalesOffset);
        return T.Load(largest + row) * T.Broadcast(((float*)(scratch + ProductScratch.FactorsOffset))[pass]);
    }

    /// <summary>What is added to every weight of a part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Offset(BlockFormat format, byte* unit, nint part, nint row, byte* scratch) => AreOfUnit(format)
        ? T.Load((float*)scratch + (PartsOfUnit + part) * Register + row)
        : LaneFormats<T>.LoadF16((ushort*)(unit + 32) + row);
}
