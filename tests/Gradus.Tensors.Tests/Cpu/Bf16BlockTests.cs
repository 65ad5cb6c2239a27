using System.Reflection;
using Xunit.Sdk;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>Runs a theory with an instruction set's name; skipped with the reason where this machine cannot use it.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class OnIsaAttribute : DataAttribute
{
    public OnIsaAttribute(string isa)
    {
        Isa = isa;
        Skip = CpuFeatures.WhyNot(Enum.Parse<Isa>(isa));
    }

    public string Isa { get; }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[Isa]];
}

public sealed unsafe class Bf16BlockTests
{
    private static readonly int[] Sizes = [1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 97];
    private static readonly int[] Depths = [1, 2, 31, 32, 33, 64, 127, 257, 511, 512, 513, 545, 1025];

    // Read off Intel's manual: the encodings must not change unnoticed.
    [Fact]
    public void TheCodeIsWhatTheManualSays()
    {
        Assert.Equal("C4E2784907C3", Convert.ToHexString(AmxCode.Configure()));
        Assert.Equal("C4E27849C0C3", Convert.ToHexString(AmxCode.Release()));
        string multiply = Convert.ToHexString(AmxCode.Multiply(twoRows: true));
        Assert.Contains("C4E27B4B3406", multiply, StringComparison.Ordinal); // tileloadd tmm6, [rsi+rax]
        Assert.Contains("C4E27B4B2407", multiply, StringComparison.Ordinal); // tileloadd tmm4, [rdi+rax]
        Assert.Contains("C4E24A5CC4", multiply, StringComparison.Ordinal); // tdpbf16ps tmm0, tmm4, tmm6
        Assert.Contains("C4E2425CDD", multiply, StringComparison.Ordinal); // tdpbf16ps tmm3, tmm5, tmm7
        Assert.Contains("410F1813410F185340", multiply, StringComparison.Ordinal); // prefetcht1 [r11]; prefetcht1 [r11+64]
        Assert.Contains("C4E27A4B040A", multiply, StringComparison.Ordinal); // tilestored [rdx+rcx], tmm0
        Assert.EndsWith("C3", multiply, StringComparison.Ordinal);
        Assert.Contains("62F2F5488DC0", Convert.ToHexString(AmxCode.Interleave()), StringComparison.Ordinal); // vpermw zmm0, zmm1, zmm0
        Assert.Contains("62F27F487207", Convert.ToHexString(AmxCode.Convert()), StringComparison.Ordinal); // vcvtne2ps2bf16 zmm0, zmm0, [rdi]
    }

    [Fact]
    public void TheCodeWithoutTilesIsWhatTheManualSays()
    {
        string multiply = Convert.ToHexString(PairCode.Multiply(twoRows: true));
        Assert.StartsWith("53554154BB04000000", multiply, StringComparison.Ordinal); // push rbx; push rbp; push r12; mov ebx, 4
        Assert.Contains("62E27D481810", multiply, StringComparison.Ordinal); // vbroadcastss zmm18, [rax]
        Assert.Contains("62B26E4052C0", multiply, StringComparison.Ordinal); // vdpbf16ps zmm0, zmm18, zmm16
        Assert.Contains("62326E4052F9", multiply, StringComparison.Ordinal); // vdpbf16ps zmm15, zmm18, zmm17
        Assert.EndsWith("415C5D5BC5F877C3", multiply, StringComparison.Ordinal); // pop r12; pop rbp; pop rbx; vzeroupper; ret
    }

    [Fact]
    public void TheConfigurationIsEightWholeTiles()
    {
        byte[] bytes = AmxCode.Configuration();
        Assert.Equal(64, bytes.Length);
        Assert.Equal(1, bytes[0]);
        Assert.All(Enumerable.Range(0, 8), tile => Assert.Equal((64, 0, 16), (bytes[16 + 2 * tile], bytes[17 + 2 * tile], bytes[48 + tile])));
        Assert.Equal(8 * (64 + 16) + 1, bytes.Sum(b => b));
    }

    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void ProductsOfEveryShapeAreSumsOfRoundedOperands(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        using Workers workers = new(2);
        Random random = new(9);
        for (int i = 0; i < 480; i++)
        {
            using GemmCase product = new(Pick(Sizes), Pick(Sizes), Pick(Depths), (i & 1) != 0, (i & 2) != 0, accumulate: random.Next(2) == 0,
                bias: random.Next(2) == 0, bf16: random.Next(3) == 0, batch: random.Next(4) == 0 ? 3 : 1, seed: i);
            product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem));
            product.AssertClose(rounded: true);
        }

        int Pick(int[] from) => from[random.Next(from.Length)];
    }

    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void ThreadsAndCompanyChangeNoBit(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        using GemmCase product = new(77, 200, 1100, transposeB: true, bias: true);
        using Workers one = new(1);
        float[] alone = product.Compute(problem => Bf16BlockGemm.Multiply(kernels, one, problem));
        foreach (int threads in (int[])[2, 3, 8])
        {
            using Workers workers = new(threads);
            Assert.Equal(alone, product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem)));
        }
        float[] row = new float[product.N];
        fixed (float* c = row)
        {
            for (int m = 0; m < product.M; m++)
            {
                GemmProblem whole = product.Problem;
                Bf16BlockGemm.Multiply(kernels, one, whole with { M = 1, A = whole.A with { Data = whole.A.Data + m * whole.A.RowBytes }, C = c });
                Assert.Equal(alone[product.IndexOf(0, m, 0)..product.IndexOf(0, m, product.N)], row);
            }
        }
    }

    // Many items, several groups of the passing operand and several blocks of k, whichever operand is the larger.
    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void PackingOnTheWayChangesNoBit(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        (int M, int N, int K)[] shapes = [(33, 600, 1025), (600, 33, 1057), (545, 563, 33), (563, 545, 65), (64, 600, 31), (600, 64, 31)];
        for (int i = 0; i < 4 * shapes.Length; i++)
        {
            (int m, int n, int k) = shapes[i / 4];
            using GemmCase product = new(m, n, k, transposeA: i % 2 != 0, transposeB: i % 4 < 2, accumulate: i % 3 == 0, bias: i % 5 != 0, bf16: i % 7 == 0, seed: i);
            using Workers one = new(1);
            using Bf16Panels panels = new();
            panels.Update(one, product.Problem.B, k, n, version: 1);
            float[] kept = product.Compute(problem => Bf16BlockGemm.Multiply(kernels, one, problem, panels));
            foreach (int threads in (int[])[1, 2, 5])
            {
                using Workers workers = new(threads);
                Assert.Equal(kept, product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem)));
            }
        }
    }

    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void PanelsAreKeptUntilTheVersionChanges(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        using Workers workers = new(2);
        using Bf16Panels panels = new();
        using GemmCase product = new(20, 70, 300, transposeB: true);
        float[] fresh = product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem));
        panels.Update(workers, product.Problem.B, product.K, product.N, version: 1);
        Assert.Equal(fresh, product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem, panels)));

        *(float*)product.Problem.B.Data += 1;
        panels.Update(workers, product.Problem.B, product.K, product.N, version: 1);
        Assert.Equal(fresh, product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem, panels)));
        panels.Update(workers, product.Problem.B, product.K, product.N, version: 2);
        Assert.Equal(product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem)), product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem, panels)));
        Assert.NotEqual(fresh, product.Result.ToArray());

        using GemmCase other = new(20, 71, 300, transposeB: true);
        string message = Assert.Throws<ArgumentException>(() => Bf16BlockGemm.Multiply(kernels, workers, other.Problem, panels)).Message;
        Assert.Contains("(300, 70)", message, StringComparison.Ordinal);
    }

    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void NanAndInfinityComeThrough(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        using Workers workers = new(1);
        using GemmCase product = new(40, 40, 64);
        float* a = (float*)product.Problem.A.Data;
        a[3] = float.NaN;
        *(float*)(product.Problem.A.Data + 20 * product.Problem.A.RowBytes) = float.PositiveInfinity;
        float[] result = product.Compute(problem => Bf16BlockGemm.Multiply(kernels, workers, problem));
        for (int n = 0; n < product.N; n++)
        {
            Assert.True(float.IsNaN(result[product.IndexOf(0, 0, n)]));
            Assert.True(float.IsInfinity(result[product.IndexOf(0, 20, n)]));
            Assert.True(float.IsFinite(result[product.IndexOf(0, 1, n)]));
        }
    }

    [Fact]
    public void ProductsInBf16AreWithinAHundredthOfThoseInFp32OnEveryInstructionSet()
    {
        using Workers workers = new(2);
        foreach (Isa isa in CpuFeatures.Available)
        {
            using GemmCase product = new(50, 60, 400, transposeB: true, bias: true);
            product.Compute(problem => Bf16Gemm.Multiply(isa, workers, problem));
            product.AssertClose(tolerance: 1e-2);
            product.AssertClose(rounded: true);
        }
    }

    [Theory]
    [OnIsa(nameof(Isa.Avx512Bf16))]
    [OnIsa(nameof(Isa.Amx))]
    public void AProductAllocatesNothing(string isa)
    {
        Bf16Kernels kernels = Bf16Kernels.Of(Enum.Parse<Isa>(isa));
        using Workers workers = new(1);
        using GemmCase product = new(64, 64, 64);
        GemmProblem problem = product.Problem;
        Bf16BlockGemm.Multiply(kernels, workers, problem);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
            Bf16BlockGemm.Multiply(kernels, workers, problem);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
