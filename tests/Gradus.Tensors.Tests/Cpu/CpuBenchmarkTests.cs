namespace Gradus.Tensors.Cpu.Tests;

public sealed class CpuBenchmarkTests
{
    [Fact]
    public void Ceilings_come_first_and_kernels_are_measured_against_them()
    {
        using CancellationTokenSource cancellation = new();
        List<CpuMeasurement> measured = [];
        foreach (CpuMeasurement measurement in CpuBenchmark.Run(threads: 1, rounds: 1, cancellation.Token))
        {
            measured.Add(measurement);
            if (measurement.Share is not null)
                cancellation.Cancel();
        }
        Assert.All(measured, m => Assert.True(m.Value > 0 && m.Threads == 1, m.ToString()));
        Assert.All(measured.SkipLast(1), m => Assert.StartsWith("ceiling", m.Name, StringComparison.Ordinal));
        Assert.Equal(Bf16Kernels.Has(CpuFeatures.Best) ? 3 : 2, measured.Count - 1);
        Assert.True(measured[^1] is { Share: > 0, Goal.Kind: GoalKind.Share, Unit: "GFLOP/s" }, measured[^1].ToString());
    }

    [Fact]
    public void Wrong_numbers_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => CpuBenchmark.Run(0).First());
        Assert.Throws<ArgumentOutOfRangeException>(() => CpuBenchmark.Run(1, rounds: 0).First());
    }
}
