namespace Gradus.Tensors.Cpu.Tests;

public sealed class CpuFeaturesTests
{
    [Fact]
    public void TheBestThereIsComesWithTheReasonForNoBetter()
    {
        CpuFeatures.Choice choice = CpuFeatures.Choose(null, isa => isa > Isa.Avx2 ? "not here" : null);
        Assert.Equal(Isa.Avx2, choice.Isa);
        Assert.Equal("Amx: not here; Avx512Bf16: not here; Avx512: not here", choice.Reason);
        Assert.Equal(new CpuFeatures.Choice(Isa.Amx, null), CpuFeatures.Choose("", _ => null));
    }

    [Theory]
    [InlineData("scalar", "Scalar")]
    [InlineData("vector128", "Vector128")]
    [InlineData("avx2", "Avx2")]
    [InlineData("avx512", "Avx512")]
    [InlineData("avx512bf16", "Avx512Bf16")]
    [InlineData("amx", "Amx")]
    public void TheEnvironmentChooses(string asked, string isa) => Assert.Equal(isa, CpuFeatures.Choose(asked, _ => null).Isa.ToString());

    [Theory]
    [InlineData("avx1024", "no such instruction set")]
    [InlineData("AVX2", "no such instruction set")]
    [InlineData("amx", "not here")]
    public void WhatCannotBeChosenIsAnErrorOfOneLine(string asked, string says)
    {
        string message = Assert.Throws<InvalidDataException>(() => CpuFeatures.Choose(asked, isa => isa == Isa.Amx ? "not here" : null)).Message;
        Assert.Contains($"GRADUS_ISA={asked}", message, StringComparison.Ordinal);
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void WhatIsThereButSlowerIsUsedOnlyWhenAskedFor()
    {
        static string? Slower(Isa isa) => isa == Isa.Avx512Bf16 ? "slower" : null;
        static string? WhyNot(Isa isa) => isa == Isa.Amx ? "not here" : null;
        Assert.Equal(new CpuFeatures.Choice(Isa.Avx512, "Amx: not here; Avx512Bf16: slower"), CpuFeatures.Choose(null, WhyNot, Slower));
        Assert.Equal(Isa.Avx512Bf16, CpuFeatures.Choose("avx512bf16", WhyNot, Slower).Isa);
    }

    [Fact]
    public void TheChoiceOfThisProcessIsOneThatIsAvailable()
    {
        Assert.Contains(CpuFeatures.Best, CpuFeatures.Available);
        Assert.Equal(CpuFeatures.Best == Isa.Amx, CpuFeatures.Reason is null);
    }
}
