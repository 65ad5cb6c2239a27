using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Cpu;

public static partial class CpuBenchmark
{
    private const int PackedColumns = 4096;
    private const int DecodeMegabytes = 520;
    private const int RatioRows = 4;

    private static readonly string[] ManyRowsFormats = ["Q4_0", "Q8_0", "Q4_K"];
    private static readonly string[] DecodeFormats = ["Q8_0", "Q4_0", "Q4_K", "Q6_K"];

    private static IEnumerable<Func<CpuMeasurement>> PackedProducts(Machine machine, int rounds)
    {
        foreach (string name in ManyRowsFormats)
            yield return () => Measure(machine => ManyRows(machine, PackedFormats.Get(name)), machine, rounds);
        foreach (string name in DecodeFormats)
            yield return () => Measure(machine => PackedDecode(machine, PackedFormats.Get(name), 1), machine, rounds);
        yield return () => FewRowsRatio(machine, PackedFormats.Get("Q4_0"), rounds);
    }

    // As in training and in reading a prompt: the weights are unpacked once for many rows.
    private static KernelCase ManyRows(Machine machine, PackedFormat format)
    {
        const int Rows = 512;
        Workspace w = new(machine.Device, Precision.BF16), step = w.NewScratch();
        PackedMatrix weight = PackedWeights(w, format, PackedColumns);
        Tensor x = Random(w, Rows, PackedColumns);
        return new KernelCase(
            $"product bf16 {Rows} x {PackedColumns} x {PackedColumns}, {format} weights",
            machine.Bf16,
            2.0 * Rows * PackedColumns * PackedColumns,
            new Goal(GoalKind.AtLeast, 1000.0 * machine.Threads),
            () => PackedProduct(step, x, weight),
            step,
            w);
    }

    // As in writing a text, token by token: what counts is how fast the weights come. One thread alone need not keep up with memory.
    private static KernelCase PackedDecode(Machine machine, PackedFormat format, int rows)
    {
        Workspace w = new(machine.Device), step = w.NewScratch();
        int outputs = (int)((long)DecodeMegabytes * 1_000_000 / format.ByteLength(PackedColumns));
        PackedMatrix weight = PackedWeights(w, format, outputs);
        Tensor x = Random(w, rows, PackedColumns);
        return new KernelCase(
            $"product of {rows} {(rows == 1 ? "row" : "rows")}, {format} weights, {DecodeMegabytes} MB",
            machine.Read,
            (double)outputs * weight.RowBytes,
            machine.Threads > 1 && rows == 1 ? new Goal(GoalKind.Share, 0.85) : null,
            () => PackedProduct(step, x, weight),
            step,
            w);
    }

    private static CpuMeasurement FewRowsRatio(Machine machine, PackedFormat format, int rounds)
    {
        using KernelCase one = PackedDecode(machine, format, 1), few = PackedDecode(machine, format, RatioRows);
        one.Work();
        few.Work();
        double ratio = Median(rounds, _ =>
        {
            double alone = Seconds(one.Work);
            return Seconds(few.Work) / alone;
        });
        return new CpuMeasurement($"time of {RatioRows} rows over 1 row, {format} weights", machine.Threads, ratio, "×", Goal: new Goal(GoalKind.AtMost, 1.5));
    }

    private static void PackedProduct(Workspace step, Tensor x, PackedMatrix weight)
    {
        step.Adopt(x).Linear(weight);
        step.Reset();
    }

    // The same rows over and over; no product is faster for it.
    private static PackedMatrix PackedWeights(Workspace w, PackedFormat format, int outputs)
    {
        const int Rows = 64;
        PackedMatrix weight = new(w, format, outputs, PackedColumns);
        Tensor values = Random(w, Rows, PackedColumns);
        byte[] blocks = new byte[Rows * weight.RowBytes];
        format.Pack(values.Span(), blocks);
        values.Free();
        Parallel.For(0, (outputs + Rows - 1) / Rows, i => weight.PutRows(i * Rows, blocks.AsSpan(0, Math.Min(Rows, outputs - (i * Rows)) * weight.RowBytes)));
        return weight;
    }
}
