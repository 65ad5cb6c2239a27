using Gradus.Evaluation.Statistics;

namespace Gradus.Evaluation.Metrics;

/// <summary>What a metric says of a set of examples: the value, its standard error, and the score of every example.</summary>
public sealed class MetricResult
{
    private readonly double[] rows;

    internal MetricResult(Metric metric, double[] scores, double[] rows)
    {
        Metric = metric;
        Scores = scores;
        this.rows = rows;
        double[] totals = Totals();
        Value = metric.Aggregate(totals);
        StandardError = Jackknife(totals);
    }

    /// <summary>The metric.</summary>
    public Metric Metric { get; }

    /// <summary>The number of examples.</summary>
    public int Count => Scores.Count;

    /// <summary>The value over all examples, on the metric's own scale (see <see cref="Metric.Best"/>).</summary>
    public double Value { get; }

    /// <summary>
    /// The standard error of <see cref="Value"/> over examples, or null for one example alone. It is the delete-one jackknife
    /// (Efron and Tibshirani 1993, chapter 11), which for a mean is exactly sd/√n.
    /// </summary>
    public double? StandardError { get; }

    /// <summary>The score of each example, in the order given.</summary>
    public IReadOnlyList<double> Scores { get; }

    /// <summary>The value over the examples at the given indices, which may repeat: one resample of a bootstrap.</summary>
    /// <param name="indices">Indices from 0 to <see cref="Count"/> − 1; one at least.</param>
    public double Resample(ReadOnlySpan<int> indices)
    {
        var totals = new double[Metric.StatisticCount];
        foreach (int i in indices)
            Add(totals, i);
        return Metric.Aggregate(totals);
    }

    /// <summary>The percentile bootstrap interval of the value. The same seed gives the same interval.</summary>
    /// <param name="level">The confidence, between 0 and 1 exclusive.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed of the resampling.</param>
    public ConfidenceInterval Interval(double level = 0.95, int resamples = 1000, ulong seed = 0)
        => Bootstrap.Interval(Count, Resample, level, resamples, seed);

    /// <summary>The paired bootstrap of this result (A) and another one of the same metric on the same examples (B).</summary>
    /// <param name="other">System B.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed of the resampling.</param>
    /// <exception cref="ArgumentException">The results are of different metrics or settings, or have different numbers of examples.</exception>
    public PairedBootstrap CompareWith(MetricResult other, int resamples = 1000, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (Metric.Name != other.Metric.Name || Metric.Settings != other.Metric.Settings)
            throw new ArgumentException($"Cannot compare {Metric.Name} ({Metric.Settings}) with {other.Metric.Name} ({other.Metric.Settings}): score both systems with one metric.");
        if (Count != other.Count)
            throw new ArgumentException($"Cannot pair {Count} examples of one system with {other.Count} of the other: score both on the same examples.");
        return PairedBootstrap.Compare(Count, Resample, other.Resample, resamples, seed);
    }

    /// <summary>The metric's name, value and standard error.</summary>
    public override string ToString()
        => StandardError is { } error ? $"{Metric.Name} {Value:0.####} ± {error:0.####}" : $"{Metric.Name} {Value:0.####}";

    internal double[] Totals()
    {
        var totals = new double[Metric.StatisticCount];
        for (int i = 0; i < Count; i++)
            Add(totals, i);
        return totals;
    }

    private void Add(double[] totals, int example)
    {
        int width = totals.Length;
        for (int k = 0; k < width; k++)
            totals[k] += rows[(example * width) + k];
    }

    // se = √((n − 1)/n · Σ (v₍ᵢ₎ − mean v₍·₎)²), where v₍ᵢ₎ is the value without example i.
    private double? Jackknife(double[] totals)
    {
        if (Count < 2)
            return null;
        var without = new double[Count];
        var rest = new double[totals.Length];
        for (int i = 0; i < Count; i++)
        {
            for (int k = 0; k < rest.Length; k++)
                rest[k] = totals[k] - rows[(i * rest.Length) + k];
            without[i] = Metric.Aggregate(rest);
        }
        double mean = Sample.Mean(without), squares = 0;
        foreach (double value in without)
            squares += (value - mean) * (value - mean);
        return Math.Sqrt(squares * (Count - 1) / Count);
    }
}
