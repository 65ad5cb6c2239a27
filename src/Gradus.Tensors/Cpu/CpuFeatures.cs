// What this CPU and its operating system let us use, and what we use of it. The choice is made once per process: the best there is,
// or what GRADUS_ISA asks for. AMX needs a permission (see AmxPermission), so it can be in the CPU and yet not be available.

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>The instruction set in use, and why not a better one.</summary>
internal static class CpuFeatures
{
    private static readonly Lazy<Choice> Chosen = new(() => Choose(Environment.GetEnvironmentVariable("GRADUS_ISA"), WhyNot));

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
        Isa.Amx => WhyNot(Isa.Avx512) ?? AmxPermission.WhyNot,
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "not an instruction set"),
    };

    /// <summary>Chooses an instruction set: the one asked for, or the best that is there.</summary>
    /// <param name="asked">The value of GRADUS_ISA; null or empty for the best.</param>
    /// <param name="whyNot">Why the machine cannot run an instruction set, or null.</param>
    /// <exception cref="InvalidDataException">The value names no instruction set, or one that is not there.</exception>
    public static Choice Choose(string? asked, Func<Isa, string?> whyNot)
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
            if (whyNot(isa) is not { } missing)
                return new Choice(isa, reason);
            reason = reason is null ? $"{isa}: {missing}" : $"{reason}; {isa}: {missing}";
        }
    }

    private static Isa Parse(string name) => name switch
    {
        "scalar" => Isa.Scalar,
        "vector" => Isa.Vector128,
        "avx2" => Isa.Avx2,
        "avx512" => Isa.Avx512,
        "amx" => Isa.Amx,
        _ => throw new InvalidDataException(
            $"GRADUS_ISA={name}: there is no such instruction set; use scalar, vector, avx2, avx512 or amx, or unset it for the best there is."),
    };

    /// <summary>An instruction set and why it is not a better one.</summary>
    internal readonly record struct Choice(Isa Isa, string? Reason);
}
