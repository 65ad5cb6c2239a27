namespace Gradus.Tensors.Cpu.Tests;

/// <summary>The emitted code has the encodings of Intel's manual, as GNU as gives them: they must not change unnoticed.</summary>
public sealed class VnniCodeTests
{
    [Theory]
    [InlineData("Q4_0", 1, "627235505006")] // vpdpbusd zmm8, zmm25, dword bcst [rsi]
    [InlineData("Q4_0", 1, "62E23550504608")] // vpdpbusd zmm16, zmm25, dword bcst [rsi+32]
    [InlineData("Q4_0", 2, "62723550504E14")] // vpdpbusd zmm9, zmm25, dword bcst [rsi+80]
    [InlineData("Q4_0", 1, "62E27D48584611")] // vpbroadcastd zmm16, [rsi+68]
    [InlineData("Q4_0", 1, "62627D48131F")] // vcvtph2ps zmm27, [rdi]
    [InlineData("Q8_0", 1, "62D13D4872F008")] // vpslld zmm8, zmm8, 8
    [InlineData("Q8_0", 1, "62A17C485BC0")] // vcvtdq2ps zmm16, zmm16
    [InlineData("Q8_0", 1, "62612450595610")] // vmulps zmm26, zmm27, dword bcst [rsi+64]
    [InlineData("Q8_0", 1, "62927D40B8C2")] // vfmadd231ps zmm0, zmm16, zmm26
    [InlineData("Q8_0", 8, "0F188F00100000")] // prefetcht0 [rdi+4096]
    [InlineData("Q5_0", 1, "62032D4025CEF8")] // vpternlogd zmm25, zmm26, zmm30, 0xF8
    [InlineData("Q6_K", 1, "62727D48214F02")] // vpmovsxbd zmm9, [rdi+32]
    [InlineData("Q4_K", 1, "62F21550BC4613")] // vfnmadd231ps zmm0, zmm29, dword bcst [rsi+76]
    [InlineData("IQ4_NL", 1, "62020D4000C9")] // vpshufb zmm25, zmm30, zmm25
    public void TheCodeIsWhatTheManualSays(string format, int rows, string bytes)
    {
        string code = Convert.ToHexString(VnniCode.Multiply(Enum.Parse<BlockFormat>(format), rows));
        Assert.Contains(bytes, code, StringComparison.Ordinal);
        Assert.EndsWith("C5F877C3", code, StringComparison.Ordinal); // vzeroupper, ret
    }

    [VnniFact]
    public unsafe void KernelsAreMadeOnce() =>
        Assert.Equal((nint)VnniKernels.Get(BlockFormat.Q4_0, 3), (nint)VnniKernels.Get(BlockFormat.Q4_0, 3));
}
