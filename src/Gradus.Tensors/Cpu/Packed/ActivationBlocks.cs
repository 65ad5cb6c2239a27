// Activations as products with packed weights take them: per block of 32, integers of 16 bits and one scale, x ≈ s·q with |q| ≤ 32,639. Each
// is off by at most s/2, 1/65,278 of the largest in its block. The integers' upper and lower bytes, both signed, lie apart: q = 256·u + l.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Turns rows of activations into blocks of integers. Needs AVX-512.</summary>
internal static unsafe class ActivationBlocks
{
    /// <summary>Values per block.</summary>
    public const int Values = 32;

    /// <summary>Bytes of a block: 32 upper bytes, 32 lower bytes, s, two starts of sums, s·Σq.</summary>
    public const int Bytes = 80;

    /// <summary>Where the lower bytes lie.</summary>
    public const int LowerOffset = 32;

    /// <summary>Where the scale lies.</summary>
    public const int ScaleOffset = 64;

    /// <summary>Where −zero·Σq lies: over the whole block and then 0, or (Q6_K) over its first half and then its second.</summary>
    public const int StartOffset = 68;

    /// <summary>Where s·Σq lies.</summary>
    public const int SumOffset = 76;

    /// <summary>The largest integer: 127·256 + 127.</summary>
    public const int Largest = 32639;

    // Below this the inverse of the scale would overflow; such values are taken as zero.
    private const float Smallest = 1e-30f;

    /// <summary>The integer that stands for the weight 0 in a format's codes; 0 where the weights have an offset.</summary>
    public static int Zero(BlockFormat format) => format switch
    {
        BlockFormat.Q8_0 or BlockFormat.IQ4_NL or BlockFormat.NF4 => 128,
        BlockFormat.Q4_0 => 8,
        BlockFormat.Q5_0 => 16,
        BlockFormat.Q6_K => 32,
        _ => 0,
    };

    /// <summary>Packs a row. A block with a value that is not finite makes sums that are not finite.</summary>
    /// <param name="format">The weights' format.</param>
    /// <param name="row">The values.</param>
    /// <param name="count">How many, a multiple of 32.</param>
    /// <param name="to">The first block.</param>
    /// <param name="stride">The distance of the blocks, in bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(BlockFormat format, float* row, int count, byte* to, nint stride)
    {
        int zero = Zero(format);
        bool halves = format == BlockFormat.Q6_K;
        Vector512<int> magnitude = Vector512.Create(0x7FFFFFFF);
        for (int i = 0; i < count; i += Values, to += stride)
        {
            Vector512<float> first = Vector512.Load(row + i), second = Vector512.Load(row + i + 16);
            // As integers the magnitudes keep their order, with infinity above all numbers and NaN above infinity.
            Vector512<int> most = Vector512.Max(first.AsInt32() & magnitude, second.AsInt32() & magnitude);
            float largest = BitConverter.Int32BitsToSingle(LargestLane(most));
            float scale = largest < Smallest ? 0 : largest / Largest, inverse = largest < Smallest ? 0 : Largest / largest;
            Vector512<int> q0 = Avx512F.ConvertToVector512Int32(first * inverse), q1 = Avx512F.ConvertToVector512Int32(second * inverse);
            int sum0 = Vector512.Sum(q0), sum1 = Vector512.Sum(q1);
            Store(q0, to);
            Store(q1, to + 16);
            *(float*)(to + ScaleOffset) = scale;
            ((int*)(to + StartOffset))[0] = -zero * (halves ? sum0 : sum0 + sum1);
            ((int*)(to + StartOffset))[1] = halves ? -zero * sum1 : 0;
            *(float*)(to + SumOffset) = scale * (sum0 + sum1);
        }
    }

    // The lower byte is signed, so the upper one takes a carry.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<int> q, byte* to)
    {
        Vector128<byte> lower = Avx512F.ConvertToVector128Byte(q);
        Vector512<int> carried = Vector512.ShiftRightArithmetic(q + Vector512.Create(128), 8);
        Avx512F.ConvertToVector128Byte(carried).Store(to);
        lower.Store(to + LowerOffset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LargestLane(Vector512<int> a)
    {
        Vector256<int> eight = Vector256.Max(a.GetLower(), a.GetUpper());
        Vector128<int> four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Math.Max(four.ToScalar(), four.GetElement(1));
    }
}
