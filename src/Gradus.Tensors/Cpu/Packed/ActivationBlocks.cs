// Activations as products with packed weights take them: per block of 32, integers of 16 bits and one scale, x ≈ s·q with |q| ≤ 32,639. Each
// is off by at most s/2, 1/65,278 of the largest in its block. Four columns are two words of 32 bits, in the form that the kernel multiplies.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Cpu;

/// <summary>How the integers of four columns are two words.</summary>
internal enum ActivationForm
{
    /// <summary>Four upper bytes and four lower ones, all signed, q = 256·u + l; for weights that are unsigned bytes.</summary>
    Bytes,

    /// <summary>As <see cref="Bytes"/>, for weights that are signed bytes: 128 lower than the format's codes.</summary>
    SignedBytes,

    /// <summary>Columns 0 and 2, then 1 and 3, in 16 bits each.</summary>
    Pairs,
}

/// <summary>The layout of a block.</summary>
internal static class ActivationBlocks
{
    /// <summary>Values per block.</summary>
    public const int Values = 32;

    /// <summary>Bytes of a block: eight first words, eight second words, s, two starts of sums, s·Σq.</summary>
    public const int Bytes = 80;

    /// <summary>Where the second words lie.</summary>
    public const int SecondOffset = 32;

    /// <summary>Where the scale lies.</summary>
    public const int ScaleOffset = 64;

    /// <summary>Where −zero·Σq lies: over the whole block and then 0, or (Q6_K) over its first half and then its second.</summary>
    public const int StartOffset = 68;

    /// <summary>Where s·Σq lies.</summary>
    public const int SumOffset = 76;

    /// <summary>The largest integer: 127·256 + 127.</summary>
    public const int Largest = 32639;

    /// <summary>The integer that stands for the weight 0 in a format's codes; 0 where the weights have an offset.</summary>
    public static int Zero(BlockFormat format) => format switch
    {
        BlockFormat.Q8_0 or BlockFormat.IQ4_NL or BlockFormat.NF4 or BlockFormat.NF4Double => 128,
        BlockFormat.Q4_0 => 8,
        BlockFormat.Q5_0 => 16,
        BlockFormat.Q6_K => 32,
        _ => 0,
    };
}

/// <summary>Turns rows of activations into blocks of integers, on lanes.</summary>
internal static unsafe class ActivationBlocks<T>
    where T : unmanaged, ILanes<T>
{
    // Below this the inverse of the scale would overflow; such values are taken as zero.
    private const float Smallest = 1e-30f;

    /// <summary>Packs a row. A block with a value that is not finite makes sums that are not finite.</summary>
    /// <param name="format">The weights' format.</param>
    /// <param name="form">What the kernel multiplies.</param>
    /// <param name="row">The values.</param>
    /// <param name="count">How many, a multiple of 32.</param>
    /// <param name="to">The first block.</param>
    /// <param name="stride">The distance of the blocks, in bytes.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(BlockFormat format, ActivationForm form, float* row, int count, byte* to, nint stride)
    {
        int firstZero = ActivationBlocks.Zero(format), secondZero = format == BlockFormat.Q6_K ? firstZero : 0;
        if (form == ActivationForm.SignedBytes)
            (firstZero, secondZero) = (firstZero - 128, format is BlockFormat.Q6_K or BlockFormat.NF4 or BlockFormat.NF4Double ? secondZero - 128 : 0);
        short* integers = stackalloc short[ActivationBlocks.Values];
        for (int i = 0; i < count; i += ActivationBlocks.Values, to += stride)
        {
            float scale = Scale(row + i, out float inverse);
            int sum = Round(row + i, inverse, integers), second = Round(row + i + 16, inverse, integers + 16);
            Store(form, integers, to);
            // The second start is of the second half, or (NF4) of the whole block once more.
            *(float*)(to + ActivationBlocks.ScaleOffset) = scale;
            *(float*)(to + ActivationBlocks.SumOffset) = scale * (sum + second);
            int* starts = (int*)(to + ActivationBlocks.StartOffset);
            (starts[0], starts[1]) = format == BlockFormat.Q6_K
                ? (-firstZero * sum, -secondZero * second)
                : (-firstZero * (sum + second), -secondZero * (sum + second));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Scale(float* values, out float inverse)
    {
        T most = T.Zero, zeros = T.Zero;
        for (int i = 0; i < ActivationBlocks.Values; i += T.Width)
        {
            T value = T.Load(values + i);
            most = T.Max(most, T.Abs(value));
            zeros += value * T.Zero;
        }
        float largest = T.LargestLane(most);
        inverse = largest < Smallest ? 0 : ActivationBlocks.Largest / largest;
        // Zero times what is not finite is NaN.
        return (largest < Smallest ? 0 : largest / ActivationBlocks.Largest) + T.Sum(zeros);
    }

    // Sixteen values as integers, and their sum, which is exact in floats.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Round(float* values, float inverse, short* to)
    {
        T sum = T.Zero;
        for (int i = 0; i < 16; i += T.Width)
        {
            T integers = T.ToInteger(T.Load(values + i) * T.Broadcast(inverse));
            T.StoreBits16((ushort*)to + i, integers);
            sum += T.FromInteger(integers);
        }
        return (int)T.Sum(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ActivationForm form, short* integers, byte* to)
    {
        for (int i = 0; i < ActivationBlocks.Values; i += 16)
        {
            if (form == ActivationForm.Pairs)
            {
                for (int j = i; j < i + 16; j += 4)
                {
                    ulong four = *(ulong*)(integers + j);
                    *(uint*)(to + j) = (uint)(four & 0xFFFF) | (uint)(four >> 32) << 16;
                    *(uint*)(to + ActivationBlocks.SecondOffset + j) = (uint)(four >> 16 & 0xFFFF) | (uint)(four >> 48) << 16;
                }
                continue;
            }
            // The lower byte is signed, so the upper one takes a carry.
            Vector128<ushort> first = Vector128.Load((ushort*)integers + i), second = Vector128.Load((ushort*)integers + i + 8), carry = Vector128.Create((ushort)128);
            Vector128.Narrow(first & Vector128.Create((ushort)255), second & Vector128.Create((ushort)255)).Store(to + ActivationBlocks.SecondOffset + i);
            Vector128.Narrow((first + carry) >>> 8, (second + carry) >>> 8).Store(to + i);
        }
    }
}
