using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Bytes on four lanes: Arm's dot product. Elsewhere the same in four steps, so that tests can run it.</summary>
internal readonly unsafe struct Bytes4 : IFourColumns<Lanes4>
{
    public static ActivationForm Form => ActivationForm.SignedBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes4 bytes, out Lanes4 first, out Lanes4 second) => first = second = bytes ^ Lanes4.BroadcastBits(unchecked((int)0x80808080));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes4 first, Lanes4 second, ref Lanes4 firstSum, ref Lanes4 secondSum)
    {
        Vector128<sbyte> one = Vector128.Create(*(int*)block).AsSByte(), other = Vector128.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsSByte();
        firstSum = new(DotProduct(firstSum.Value.AsInt32(), first.Value.AsSByte(), one).AsSingle());
        secondSum = new(DotProduct(secondSum.Value.AsInt32(), second.Value.AsSByte(), other).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Combine(Lanes4 first, Lanes4 second) => Lanes4.AddBits(Lanes4.ShiftLeft(first, 8), second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Lookup(byte* table, Lanes4 codes) => Pairs4.Lookup(table, codes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> DotProduct(Vector128<int> sum, Vector128<sbyte> a, Vector128<sbyte> b)
    {
        if (Dp.IsSupported)
            return Dp.DotProduct(sum, a, b);
        Vector128<int> x = a.AsInt32(), y = b.AsInt32();
        sum += ((x << 24) >> 24) * ((y << 24) >> 24) + ((x << 16) >> 24) * ((y << 16) >> 24);
        return sum + ((x << 8) >> 24) * ((y << 8) >> 24) + (x >> 24) * (y >> 24);
    }
}

/// <summary>Bytes on eight lanes: AVX-VNNI. Elsewhere the same in more steps, so that tests can run it.</summary>
internal readonly unsafe struct Bytes8 : IFourColumns<Lanes8>
{
    public static ActivationForm Form => ActivationForm.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes8 bytes, out Lanes8 first, out Lanes8 second) => first = second = bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes8 first, Lanes8 second, ref Lanes8 firstSum, ref Lanes8 secondSum)
    {
        Vector256<sbyte> one = Vector256.Create(*(int*)block).AsSByte(), other = Vector256.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsSByte();
        firstSum = new(DotProduct(firstSum.Value.AsInt32(), first.Value.AsByte(), one).AsSingle());
        secondSum = new(DotProduct(secondSum.Value.AsInt32(), second.Value.AsByte(), other).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Combine(Lanes8 first, Lanes8 second) => Lanes8.AddBits(Lanes8.ShiftLeft(first, 8), second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Lookup(byte* table, Lanes8 codes) => Pairs8.Lookup(table, codes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> DotProduct(Vector256<int> sum, Vector256<byte> a, Vector256<sbyte> b)
    {
        if (AvxVnni.IsSupported)
            return AvxVnni.MultiplyWideningAndAdd(sum, a, b);
        Vector256<short> even = (a.AsUInt16() & Vector256.Create((ushort)255)).AsInt16(), odd = (a.AsUInt16() >>> 8).AsInt16();
        return sum + Avx2.MultiplyAddAdjacent(even, (b.AsInt16() << 8) >> 8) + Avx2.MultiplyAddAdjacent(odd, b.AsInt16() >> 8);
    }
}

/// <summary>Nibbles on four lanes: SSSE3.</summary>
internal readonly unsafe struct Nibbles4 : IFourColumns<Lanes4>
{
    public static ActivationForm Form => ActivationForm.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes4 bytes, out Lanes4 first, out Lanes4 second) => first = second = bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes4 first, Lanes4 second, ref Lanes4 firstSum, ref Lanes4 secondSum)
    {
        Vector128<sbyte> one = Vector128.Create(*(int*)block).AsSByte(), other = Vector128.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsSByte();
        firstSum = new((firstSum.Value.AsInt16() + Ssse3.MultiplyAddAdjacent(first.Value.AsByte(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt16() + Ssse3.MultiplyAddAdjacent(second.Value.AsByte(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Combine(Lanes4 first, Lanes4 second)
    {
        Vector128<int> upper = Sse2.MultiplyAddAdjacent(first.Value.AsInt16(), Vector128.Create((short)256));
        return new((upper + Sse2.MultiplyAddAdjacent(second.Value.AsInt16(), Vector128.Create((short)1))).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Lookup(byte* table, Lanes4 codes) => Pairs4.Lookup(table, codes);
}

/// <summary>Nibbles on eight lanes: AVX2.</summary>
internal readonly unsafe struct Nibbles8 : IFourColumns<Lanes8>
{
    public static ActivationForm Form => ActivationForm.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes8 bytes, out Lanes8 first, out Lanes8 second) => first = second = bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes8 first, Lanes8 second, ref Lanes8 firstSum, ref Lanes8 secondSum)
    {
        Vector256<sbyte> one = Vector256.Create(*(int*)block).AsSByte(), other = Vector256.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsSByte();
        firstSum = new((firstSum.Value.AsInt16() + Avx2.MultiplyAddAdjacent(first.Value.AsByte(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt16() + Avx2.MultiplyAddAdjacent(second.Value.AsByte(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Combine(Lanes8 first, Lanes8 second)
    {
        Vector256<int> upper = Avx2.MultiplyAddAdjacent(first.Value.AsInt16(), Vector256.Create((short)256));
        return new((upper + Avx2.MultiplyAddAdjacent(second.Value.AsInt16(), Vector256.Create((short)1))).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Lookup(byte* table, Lanes8 codes) => Pairs8.Lookup(table, codes);
}

/// <summary>Nibbles on sixteen lanes: AVX-512 where AVX512-VNNI is not in the CPU or its code may not be assembled.</summary>
internal readonly unsafe struct Nibbles16 : IFourColumns<Lanes16>
{
    public static ActivationForm Form => ActivationForm.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes16 bytes, out Lanes16 first, out Lanes16 second) => first = second = bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes16 first, Lanes16 second, ref Lanes16 firstSum, ref Lanes16 secondSum)
    {
        Vector512<sbyte> one = Vector512.Create(*(int*)block).AsSByte(), other = Vector512.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsSByte();
        firstSum = new((firstSum.Value.AsInt16() + Avx512BW.MultiplyAddAdjacent(first.Value.AsByte(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt16() + Avx512BW.MultiplyAddAdjacent(second.Value.AsByte(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Combine(Lanes16 first, Lanes16 second)
    {
        Vector512<int> upper = Avx512BW.MultiplyAddAdjacent(first.Value.AsInt16(), Vector512.Create((short)256));
        return new((upper + Avx512BW.MultiplyAddAdjacent(second.Value.AsInt16(), Vector512.Create((short)1))).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Lookup(byte* table, Lanes16 codes) => Pairs16.Lookup(table, codes);
}
