namespace Gradus.Tensors.Cpu.Tests;

public sealed unsafe class LaneMathTests
{
    public static TheoryData<string> Isas => OnLanes.Names;

    [Theory]
    [MemberData(nameof(Isas))]
    public void ExpIsWithinTwoUlp(string isa) => OnLanes.Run(isa, new Check(Function.Exp, Math.Exp, 2, -105, 90));

    [Theory]
    [MemberData(nameof(Isas))]
    public void Exp2IsWithinTwoUlp(string isa) => OnLanes.Run(isa, new Check(Function.Exp2, x => Math.Pow(2, x), 2, -152, 130));

    [Theory]
    [MemberData(nameof(Isas))]
    public void LogIsWithinTwoUlp(string isa) => OnLanes.Run(isa, new Check(Function.Log, Math.Log, 2, 0, 4));

    [Theory]
    [MemberData(nameof(Isas))]
    public void TanhIsWithinFourUlp(string isa) => OnLanes.Run(isa, new Check(Function.Tanh, Math.Tanh, 4, -10, 10));

    [Theory]
    [MemberData(nameof(Isas))]
    public void ErfIsWithinFourUlp(string isa) => OnLanes.Run(isa, new Check(Function.Erf, Erf, 4, -4.2, 4.2));

    private enum Function
    {
        Exp,
        Exp2,
        Log,
        Tanh,
        Erf,
    }

    // erf by its power series, which in double keeps 1e-10 up to 3; beyond, by the continued fraction of erfc.
    private static double Erf(double x)
    {
        if (double.IsNaN(x))
            return x;
        double size = Math.Abs(x);
        if (size > 6)
            return Math.Sign(x);
        if (size > 2.5)
        {
            double fraction = 0;
            for (int k = 120; k > 0; k--)
                fraction = k / 2.0 / (size + fraction);
            return Math.Sign(x) * (1 - Math.Exp(-size * size) / Math.Sqrt(Math.PI) / (size + fraction));
        }
        double term = x, sum = x;
        for (int n = 1; n < 80; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static double UlpsApart(float result, double exact)
    {
        float nearest = (float)exact;
        if (float.IsNaN(nearest) || float.IsNaN(result))
            return float.IsNaN(nearest) == float.IsNaN(result) ? 0 : double.PositiveInfinity;
        if (float.IsInfinity(nearest) || float.IsInfinity(result))
            return nearest == result ? 0 : double.PositiveInfinity;
        double ulp = Math.Max((double)MathF.BitIncrement(MathF.Abs(nearest)) - MathF.Abs(nearest), float.Epsilon);
        return Math.Abs(result - exact) / ulp;
    }

    private readonly struct Check(Function function, Func<double, double> exact, double ulps, double from, double to) : ILaneCheck
    {
        public void Run<T>()
            where T : unmanaged, ILanes<T>
        {
            const int Count = 1 << 17;
            float[] x = new float[Count], y = new float[Count];
            Random random = new(11);
            for (int i = 0; i < Count; i++)
            {
                x[i] = (i % 3) switch
                {
                    0 => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)),
                    1 => (float)(from + (to - from) * random.NextDouble()),
                    _ => (float)(0.5 + random.NextDouble()),
                };
            }
            float[] special =
            [
                0, -0f, float.Epsilon, -float.Epsilon, 1.17549435e-38f, 1.1754942e-38f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1, -1,
                float.MaxValue, float.MinValue, 88.72283f, 88.72284f, -87.33654f, -103.97208f, -103.9721f, 0.5625f, 0.9f, 4, 3.9999998f,
            ];
            special.CopyTo(x, 0);
            fixed (float* px = x, py = y)
            {
                for (int i = 0; i < Count; i += T.Width)
                    T.Store(py + i, Apply(T.Load(px + i)));
            }
            double worst = 0;
            float at = 0;
            for (int i = 0; i < Count; i++)
            {
                double apart = UlpsApart(y[i], exact(x[i]));
                if (apart > worst)
                    (worst, at) = (apart, x[i]);
            }
            Assert.True(worst <= ulps, $"{worst:F2} ulp at {at:R}");
            if (function is Function.Tanh or Function.Erf)
                Assert.Equal(int.MinValue, BitConverter.SingleToInt32Bits(y[1]));
        }

        private T Apply<T>(T x)
            where T : unmanaged, ILanes<T> => function switch
            {
                Function.Exp => LaneMath<T>.Exp(x),
                Function.Exp2 => LaneMath<T>.Exp2(x),
                Function.Log => LaneMath<T>.Log(x),
                Function.Tanh => LaneMath<T>.Tanh(x),
                _ => LaneMath<T>.Erf(x),
            };
    }
}
