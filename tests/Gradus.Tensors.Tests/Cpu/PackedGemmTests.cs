using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>
/// Products with packed weights on guarded memory. As floats they are products with the unpacked weights, to the bit; on integers they are
/// what the definition says, to the bit, and close to the others.
/// </summary>
public sealed unsafe class PackedGemmTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (Isa isa in CpuFeatures.Available)
            {
                foreach (PackedFormat format in PackedFormats.All)
                    cases.Add(isa.ToString(), format.Name);
            }
            return cases;
        }
    }

    public static TheoryData<string, string> IntegerKernelCases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (IntegerKernel kernel in RunnableKernels.All)
            {
                foreach (PackedFormat format in PackedFormats.All.Where(f => BlockFormats.Of(f).HasPanels()))
                    cases.Add(kernel.ToString(), format.Name);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardIsTheProductWithTheUnpackedWeights(string isa, string format)
    {
        foreach ((int m, int n, int blocks) in ((int, int, int)[])[(1, 40, 2), (5, 33, 3), (37, 65, 1), (3, 1, 1)])
            CheckFloats(Enum.Parse<Isa>(isa), PackedFormats.Get(format), m, rows: n, blocks, transposed: true);

        // More rows than a panel of AMX and more columns than it unpacks at once.
        CheckFloats(Enum.Parse<Isa>(isa), PackedFormats.Get(format), 35, rows: 40, 1 + 1152 / PackedFormats.Get(format).BlockSize, transposed: true);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheInputsGradientIsTheProductWithTheUnpackedWeights(string isa, string format)
    {
        foreach ((int m, int blocks, int k) in ((int, int, int)[])[(1, 2, 40), (40, 1, 70), (3, 3, 17), (35, 1, 1090)])
            CheckFloats(Enum.Parse<Isa>(isa), PackedFormats.Get(format), m, rows: k, blocks, transposed: false);
    }

    [Theory]
    [MemberData(nameof(IntegerKernelCases))]
    public void IntegersGiveWhatTheDefinitionSays(string kernel, string name)
    {
        PackedFormat format = PackedFormats.Get(name);
        Random random = new(11);
        for (int i = 0; i < 24; i++)
        {
            int m = random.Next(1, 20), n = i == 0 ? 1 : random.Next(1, 70), blocks = random.Next(1, 6);
            using PackedCase c = new(format, m, n, blocks, seed: i, bias: i % 2 == 0, accumulate: i % 3 == 0);
            using Workers workers = new(1 + i % 3);
            PackedGemm.OnIntegers(Enum.Parse<IntegerKernel>(kernel), workers, c.Problem);
            c.AssertIs(IntegerProduct.Of(BlockFormats.Of(format), c));
            c.AssertClose();
        }
    }

    [Theory]
    [MemberData(nameof(IntegerKernelCases))]
    public void TheLargestSumsDoNotOverflow(string kernel, string name)
    {
        BlockFormat format = BlockFormats.Of(PackedFormats.Get(name));
        foreach ((byte codes, float activation) in ((byte, float)[])[(0, 1), (255, 1), (0, -1), (255, -1)])
        {
            using PackedCase c = new(PackedFormats.Get(name), 7, 16, 2, seed: 1);
            for (int unit = 0; unit < 2; unit++)
            {
                byte* first = c.Problem.B.Data + unit * PanelLayout.UnitBytes(format) + PanelLayout.HeadBytes(format);
                new Span<byte>(first, PanelLayout.UnitBytes(format) - PanelLayout.HeadBytes(format)).Fill(codes);
            }
            new Span<float>(c.Problem.A.Data, c.M * c.K).Fill(activation);
            using Workers workers = new(1);
            PackedGemm.OnIntegers(Enum.Parse<IntegerKernel>(kernel), workers, c.Problem);
            c.AssertIs(IntegerProduct.Of(format, c));
        }
    }

    [Theory]
    [MemberData(nameof(IntegerKernelCases))]
    public void ThreadsAndCompanyChangeNoBit(string kernelName, string name)
    {
        IntegerKernel kernel = Enum.Parse<IntegerKernel>(kernelName);
        using PackedCase c = new(PackedFormats.Get(name), 21, 300, 4, seed: 1);
        using Workers one = new(1), three = new(3);
        PackedGemm.OnIntegers(kernel, one, c.Problem);
        float[] alone = c.Result.ToArray();
        c.Reset();
        PackedGemm.OnIntegers(kernel, three, c.Problem);
        Assert.Equal(alone, c.Result.ToArray());
        for (int m = 0; m < c.M; m++)
        {
            GemmProblem whole = c.Problem;
            float[] row = new float[c.N];
            fixed (float* to = row)
                PackedGemm.OnIntegers(kernel, one, whole with { M = 1, A = whole.A with { Data = whole.A.Data + m * whole.A.RowBytes }, C = to });
            Assert.Equal(alone[(m * c.N)..((m + 1) * c.N)], row);
        }
    }

    [Theory]
    [MemberData(nameof(RunnableKernels.Names), MemberType = typeof(RunnableKernels))]
    public void NumbersThatAreNotFiniteAreNotLost(string kernel)
    {
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            using PackedCase c = new(PackedFormats.Get("Q4_0"), 3, 40, 4, seed: 1);
            ((float*)(c.Problem.A.Data + c.Problem.A.RowBytes))[70] = bad;
            using Workers workers = new(1);
            PackedGemm.OnIntegers(Enum.Parse<IntegerKernel>(kernel), workers, c.Problem);
            Assert.All(c.Result[..40].ToArray(), value => Assert.True(float.IsFinite(value)));
            Assert.All(c.Result[40..80].ToArray(), value => Assert.False(float.IsFinite(value)));
            Assert.All(c.Result[80..].ToArray(), value => Assert.True(float.IsFinite(value)));
        }
    }

    [Theory]
    [MemberData(nameof(RunnableKernels.Names), MemberType = typeof(RunnableKernels))]
    public void LargeSmallAndZeroActivationsKeepTheirScale(string kernel)
    {
        foreach (float size in (float[])[0, 1e-38f, 1e-20f, 1e-3f, 1e20f, 1e30f])
        {
            using PackedCase c = new(PackedFormats.Get("Q8_0"), 2, 20, 3, seed: 4);
            foreach (ref float value in new Span<float>(c.Problem.A.Data, 2 * 96))
                value *= size;
            using Workers workers = new(1);
            PackedGemm.OnIntegers(Enum.Parse<IntegerKernel>(kernel), workers, c.Problem);
            c.AssertClose();
        }
    }

    [Fact]
    public void NothingIsZeroAndNobodyWaits()
    {
        foreach (Isa isa in CpuFeatures.Available)
        {
            using Workers workers = new(2);
            using PackedCase none = new(PackedFormats.Get("Q4_0"), 0, 20, 1, seed: 1), empty = new(PackedFormats.Get("Q4_0"), 3, 20, 0, seed: 1, bias: true);
            PackedGemm.Multiply(isa, workers, none.Problem);
            PackedGemm.Multiply(isa, workers, empty.Problem);
            empty.AssertClose();
        }
    }

    [Fact]
    public void ThePrecisionDecidesHowActivationsAreTaken()
    {
        using PackedCase c = new(PackedFormats.Get("Q4_0"), 2, 20, 3, seed: 4);
        Operand weights = c.Problem.B;
        Assert.True(PackedGemm.UsesIntegers(weights));
        Assert.False(PackedGemm.UsesIntegers(weights with { RoundToBf16 = true }));
        Assert.False(PackedGemm.UsesIntegers(weights with { Transposed = false }));
        Assert.False(PackedGemm.UsesIntegers(weights with { Format = BlockFormat.MXFP4 }));
    }

    [Fact]
    public void EveryInstructionSetHasAKernelThatTheMachineRuns()
    {
        foreach (Isa isa in CpuFeatures.Available)
            Assert.Contains(IntegerKernels.Of(isa), RunnableKernels.All);
        Assert.Equal(Enum.GetValues<IntegerKernel>().Length, Enum.GetValues<IntegerKernel>().Select(IntegerKernels.Instructions).Distinct().Count());
    }

    private static void CheckFloats(Isa isa, PackedFormat format, int m, int rows, int blocks, bool transposed)
    {
        using PackedCase c = new(format, m, rows, blocks, seed: m, transposed: transposed);
        using Workers workers = new(2);
        GemmProblem packed = c.Problem;
        float[] expected = new float[c.M * c.N];
        fixed (float* b = c.Weights, to = expected)
        {
            GemmProblem dense = packed with { B = new Operand(b, c.Columns, transposed), C = to };
            Gemm.Multiply(isa, workers, dense);
            PackedGemm.Multiply(isa, workers, packed, exact: true);
            c.AssertIs(expected);
            c.Reset();
            Bf16Gemm.Multiply(isa, workers, dense with { A = dense.A with { RoundToBf16 = true }, B = dense.B with { RoundToBf16 = true } });
            PackedGemm.Multiply(isa, workers, packed with { A = packed.A with { RoundToBf16 = true }, B = packed.B with { RoundToBf16 = true } });
            c.AssertIs(expected);
        }
    }
}
