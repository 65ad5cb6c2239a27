using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Cpu;

/// <summary>One lane: plain scalar arithmetic.</summary>
internal unsafe struct Lanes1(float value) : ILanes<Lanes1>
{
    private float _value = value;

    public static int Width => 1;

    public static Lanes1 Zero => new(0);

    /// <summary>The lane as an integer.</summary>
    public readonly int Bits => BitConverter.SingleToInt32Bits(_value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Broadcast(float value) => new(value);

    // Through a vector, because the JIT of .NET 10 turns a read of two bytes with a bit cast behind it into a read of four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 BroadcastBits(int bits) => new(Vector128.CreateScalar(bits).AsSingle().ToScalar());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Load(float* from) => new(*from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, Lanes1 value) => *to = value._value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 LoadTail(float* from, int count) => count > 0 ? new(*from) : Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreTail(float* to, int count, Lanes1 value)
    {
        if (count > 0)
            *to = value._value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 LoadBits16(ushort* from) => BroadcastBits(*from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 LoadBits8(byte* from) => BroadcastBits(*from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Lookup(float* table, Lanes1 bits) => new(table[bits.Bits & 15]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBits16(ushort* to, Lanes1 bits) => *to = (ushort)bits.Bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(byte** rows, nint offset, float* to, nint stride) => *to = *(float*)(rows[0] + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator +(Lanes1 a, Lanes1 b) => new(a._value + b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator -(Lanes1 a, Lanes1 b) => new(a._value - b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator *(Lanes1 a, Lanes1 b) => new(a._value * b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator /(Lanes1 a, Lanes1 b) => new(a._value / b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator -(Lanes1 a) => new(-a._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator &(Lanes1 a, Lanes1 b) => BroadcastBits(a.Bits & b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator |(Lanes1 a, Lanes1 b) => BroadcastBits(a.Bits | b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 operator ^(Lanes1 a, Lanes1 b) => BroadcastBits(a.Bits ^ b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Fma(Lanes1 a, Lanes1 b, Lanes1 c) => new(MathF.FusedMultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyAdd(ref Lanes1 sum, Lanes1 a, Lanes1 b) => sum._value = MathF.FusedMultiplyAdd(a._value, b._value, sum._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Max(Lanes1 a, Lanes1 b) => a._value > b._value ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Min(Lanes1 a, Lanes1 b) => a._value < b._value ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Abs(Lanes1 a) => new(MathF.Abs(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Sqrt(Lanes1 a) => new(MathF.Sqrt(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ScaleByPowerOfTwo(Lanes1 a, Lanes1 n) => LaneMath<Lanes1>.ScaleByPowerOfTwo(a, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Less(Lanes1 a, Lanes1 b) => Mask(a._value < b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 LessOrEqual(Lanes1 a, Lanes1 b) => Mask(a._value <= b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Equal(Lanes1 a, Lanes1 b) => Mask(a._value == b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 LessBits(Lanes1 a, Lanes1 b) => Mask((uint)a.Bits < (uint)b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 EqualBits(Lanes1 a, Lanes1 b) => Mask(a.Bits == b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 Select(Lanes1 mask, Lanes1 a, Lanes1 b) => mask.Bits != 0 ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 AddBits(Lanes1 a, Lanes1 b) => BroadcastBits(a.Bits + b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 SubtractBits(Lanes1 a, Lanes1 b) => BroadcastBits(a.Bits - b.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ShiftLeft(Lanes1 bits, int by) => BroadcastBits(bits.Bits << by);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ShiftRight(Lanes1 bits, int by) => BroadcastBits(bits.Bits >>> by);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ShiftRightSigned(Lanes1 bits, int by) => BroadcastBits(bits.Bits >> by);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 FromInteger(Lanes1 bits) => new(bits.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 ToInteger(Lanes1 a) => BroadcastBits((int)MathF.Round(a._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 RandomBits(ulong key, long index) => BroadcastBits((int)CounterRandom.Bits(key, index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes1 RandomHalves(ulong key, long half) => BroadcastBits((int)(CounterRandom.Bits64(key, half >> 1) >> ((int)(half & 1) * 32)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes1 a) => a._value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LargestLane(Lanes1 a) => a._value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes1 Mask(bool set) => BroadcastBits(set ? -1 : 0);
}
