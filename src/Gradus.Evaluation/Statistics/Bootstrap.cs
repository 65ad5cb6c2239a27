// Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
// Left out: bias-corrected intervals (BCa).

namespace Gradus.Evaluation.Statistics;

/// <summary>A two-sided confidence interval.</summary>
/// <param name="Lower">The lower end.</param>
/// <param name="Upper">The upper end.</param>
/// <param name="Level">The confidence, between 0 and 1.</param>
public readonly record struct ConfidenceInterval(double Lower, double Upper, double Level);

/// <summary>A statistic of the examples at the given indices, which may repeat.</summary>
/// <param name="indices">The indices of one resample.</param>
public delegate double ResampledStatistic(ReadOnlySpan<int> indices);

/// <summary>Resampling of examples with replacement. The same seed gives the same resamples on every machine.</summary>
public static class Bootstrap
{
    /// <summary>The percentile interval of a statistic.</summary>
    /// <param name="count">The number of examples, 1 or more.</param>
    /// <param name="statistic">The statistic of a resample.</param>
    /// <param name="level">The confidence, between 0 and 1 exclusive.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public static ConfidenceInterval Interval(int count, ResampledStatistic statistic, double level = 0.95, int resamples = 1000, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(statistic);
        var values = new double[Positive(resamples)];
        var indices = new int[Positive(count)];
        ResampleGenerator generator = new(seed);
        for (int s = 0; s < resamples; s++)
        {
            generator.Fill(indices);
            values[s] = statistic(indices);
        }
        return Percentiles(values, level);
    }

    /// <summary>The percentile interval of the mean of some values.</summary>
    /// <param name="values">One value at least.</param>
    /// <param name="level">The confidence, between 0 and 1 exclusive.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range, or there are no values.</exception>
    public static ConfidenceInterval MeanInterval(IReadOnlyList<double> values, double level = 0.95, int resamples = 1000, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Interval(values.Count, MeanOf(values), level, resamples, seed);
    }

    internal static ConfidenceInterval Percentiles(double[] values, double level)
    {
        if (!(level is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(level), level, "A confidence level is between 0 and 1, such as 0.95.");
        double tail = (1 - level) / 2;
        return new(Sample.Quantile(values, tail), Sample.Quantile(values, 1 - tail), level);
    }

    internal static ResampledStatistic MeanOf(IReadOnlyList<double> values) => indices =>
    {
        double sum = 0;
        foreach (int i in indices)
            sum += values[i];
        return sum / indices.Length;
    };

    internal static int Positive(int number, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(number))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1, name);
        return number;
    }
}

/// <summary>
/// Indices drawn with replacement, from SplitMix64 (Steele, Lea and Flood 2014): a generator of our own, because the sequence
/// of <see cref="Random"/> is not promised from one version of .NET to the next.
/// </summary>
internal struct ResampleGenerator(ulong seed)
{
    private ulong state = seed;

    /// <summary>Fills a span with indices from 0 to its length − 1.</summary>
    public void Fill(Span<int> indices)
    {
        for (int i = 0; i < indices.Length; i++)
            indices[i] = Below(indices.Length);
    }

    /// <summary>An index from 0 to a number − 1.</summary>
    public int Below(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    /// <summary>Leaves out so many draws.</summary>
    public void Skip(long draws) => state += 0x9E3779B97F4A7C15 * (ulong)draws;

    private ulong Next()
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
