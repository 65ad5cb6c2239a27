namespace Gradus.Server.Observation;

/// <summary>Observations counted by size, as Prometheus has them.</summary>
/// <param name="bounds">The upper bounds of the buckets, ascending.</param>
internal sealed class Histogram(double[] bounds)
{
    private readonly long[] _counts = new long[bounds.Length + 1];
    private readonly Lock _lock = new();
    private double _sum;

    /// <summary>Bounds for times in seconds, from a millisecond to an hour.</summary>
    public static double[] Seconds { get; } = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600];

    public void Observe(double value)
    {
        int bucket = Array.FindIndex(bounds, b => value <= b);
        lock (_lock)
        {
            _counts[bucket < 0 ? bounds.Length : bucket]++;
            _sum += value;
        }
    }

    /// <summary>Writes the lines of the exposition.</summary>
    public void Write(MetricText text, string name, string help, (string Name, string Value) label)
    {
        long[] counts;
        double sum;
        lock (_lock)
            (counts, sum) = ([.. _counts], _sum);
        text.Begin(name, "histogram", help);
        long total = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            text.Line($"{name}_bucket", total, label, ("le", i < bounds.Length ? MetricText.Number(bounds[i]) : "+Inf"));
        }
        text.Line($"{name}_sum", sum, label);
        text.Line($"{name}_count", total, label);
    }
}
