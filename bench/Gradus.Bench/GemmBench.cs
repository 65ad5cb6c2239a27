// fp32 matrix products against the machine's own ceiling, side by side: each round measures fused multiply-adds in registers, then the
// product, on the same number of threads. The machine may be shared, so there are two figures, medians of the rounds' ratios both: by the
// clock, and by the processor time that the process was given, which other processes hardly disturb.

using System.Diagnostics;
using Gradus.Tensors.Cpu;

namespace Gradus.Bench;

/// <summary>Measures <see cref="Gemm"/>.</summary>
internal static unsafe class GemmBench
{
    /// <summary>One shape: op(A) is (M, K), op(B) is (K, N).</summary>
    internal readonly record struct Shape(int M, int K, int N, bool TransposeA = false, bool TransposeB = false)
    {
        public override string ToString() => $"{M}x{K}x{N}{(TransposeA ? " Aᵀ" : "")}{(TransposeB ? " Bᵀ" : "")}";
    }

    /// <summary>A shape's figures: GFLOP/s, the ceiling's, the median of their ratios by clock and by processor time; GB/s counts B once.</summary>
    internal readonly record struct Figure(Shape Shape, int Threads, double GigaFlops, double Ceiling, double Ratio, double ProcessorRatio, double GigaBytes);

    /// <summary>The shapes of the bars, of training's three products, and of decoding.</summary>
    internal static Shape[] Shapes { get; } =
    [
        new(1024, 1024, 1024), new(1024, 1024, 1024, TransposeB: true), new(1024, 1024, 1024, TransposeA: true),
        new(4096, 1024, 4096), new(4096, 1024, 4096, TransposeB: true),
        new(768, 128, 512, TransposeB: true), new(768, 512, 128), new(128, 768, 512, TransposeA: true), new(768, 128, 65, TransposeB: true),
        new(1, 1024, 65536, TransposeB: true), new(4, 1024, 65536, TransposeB: true), new(8, 1024, 65536, TransposeB: true),
        new(1, 65536, 1024),
    ];

    /// <summary>Measures every shape on each number of threads and prints a line for each.</summary>
    public static IReadOnlyList<Figure> Run(TextWriter output, Isa isa, ReadOnlySpan<int> threads, int rounds = 7, IEnumerable<Shape>? shapes = null)
    {
        List<Figure> figures = [];
        output.WriteLine($"{"product (M x K x N)",-24} {"threads",7} {"GFLOP/s",9} {"FMA peak",9} {"of peak",8} {"by CPU",8} {"B, GB/s",8}   {isa}");
        foreach (int count in threads)
        {
            using Workers workers = new(count);
            foreach (Shape shape in shapes ?? Shapes)
            {
                Figure figure = Measure(isa, workers, shape, rounds);
                figures.Add(figure);
                output.WriteLine($"{shape.ToString(),-24} {count,7} {figure.GigaFlops,9:F1} {figure.Ceiling,9:F1} {figure.Ratio,8:P1} {figure.ProcessorRatio,8:P1} {figure.GigaBytes,8:F1}");
            }
        }
        return figures;
    }

    private static Figure Measure(Isa isa, Workers workers, Shape shape, int rounds)
    {
        (int m, int k, int n) = (shape.M, shape.K, shape.N);
        float* a = Random((long)m * k), b = Random((long)k * n), c = Random((long)m * n);
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
        double flops = 2.0 * m * n * k;
        Gemm.Multiply(isa, workers, problem);
        int repeats = (int)Math.Clamp(3e9 / flops, 1, 200);
        double[] rates = new double[rounds], ceilings = new double[rounds], ratios = new double[rounds], byProcessor = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            (ceilings[i], double ceilingByProcessor) = Rates(() => Ceilings.MultiplyAdds(isa, workers));
            (rates[i], double rateByProcessor) = Rates(() => Repeat(isa, workers, problem, repeats));
            ratios[i] = rates[i] / ceilings[i];
            byProcessor[i] = rateByProcessor / ceilingByProcessor;
        }
        AlignedMemory.Free(a);
        AlignedMemory.Free(b);
        AlignedMemory.Free(c);
        return new Figure(shape, workers.Count, Median(rates), Median(ceilings), Median(ratios), Median(byProcessor), Median(rates) / flops * k * n * sizeof(float));
    }

    private static double Repeat(Isa isa, Workers workers, GemmProblem problem, int times)
    {
        for (int i = 0; i < times; i++)
            Gemm.Multiply(isa, workers, problem);
        return 2.0 * problem.M * problem.N * problem.K * times;
    }

    // GFLOP/s by the clock, and per second of processor time; the work says how many operations it did.
    internal static (double ByClock, double ByProcessor) Rates(Func<double> work)
    {
        TimeSpan used = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        double flops = work();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        return (flops / elapsed.TotalSeconds / 1e9, flops / (Environment.CpuUsage.TotalTime - used).TotalSeconds / 1e9);
    }

    internal static double Median(double[] values)
    {
        Array.Sort(values);
        return values[values.Length / 2];
    }

    internal static float* Random(long count)
    {
        float* values = (float*)AlignedMemory.Allocate((nuint)count * sizeof(float));
        uint state = 1;
        for (long i = 0; i < count; i++)
        {
            state = state * 1664525 + 1013904223;
            values[i] = (state >> 8) / 16777216f - 0.5f;
        }
        return values;
    }
}
