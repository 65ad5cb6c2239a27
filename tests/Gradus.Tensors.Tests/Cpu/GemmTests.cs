namespace Gradus.Tensors.Cpu.Tests;

public sealed class GemmTests
{
    private static readonly int[] Sizes = [0, 1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 28, 29, 31, 32, 33, 47, 63, 64, 65, 97];
    private static readonly int[] Depths = [0, 1, 2, 15, 16, 17, 31, 33, 64, 127, 255, 256, 257, 383, 384, 385, 401, 769];

    public static TheoryData<string> Isas => [.. CpuFeatures.Available.Select(isa => isa.ToString())];

    public static TheoryData<string, bool, bool> Forms
    {
        get
        {
            TheoryData<string, bool, bool> forms = [];
            foreach (Isa isa in CpuFeatures.Available)
            {
                foreach (bool transposeA in (bool[])[false, true])
                {
                    foreach (bool transposeB in (bool[])[false, true])
                        forms.Add(isa.ToString(), transposeA, transposeB);
                }
            }
            return forms;
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void ProductsOfEveryShapeAreCloseToSumsInDouble(string isa, bool transposeA, bool transposeB)
    {
        using Workers workers = new(2);
        Random random = new(5);
        for (int i = 0; i < 150; i++)
        {
            using GemmCase product = new(Pick(Sizes), Pick(Sizes), Pick(Depths), transposeA, transposeB, accumulate: random.Next(2) == 0,
                bias: random.Next(2) == 0, bf16: random.Next(3) == 0, batch: random.Next(4) == 0 ? 3 : 1, seed: i);
            product.Multiply(Enum.Parse<Isa>(isa), workers);
            product.AssertClose();
        }

        int Pick(int[] from) => from[random.Next(from.Length)];
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void EveryElementIsOneChainOfFusedMultiplyAdds(string isa)
    {
        using Workers workers = new(1);
        (int M, int N, int K)[] shapes = [(1, 40, 700), (3, 33, 511), (14, 64, 1000), (61, 70, 900), (300, 20, 130)];
        for (int i = 0; i < shapes.Length; i++)
        {
            (int m, int n, int k) = shapes[i];
            using GemmCase product = new(m, n, k, transposeA: i % 2 == 1, transposeB: i % 3 != 0, accumulate: i % 2 == 0, bias: i % 3 == 0, bf16: i == 3, seed: i);
            float[] result = product.Multiply(Enum.Parse<Isa>(isa), workers);
            for (int row = 0; row < m; row++)
            {
                for (int column = 0; column < n; column++)
                    Assert.Equal(product.Chain(0, row, column), result[product.IndexOf(0, row, column)]);
            }
        }
    }

    // Large enough that items share A, or B, or one thread takes B a block of columns at a time.
    [Theory]
    [MemberData(nameof(Isas))]
    public void SharedOperandsChangeNoBit(string isa)
    {
        (int M, int N, int K)[] shapes = [(129, 601, 299), (1103, 61, 299), (701, 650, 41)];
        for (int i = 0; i < 2 * shapes.Length; i++)
        {
            (int m, int n, int k) = shapes[i / 2];
            using GemmCase product = new(m, n, k, transposeA: i % 2 == 1, transposeB: i % 3 != 0, accumulate: i % 2 == 0, bias: i % 3 == 0, bf16: i == 3, seed: i);
            float[] expected = new float[product.Result.Length];
            foreach (int threads in (int[])[1, 2, 5])
            {
                using Workers workers = new(threads);
                float[] result = product.Multiply(Enum.Parse<Isa>(isa), workers);
                if (threads > 1)
                    Assert.Equal(expected, result);
                expected = result;
            }
            for (int element = 0; element < m * n; element += 7)
                Assert.Equal(product.Chain(0, element / n, element % n), expected[product.IndexOf(0, element / n, element % n)]);
        }
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public void TheNumberOfThreadsChangesNoBit(string isa)
    {
        (int M, int N, int K)[] shapes = [(200, 300, 400), (1, 2000, 600), (1500, 7, 300)];
        foreach ((int m, int n, int k) in shapes)
        {
            using GemmCase product = new(m, n, k, transposeB: true, bias: true);
            using Workers one = new(1);
            float[] alone = product.Multiply(Enum.Parse<Isa>(isa), one);
            foreach (int threads in (int[])[2, 3, 8])
            {
                using Workers workers = new(threads);
                Assert.Equal(alone, product.Multiply(Enum.Parse<Isa>(isa), workers));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public unsafe void ARowHasTheSameBitsAloneAndInABatch(string isa)
    {
        using Workers workers = new(2);
        using GemmCase product = new(37, 90, 517, transposeB: true);
        float[] together = product.Multiply(Enum.Parse<Isa>(isa), workers);
        float[] alone = new float[product.N];
        fixed (float* row = alone)
        {
            for (int m = 0; m < product.M; m++)
            {
                GemmProblem whole = product.Problem;
                Gemm.Multiply(Enum.Parse<Isa>(isa), workers, whole with { M = 1, A = whole.A with { Data = whole.A.Data + m * whole.A.RowBytes }, C = row });
                Assert.Equal(together[product.IndexOf(0, m, 0)..product.IndexOf(0, m, product.N)], alone);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Isas))]
    public unsafe void RoundedOperandsAreMultipliedAsBf16(string isa)
    {
        using Workers workers = new(2);
        using GemmCase product = new(29, 35, 100, transposeA: true);
        GemmProblem exact = product.Problem;
        float[] rounded = new float[product.M * product.N];
        fixed (float* c = rounded)
        {
            GemmProblem inBf16 = exact with
            {
                A = exact.A with { RoundToBf16 = true },
                B = exact.B with { RoundToBf16 = true },
                C = c,
                StrideC = product.N,
            };
            Gemm.Multiply(Isa.Scalar, workers, inBf16);
            float[] expected = [.. rounded];
            Array.Clear(rounded);
            Gemm.Multiply(Enum.Parse<Isa>(isa) == Isa.Amx ? Isa.Avx512 : Enum.Parse<Isa>(isa), workers, inBf16);
            Assert.Equal(expected, rounded);
        }
        float[] unrounded = product.Multiply(Enum.Parse<Isa>(isa), workers);
        Assert.NotEqual(unrounded[product.IndexOf(0, 3, 3)], rounded[3 * product.N + 3]);
        Assert.Equal(unrounded[product.IndexOf(0, 3, 3)], rounded[3 * product.N + 3], 0.02);
    }

    [Fact]
    public void AProductAllocatesNothing()
    {
        using Workers workers = new(1);
        using GemmCase product = new(64, 64, 64);
        Run(3);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(20);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Run(int times)
        {
            for (int i = 0; i < times; i++)
                Gemm.Multiply(CpuFeatures.Best, workers, product.Problem);
        }
    }
}
