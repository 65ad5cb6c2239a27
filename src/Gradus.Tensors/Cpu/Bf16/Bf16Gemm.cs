namespace Gradus.Tensors.Cpu;

/// <summary>
/// Matrix products with operands rounded to bf16 and sums in fp32: on AMX tiles or AVX512-BF16 where they are, else as fp32 products of the rounded
/// operands. Which way depends on the instruction set and on B's shape alone, never on the number of rows, so that a row keeps its bits.
/// </summary>
internal static unsafe class Bf16Gemm
{
    /// <summary>Whether products with a (K, N) right operand run on kernels of their own, and so use panels.</summary>
    public static bool UsesPanels(Isa isa, int k, int n) => Bf16Kernels.Has(isa) && k >= Bf16Pack.StepK && n >= 16;

    /// <summary>
    /// Whether a product keeps the panels of its right operand. A parameter's are packed once for every version of it; other operands with every product. What is being
    /// trained has another version in every step, and panels that are used once or twice are not worth their way through memory, unless the rows are few.
    /// </summary>
    public static bool KeepsPanels(Isa isa, in MatMulTask task) => task.B.Owner is { } parameter && task.Batch == 1 && UsesPanels(isa, task.K, task.N)
        && (!parameter.Trainable || task.M <= Bf16Pack.Lines);

    /// <summary>Computes a product, or a batch of them.</summary>
    /// <param name="isa">The instruction set.</param>
    /// <param name="workers">Who computes.</param>
    /// <param name="problem">The product.</param>
    /// <param name="panels">B, packed; used only where <see cref="UsesPanels"/> says so. Null packs B now.</param>
    public static void Multiply(Isa isa, Workers workers, in GemmProblem problem, Bf16Panels? panels = null)
    {
        if (UsesPanels(isa, problem.K, problem.N))
            Bf16BlockGemm.Multiply(Bf16Kernels.Of(isa), workers, problem, panels);
        else
            Gemm.Multiply(isa, workers, problem with { A = problem.A with { RoundToBf16 = true }, B = problem.B with { RoundToBf16 = true } });
    }
}
