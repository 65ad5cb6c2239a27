namespace Gradus.Tensors.Cpu;

public static partial class CpuBenchmark
{
    private static readonly Goal ProductGoal = new(GoalKind.Share, 0.8);
    private static readonly Goal Bf16Goal = new(GoalKind.Share, 0.5);

    private static IEnumerable<Func<Machine, KernelCase>> DenseProducts(Machine machine)
    {
        (int M, int K, int N)[] large = [(1024, 1024, 1024), (4096, 1024, 4096)];
        foreach ((int m, int k, int n) in large)
            yield return machine => Product(machine, Precision.F32, m, k, n, ProductGoal);
        foreach ((int m, int k, int n) in large)
            yield return machine => Product(machine, Precision.BF16, m, k, n, machine.Bf16 == machine.Fma ? null : Bf16Goal);
        foreach (DType type in new[] { DType.F32, DType.BF16 })
        {
            foreach (int rows in new[] { 1, 4 })
                yield return machine => Decode(machine, type, rows);
        }
    }

    private static IEnumerable<Func<Machine, KernelCase>> Others(Machine machine)
    {
        foreach (Precision precision in new[] { Precision.F32, Precision.BF16 })
        {
            foreach (bool backward in new[] { false, true })
                yield return machine => Attention(machine, 1024, backward, precision);
        }
        yield return machine => Rows(machine, "softmax", 2, x => x.Softmax());
        yield return machine => Rows(machine, "RMS norm", 2, x => x.RmsNorm(null));
        yield return machine => Rows(machine, "GELU", 2, x => x.Activate(Activation.Gelu));
        yield return machine => Rows(machine, "addition", 2, x => x.Add(x));
    }

    // A linear layer: x (M, K) times a weight (N, K), whose panels are kept as they are between two steps of an optimizer.
    private static KernelCase Product(Machine machine, Precision precision, int m, int k, int n, Goal? goal)
    {
        Workspace w = new(machine.Device, precision), step = w.NewScratch(precision);
        Parameter weight = new("weight", Random(w, n, k));
        Tensor x = Random(w, m, k);
        return new KernelCase(
            $"product {(precision == Precision.F32 ? "fp32" : "bf16")} {m} x {k} x {n}",
            precision == Precision.F32 ? machine.Fma : machine.Bf16,
            2.0 * m * n * k,
            goal,
            () =>
            {
                step.Adopt(x).Linear(weight.Value);
                step.Reset();
            },
            step,
            w);
    }

    // A few rows times a weight that no cache holds: what counts is how fast the weight comes.
    private static KernelCase Decode(Machine machine, DType type, int rows)
    {
        const int K = 2048, N = 65536;
        Workspace w = new(machine.Device, Precision.F32), step = w.NewScratch();
        Tensor values = Random(w, N, K), x = Random(w, rows, K), weight = w.Empty(new Shape(N, K), type);
        machine.Device.Convert(values, weight);
        values.Free();
        return new KernelCase(
            $"product of {rows} {(rows == 1 ? "row" : "rows")}, {type.ToString().ToLowerInvariant()} weights",
            machine.Read,
            (double)N * K * type.Size(),
            null,
            () =>
            {
                step.Adopt(x).Linear(weight);
                step.Reset();
            },
            step,
            w);
    }

    private static KernelCase Attention(Machine machine, int length, bool backward, Precision precision)
    {
        const int Heads = 8, Width = 64;
        Workspace w = new(machine.Device, precision), step = w.NewScratch(precision);
        Tensor q = Random(w, length, Heads, Width), k = Random(w, length, Heads, Width), v = Random(w, length, Heads, Width), dy = Random(w, length, Heads, Width);
        AttentionLayout layout = new([0, length]);
        // Half of the scores are masked. A product forward, two; backward five more.
        double flops = (backward ? 7 : 2) * 2.0 * Heads * Width * length * length / 2;
        return new KernelCase(
            $"attention {(precision == Precision.F32 ? "fp32" : "bf16")}{(backward ? " and its gradient" : "")}, {length} tokens, {Heads} heads of {Width}",
            precision == Precision.F32 ? machine.Fma : machine.Bf16,
            flops,
            null,
            () =>
            {
                Tape? tape = backward ? step.StartTape() : null;
                Tensor sq = step.Adopt(q), sk = step.Adopt(k), sv = step.Adopt(v);
                if (backward)
                {
                    Tape.Watch(sq);
                    Tape.Watch(sk);
                    Tape.Watch(sv);
                }
                Tensor y = sq.Attention(sk, sv, layout, new AttentionOptions(0.125f, Causal: true));
                tape?.Backward(y, step.Adopt(dy));
                step.Reset();
            },
            step,
            w);
    }

    // Four times the tokens should take four times the memory: nothing has the size of the scores.
    private static CpuMeasurement AttentionMemory(Machine machine)
    {
        const int Short = 2048, Long = 8192;
        double growth = (double)Peak(Long) / Peak(Short);
        return new CpuMeasurement($"memory of attention and its gradient, {Long:N0} tokens over {Short:N0}", machine.Threads, growth, "×", Goal: new Goal(GoalKind.AtMost, 1.05 * Long / Short));

        long Peak(int length)
        {
            using KernelCase kernel = Attention(machine, length, backward: true, Precision.F32);
            kernel.Work();
            return kernel.Step.PeakBytes;
        }
    }

    // Reads and writes of a tensor that no cache holds, against reading alone.
    private static KernelCase Rows(Machine machine, string name, int passes, Action<Tensor> work)
    {
        const int Count = 16384, Columns = 1024;
        Workspace w = new(machine.Device), step = w.NewScratch();
        Tensor x = Random(w, Count, Columns);
        return new KernelCase(
            $"{name}, {Count} x {Columns}",
            machine.Read,
            (double)passes * Count * Columns * sizeof(float),
            null,
            () =>
            {
                work(step.Adopt(x));
                step.Reset();
            },
            step,
            w);
    }

    private static Tensor Random(Workspace w, params ReadOnlySpan<int> axes)
    {
        Tensor x = w.Empty(new Shape(axes));
        Span<float> values = x.Span();
        for (int i = 0; i < values.Length; i++)
            values[i] = (CounterRandom.Bits(1, i) * (1f / 4294967296f)) - 0.5f;
        return x;
    }
}
