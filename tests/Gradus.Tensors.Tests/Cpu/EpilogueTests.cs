using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>
/// Products that end in an epilogue, on guarded memory: they have the bits of the product followed by the separate operation, on every path, and
/// write nothing but C and the sums.
/// </summary>
public sealed unsafe class EpilogueTests
{
    private const float Gap = -4321;

    private static readonly int[] Sizes = [0, 1, 2, 3, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 47, 64, 65, 97];
    private static readonly int[] Rows = [1, 3, 9, 40];
    private static readonly int[] Depths = [0, 1, 2, 16, 17, 32, 33, 64, 255, 257, 401, 513, 1030];

    private static readonly Activation[] Functions = [Activation.GeluTanh, Activation.Gelu, Activation.Silu, Activation.Relu, Activation.Tanh, Activation.Sigmoid, Activation.QuickGelu];

    public static TheoryData<string, bool> IsasAndPrecisions
    {
        get
        {
            TheoryData<string, bool> data = [];
            foreach (Isa isa in CpuFeatures.Available)
            {
                data.Add(isa.ToString(), false);
                data.Add(isa.ToString(), true);
            }
            return data;
        }
    }

    public static TheoryData<string, string> IsasAndFormats
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (Isa isa in CpuFeatures.Available)
            {
                foreach (string format in (string[])["Q8_0", "Q4_K", "NF4", "MXFP4"])
                    data.Add(isa.ToString(), format);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(IsasAndPrecisions))]
    public void AnEpilogueGivesTheBitsOfTheSeparateOperation(string isa, bool bf16)
    {
        using Workers workers = new(2);
        Random random = new(3);
        for (int i = 0; i < 120; i++)
        {
            using GemmCase product = new(Pick(Sizes), Pick(Sizes), Pick(Depths), (i & 1) != 0, (i & 2) != 0, accumulate: random.Next(2) == 0,
                bias: random.Next(2) == 0, bf16: random.Next(3) == 0, batch: random.Next(4) == 0 ? 3 : 1, seed: i);
            Check(Enum.Parse<Isa>(isa), workers, product, (EpilogueKind)(1 + i % 3), Functions[random.Next(Functions.Length)], keep: random.Next(2) == 0, bf16, seed: i);
        }

        int Pick(int[] from) => from[random.Next(from.Length)];
    }

    [Theory]
    [MemberData(nameof(IsasAndPrecisions))]
    public void ThreadsChangeNoBit(string isa, bool bf16)
    {
        using GemmCase product = new(150, 200, 700, transposeB: true, bias: true);
        foreach (int threads in (int[])[1, 3, 8])
        {
            using Workers workers = new(threads);
            foreach (EpilogueKind kind in (EpilogueKind[])[EpilogueKind.Residual, EpilogueKind.Activation, EpilogueKind.Slope])
                Check(Enum.Parse<Isa>(isa), workers, product, kind, Activation.GeluTanh, keep: true, bf16, seed: 1);
        }
    }

    [Theory]
    [MemberData(nameof(IsasAndFormats))]
    public void SoItDoesWithPackedWeights(string isa, string format)
    {
        using Workers workers = new(2);
        for (int i = 0; i < 36; i++)
        {
            bool transposed = i % 4 != 3, bf16 = i % 2 == 1;
            using PackedCase c = new(PackedFormats.Get(format), m: Rows[i / 9], rows: 37 + i, blocks: 1 + i % 3, seed: i, bias: i % 5 < 3, transposed: transposed);
            GemmProblem problem = c.Problem;
            if (bf16)
                problem = problem with { A = problem.A with { RoundToBf16 = true }, B = problem.B with { RoundToBf16 = true } };
            PackedGemm.Multiply(Enum.Parse<Isa>(isa), workers, problem);
            float[] sums = c.Result.ToArray();
            c.Reset();
            using Memory memory = new(sums.Length, _ => false, i);
            PackedGemm.Multiply(Enum.Parse<Isa>(isa), workers, problem with { Epilogue = Step(Enum.Parse<Isa>(isa), (EpilogueKind)(1 + i % 3), Activation.Silu, c.Problem.C, memory) });
            c.AssertIs(Expected(Enum.Parse<Isa>(isa), (EpilogueKind)(1 + i % 3), Activation.Silu, sums, memory));
            if ((EpilogueKind)(1 + i % 3) == EpilogueKind.Activation)
                Assert.Equal(sums, memory.Sums);
        }
    }

    [Fact]
    public void AnEpilogueOfABackwardPassIsNoneOfALayer()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Tensor x = w.Zeros(new Shape(2, 3)), weight = w.Zeros(new Shape(4, 3)), h = w.Zeros(new Shape(2, 4));
        Assert.Throws<InvalidOperationException>(() => x.Linear(weight, epilogue: Epilogue.Slope(Activation.Silu, h)));
        Assert.Throws<InvalidOperationException>(() => Epilogue.Slope(Activation.Silu, h).Of(h));
        string message = Assert.Throws<ArgumentException>(() => x.Linear(weight, epilogue: Epilogue.Residual(x))).Message;
        Assert.Contains("(2, 4)", message, StringComparison.Ordinal);
        Assert.Contains("(2, 3)", message, StringComparison.Ordinal);
        Assert.Equal(default, Epilogue.Activate(Activation.Identity));
    }

    private static void Check(Isa isa, Workers workers, GemmCase product, EpilogueKind kind, Activation f, bool keep, bool bf16, int seed)
    {
        float[] sums = product.Compute(p => Multiply(isa, workers, p, bf16));
        using Memory memory = new(sums.Length, i => i % product.Problem.BatchStrideC % product.Problem.StrideC >= product.N, seed);
        float[] expected = Expected(isa, kind, f, sums, memory);
        float[] result = product.Compute(p =>
        {
            TileStep step = Step(isa, kind, f, p.C, memory);
            Multiply(isa, workers, p with { Epilogue = keep ? step : step with { Output = null } }, bf16);
        });
        float[] kept = memory.Sums;
        for (int i = 0; i < result.Length; i++)
        {
            bool gap = memory.IsGap(i), hasSums = keep && kind == EpilogueKind.Activation && product.Problem is { M: > 0, N: > 0 };
            AssertBits(gap ? sums[i] : expected[i], result[i], $"{product}, {kind} {f}: C at {i}");
            AssertBits(gap ? Gap : hasSums ? sums[i] : float.NaN, kept[i], $"{product}, {kind} {f}: sums at {i}");
        }
        memory.AssertIntact();
    }

    private static void AssertBits(float expected, float actual, string what)
    {
        if (BitConverter.SingleToInt32Bits(expected) != BitConverter.SingleToInt32Bits(actual) && !(float.IsNaN(expected) && float.IsNaN(actual)))
            Assert.Fail($"{what} is {actual:R}, not {expected:R}");
    }

    private static void Multiply(Isa isa, Workers workers, in GemmProblem problem, bool bf16)
    {
        if (bf16)
            Bf16Gemm.Multiply(isa, workers, problem);
        else
            Gemm.Multiply(isa, workers, problem);
    }

    private static TileStep Step(Isa isa, EpilogueKind kind, Activation f, float* c, Memory memory) => new()
    {
        Kernel = isa switch
        {
            Isa.Scalar => TileKernels<Lanes1>.Of(kind, f),
            Isa.Vector128 => TileKernels<Lanes4>.Of(kind, f),
            Isa.Avx2 => TileKernels<Lanes8>.Of(kind, f),
            _ => TileKernels<Lanes16>.Of(kind, f),
        },
        Function = f,
        Target = c,
        Input = kind == EpilogueKind.Activation ? null : memory.Input,
        Output = kind == EpilogueKind.Activation ? memory.Output : null,
    };

    // What the device's separate operation makes of the sums.
    private static float[] Expected(Isa isa, EpilogueKind kind, Activation f, float[] sums, Memory memory)
    {
        using Workers workers = new(1);
        using Workspace w = new(CpuDevice.Create(isa, workers));
        Tensor s = w.From(sums, new Shape(sums.Length)), input = w.From(memory.Inputs, s.Shape), y = w.Empty(s.Shape);
        switch (kind)
        {
            case EpilogueKind.Residual:
                w.Device.Binary(BinaryOp.Add, input, s, y);
                break;
            case EpilogueKind.Activation:
                w.Device.Activate(f, s, y);
                break;
            default:
                w.Device.ActivateGradient(f, input, s, y);
                break;
        }
        return y.ToArray();
    }

    /// <summary>What is read and written beside C, laid out as C is.</summary>
    private sealed class Memory : IDisposable
    {
        private readonly GuardedBuffer _input;
        private readonly GuardedBuffer _output;

        public Memory(int count, Func<int, bool> isGap, int seed)
        {
            IsGap = isGap;
            (_input, _output) = (new GuardedBuffer((long)count * sizeof(float)), new GuardedBuffer((long)count * sizeof(float)));
            for (int i = 0; i < count; i++)
            {
                _input.Floats[i] = isGap(i) ? float.NaN : (float)CounterRandom.Normal((ulong)seed, i);
                if (isGap(i))
                    _output.Floats[i] = Gap;
            }
        }

        public Func<int, bool> IsGap { get; }

        public float* Input => _input.Floats;

        public float* Output => _output.Floats;

        public float[] Inputs => _input.AsFloats.ToArray();

        public float[] Sums => _output.AsFloats.ToArray();

        public void AssertIntact()
        {
            _input.AssertIntact();
            _output.AssertIntact();
        }

        public void Dispose()
        {
            _input.Dispose();
            _output.Dispose();
        }
    }
}
