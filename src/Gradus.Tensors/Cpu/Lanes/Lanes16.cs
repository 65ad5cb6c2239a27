using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Sixteen lanes: AVX-512.</summary>
internal unsafe struct Lanes16(Vector512<float> value) : ILanes<Lanes16>
{
    private Vector512<float> _value = value;

    public static int Width => 16;

    public static Lanes16 Zero => new(Vector512<float>.Zero);

    /// <summary>The register itself.</summary>
    public readonly Vector512<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 BroadcastBits(int bits) => new(Vector512.Create(bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, Lanes16 value) => value._value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LoadTail(float* from, int count) => new(Avx512F.MaskLoad(from, First(count), Vector512<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreTail(float* to, int count, Lanes16 value) => Avx512F.MaskStore(to, First(count), value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LoadBits16(ushort* from) => new(Avx512F.ConvertToVector512Int32(Vector256.Load(from)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LoadBits8(byte* from) => new(Avx512F.ConvertToVector512Int32(Vector128.Load(from)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Lookup(float* table, Lanes16 bits) => new(Avx512F.PermuteVar16x32(Vector512.Load(table), bits._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBits16(ushort* to, Lanes16 bits) => Avx512F.ConvertToVector256UInt16(bits._value.AsUInt32()).Store(to);

    // Every row is loaded once and whole: rows often lie a power of two apart, where the cache has room for eight lines and no more.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(byte** rows, nint offset, float* to, nint stride)
    {
        Four(rows, offset, out Vector512<float> a0, out Vector512<float> a1, out Vector512<float> a2, out Vector512<float> a3);
        Four(rows + 4, offset, out Vector512<float> b0, out Vector512<float> b1, out Vector512<float> b2, out Vector512<float> b3);
        Four(rows + 8, offset, out Vector512<float> c0, out Vector512<float> c1, out Vector512<float> c2, out Vector512<float> c3);
        Four(rows + 12, offset, out Vector512<float> d0, out Vector512<float> d1, out Vector512<float> d2, out Vector512<float> d3);
        EveryFourth(a0, b0, c0, d0, out a0, out b0, out c0, out d0);
        EveryFourth(a1, b1, c1, d1, out a1, out b1, out c1, out d1);
        EveryFourth(a2, b2, c2, d2, out a2, out b2, out c2, out d2);
        EveryFourth(a3, b3, c3, d3, out a3, out b3, out c3, out d3);
        // In order: where the stride is less than a register, what one store writes beyond it is the next one's to overwrite.
        StoreFour(a0, a1, a2, a3, to, stride);
        StoreFour(b0, b1, b2, b3, to + 4 * stride, stride);
        StoreFour(c0, c1, c2, c3, to + 8 * stride, stride);
        StoreFour(d0, d1, d2, d3, to + 12 * stride, stride);
    }

    // Of four rows: columns 0, 4, 8 and 12 in a's pieces of 128 bits, 1, 5, 9 and 13 in b's, and so on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(byte** rows, nint offset, out Vector512<float> a, out Vector512<float> b, out Vector512<float> c, out Vector512<float> d)
    {
        Vector512<float> r0 = Vector512.Load((float*)(rows[0] + offset)), r1 = Vector512.Load((float*)(rows[1] + offset));
        Vector512<float> r2 = Vector512.Load((float*)(rows[2] + offset)), r3 = Vector512.Load((float*)(rows[3] + offset));
        Vector512<double> low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), low23 = Avx512F.UnpackLow(r2, r3).AsDouble();
        Vector512<double> high01 = Avx512F.UnpackHigh(r0, r1).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble();
        a = Avx512F.UnpackLow(low01, low23).AsSingle();
        b = Avx512F.UnpackHigh(low01, low23).AsSingle();
        c = Avx512F.UnpackLow(high01, high23).AsSingle();
        d = Avx512F.UnpackHigh(high01, high23).AsSingle();
    }

    // Piece i of all four becomes output i.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void EveryFourth(
        Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d,
        out Vector512<float> first, out Vector512<float> second, out Vector512<float> third, out Vector512<float> fourth)
    {
        const byte Even = 0x88, Odd = 0xDD;
        Vector512<float> ab = Avx512F.Shuffle4x128(a, b, Even), cd = Avx512F.Shuffle4x128(c, d, Even);
        Vector512<float> abOdd = Avx512F.Shuffle4x128(a, b, Odd), cdOdd = Avx512F.Shuffle4x128(c, d, Odd);
        first = Avx512F.Shuffle4x128(ab, cd, Even);
        second = Avx512F.Shuffle4x128(abOdd, cdOdd, Even);
        third = Avx512F.Shuffle4x128(ab, cd, Odd);
        fourth = Avx512F.Shuffle4x128(abOdd, cdOdd, Odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, nint stride)
    {
        a.Store(to);
        b.Store(to + stride);
        c.Store(to + 2 * stride);
        d.Store(to + 3 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator +(Lanes16 a, Lanes16 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator -(Lanes16 a, Lanes16 b) => new(a._value - b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator *(Lanes16 a, Lanes16 b) => new(a._value * b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator /(Lanes16 a, Lanes16 b) => new(a._value / b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator -(Lanes16 a) => new(-a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator &(Lanes16 a, Lanes16 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator |(Lanes16 a, Lanes16 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 operator ^(Lanes16 a, Lanes16 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Fma(Lanes16 a, Lanes16 b, Lanes16 c) => new(Vector512.FusedMultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Lanes16 sum, Lanes16 a, Lanes16 b) => sum._value = Vector512.FusedMultiplyAdd(a._value, b._value, sum._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Max(Lanes16 a, Lanes16 b) => new(Vector512.MaxNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Min(Lanes16 a, Lanes16 b) => new(Vector512.MinNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Abs(Lanes16 a) => new(Vector512.Abs(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Sqrt(Lanes16 a) => new(Vector512.Sqrt(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ScaleByPowerOfTwo(Lanes16 a, Lanes16 n) => new(Avx512F.Scale(a._value, n._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Less(Lanes16 a, Lanes16 b) => new(Vector512.LessThan(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LessOrEqual(Lanes16 a, Lanes16 b) => new(Vector512.LessThanOrEqual(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Equal(Lanes16 a, Lanes16 b) => new(Vector512.Equals(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 LessBits(Lanes16 a, Lanes16 b) => new(Vector512.LessThan(a._value.AsUInt32(), b._value.AsUInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 EqualBits(Lanes16 a, Lanes16 b) => new(Vector512.Equals(a._value.AsInt32(), b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 Select(Lanes16 mask, Lanes16 a, Lanes16 b) => new(Vector512.ConditionalSelect(mask._value, a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 AddBits(Lanes16 a, Lanes16 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 SubtractBits(Lanes16 a, Lanes16 b) => new((a._value.AsInt32() - b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ShiftLeft(Lanes16 bits, int by) => new((bits._value.AsInt32() << by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ShiftRight(Lanes16 bits, int by) => new((bits._value.AsInt32() >>> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ShiftRightSigned(Lanes16 bits, int by) => new((bits._value.AsInt32() >> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 FromInteger(Lanes16 bits) => new(Vector512.ConvertToSingle(bits._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 ToInteger(Lanes16 a) => new(Avx512F.ConvertToVector512Int32(a._value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 RandomBits(ulong key, long index)
    {
        Vector512<uint> low = LaneRandom.Eight(key, index).AsUInt32(), high = LaneRandom.Eight(key, index + 8).AsUInt32();
        return new(Avx512F.PermuteVar16x32x2(low, Vector512.Create(1u, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), high).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes16 RandomHalves(ulong key, long half) => new(LaneRandom.Eight(key, half >> 1).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes16 a) => Lanes8.Sum(new Lanes8(a._value.GetLower() + a._value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestLane(Lanes16 a) => Lanes8.LargestLane(new Lanes8(Vector256.MaxNative(a._value.GetLower(), a._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> First(int count) =>
        Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle();
}
