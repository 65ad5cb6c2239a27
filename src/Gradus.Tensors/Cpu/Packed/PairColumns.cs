using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Pairs on one lane.</summary>
internal readonly unsafe struct Pairs1 : IFourColumns<Lanes1>
{
    public static ActivationForm Form => ActivationForm.Pairs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes1 bytes, out Lanes1 first, out Lanes1 second)
    {
        Lanes1 even = Lanes1.BroadcastBits(0x00FF00FF);
        first = bytes & even;
        second = Lanes1.ShiftRight(bytes, 8) & even;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes1 first, Lanes1 second, ref Lanes1 firstSum, ref Lanes1 secondSum)
    {
        firstSum = Lanes1.BroadcastBits(firstSum.Bits + Products(first.Bits, *(int*)block));
        secondSum = Lanes1.BroadcastBits(secondSum.Bits + Products(second.Bits, *(int*)(block + ActivationBlocks.SecondOffset)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Combine(Lanes1 first, Lanes1 second) => Lanes1.AddBits(first, second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Lookup(byte* table, Lanes1 codes)
    {
        int four = codes.Bits;
        return Lanes1.BroadcastBits(table[four & 15] | table[four >> 8 & 15] << 8 | table[four >> 16 & 15] << 16 | table[four >> 24 & 15] << 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Products(int a, int b) => (short)a * (short)b + (a >> 16) * (b >> 16);
}

/// <summary>Pairs on four lanes.</summary>
internal readonly unsafe struct Pairs4 : IFourColumns<Lanes4>
{
    public static ActivationForm Form => ActivationForm.Pairs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes4 bytes, out Lanes4 first, out Lanes4 second)
    {
        Vector128<ushort> columns = bytes.Value.AsUInt16();
        first = new((columns & Vector128.Create((ushort)255)).AsSingle());
        second = new((columns >>> 8).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes4 first, Lanes4 second, ref Lanes4 firstSum, ref Lanes4 secondSum)
    {
        Vector128<short> one = Vector128.Create(*(int*)block).AsInt16(), other = Vector128.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsInt16();
        firstSum = new((firstSum.Value.AsInt32() + Products(first.Value.AsInt16(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt32() + Products(second.Value.AsInt16(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Combine(Lanes4 first, Lanes4 second) => Lanes4.AddBits(first, second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Lookup(byte* table, Lanes4 codes) => new(Vector128.Shuffle(Vector128.Load(table), codes.Value.AsByte()).AsSingle());

    // Neighbouring products, two by two.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Products(Vector128<short> a, Vector128<short> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(a, b);
        if (AdvSimd.Arm64.IsSupported)
            return AdvSimd.Arm64.AddPairwise(AdvSimd.MultiplyWideningLower(a.GetLower(), b.GetLower()), AdvSimd.MultiplyWideningUpper(a, b));
        Vector128<int> words = a.AsInt32(), others = b.AsInt32();
        return ((words << 16) >> 16) * ((others << 16) >> 16) + (words >> 16) * (others >> 16);
    }
}

/// <summary>Pairs on eight lanes: AVX2.</summary>
internal readonly unsafe struct Pairs8 : IFourColumns<Lanes8>
{
    public static ActivationForm Form => ActivationForm.Pairs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes8 bytes, out Lanes8 first, out Lanes8 second)
    {
        Vector256<ushort> columns = bytes.Value.AsUInt16();
        first = new((columns & Vector256.Create((ushort)255)).AsSingle());
        second = new((columns >>> 8).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes8 first, Lanes8 second, ref Lanes8 firstSum, ref Lanes8 secondSum)
    {
        Vector256<short> one = Vector256.Create(*(int*)block).AsInt16(), other = Vector256.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsInt16();
        firstSum = new((firstSum.Value.AsInt32() + Avx2.MultiplyAddAdjacent(first.Value.AsInt16(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt32() + Avx2.MultiplyAddAdjacent(second.Value.AsInt16(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Combine(Lanes8 first, Lanes8 second) => Lanes8.AddBits(first, second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Lookup(byte* table, Lanes8 codes) => new(Avx2.Shuffle(Vector256.Load(table), codes.Value.AsByte()).AsSingle());
}

/// <summary>Pairs on sixteen lanes: AVX-512 where AVX512-VNNI is not in the CPU or its code may not be assembled.</summary>
internal readonly unsafe struct Pairs16 : IFourColumns<Lanes16>
{
    public static ActivationForm Form => ActivationForm.Pairs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Split(Lanes16 bytes, out Lanes16 first, out Lanes16 second)
    {
        Vector512<ushort> columns = bytes.Value.AsUInt16();
        first = new((columns & Vector512.Create((ushort)255)).AsSingle());
        second = new((columns >>> 8).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(byte* block, Lanes16 first, Lanes16 second, ref Lanes16 firstSum, ref Lanes16 secondSum)
    {
        Vector512<short> one = Vector512.Create(*(int*)block).AsInt16(), other = Vector512.Create(*(int*)(block + ActivationBlocks.SecondOffset)).AsInt16();
        firstSum = new((firstSum.Value.AsInt32() + Avx512BW.MultiplyAddAdjacent(first.Value.AsInt16(), one)).AsSingle());
        secondSum = new((secondSum.Value.AsInt32() + Avx512BW.MultiplyAddAdjacent(second.Value.AsInt16(), other)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Combine(Lanes16 first, Lanes16 second) => Lanes16.AddBits(first, second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Lookup(byte* table, Lanes16 codes) => new(Avx512BW.Shuffle(Vector512.Load(table), codes.Value.AsByte()).AsSingle());
}
