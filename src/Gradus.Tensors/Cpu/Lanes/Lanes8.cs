using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>Eight lanes: AVX2 with FMA.</summary>
internal unsafe struct Lanes8(Vector256<float> value) : ILanes<Lanes8>
{
    private Vector256<float> _value = value;

    public static int Width => 8;

    public static Lanes8 Zero => new(Vector256<float>.Zero);

    /// <summary>The register itself.</summary>
    public readonly Vector256<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Broadcast(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 BroadcastBits(int bits) => new(Vector256.Create(bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, Lanes8 value) => value._value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LoadTail(float* from, int count) => new(Avx.MaskLoad(from, First(count)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreTail(float* to, int count, Lanes8 value) => Avx.MaskStore(to, First(count), value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LoadBits16(ushort* from) => new(Avx2.ConvertToVector256Int32(Vector128.Load(from)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LoadBits8(byte* from) => new(Avx2.ConvertToVector256Int32(Vector128.CreateScalar(*(ulong*)from).AsByte()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Lookup(float* table, Lanes8 bits)
    {
        Vector256<int> at = bits._value.AsInt32();
        Vector256<float> low = Avx2.PermuteVar8x32(Vector256.Load(table), at), high = Avx2.PermuteVar8x32(Vector256.Load(table + 8), at);
        // Bit 3 of the index, moved to the sign, chooses the half.
        return new(Avx.BlendVariable(low, high, (at << 28).AsSingle()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBits16(ushort* to, Lanes8 bits) => Vector256.Narrow(bits._value.AsUInt32(), bits._value.AsUInt32()).GetLower().Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(byte** rows, nint offset, float* to, nint stride)
    {
        // Half by half: four registers of two 128-bit pieces each, so that only the pieces must be transposed.
        for (int half = 0; half < 2; half++)
        {
            Vector256<float> a = Gather(rows, offset), b = Gather(rows + 1, offset), c = Gather(rows + 2, offset), d = Gather(rows + 3, offset);
            Vector256<double> ab = Avx.UnpackLow(a, b).AsDouble(), cd = Avx.UnpackLow(c, d).AsDouble();
            Avx.UnpackLow(ab, cd).AsSingle().Store(to);
            Avx.UnpackHigh(ab, cd).AsSingle().Store(to + stride);
            ab = Avx.UnpackHigh(a, b).AsDouble();
            cd = Avx.UnpackHigh(c, d).AsDouble();
            Avx.UnpackLow(ab, cd).AsSingle().Store(to + 2 * stride);
            Avx.UnpackHigh(ab, cd).AsSingle().Store(to + 3 * stride);
            to += 4 * stride;
            offset += 4 * sizeof(float);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator +(Lanes8 a, Lanes8 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator -(Lanes8 a, Lanes8 b) => new(a._value - b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator *(Lanes8 a, Lanes8 b) => new(a._value * b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator /(Lanes8 a, Lanes8 b) => new(a._value / b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator -(Lanes8 a) => new(-a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator &(Lanes8 a, Lanes8 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator |(Lanes8 a, Lanes8 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 operator ^(Lanes8 a, Lanes8 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Fma(Lanes8 a, Lanes8 b, Lanes8 c) => new(Vector256.FusedMultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Lanes8 sum, Lanes8 a, Lanes8 b) => sum._value = Vector256.FusedMultiplyAdd(a._value, b._value, sum._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Max(Lanes8 a, Lanes8 b) => new(Vector256.MaxNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Min(Lanes8 a, Lanes8 b) => new(Vector256.MinNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Abs(Lanes8 a) => new(Vector256.Abs(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Sqrt(Lanes8 a) => new(Vector256.Sqrt(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ScaleByPowerOfTwo(Lanes8 a, Lanes8 n) => LaneMath<Lanes8>.ScaleByPowerOfTwo(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Less(Lanes8 a, Lanes8 b) => new(Vector256.LessThan(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LessOrEqual(Lanes8 a, Lanes8 b) => new(Vector256.LessThanOrEqual(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Equal(Lanes8 a, Lanes8 b) => new(Vector256.Equals(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 LessBits(Lanes8 a, Lanes8 b) => new(Vector256.LessThan(a._value.AsUInt32(), b._value.AsUInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 EqualBits(Lanes8 a, Lanes8 b) => new(Vector256.Equals(a._value.AsInt32(), b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 Select(Lanes8 mask, Lanes8 a, Lanes8 b) => new(Vector256.ConditionalSelect(mask._value, a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 AddBits(Lanes8 a, Lanes8 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 SubtractBits(Lanes8 a, Lanes8 b) => new((a._value.AsInt32() - b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ShiftLeft(Lanes8 bits, int by) => new((bits._value.AsInt32() << by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ShiftRight(Lanes8 bits, int by) => new((bits._value.AsInt32() >>> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ShiftRightSigned(Lanes8 bits, int by) => new((bits._value.AsInt32() >> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 FromInteger(Lanes8 bits) => new(Vector256.ConvertToSingle(bits._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 ToInteger(Lanes8 a) => new(Avx.ConvertToVector256Int32(a._value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 RandomBits(ulong key, long index)
    {
        // Odd elements of both pieces of 128 bits, then the pieces in order.
        Vector256<float> low = LaneRandom.Four(key, index).AsSingle(), high = LaneRandom.Four(key, index + 4).AsSingle();
        return new(Avx2.Permute4x64(Avx.Shuffle(low, high, 0b11_01_11_01).AsDouble(), 0b11_01_10_00).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes8 RandomHalves(ulong key, long half) => new(LaneRandom.Four(key, half >> 1).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes8 a) => Lanes4.Sum(new Lanes4(a._value.GetLower() + a._value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestLane(Lanes8 a) => Lanes4.LargestLane(new Lanes4(Vector128.MaxNative(a._value.GetLower(), a._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> First(int count) =>
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Gather(byte** rows, nint offset)
    {
        Vector256<float> pieces = Vector128.Load((float*)(rows[0] + offset)).ToVector256Unsafe();
        return Avx.InsertVector128(pieces, Vector128.Load((float*)(rows[4] + offset)), 1);
    }
}
