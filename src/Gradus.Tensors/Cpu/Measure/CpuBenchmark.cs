// The kernels of this machine against its ceilings, measured in turn, round by round, so that other work on the machine disturbs both alike.
// A figure is the median of the rounds; its share of the ceiling is the median of the rounds' ratios.

using System.Diagnostics;

namespace Gradus.Tensors.Cpu;

/// <summary>Measures kernels of the processor.</summary>
public static unsafe partial class CpuBenchmark
{
    private const int ReadBytes = 256 << 20;
    private const double WarmUpSeconds = 0.5;

    /// <summary>Measures ceilings, then kernels.</summary>
    /// <param name="threads">Threads to share the work.</param>
    /// <param name="rounds">Rounds of each; the median counts.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>One after the other, as they are measured.</returns>
    public static IEnumerable<CpuMeasurement> Run(int threads, int rounds = 5, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rounds, 1);
        using Machine machine = new(CpuFeatures.Best, threads);
        foreach (Ceiling ceiling in machine.All)
            yield return new CpuMeasurement(ceiling.Name, threads, Median(rounds, _ => ceiling.Rate()), ceiling.Unit);
        foreach (Func<CpuMeasurement> measure in Measurements(machine, rounds))
        {
            if (cancellation.IsCancellationRequested)
                yield break;
            yield return measure();
        }
    }

    private static IEnumerable<Func<CpuMeasurement>> Measurements(Machine machine, int rounds) =>
    [
        .. DenseProducts(machine).Select(make => (Func<CpuMeasurement>)(() => Measure(make, machine, rounds))),
        .. PackedProducts(machine, rounds),
        .. Others(machine).Select(make => (Func<CpuMeasurement>)(() => Measure(make, machine, rounds))),
        () => AttentionMemory(machine),
    ];

    private static CpuMeasurement Measure(Func<Machine, KernelCase> make, Machine machine, int rounds)
    {
        using KernelCase kernel = make(machine);
        return Measure(kernel, machine.Threads, rounds);
    }

    private static CpuMeasurement Measure(KernelCase kernel, int threads, int rounds)
    {
        // In its first few hundred milliseconds code is still being compiled anew, on a core that the kernel then lacks.
        long start = Stopwatch.GetTimestamp();
        do
            kernel.Work();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds);
        int repeats = (int)Math.Clamp(0.1 / Seconds(kernel.Work), 1, 1000);
        double[] rates = new double[rounds], shares = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            double ceiling = kernel.Ceiling.Rate();
            rates[i] = repeats * kernel.Amount / Seconds(() => Repeat(kernel.Work, repeats)) / 1e9;
            shares[i] = rates[i] / ceiling;
        }
        return new CpuMeasurement(kernel.Name, threads, Median(rates), kernel.Ceiling.Unit, Median(shares), kernel.Goal);
    }

    private static void Repeat(Action work, int times)
    {
        for (int i = 0; i < times; i++)
            work();
    }

    private static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(int rounds, Func<int, double> measure) => Median([.. Enumerable.Range(0, rounds).Select(measure)]);

    private static double Median(double[] values)
    {
        Array.Sort(values);
        return values[values.Length / 2];
    }

    /// <summary>A limit of the machine.</summary>
    private sealed record Ceiling(string Name, string Unit, Func<double> Work)
    {
        /// <summary>Measured now, in billions a second.</summary>
        public double Rate()
        {
            long start = Stopwatch.GetTimestamp();
            double amount = Work();
            return amount / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
        }
    }

    /// <summary>A kernel with its operands, and the workspace of what it makes.</summary>
    private sealed record KernelCase(string Name, Ceiling Ceiling, double Amount, Goal? Goal, Action Work, Workspace Step, Workspace Operands) : IDisposable
    {
        public void Dispose()
        {
            Step.Dispose();
            Operands.Dispose();
        }
    }

    /// <summary>The device, and what limits it.</summary>
    private sealed class Machine : IDisposable
    {
        private readonly Workers _workers;
        private readonly float* _memory = (float*)AlignedMemory.Allocate(ReadBytes);

        public Machine(Isa isa, int threads)
        {
            Threads = threads;
            _workers = new Workers(threads);
            Device = CpuDevice.Create(isa, _workers);
            // Untouched pages would all be the one page of zeros.
            new Span<float>(_memory, ReadBytes / sizeof(float)).Fill(1);
            Fma = new Ceiling("ceiling: fp32 multiply-adds", "GFLOP/s", () => Ceilings.MultiplyAdds(isa, _workers));
            Read = new Ceiling("ceiling: reading memory", "GB/s", () => Ceilings.Read(isa, _workers, _memory, ReadBytes));
            Bf16 = Bf16Kernels.Has(isa) ? new Ceiling("ceiling: bf16 blocks from L1", "GFLOP/s", () => Ceilings.Bf16Blocks(isa, _workers)) : Fma;
            All = Bf16 == Fma ? [Fma, Read] : [Fma, Bf16, Read];
        }

        public int Threads { get; }

        public CpuDevice Device { get; }

        public Ceiling Fma { get; }

        public Ceiling Bf16 { get; }

        public Ceiling Read { get; }

        public Ceiling[] All { get; }

        public void Dispose()
        {
            _workers.Dispose();
            AlignedMemory.Free(_memory);
        }
    }
}
