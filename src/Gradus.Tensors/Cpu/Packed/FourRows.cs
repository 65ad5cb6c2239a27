using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Cpu;

/// <summary>
/// Codes of four rows' blocks to their places in a panel: a transpose of words, and nibbles that change partners on the way. Methods are
/// small and apart, because the runtime clears the registers' room of all that is inlined with every call.
/// </summary>
internal static unsafe class FourRows
{
    private const int Register = 64;

    /// <summary>Whether a format can be moved so.</summary>
    public static bool Has(BlockFormat format) => format is BlockFormat.Q4_0 or BlockFormat.IQ4_NL or BlockFormat.Q4_1 or BlockFormat.NF4 or BlockFormat.NF4Double
        or BlockFormat.Q4_K or BlockFormat.Q5_K or BlockFormat.Q6_K;

    /// <summary>Puts the codes, but not what is in the head, of four blocks.</summary>
    /// <param name="format">A format that <see cref="Has"/> allows.</param>
    /// <param name="block">The first row's block.</param>
    /// <param name="rowBytes">The distance of the rows.</param>
    /// <param name="part">The first row's place in the unit's first part.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(BlockFormat format, byte* block, nint rowBytes, byte* part)
    {
        switch (format)
        {
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL:
                Nibbles(block + 2, rowBytes, part, part + 2 * Register);
                break;
            case BlockFormat.Q4_1:
                Nibbles(block + 4, rowBytes, part, part + 2 * Register);
                break;
            case BlockFormat.NF4:
                LongNibbles(block + 4, rowBytes, part, part + 4 * Register);
                break;
            case BlockFormat.NF4Double:
                LongNibbles(block + 1, rowBytes, part, part + 4 * Register);
                break;
            case BlockFormat.Q4_K:
                for (int run = 0; run < 4; run++, part += 8 * Register)
                    LongNibbles(block + 16 + 32 * run, rowBytes, part, part + 4 * Register);
                break;
            case BlockFormat.Q5_K:
                FifthBits(block + 16, rowBytes, part);
                for (int run = 0; run < 4; run++, part += 10 * Register)
                    LongNibbles(block + 48 + 32 * run, rowBytes, part + Register, part + 6 * Register);
                break;
            case BlockFormat.Q6_K:
                SixBits(block, rowBytes, part);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "not a format of four rows");
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LongNibbles(byte* run, nint rowBytes, byte* low, byte* high)
    {
        Nibbles(run, rowBytes, low, high);
        Nibbles(run + 16, rowBytes, low + 2 * Register, high + 2 * Register);
    }

    // Of 16 bytes the low halves are the columns that come first; in a panel a byte has columns four apart.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Nibbles(byte* run, nint rowBytes, byte* low, byte* high)
    {
        Words words = new(run, rowBytes);
        Pair(words.W0, words.W1).Store((uint*)low);
        Pair(words.W2, words.W3).Store((uint*)(low + Register));
        Pair(words.W0 >> 4, words.W1 >> 4).Store((uint*)high);
        Pair(words.W2 >> 4, words.W3 >> 4).Store((uint*)(high + Register));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Pair(Vector128<uint> low, Vector128<uint> high)
    {
        Vector128<uint> nibbles = Vector128.Create(0x0F0F0F0Fu);
        return (low & nibbles) | ((high & nibbles) << 4);
    }

    // Bit j of byte i is of column i of part j; in a panel bit i of byte b is of column 4i + b.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FifthBits(byte* bits, nint rowBytes, byte* part)
    {
        Words first = new(bits, rowBytes), second = new(bits + 16, rowBytes);
        Vector128<uint> one = Vector128.Create(0x01010101u);
        for (int j = 0; j < 8; j++, part += 5 * Register)
        {
            Vector128<uint> lower = ((first.W0 >> j) & one) | (((first.W1 >> j) & one) << 1) | (((first.W2 >> j) & one) << 2) | (((first.W3 >> j) & one) << 3);
            Vector128<uint> upper = ((second.W0 >> j) & one) | (((second.W1 >> j) & one) << 1) | (((second.W2 >> j) & one) << 2) | (((second.W3 >> j) & one) << 3);
            (lower | (upper << 4)).Store((uint*)part);
        }
    }

    // Of 128 columns the nibbles lie in 64 bytes, byte i with columns i and i + 64, and the upper bits in 32, byte i with columns i, i + 32,
    // i + 64 and i + 96; in a panel 16 columns are a register of upper bits and two of nibbles.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixBits(byte* block, nint rowBytes, byte* part)
    {
        for (int i = 0; i < 4; i++)
        {
            int half = i / 2, place = 16 * (i % 2);
            Words upper = new(block + 128 + 32 * half + place, rowBytes);
            for (int quarter = 0; quarter < 4; quarter++)
            {
                Words nibbles = new(block + 64 * half + 32 * (quarter % 2) + place, rowBytes);
                byte* to = part + ((8 * half + 2 * quarter + i % 2) * 3 * Register);
                int shift = quarter / 2 * 4;
                UpperBits(upper, 2 * quarter).Store((uint*)to);
                Pair(nibbles.W0 >> shift, nibbles.W1 >> shift).Store((uint*)(to + Register));
                Pair(nibbles.W2 >> shift, nibbles.W3 >> shift).Store((uint*)(to + 2 * Register));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> UpperBits(in Words words, int shift)
    {
        Vector128<uint> pair = Vector128.Create(0x03030303u);
        return ((words.W0 >> shift) & pair) | (((words.W1 >> shift) & pair) << 2) | (((words.W2 >> shift) & pair) << 4) | (((words.W3 >> shift) & pair) << 6);
    }

    /// <summary>Sixteen bytes of four rows; a lane is a row.</summary>
    private readonly ref struct Words
    {
        public readonly Vector128<uint> W0, W1, W2, W3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Words(byte* at, nint rowBytes)
        {
            Vector128<uint> a = Vector128.Load((uint*)at), b = Vector128.Load((uint*)(at + rowBytes));
            Vector128<uint> c = Vector128.Load((uint*)(at + 2 * rowBytes)), d = Vector128.Load((uint*)(at + 3 * rowBytes));
            Vector128<uint> evenAb = Interleave(a, b), evenCd = Interleave(c, d), oddAb = Interleave(High(a), High(b)), oddCd = Interleave(High(c), High(d));
            W0 = Vector128.Create(evenAb.GetLower(), evenCd.GetLower());
            W1 = Vector128.Create(evenAb.GetUpper(), evenCd.GetUpper());
            W2 = Vector128.Create(oddAb.GetLower(), oddCd.GetLower());
            W3 = Vector128.Create(oddAb.GetUpper(), oddCd.GetUpper());
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<uint> High(Vector128<uint> a) => Vector128.Create(a.GetUpper(), a.GetUpper());

        // The first two lanes of both, in turn.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<uint> Interleave(Vector128<uint> a, Vector128<uint> b) =>
            Vector128.Shuffle(Vector128.Create(a.GetLower(), b.GetLower()), Vector128.Create(0u, 2, 1, 3));
    }
}
