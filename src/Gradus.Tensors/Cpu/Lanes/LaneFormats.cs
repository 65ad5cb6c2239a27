// Half-width floats. bf16 is the upper half of a float; f16 has 5 exponent and 10 fraction bits. Reading is exact; writing rounds to
// nearest, ties to even, keeps infinities, and turns every NaN into a quiet one.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>Reads and writes bf16 and f16 lanes.</summary>
internal static unsafe class LaneFormats<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Reads Width bf16 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T LoadBf16(ushort* from) => T.ShiftLeft(T.LoadBits16(from), 16);

    /// <summary>Reads Width f16 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T LoadF16(ushort* from) => FromF16Bits(T.LoadBits16(from));

    /// <summary>Writes Width values as bf16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBf16(ushort* to, T value) => T.StoreBits16(to, T.ShiftRight(RoundToBf16(value), 16));

    /// <summary>Writes Width values as f16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreF16(ushort* to, T value) => T.StoreBits16(to, ToF16Bits(value));

    /// <summary>Reads <paramref name="count"/> 16-bit integers, 0 to Width, and no byte more; the other lanes are zero.</summary>
    public static T LoadBits16Tail(ushort* from, int count)
    {
        ushort* whole = stackalloc ushort[16];
        new Span<ushort>(whole, 16).Clear();
        for (int i = 0; i < count; i++)
            whole[i] = from[i];
        return T.LoadBits16(whole);
    }

    /// <summary>Writes the low half of the first <paramref name="count"/> lanes' bits, 0 to Width, and no byte more.</summary>
    public static void StoreBits16Tail(ushort* to, int count, T bits)
    {
        ushort* whole = stackalloc ushort[16];
        T.StoreBits16(whole, bits);
        for (int i = 0; i < count; i++)
            to[i] = whole[i];
    }

    /// <summary>The nearest bf16 value, as a float.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T RoundToBf16(T value)
    {
        T odd = T.ShiftRight(value, 16) & T.BroadcastBits(1);
        T rounded = T.AddBits(T.AddBits(value, T.BroadcastBits(0x7FFF)), odd);
        T number = T.Equal(value, value);
        return T.Select(number, rounded, value | T.BroadcastBits(0x00400000)) & T.BroadcastBits(unchecked((int)0xFFFF0000));
    }

    /// <summary>The float of each lane's f16 bit pattern.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T FromF16Bits(T bits)
    {
        // The fields moved into a float's places, with the sign above them, make the value times 2^-112, subnormals included.
        T fields = T.ShiftRightSigned(T.ShiftLeft(bits, 16), 3) & T.BroadcastBits(unchecked((int)0x8FFFE000));
        T value = fields * T.BroadcastBits((127 + 112) << 23);
        // Infinity and NaN came out as 2^16 times their fraction: their exponent has all bits set.
        T special = T.EqualBits(bits & T.BroadcastBits(0x7C00), T.BroadcastBits(0x7C00));
        return value | special & T.BroadcastBits(0x7F800000);
    }

    /// <summary>Each lane's f16 bit pattern.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T ToF16Bits(T value)
    {
        T size = T.Abs(value);
        T sign = T.ShiftRight(value, 16) & T.BroadcastBits(0x8000);
        // Normal results: rebias the exponent, round the 13 lost bits; a carry into the exponent is what rounding up means.
        T odd = T.ShiftRight(size, 13) & T.BroadcastBits(1);
        T rebiased = T.AddBits(T.AddBits(size, T.BroadcastBits(0x0FFF - (112 << 23))), odd);
        T normal = T.ShiftRight(rebiased, 13);
        // Subnormal results: adding 0.5 lets the float adder round to a multiple of 2^-24; the sum's low bits are the result.
        T subnormal = T.SubtractBits(size + T.Broadcast(0.5f), T.Broadcast(0.5f));
        T result = T.Select(T.Less(size, T.Broadcast(6.10351562e-5f)), subnormal, normal);
        result = T.Select(T.LessOrEqual(T.Broadcast(65520), size), T.BroadcastBits(0x7C00), result);
        result = T.Select(T.Equal(size, size), result, T.ShiftRight(size, 13) & T.BroadcastBits(0x03FF) | T.BroadcastBits(0x7E00));
        return result | sign;
    }
}
