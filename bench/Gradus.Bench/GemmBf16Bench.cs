// bf16 products against the ceiling of the block kernel on operands in L1 (on AMX 2 × 2 tiles), measured in the same round; see GemmBench for the two
// kinds of ratio. "kept" means that B's panels were packed before, as a weight's are between two steps of the optimizer.

using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>Measures <see cref="Bf16BlockGemm"/>.</summary>
internal static unsafe class GemmBf16Bench
{
    /// <summary>Measures the shapes of the bars, and the three products of a linear layer, and prints a line for each.</summary>
    public static void Run(TextWriter output, ReadOnlySpan<int> threads, int rounds = 7)
    {
        if (!Bf16Kernels.Has(CpuFeatures.Best))
        {
            output.WriteLine($"no kernels for products in bf16 are in use: {CpuFeatures.Reason}");
            return;
        }
        GemmBench.Shape[] shapes =
        [
            new(1024, 1024, 1024, TransposeB: true), new(1024, 1024, 1024), new(1024, 1024, 1024, TransposeA: true), new(4096, 1024, 4096, TransposeB: true),
            // GPT-2 124M with 512 tokens: layers forward and to their inputs, a block of the head likewise, and the gradients of their weights.
            new(512, 768, 768), new(512, 768, 3072), new(512, 3072, 768), new(512, 3072, 768, TransposeB: true), new(512, 2304, 768, TransposeB: true),
            new(512, 768, 4096, TransposeB: true), new(512, 4096, 768),
            new(768, 512, 768, TransposeA: true), new(768, 512, 3072, TransposeA: true), new(3072, 512, 768, TransposeA: true), new(4096, 512, 768, TransposeA: true),
        ];
        output.WriteLine($"{$"bf16 product on {CpuFeatures.Best}",-30} {"threads",7} {"TFLOP/s",9} {"ceiling",9} {"of it",8} {"by CPU",8}");
        foreach (int count in threads)
        {
            using Workers workers = new(count);
            foreach (GemmBench.Shape shape in shapes)
            {
                foreach (bool kept in (bool[])[true, false])
                    Measure(output, workers, shape, kept, rounds);
            }
        }
    }

    private static void Measure(TextWriter output, Workers workers, GemmBench.Shape shape, bool kept, int rounds)
    {
        (int m, int k, int n) = (shape.M, shape.K, shape.N);
        float* a = GemmBench.Random((long)m * k), b = GemmBench.Random((long)k * n), c = GemmBench.Random((long)m * n);
        GemmProblem problem = new()
        {
            M = m,
            N = n,
            K = k,
            Batch = 1,
            A = new Operand(a, shape.TransposeA ? m : k, shape.TransposeA),
            B = new Operand(b, shape.TransposeB ? k : n, shape.TransposeB),
            C = c,
            StrideC = n,
        };
        using Bf16Panels panels = new();
        panels.Update(workers, problem.B, k, n, version: 0);
        double flops = 2.0 * m * n * k;
        int repeats = (int)Math.Clamp(2e10 / flops, 1, 50);
        double[] rates = new double[rounds], ceilings = new double[rounds], ratios = new double[rounds], byProcessor = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            (ceilings[i], double ceilingByProcessor) = GemmBench.Rates(() => Ceilings.Bf16Blocks(CpuFeatures.Best, workers));
            (rates[i], double rateByProcessor) = GemmBench.Rates(() => Repeat(workers, problem, kept ? panels : null, repeats));
            ratios[i] = rates[i] / ceilings[i];
            byProcessor[i] = rateByProcessor / ceilingByProcessor;
        }
        AlignedMemory.Free(a);
        AlignedMemory.Free(b);
        AlignedMemory.Free(c);
        output.WriteLine($"{shape + (kept ? " kept" : ""),-30} {workers.Count,7} {GemmBench.Median(rates) / 1e3,9:F2} {GemmBench.Median(ceilings) / 1e3,9:F2} "
            + $"{GemmBench.Median(ratios),8:P1} {GemmBench.Median(byProcessor),8:P1}");
    }

    private static double Repeat(Workers workers, GemmProblem problem, Bf16Panels? panels, int times)
    {
        for (int i = 0; i < times; i++)
            Bf16BlockGemm.Multiply(Bf16Kernels.Of(CpuFeatures.Best), workers, problem, panels);
        return 2.0 * problem.M * problem.N * problem.K * times;
    }
}
