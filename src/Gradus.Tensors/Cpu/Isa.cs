namespace Gradus.Tensors.Cpu;

/// <summary>The instruction sets that kernels are written for, worst first.</summary>
internal enum Isa
{
    /// <summary>One lane at a time.</summary>
    Scalar,

    /// <summary>Four lanes through the portable vector API: Arm's AdvSimd, and x86 without AVX2.</summary>
    Vector128,

    /// <summary>Eight lanes: AVX2 with FMA.</summary>
    Avx2,

    /// <summary>Sixteen lanes: AVX-512 F, BW, CD, DQ and VL.</summary>
    Avx512,

    /// <summary>AVX-512, and matrix products in bf16 on AVX512-BF16.</summary>
    Avx512Bf16,

    /// <summary>AVX-512, and matrix products in bf16 on AMX tiles.</summary>
    Amx,
}
