using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Cpu;

/// <summary>Four lanes through the portable vector API.</summary>
internal unsafe struct Lanes4(Vector128<float> value) : ILanes<Lanes4>
{
    private Vector128<float> _value = value;

    public static int Width => 4;

    public static Lanes4 Zero => new(Vector128<float>.Zero);

    /// <summary>The register itself.</summary>
    public readonly Vector128<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Broadcast(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 BroadcastBits(int bits) => new(Vector128.Create(bits).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Load(float* from) => new(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, Lanes4 value) => value._value.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LoadTail(float* from, int count) => count switch
    {
        <= 0 => Zero,
        1 => new(Vector128.CreateScalar(from[0])),
        2 => new(Vector128.Create(from[0], from[1], 0, 0)),
        3 => new(Vector128.Create(from[0], from[1], from[2], 0)),
        _ => Load(from),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreTail(float* to, int count, Lanes4 value)
    {
        if (count >= 4)
        {
            Store(to, value);
            return;
        }
        for (int i = 0; i < count; i++)
            to[i] = value._value.GetElement(i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LoadBits16(ushort* from) => new(Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)from).AsUInt16()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LoadBits8(byte* from) =>
        new(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)from).AsByte())).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Lookup(float* table, Lanes4 bits)
    {
        Vector128<int> at = bits._value.AsInt32() & Vector128.Create(15);
        return new(Vector128.Create(table[at.GetElement(0)], table[at.GetElement(1)], table[at.GetElement(2)], table[at.GetElement(3)]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBits16(ushort* to, Lanes4 bits) =>
        *(ulong*)to = Vector128.Narrow(bits._value.AsUInt32(), bits._value.AsUInt32()).AsUInt64().ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(byte** rows, nint offset, float* to, nint stride)
    {
        Vector128<float> a = Vector128.Load((float*)(rows[0] + offset)), b = Vector128.Load((float*)(rows[1] + offset));
        Vector128<float> c = Vector128.Load((float*)(rows[2] + offset)), d = Vector128.Load((float*)(rows[3] + offset));
        Vector128<float> evenAb = Interleave(a, b), evenCd = Interleave(c, d), oddAb = Interleave(High(a), High(b)), oddCd = Interleave(High(c), High(d));
        Vector128.Create(evenAb.GetLower(), evenCd.GetLower()).Store(to);
        Vector128.Create(evenAb.GetUpper(), evenCd.GetUpper()).Store(to + stride);
        Vector128.Create(oddAb.GetLower(), oddCd.GetLower()).Store(to + 2 * stride);
        Vector128.Create(oddAb.GetUpper(), oddCd.GetUpper()).Store(to + 3 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator +(Lanes4 a, Lanes4 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator -(Lanes4 a, Lanes4 b) => new(a._value - b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator *(Lanes4 a, Lanes4 b) => new(a._value * b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator /(Lanes4 a, Lanes4 b) => new(a._value / b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator -(Lanes4 a) => new(-a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator &(Lanes4 a, Lanes4 b) => new(a._value & b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator |(Lanes4 a, Lanes4 b) => new(a._value | b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 operator ^(Lanes4 a, Lanes4 b) => new(a._value ^ b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Fma(Lanes4 a, Lanes4 b, Lanes4 c) => new(Vector128.FusedMultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Lanes4 sum, Lanes4 a, Lanes4 b) => sum._value = Vector128.FusedMultiplyAdd(a._value, b._value, sum._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Max(Lanes4 a, Lanes4 b) => new(Vector128.MaxNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Min(Lanes4 a, Lanes4 b) => new(Vector128.MinNative(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Abs(Lanes4 a) => new(Vector128.Abs(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Sqrt(Lanes4 a) => new(Vector128.Sqrt(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ScaleByPowerOfTwo(Lanes4 a, Lanes4 n) => LaneMath<Lanes4>.ScaleByPowerOfTwo(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Less(Lanes4 a, Lanes4 b) => new(Vector128.LessThan(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LessOrEqual(Lanes4 a, Lanes4 b) => new(Vector128.LessThanOrEqual(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Equal(Lanes4 a, Lanes4 b) => new(Vector128.Equals(a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 LessBits(Lanes4 a, Lanes4 b) => new(Vector128.LessThan(a._value.AsUInt32(), b._value.AsUInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 EqualBits(Lanes4 a, Lanes4 b) => new(Vector128.Equals(a._value.AsInt32(), b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Select(Lanes4 mask, Lanes4 a, Lanes4 b) => new(Vector128.ConditionalSelect(mask._value, a._value, b._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 AddBits(Lanes4 a, Lanes4 b) => new((a._value.AsInt32() + b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 SubtractBits(Lanes4 a, Lanes4 b) => new((a._value.AsInt32() - b._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ShiftLeft(Lanes4 bits, int by) => new((bits._value.AsInt32() << by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ShiftRight(Lanes4 bits, int by) => new((bits._value.AsInt32() >>> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ShiftRightSigned(Lanes4 bits, int by) => new((bits._value.AsInt32() >> by).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 FromInteger(Lanes4 bits) => new(Vector128.ConvertToSingle(bits._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 ToInteger(Lanes4 a) => new(Vector128.ConvertToInt32Native(Vector128.Round(a._value)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 RandomBits(ulong key, long index) =>
        new(Vector128.Narrow(LaneRandom.Two(key, index) >>> 32, LaneRandom.Two(key, index + 2) >>> 32).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 RandomHalves(ulong key, long half) => new(LaneRandom.Two(key, half >> 1).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes4 a)
    {
        Vector128<float> halves = a._value + Vector128.Shuffle(a._value, Vector128.Create(2, 3, 2, 3));
        return halves.ToScalar() + halves.GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestLane(Lanes4 a)
    {
        Vector128<float> halves = Vector128.MaxNative(a._value, Vector128.Shuffle(a._value, Vector128.Create(2, 3, 2, 3)));
        return Lanes1.LargestLane(Lanes1.Max(new(halves.ToScalar()), new(halves.GetElement(1))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> a) => Vector128.Shuffle(a, Vector128.Create(2, 3, 2, 3));

    // The low halves, lane by lane: a0 b0 a1 b1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Interleave(Vector128<float> a, Vector128<float> b)
    {
        Vector128<float> both = Vector128.Create(a.GetLower(), b.GetLower());
        return Vector128.Shuffle(both, Vector128.Create(0, 2, 1, 3));
    }
}
