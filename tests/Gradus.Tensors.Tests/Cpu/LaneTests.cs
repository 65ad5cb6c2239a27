namespace Gradus.Tensors.Cpu.Tests;

public sealed unsafe class LaneTests
{
    public static TheoryData<string> Isas => OnLanes.Names;

    [Theory]
    [MemberData(nameof(Isas))]
    public void ArithmeticIsThatOfOneLane(string isa) => OnLanes.Run(isa, new Arithmetic());

    [Theory]
    [MemberData(nameof(Isas))]
    public void TailsTouchOnlyTheirLanes(string isa) => OnLanes.Run(isa, new Tails());

    [Theory]
    [MemberData(nameof(Isas))]
    public void SumsAddHalves(string isa) => OnLanes.Run(isa, new Across());

    [Theory]
    [MemberData(nameof(Isas))]
    public void PowersOfTwoScaleWithOneRounding(string isa) => OnLanes.Run(isa, new Powers());

    [Theory]
    [MemberData(nameof(Isas))]
    public void RandomBitsAreThoseOfTheCounter(string isa) => OnLanes.Run(isa, new RandomDraws());

    [Theory]
    [MemberData(nameof(Isas))]
    public void EveryF16IsReadAndWrittenExactly(string isa) => OnLanes.Run(isa, new F16Patterns());

    [Theory]
    [MemberData(nameof(Isas))]
    public void HalfWidthFloatsRoundToNearestEven(string isa) => OnLanes.Run(isa, new Rounding());

    private static float[] Values { get; } = MakeValues();

    private static float[] MakeValues()
    {
        Random random = new(7);
        float[] values = new float[512];
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        float[] special =
        [
            0, -0f, 1, -1, 2, 0.5f, 65504, 65519.996f, 65520, -65520, 6.1e-5f, 5.9604645e-8f, 2.9802322e-8f, 2.98023259e-8f, float.MaxValue,
            float.MinValue, float.Epsilon, -float.Epsilon, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1.00390625f, 1.01171875f,
        ];
        special.CopyTo(values, 0);
        for (int i = 0; i < 200; i++)
            values[32 + i] = (float)Math.ScaleB(random.NextDouble() * 2 - 1, random.Next(-30, 20));
        return values;
    }

    private readonly struct Arithmetic : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            float[] other = [.. Values.Reverse()];
            Check<T>((a, b) => a + b, (a, b) => a + b, other);
            Check<T>((a, b) => a - b, (a, b) => a - b, other);
            Check<T>((a, b) => a * b, (a, b) => a * b, other);
            Check<T>((a, b) => a / b, (a, b) => a / b, other);
            Check<T>((a, b) => -a, (a, b) => -a, other);
            Check<T>((a, b) => T.Fma(a, b, a), (a, b) => MathF.FusedMultiplyAdd(a, b, a), other);
            Check<T>((a, b) => T.Abs(a), (a, b) => MathF.Abs(a), other);
            Check<T>((a, b) => T.Sqrt(a), (a, b) => MathF.Sqrt(a), other);
            Check<T>((a, b) => T.Max(T.Zero, a), (a, b) => float.IsNaN(a) || a >= 0 ? a : 0, other, zeroSign: false);
            Check<T>((a, b) => T.Min(T.Zero, a), (a, b) => float.IsNaN(a) || a <= 0 ? a : 0, other, zeroSign: false);
            Check<T>((a, b) => T.Select(T.Less(a, b), a, b), (a, b) => a < b ? a : b, other);
            Check<T>((a, b) => T.Select(T.LessOrEqual(a, b), a, b), (a, b) => a <= b ? a : b, other);
            Check<T>((a, b) => T.Select(T.LessBits(a, b), a, b), (a, b) => BitConverter.SingleToUInt32Bits(a) < BitConverter.SingleToUInt32Bits(b) ? a : b, other);
            Check<T>((a, b) => T.Select(T.Equal(a, a), b, T.Zero), (a, b) => float.IsNaN(a) ? 0 : b, other);
            Check<T>((a, b) => T.FromInteger(a), (a, b) => BitConverter.SingleToInt32Bits(a), other);
            Check<T>((a, b) => T.FromInteger(T.ToInteger(T.Select(T.Less(T.Abs(a), T.Broadcast(1e9f)), a, T.Zero))),
                (a, b) => MathF.Abs(a) < 1e9f ? MathF.Round(a) : 0, other, zeroSign: false);
            Check<T>((a, b) => T.AddBits(a, b), (a, b) => Bits((x, y) => x + y, a, b), other);
            Check<T>((a, b) => T.SubtractBits(a, b), (a, b) => Bits((x, y) => x - y, a, b), other);
            Check<T>((a, b) => (a & b) ^ (a | b), (a, b) => Bits((x, y) => (x & y) ^ (x | y), a, b), other);
            Check<T>((a, b) => T.ShiftLeft(a, 5), (a, b) => Bits((x, y) => x << 5, a, b), other);
            Check<T>((a, b) => T.ShiftRight(a, 5), (a, b) => Bits((x, y) => x >>> 5, a, b), other);
            Check<T>((a, b) => T.ShiftRightSigned(a, 5), (a, b) => Bits((x, y) => x >> 5, a, b), other);
        }

        private static float Bits(Func<int, int, int> f, float a, float b) =>
            BitConverter.Int32BitsToSingle(f(BitConverter.SingleToInt32Bits(a), BitConverter.SingleToInt32Bits(b)));

        private static void Check<T>(Func<T, T, T> lanes, Func<float, float, float> scalar, float[] other, bool zeroSign = true)
            where T : unmanaged, ILanes<T>
        {
            float[] result = new float[Values.Length];
            fixed (float* a = Values, b = other, c = result)
            {
                for (int i = 0; i < result.Length; i += T.Width)
                    T.Store(c + i, lanes(T.Load(a + i), T.Load(b + i)));
            }
            for (int i = 0; i < result.Length; i++)
            {
                float expected = scalar(Values[i], other[i]);
                bool same = BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(result[i])
                    || (float.IsNaN(expected) && float.IsNaN(result[i])) || (!zeroSign && expected == result[i]);
                Assert.True(same, $"{Values[i]:R}, {other[i]:R}: {result[i]:R}, not {expected:R}");
            }
        }
    }

    private readonly struct Powers : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            float* lanes = stackalloc float[16];
            for (int n = -252; n <= 252; n++)
            {
                foreach (float a in new[] { 0.7071067f, 1f, 1.4142135f, -1.9999999f, 0f, float.NaN })
                {
                    T.Store(lanes, T.ScaleByPowerOfTwo(T.Broadcast(a), T.Broadcast(n)));
                    for (int i = 0; i < T.Width; i++)
                        Assert.Equal((float)Math.ScaleB(a, n), lanes[i]);
                }
            }
        }
    }

    private readonly struct RandomDraws : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            float* lanes = stackalloc float[16];
            foreach (ulong key in new[] { 0UL, 1UL, 0x123456789ABCDEFUL, ulong.MaxValue })
            {
                foreach (long first in new[] { 0L, 1, 2, 30, 31, int.MaxValue, (1L << 33) - 4 })
                {
                    T.Store(lanes, T.RandomBits(key, first));
                    for (int i = 0; i < T.Width; i++)
                        Assert.Equal(CounterRandom.Bits(key, first + i), BitConverter.SingleToUInt32Bits(lanes[i]));
                    if (T.Width > 1 && first % 2 != 0)
                        continue;
                    T.Store(lanes, T.RandomHalves(key, first));
                    for (int i = 0; i < T.Width; i++)
                        Assert.Equal((uint)(CounterRandom.Bits64(key, (first + i) / 2) >> ((int)((first + i) % 2) * 32)), BitConverter.SingleToUInt32Bits(lanes[i]));
                }
            }
        }
    }

    private readonly struct Tails : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            using GuardedBuffer from = new(T.Width * sizeof(float)), to = new(T.Width * sizeof(float));
            for (int count = 0; count <= T.Width; count++)
            {
                // Both ends at the end of mapped memory: one byte too many is a crash.
                float* source = (float*)from.End - count;
                float* target = (float*)to.End - count;
                for (int i = 0; i < count; i++)
                    source[i] = i + 1;
                float[] lanes = new float[16];
                fixed (float* p = lanes)
                    T.Store(p, T.LoadTail(source, count));
                for (int i = 0; i < T.Width; i++)
                    Assert.Equal(i < count ? i + 1 : 0, lanes[i]);
                T.StoreTail(target, count, T.Broadcast(3) + T.LoadTail(source, count));
                for (int i = 0; i < count; i++)
                    Assert.Equal(i + 4, target[i]);

                ushort* halves = (ushort*)from.End - count;
                ushort* written = (ushort*)to.End - count;
                for (int i = 0; i < count; i++)
                    halves[i] = (ushort)(65535 - i);
                LaneFormats<T>.StoreBits16Tail(written, count, LaneFormats<T>.LoadBits16Tail(halves, count));
                for (int i = 0; i < count; i++)
                    Assert.Equal(65535 - i, written[i]);
            }
        }
    }

    private readonly struct Across : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            float[] lanes = new float[16];
            Random random = new(3);
            for (int i = 0; i < 16; i++)
                lanes[i] = (float)(random.NextDouble() - 0.4);
            float[] tree = [.. lanes.Take(T.Width)];
            for (int half = T.Width / 2; half > 0; half /= 2)
            {
                for (int i = 0; i < half; i++)
                    tree[i] += tree[i + half];
            }
            fixed (float* p = lanes)
            {
                Assert.Equal(tree[0], T.Sum(T.Load(p)));
                Assert.Equal(lanes.Take(T.Width).Max(), T.LargestLane(T.Load(p)));
            }
        }
    }

    private readonly struct F16Patterns : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            ushort* bits = stackalloc ushort[16];
            ushort* back = stackalloc ushort[16];
            float* values = stackalloc float[16];
            for (int first = 0; first < 65536; first += T.Width)
            {
                for (int i = 0; i < T.Width; i++)
                    bits[i] = (ushort)(first + i);
                T lanes = LaneFormats<T>.LoadF16(bits);
                T.Store(values, lanes);
                LaneFormats<T>.StoreF16(back, lanes);
                for (int i = 0; i < T.Width; i++)
                {
                    Half expected = BitConverter.UInt16BitsToHalf(bits[i]);
                    Assert.Equal((float)expected, values[i]);
                    Assert.True(bits[i] == back[i] || (Half.IsNaN(expected) && Half.IsNaN(BitConverter.UInt16BitsToHalf(back[i]))));
                }
            }
        }
    }

    private readonly struct Rounding : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            ushort* half = stackalloc ushort[16];
            ushort* brain = stackalloc ushort[16];
            fixed (float* p = Values)
            {
                for (int first = 0; first < Values.Length; first += T.Width)
                {
                    LaneFormats<T>.StoreF16(half, T.Load(p + first));
                    LaneFormats<T>.StoreBf16(brain, T.Load(p + first));
                    for (int i = 0; i < T.Width; i++)
                    {
                        float value = Values[first + i];
                        Assert.Equal((Half)value, BitConverter.UInt16BitsToHalf(half[i]));
                        Assert.Equal(Bf16(value), BitConverter.Int32BitsToSingle(brain[i] << 16));
                    }
                }
            }
        }

        // The nearest of the two bf16 neighbours, by comparing distances in double; ties to the even one.
        private static float Bf16(float value)
        {
            if (!float.IsFinite(value))
                return value;
            int bits = BitConverter.SingleToInt32Bits(value);
            int towardZero = bits & unchecked((int)0xFFFF0000);
            double low = BitConverter.Int32BitsToSingle(towardZero);
            float next = BitConverter.Int32BitsToSingle(towardZero + 0x10000);
            double high = float.IsInfinity(next) ? Math.CopySign(Math.ScaleB(1, 128), value) : next;
            double toLow = Math.Abs(value - low), toHigh = Math.Abs(high - value);
            bool up = toHigh < toLow || (toHigh == toLow && (towardZero & 0x10000) != 0);
            return up ? next : (float)low;
        }
    }
}
