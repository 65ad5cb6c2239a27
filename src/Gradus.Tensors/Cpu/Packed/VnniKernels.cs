using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>The assembled kernels of <see cref="VnniCode"/>, each made when it is first used.</summary>
internal static unsafe class VnniKernels
{
    private static readonly Lazy<string?> Answer = new(Ask);
    private static readonly nint[] Kernels = new nint[(int)(BlockFormat.NF4Double + 1) * (VnniCode.MaxRows + 1)];
    private static readonly Lock Making = new();

    /// <summary>Why the kernels cannot be used; null when they can.</summary>
    public static string? WhyNot => Answer.Value;

    /// <summary>The kernel of a format and a number of rows, 1 to 8; see <see cref="VnniCode.Multiply"/>.</summary>
    /// <exception cref="InvalidOperationException">This machine cannot run it.</exception>
    public static delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, nint, byte*, void> Get(BlockFormat format, int rows)
    {
        ref nint kernel = ref Kernels[(int)format * (VnniCode.MaxRows + 1) + rows];
        if (Volatile.Read(ref kernel) == 0)
            Make(format, rows, ref kernel);
        return (delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, nint, byte*, void>)kernel;
    }

    private static void Make(BlockFormat format, int rows, ref nint kernel)
    {
        if (WhyNot is { } missing)
            throw new InvalidOperationException($"AVX512-VNNI: {missing}.");
        lock (Making)
        {
            if (kernel == 0)
                Volatile.Write(ref kernel, (nint)ExecutableMemory.Load(VnniCode.Multiply(format, rows)));
        }
    }

    private static string? Ask()
    {
        if (CpuFeatures.WhyNot(Isa.Avx512) is { } missing)
            return missing;
        const int Vnni = 1 << 11;
        return (X86Base.CpuId(7, 0).Ecx & Vnni) == 0 ? "this CPU has no AVX512-VNNI" : ExecutableMemory.WhyNot;
    }
}
