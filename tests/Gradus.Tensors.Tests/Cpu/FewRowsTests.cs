namespace Gradus.Tensors.Cpu.Tests;

/// <summary>Products with few rows have the bits of the definition, on every edge of their blocks.</summary>
public sealed class FewRowsTests
{
    [Avx512Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void EveryElementIsAChainOverAscendingK(bool transposeB, bool bf16)
    {
        using Workers workers = new(3);
        Random random = new(5);
        int[] columns = [16, 17, 31, 32, 33, 47, 64, 100, 257, 400], depths = [32, 33, 47, 48, 63, 64, 65, 127, 300];
        for (int i = 0; i < 120; i++)
        {
            using GemmCase product = new(1 + i % 8, columns[random.Next(columns.Length)], depths[random.Next(depths.Length)], transposeA: random.Next(3) == 0, transposeB,
                accumulate: random.Next(2) == 0, bias: random.Next(2) == 0, bf16, seed: i);
            Assert.True(FewRows.Fits(product.Problem));
            float[] result = product.Compute(problem => FewRows.Multiply(workers, problem));
            for (int m = 0; m < product.M; m++)
            {
                for (int n = 0; n < product.N; n++)
                    Assert.Equal(product.Chain(0, m, n), result[product.IndexOf(0, m, n)]);
            }
            product.AssertClose();
        }
    }

    [Avx512Fact]
    public void OtherProductsTakeOtherWays()
    {
        using GemmCase many = new(9, 32, 64, transposeB: true), narrow = new(2, 15, 64, transposeB: true), shallow = new(2, 32, 15, transposeB: true);
        using GemmCase batch = new(2, 32, 64, transposeB: true, batch: 2), few = new(2, 32, 64, transposeB: true);
        Assert.All((GemmCase[])[many, narrow, shallow, batch], c => Assert.False(FewRows.Fits(c.Problem)));
        Assert.True(FewRows.Fits(few.Problem));
        Assert.False(FewRows.Fits(few.Problem with { B = few.Problem.B with { RoundToBf16 = true } }));
    }

    // The encodings of Intel's manual, as GNU as gives them; width 0 is the kernel that transposes.
    [Theory]
    [InlineData(1, 0, false, "62617C4814C1")] // vunpcklps zmm24, zmm0, zmm1
    [InlineData(1, 0, false, "62F17C4815C9")] // vunpckhps zmm1, zmm0, zmm1
    [InlineData(1, 0, true, "0F18940F00040000")] // prefetcht1 [rdi+rcx+1024]
    [InlineData(1, 0, true, "62F17C48101C07")] // vmovups zmm3, [rdi+rax]
    [InlineData(2, 1, true, "62627D48333F")] // vpmovzxwd zmm31, [rdi]
    [InlineData(2, 1, true, "6291054072F710")] // vpslld zmm31, zmm31, 16
    [InlineData(2, 2, false, "62617C48107F01")] // vmovups zmm31, [rdi+64]
    [InlineData(2, 2, false, "62F20550B806")] // vfmadd231ps zmm0, zmm31, dword bcst [rsi]
    public void TheCodeIsWhatTheManualSays(int rows, int width, bool bf16, string bytes)
    {
        string code = Convert.ToHexString(width == 0 ? FewRowsCode.Multiply(rows, bf16) : FewRowsCode.MultiplyRows(rows, width, bf16));
        Assert.Contains(bytes, code, StringComparison.Ordinal);
        Assert.EndsWith("C5F877C3", code, StringComparison.Ordinal); // vzeroupper, ret
    }
}

/// <summary>A fact that needs AVX-512; skipped with the reason where this machine cannot use it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Avx512FactAttribute : FactAttribute
{
    public Avx512FactAttribute() => Skip = CpuFeatures.WhyNot(Isa.Avx512) ?? ExecutableMemory.WhyNot;
}

/// <summary>A theory that needs AVX-512; skipped with the reason where this machine cannot use it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Avx512TheoryAttribute : TheoryAttribute
{
    public Avx512TheoryAttribute() => Skip = CpuFeatures.WhyNot(Isa.Avx512) ?? ExecutableMemory.WhyNot;
}
