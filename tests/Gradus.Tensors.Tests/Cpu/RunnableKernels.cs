namespace Gradus.Tensors.Cpu.Tests;

/// <summary>The integer kernels that this machine can run; AVX-VNNI and Arm's dot product are emulated where they are missing.</summary>
public static class RunnableKernels
{
    public static TheoryData<string> Names => [.. All.Select(kernel => kernel.ToString())];

    internal static IEnumerable<IntegerKernel> All => Enum.GetValues<IntegerKernel>().Where(kernel => kernel switch
    {
        IntegerKernel.Vnni => VnniKernels.WhyNot is null,
        IntegerKernel.Avx512 => CpuFeatures.WhyNot(Isa.Avx512) is null,
        IntegerKernel.Avx2 or IntegerKernel.AvxVnni => CpuFeatures.WhyNot(Isa.Avx2) is null,
        _ => true,
    });
}
