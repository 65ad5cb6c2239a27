// Source: P. Koehn, "Statistical Significance Tests for Machine Translation Evaluation", 2004, https://aclanthology.org/W04-3250,
// and the p-value of sacrebleu's paired bootstrap (--paired-bs), which centres the absolute differences on their mean.

namespace Gradus.Evaluation.Statistics;

/// <summary>Whether system B differs from system A on the same examples, from resamples of the examples shared by both.</summary>
/// <param name="A">A's value on all examples.</param>
/// <param name="B">B's value on all examples.</param>
/// <param name="FractionBGreater">The fraction of resamples in which B's value is the larger (Koehn).</param>
/// <param name="FractionTies">The fraction of resamples in which both are equal.</param>
/// <param name="StandardError">The standard deviation of B − A over resamples (divisor S − 1), or null for one resample.</param>
/// <param name="Interval">The percentile interval of B − A at 95%.</param>
/// <param name="PValue">
/// (1 + #{s : |dₛ| − mean|d| &gt; |B − A|}) / (S + 1), with d the differences over S resamples: sacrebleu's rule.
/// Systems that are equal on every example get the least value the rule can give, so look at <paramref name="FractionTies"/> first.
/// </param>
public sealed record PairedBootstrap(
    double A, double B, double FractionBGreater, double FractionTies, double? StandardError, ConfidenceInterval Interval, double PValue)
{
    /// <summary>B − A on all examples.</summary>
    public double Difference => B - A;

    /// <summary>Compares two systems whose value is a statistic of the examples.</summary>
    /// <param name="count">The number of examples, 1 or more.</param>
    /// <param name="a">A's value on a resample.</param>
    /// <param name="b">B's value on a resample.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed; the same seed gives the same result.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public static PairedBootstrap Compare(int count, ResampledStatistic a, ResampledStatistic b, int resamples = 1000, ulong seed = 0)
    {
        ResampleGenerator generator = new(seed);
        var indices = new int[Bootstrap.Positive(count)];
        return Compare(count, a, b, Draws());

        IEnumerable<int[]> Draws()
        {
            for (int s = 0; s < Bootstrap.Positive(resamples); s++)
            {
                generator.Fill(indices);
                yield return indices;
            }
        }
    }

    /// <summary>Compares the means of two systems' scores.</summary>
    /// <param name="a">A's scores.</param>
    /// <param name="b">B's scores on the same examples.</param>
    /// <param name="resamples">The number of resamples, 1 or more.</param>
    /// <param name="seed">The seed; the same seed gives the same result.</param>
    /// <exception cref="ArgumentException">The systems have different numbers of scores.</exception>
    public static PairedBootstrap Compare(IReadOnlyList<double> a, IReadOnlyList<double> b, int resamples = 1000, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Count != b.Count)
            throw new ArgumentException($"Cannot pair {a.Count} scores with {b.Count}: score both systems on the same examples.");
        double[] scoresA = [.. a], scoresB = [.. b], drawnA = new double[Bootstrap.Positive(resamples)], drawnB = new double[resamples];
        int count = Bootstrap.Positive(a.Count);
        // Every resample has its place in the generator's sequence, so they can be drawn at once.
        Parallel.For(0, resamples, s =>
        {
            ResampleGenerator generator = new(seed);
            generator.Skip((long)s * count);
            double sumA = 0, sumB = 0;
            for (int i = 0; i < scoresA.Length; i++)
            {
                int index = generator.Below(count);
                sumA += scoresA[index];
                sumB += scoresB[index];
            }
            (drawnA[s], drawnB[s]) = (sumA / count, sumB / count);
        });
        return Of(Sample.Mean(scoresA), Sample.Mean(scoresB), drawnA, drawnB);
    }

    /// <summary>Compares two systems on resamples drawn elsewhere.</summary>
    /// <param name="count">The number of examples, 1 or more.</param>
    /// <param name="a">A's value on a resample.</param>
    /// <param name="b">B's value on a resample.</param>
    /// <param name="resamples">The indices of each resample; one resample at least.</param>
    /// <exception cref="ArgumentException">There are no resamples.</exception>
    public static PairedBootstrap Compare(int count, ResampledStatistic a, ResampledStatistic b, IEnumerable<int[]> resamples)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(resamples);
        int[] all = [.. Enumerable.Range(0, Bootstrap.Positive(count))];
        List<double> drawnA = [], drawnB = [];
        foreach (int[] indices in resamples)
        {
            drawnA.Add(a(indices));
            drawnB.Add(b(indices));
        }
        return drawnA.Count > 0
            ? Of(a(all), b(all), [.. drawnA], [.. drawnB])
            : throw new ArgumentException("There are no resamples; give one at least.", nameof(resamples));
    }

    private static PairedBootstrap Of(double valueA, double valueB, double[] a, double[] b)
    {
        double[] d = [.. b.Zip(a, (y, x) => y - x)];
        int greater = a.Zip(b).Count(p => p.Second > p.First), ties = a.Zip(b).Count(p => p.Second == p.First);
        double[] absolute = [.. d.Select(Math.Abs)];
        double mean = Sample.Mean(absolute), real = Math.Abs(valueB - valueA);
        int extreme = absolute.Count(x => x - mean > real);
        return new(valueA, valueB, (double)greater / d.Length, (double)ties / d.Length, Sample.StandardDeviation(d),
            Bootstrap.Percentiles(d, 0.95), (extreme + 1.0) / (d.Length + 1));
    }
}
