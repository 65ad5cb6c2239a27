// What this CPU and its operating system let us use, and what we use of it. The choice is made once per process: the best there is,
// or what GRADUS_ISA asks for. AMX needs a permission (see AmxPermission), so it can be in the CPU and yet not be available.

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>The instruction set in use, and why not a better one.</summary>
internal static class CpuFeatures
{
    private static readonly Lazy<Choice> Chosen = new(() => Choose(Environment.GetEnvironmentVariable("GRADUS_ISA"), WhyNot, SlowerThanNext));

    /// <summary>The instruction set that kernels use in this process.</summary>
    /// <exception cref="InvalidDataException">GRADUS_ISA names no instruction set, or one that this machine lacks.</exception>
    public static Isa Best => Chosen.Value.Isa;

    /// <summary>Why a better instruction set than <see cref="Best"/> is not in use; null when the best of all is.</summary>
    public static string? Reason => Chosen.Value.Reason;

    /// <summary>The instruction sets that this machine can run, worst first.</summary>
    public static IEnumerable<Isa> Available => Enum.GetValues<Isa>().Where(isa => WhyNot(isa) is null);

    /// <summary>Why this machine cannot run an instruction set; null when it can.</summary>
    public static string? WhyNot(Isa isa) => isa switch
    {
        Isa.Scalar => null,
        Isa.Vector128 => Vector128.IsHardwareAccelerated ? null : "this CPU has no 128-bit vectors",
        Isa.Avx2 => Avx2.IsSupported && Fma.IsSupported ? null : "this CPU has no AVX2 with FMA",
        Isa.Avx512 => Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported
            ? null
            : "this CPU has no AVX-512 (F, BW, DQ, VL)",
        Isa.Avx512Bf16 => WhyNot(Isa.Avx512) ?? (HasBf16Pairs() ? ExecutableMemory.WhyNot : "this CPU has no AVX512-BF16"),
        Isa.Amx => WhyNot(Isa.Avx512Bf16) ?? AmxPermission.WhyNot,
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "not an instruction set"),
    };

    /// <summary>Chooses an instruction set: the one asked for, or the best that is there.</summary>
    /// <param name="asked">The value of GRADUS_ISA; null or empty for the best.</param>
    /// <param name="whyNot">Why the machine cannot run an instruction set, or null.</param>
    /// <exception cref="InvalidDataException">The value names no instruction set, or one that is not there.</exception>
    /// <param name="slower">Why an instruction set is not worth using though it is there, or null; what is asked for is used all the same.</param>
    public static Choice Choose(string? asked, Func<Isa, string?> whyNot, Func<Isa, string?>? slower = null)
    {
        if (!string.IsNullOrEmpty(asked))
        {
            Isa isa = Parse(asked);
            return whyNot(isa) is { } missing
                ? throw new InvalidDataException($"GRADUS_ISA={asked}: {missing}; unset it to use the best there is.")
                : new Choice(isa, isa == Isa.Amx ? null : $"GRADUS_ISA={asked} asks for {isa}");
        }
        string? reason = null;
        for (Isa isa = Isa.Amx; ; isa--)
        {
            if ((whyNot(isa) ?? slower?.Invoke(isa)) is not { } missing)
                return new Choice(isa, reason);
            reason = reason is null ? $"{isa}: {missing}" : $"{reason}; {isa}: {missing}";
        }
    }

    /// <summary>Why an instruction set that is there loses to the next worse one; null where it does not.</summary>
    private static string? SlowerThanNext(Isa isa) =>
        isa == Isa.Avx512Bf16 && AmxPermission.InCpu ? "bf16 pairs are slower than fp32 on a CPU that has AMX" : null;

    // CPUID leaf 7, subleaf 1, EAX bit 5.
    private static bool HasBf16Pairs() => X86Base.X64.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;

    private static Isa Parse(string name) => name switch
    {
        "scalar" => Isa.Scalar,
        "vector128" => Isa.Vector128,
        "avx2" => Isa.Avx2,
        "avx512" => Isa.Avx512,
        "avx512bf16" => Isa.Avx512Bf16,
        "amx" => Isa.Amx,
        _ => throw new InvalidDataException(
            $"GRADUS_ISA={name}: there is no such instruction set; use scalar, vector128, avx2, avx512, avx512bf16 or amx, or unset it for the best there is."),
    };

    /// <summary>An instruction set and why it is not a better one.</summary>
    internal readonly record struct Choice(Isa Isa, string? Reason);
}
