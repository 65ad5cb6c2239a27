// The order in which packed weights lie in memory while they are used. Sixteen rows of a matrix make a panel; a panel is a sequence of
// units, one block of every row each, as many bytes as the blocks have. A register of sixteen 32-bit lanes then holds one piece of all
// rows, lane r of row r: no sums across lanes, and memory is read from front to back. A unit is
//
//   head     per row, all rows of a field together: f16 d (and m, dmin); three words of 6-bit scales (K); sixteen s8 scales (Q6_K); f32, or a
//            byte for it (NF4)
//   parts    32 columns each, in registers of 64 bytes:
//     Q8_0         8 registers, byte b of register i is column 4i + b, plus 128
//     4 bits       4 registers, byte b of register j has column 8j + b low and column 8j + 4 + b high
//     5 bits       1 register, bit i of byte b is the fifth bit of column 4i + b; then the registers of 4 bits
//     Q6_K         per half of 16 columns: 1 register, bits 2i and 2i + 1 of byte b are the upper bits of column 4i + b; then 2 of 4 bits
//
// A panel over the matrix's last row is filled up with zeros, whose scales are zero.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Moves blocks between rows, as files have them, and panels.</summary>
internal static unsafe class PanelLayout
{
    /// <summary>Rows in a panel.</summary>
    public const int Rows = 16;

    /// <summary>Columns in a part of a unit.</summary>
    public const int PartColumns = 32;

    private const int Register = 64;
    private const uint Nibbles = 0x0F0F0F0F;

    /// <summary>Bytes of a unit.</summary>
    public static int UnitBytes(BlockFormat format) => Rows * format.Bytes();

    /// <summary>Bytes of a panel.</summary>
    public static nint PanelBytes(BlockFormat format, int columns) => Rows * format.RowBytes(columns);

    /// <summary>Bytes of a unit before its first part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HeadBytes(BlockFormat format) => format switch
    {
        BlockFormat.Q4_1 or BlockFormat.Q5_1 or BlockFormat.NF4 => 64,
        BlockFormat.Q4_K or BlockFormat.Q5_K => 64 + 3 * Register,
        BlockFormat.Q6_K => 32 + 256,
        BlockFormat.NF4Double => 16,
        _ => 32,
    };

    /// <summary>Bytes of a part.</summary>
    public static int PartBytes(BlockFormat format) => (UnitBytes(format) - HeadBytes(format)) / (format.Weights() / PartColumns);

    /// <summary>Puts rows of blocks into their places in a panel, unit by unit, so that what the rows write together stays in the cache.</summary>
    /// <param name="format">The format.</param>
    /// <param name="blocks">The first row.</param>
    /// <param name="rowBytes">Bytes of a row.</param>
    /// <param name="panel">The panel.</param>
    /// <param name="first">The first row's number in the panel.</param>
    /// <param name="rows">The number of rows, to the panel's end at most.</param>
    // All weights of a model pass through here before its first token, and before the runtime would have compiled this a second time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PutRows(BlockFormat format, byte* blocks, int rowBytes, byte* panel, int first, int rows)
    {
        int bytes = format.Bytes(), units = rowBytes / bytes, fours = FourRows.Has(format) ? rows / 4 * 4 : 0, headBytes = HeadBytes(format);
        bool scaleOnly = headBytes == 2 * Rows;
        for (int i = 0; i < units; i++, panel += Rows * bytes)
        {
            byte* block = blocks + i * bytes;
            for (int row = first; row < first + fours; row += 4, block += 4 * (nint)rowBytes)
            {
                for (int r = 0; r < 4; r++)
                {
                    byte* from = block + r * (nint)rowBytes;
                    if (scaleOnly)
                        ((ushort*)panel)[row + r] = *(ushort*)from;
                    else
                        MoveHead(format, from, panel, row + r, toUnit: true);
                }
                FourRows.Put(format, block, rowBytes, panel + headBytes + 4 * row);
            }
            for (int row = first + fours; row < first + rows; row++, block += rowBytes)
            {
                if (format == BlockFormat.Q8_0)
                {
                    ((ushort*)panel)[row] = *(ushort*)block;
                    PutBytes(block + 2, panel + 2 * Rows + 4 * row);
                }
                else
                {
                    Put(format, block, panel, row);
                }
            }
        }
    }

    /// <summary>The inverse of <see cref="PutRows"/>.</summary>
    public static void GetRows(BlockFormat format, byte* panel, int first, int rows, byte* blocks, int rowBytes)
    {
        int bytes = format.Bytes(), units = rowBytes / bytes;
        for (int i = 0; i < units; i++, panel += Rows * bytes)
        {
            for (int r = 0; r < rows; r++)
                Get(format, panel, first + r, blocks + (nint)r * rowBytes + i * bytes);
        }
    }

    /// <summary>Puts a row's block into its place in a unit.</summary>
    /// <param name="format">The format.</param>
    /// <param name="block">The block.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="row">The row in the panel, 0 to 15.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(BlockFormat format, byte* block, byte* unit, int row)
    {
        MoveHead(format, block, unit, row, toUnit: true);
        byte* part = unit + HeadBytes(format) + 4 * row;
        switch (format)
        {
            case BlockFormat.Q8_0:
                PutBytes(block + 2, part);
                break;
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL:
                PutNibbles(block + 2, 16, part);
                break;
            case BlockFormat.Q4_1:
                PutNibbles(block + 4, 16, part);
                break;
            case BlockFormat.NF4:
                PutNibbles(block + 4, 32, part);
                break;
            case BlockFormat.NF4Double:
                PutNibbles(block + 1, 32, part);
                break;
            case BlockFormat.Q4_K:
                for (int run = 0; run < 4; run++)
                    PutNibbles(block + 16 + 32 * run, 32, part + 8 * run * Register);
                break;
            default:
                PutCodes(format, block, part);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutBytes(byte* bytes, byte* part)
    {
        const ulong Signs = 0x8080808080808080;
        for (int i = 0; i < 4; i++, part += 2 * Register)
        {
            ulong columns = ((ulong*)bytes)[i] ^ Signs;
            *(uint*)part = (uint)columns;
            *(uint*)(part + Register) = (uint)(columns >> 32);
        }
    }

    // Of a run of bytes the low halves are the columns that come first: eight columns are a word of four bytes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutNibbles(byte* run, int bytes, byte* part)
    {
        const ulong Low = 0x0F0F0F0F0F0F0F0F;
        byte* upper = part + bytes / 8 * Register;
        for (int i = 0; i < bytes; i += 8, part += Register, upper += Register)
        {
            ulong columns = *(ulong*)(run + i), first = columns & Low, later = columns >> 4 & Low;
            *(uint*)part = (uint)first | (uint)(first >> 28);
            *(uint*)upper = (uint)later | (uint)(later >> 28);
        }
    }

    // Codes of more than four bits, but for Q8_0's.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutCodes(BlockFormat format, byte* block, byte* part)
    {
        uint* codes = stackalloc uint[BlockFormats.LargestBlock / 4];
        BlockCodes.Read(format, block, (byte*)codes);
        for (int p = 0; p < format.Weights() / PartColumns; p++, part += PartBytes(format), codes += 8)
        {
            byte* nibbles = part;
            if (format != BlockFormat.Q6_K)
            {
                uint fifth = 0;
                for (int i = 0; i < 8; i++)
                    fifth |= (codes[i] >> 4 & 0x01010101) << i;
                *(uint*)part = fifth;
                nibbles += Register;
            }
            for (int j = 0; j < 4; j++)
            {
                if (format == BlockFormat.Q6_K && j % 2 == 0)
                {
                    uint upper = 0;
                    for (int i = 0; i < 4; i++)
                        upper |= (codes[2 * j + i] >> 4 & 0x03030303) << 2 * i;
                    *(uint*)nibbles = upper;
                    nibbles += Register;
                }
                *(uint*)nibbles = codes[2 * j] & Nibbles | (codes[2 * j + 1] & Nibbles) << 4;
                nibbles += Register;
            }
        }
    }

    /// <summary>The block of a row of a unit: the inverse of <see cref="Put"/>.</summary>
    [SkipLocalsInit]
    public static void Get(BlockFormat format, byte* unit, int row, byte* block)
    {
        uint* all = stackalloc uint[BlockFormats.LargestBlock / 4], codes = all;
        byte* part = unit + HeadBytes(format) + 4 * row;
        for (int p = 0; p < format.Weights() / PartColumns; p++, part += PartBytes(format), codes += 8)
        {
            byte* nibbles = part;
            uint fifth = 0, upper = 0;
            switch (format)
            {
                case BlockFormat.Q8_0:
                    for (int i = 0; i < 8; i++)
                        codes[i] = *(uint*)(part + i * Register);
                    continue;
                case BlockFormat.Q5_0 or BlockFormat.Q5_1 or BlockFormat.Q5_K:
                    fifth = *(uint*)part;
                    nibbles += Register;
                    break;
            }
            for (int j = 0; j < 4; j++)
            {
                if (format == BlockFormat.Q6_K && j % 2 == 0)
                {
                    upper = *(uint*)nibbles;
                    nibbles += Register;
                }
                for (int h = 0; h < 2; h++)
                {
                    int i = 2 * j + h;
                    codes[i] = *(uint*)nibbles >> 4 * h & Nibbles | (fifth >> i & 0x01010101) << 4 | (upper >> 2 * (i % 4) & 0x03030303) << 4;
                }
                nibbles += Register;
            }
        }
        new Span<byte>(block, format.Bytes()).Clear();
        BlockCodes.Write(format, (byte*)all, block);
        MoveHead(format, block, unit, row, toUnit: false);
    }

    // The fields of a block that are not codes: where they lie in the block, and where in the head.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MoveHead(BlockFormat format, byte* block, byte* unit, int row, bool toUnit)
    {
        switch (format)
        {
            case BlockFormat.NF4:
                Move<uint>(block, unit + 4 * row, toUnit);
                break;
            case BlockFormat.NF4Double:
                Move<byte>(block, unit + row, toUnit);
                break;
            case BlockFormat.Q6_K:
                Move<ushort>(block + 208, unit + 2 * row, toUnit);
                for (int j = 0; j < 16; j++)
                    Move<byte>(block + 192 + j, unit + 32 + 16 * j + row, toUnit);
                break;
            default:
                Move<ushort>(block, unit + 2 * row, toUnit);
                if (HeadBytes(format) > 32)
                    Move<ushort>(block + 2, unit + 32 + 2 * row, toUnit);
                for (int word = 0; word < 3 && HeadBytes(format) > 64; word++)
                    Move<uint>(block + 4 + 4 * word, unit + 64 + word * Register + 4 * row, toUnit);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Move<T>(byte* inBlock, byte* inUnit, bool toUnit)
        where T : unmanaged
    {
        if (toUnit)
            *(T*)inUnit = *(T*)inBlock;
        else
            *(T*)inBlock = *(T*)inUnit;
    }
}
