// Blocks to floats, over lanes. Layouts: the GGUF section of the formats reference; values are computed in the order of ggml's reference
// decoder (scale times integer, then the offset), so they have its bits.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Reads blocks of every format.</summary>
internal static unsafe class BlockUnpack<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>The distance of the rows of a <see cref="Window"/> of so many columns, in floats.</summary>
    public static int WindowStride(int columns) => columns + 2 * BlockFormats.LargestBlock;

    /// <summary>Unpacks the blocks that cover a part of a matrix, and returns it as an operand of floats.</summary>
    /// <param name="operand">A matrix in blocks.</param>
    /// <param name="row">The first row, as stored.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="column">The first column, as stored.</param>
    /// <param name="columns">The number of columns.</param>
    /// <param name="to">Room for rows · WindowStride(columns) floats.</param>
    public static Operand Window(in Operand operand, int row, int rows, int column, int columns, float* to)
    {
        int size = operand.Format.Weights(), stride = WindowStride(columns);
        int first = column / size * size, end = (column + columns + size - 1) / size * size;
        for (int r = 0; r < rows; r++)
            Row(operand.Format, operand.Data + (row + r) * operand.RowBytes + (nint)(first / size) * operand.Format.Bytes(), end - first, to + (nint)r * stride);
        return new Operand(to + (column - first), stride) { RoundToBf16 = operand.RoundToBf16 };
    }

    /// <summary>Unpacks whole blocks.</summary>
    /// <param name="format">The format.</param>
    /// <param name="from">The first block.</param>
    /// <param name="weights">The number of weights, a multiple of the block's.</param>
    /// <param name="to">Room for as many floats.</param>
    public static void Row(BlockFormat format, byte* from, int weights, float* to)
    {
        int blocks = weights / format.Weights();
        switch (format)
        {
            case BlockFormat.Q8_0:
                Q8_0(from, blocks, to);
                break;
            case BlockFormat.Q4_0:
                Nibbles(from, blocks, hasOffset: false, to);
                break;
            case BlockFormat.Q4_1:
                Nibbles(from, blocks, hasOffset: true, to);
                break;
            case BlockFormat.Q5_0:
                FiveBits(from, blocks, hasOffset: false, to);
                break;
            case BlockFormat.Q5_1:
                FiveBits(from, blocks, hasOffset: true, to);
                break;
            case BlockFormat.Q4_K:
                Q4_K(from, blocks, to);
                break;
            case BlockFormat.Q5_K:
                Q5_K(from, blocks, to);
                break;
            case BlockFormat.Q6_K:
                Q6_K(from, blocks, to);
                break;
            case BlockFormat.IQ4_NL:
                Iq4Nl(from, blocks, to);
                break;
            case BlockFormat.NF4:
                Nf4Row(from, blocks, to);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "not a block format");
        }
    }

    // In lanes, because the conversion of Half takes ten times as long.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T F16(byte* at) => LaneFormats<T>.FromF16Bits(T.BroadcastBits(*(ushort*)at));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q8_0(byte* from, int blocks, float* to)
    {
        for (; blocks > 0; blocks--, from += 34, to += 32)
        {
            T d = F16(from);
            for (int i = 0; i < 32; i += T.Width)
                T.Store(to + i, d * T.FromInteger(T.ShiftRightSigned(T.ShiftLeft(T.LoadBits8(from + 2 + i), 24), 24)));
        }
    }

    // Low halves of 16 bytes are the first 16 weights, high halves the others.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles(byte* from, int blocks, bool hasOffset, float* to)
    {
        T low = T.BroadcastBits(15), zero = T.Broadcast(hasOffset ? 0 : -8);
        for (; blocks > 0; blocks--, to += 32)
        {
            T d = F16(from), m = hasOffset ? F16(from + 2) : T.Zero;
            from += hasOffset ? 4 : 2;
            for (int i = 0; i < 16; i += T.Width)
            {
                T bytes = T.LoadBits8(from + i);
                T.Store(to + i, d * (T.FromInteger(bytes & low) + zero) + m);
                T.Store(to + 16 + i, d * (T.FromInteger(T.ShiftRight(bytes, 4)) + zero) + m);
            }
            from += 16;
        }
    }

    // Bit j of the extra word is bit 4 of weight j.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FiveBits(byte* from, int blocks, bool hasOffset, float* to)
    {
        T low = T.BroadcastBits(15), zero = T.Broadcast(hasOffset ? 0 : -16);
        for (; blocks > 0; blocks--, to += 32)
        {
            T d = F16(from), m = hasOffset ? F16(from + 2) : T.Zero;
            from += hasOffset ? 4 : 2;
            T extra = T.BroadcastBits(*(int*)from);
            from += 4;
            for (int i = 0; i < 16; i += T.Width)
            {
                T bytes = T.LoadBits8(from + i);
                T.Store(to + i, d * (T.FromInteger(bytes & low | FifthBit(extra, i)) + zero) + m);
                T.Store(to + 16 + i, d * (T.FromInteger(T.ShiftRight(bytes, 4) | FifthBit(extra, 16 + i)) + zero) + m);
            }
            from += 16;
        }
    }

    // 16 in the lanes whose bit is set, from bit `first` on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FifthBit(T extra, int first)
    {
        T mask = T.Load((float*)BlockTables.BitOfLane + first);
        return T.EqualBits(extra & mask, mask) & T.BroadcastBits(16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q4_K(byte* from, int blocks, float* to)
    {
        T low = T.BroadcastBits(15);
        for (; blocks > 0; blocks--, from += 144, to += 256)
        {
            T d = F16(from), dmin = F16(from + 2);
            for (int pair = 0; pair < 4; pair++)
            {
                (T scale0, T offset0) = PartScale(d, dmin, from + 4, 2 * pair);
                (T scale1, T offset1) = PartScale(d, dmin, from + 4, 2 * pair + 1);
                for (int i = 0; i < 32; i += T.Width)
                {
                    T bytes = T.LoadBits8(from + 16 + 32 * pair + i);
                    T.Store(to + 64 * pair + i, scale0 * T.FromInteger(bytes & low) - offset0);
                    T.Store(to + 64 * pair + 32 + i, scale1 * T.FromInteger(T.ShiftRight(bytes, 4)) - offset1);
                }
            }
        }
    }

    // Bit p of byte i of the extra 32 bytes is bit 4 of weight i of part p.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q5_K(byte* from, int blocks, float* to)
    {
        T low = T.BroadcastBits(15), five = T.BroadcastBits(16);
        for (; blocks > 0; blocks--, from += 176, to += 256)
        {
            T d = F16(from), dmin = F16(from + 2);
            for (int pair = 0; pair < 4; pair++)
            {
                (T scale0, T offset0) = PartScale(d, dmin, from + 4, 2 * pair);
                (T scale1, T offset1) = PartScale(d, dmin, from + 4, 2 * pair + 1);
                for (int i = 0; i < 32; i += T.Width)
                {
                    T bytes = T.LoadBits8(from + 48 + 32 * pair + i), extra = T.ShiftLeft(T.LoadBits8(from + 16 + i), 4);
                    T q0 = bytes & low | T.ShiftRight(extra, 2 * pair) & five, q1 = T.ShiftRight(bytes, 4) | T.ShiftRight(extra, 2 * pair + 1) & five;
                    T.Store(to + 64 * pair + i, scale0 * T.FromInteger(q0) - offset0);
                    T.Store(to + 64 * pair + 32 + i, scale1 * T.FromInteger(q1) - offset1);
                }
            }
        }
    }

    // Two halves of 128 weights: 64 bytes of low halves, 32 bytes of two high bits, 8 scales.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Q6_K(byte* from, int blocks, float* to)
    {
        T low = T.BroadcastBits(15), high = T.BroadcastBits(48), zero = T.Broadcast(-32);
        for (int half = 0; half < 2 * blocks; half++, to += 128)
        {
            byte* block = from + half / 2 * 210, nibbles = block + 64 * (half % 2), extra = block + 128 + 32 * (half % 2);
            sbyte* scales = (sbyte*)block + 192 + 8 * (half % 2);
            T d = F16(block + 208);
            for (int i = 0; i < 32; i += T.Width)
            {
                T first = T.LoadBits8(nibbles + i), second = T.LoadBits8(nibbles + 32 + i), bits = T.LoadBits8(extra + i);
                sbyte* scale = scales + i / 16;
                T.Store(to + i, d * T.Broadcast(scale[0]) * (T.FromInteger(first & low | T.ShiftLeft(bits, 4) & high) + zero));
                T.Store(to + 32 + i, d * T.Broadcast(scale[2]) * (T.FromInteger(second & low | T.ShiftLeft(bits, 2) & high) + zero));
                T.Store(to + 64 + i, d * T.Broadcast(scale[4]) * (T.FromInteger(T.ShiftRight(first, 4) | bits & high) + zero));
                T.Store(to + 96 + i, d * T.Broadcast(scale[6]) * (T.FromInteger(T.ShiftRight(second, 4) | T.ShiftRight(bits, 2) & high) + zero));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Iq4Nl(byte* from, int blocks, float* to)
    {
        for (; blocks > 0; blocks--, from += 18, to += 32)
            Table(from + 2, 16, BlockTables.Iq4Nl, F16(from), to);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nf4Row(byte* from, int blocks, float* to)
    {
        for (; blocks > 0; blocks--, from += 36, to += 64)
            Table(from + 4, 32, BlockTables.Nf4, T.Broadcast(*(float*)from), to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Table(byte* from, int half, float* table, T scale, float* to)
    {
        T low = T.BroadcastBits(15);
        for (int i = 0; i < half; i += T.Width)
        {
            T bytes = T.LoadBits8(from + i);
            T.Store(to + i, scale * T.Lookup(table, bytes & low));
            T.Store(to + half + i, scale * T.Lookup(table, T.ShiftRight(bytes, 4)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (T Scale, T Offset) PartScale(T d, T dmin, byte* sixBits, int part)
    {
        (int scale, int offset) = BlockTables.SixBits(sixBits, part);
        return (d * T.Broadcast(scale), dmin * T.Broadcast(offset));
    }
}
