namespace Gradus.Tensors.Cpu.Tests;

public sealed class CpuBenchmarkTests
{
    [Fact]
    public void CeilingsComeFirstAndKernelsAreMeasuredAgainstThem()
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

    [Theory]
    [InlineData(GoalKind.Share, 0.8, true)]
    [InlineData(GoalKind.Share, 0.81, false)]
    [InlineData(GoalKind.AtLeast, 5.0, true)]
    [InlineData(GoalKind.AtLeast, 5.1, false)]
    [InlineData(GoalKind.AtMost, 5.0, true)]
    [InlineData(GoalKind.AtMost, 4.9, false)]
    public void GoalsLimitTheShareOrTheValue(GoalKind kind, double limit, bool reached)
    {
        Assert.Equal(reached, new CpuMeasurement("it", 1, Value: 5, "GB/s", Share: 0.8, new Goal(kind, limit)).Reached);
        Assert.Null(new CpuMeasurement("it", 1, Value: 5, "GB/s", Share: 0.8).Reached);
    }

    [Fact]
    public void WrongNumbersAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => CpuBenchmark.Run(0).First());
        Assert.Throws<ArgumentOutOfRangeException>(() => CpuBenchmark.Run(1, rounds: 0).First());
    }
}
