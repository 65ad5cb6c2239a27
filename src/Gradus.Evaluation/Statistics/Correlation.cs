// Purpose: correlation of two series, equal to scipy.stats. Source: Knight, "A Computer Method for Calculating Kendall's Tau with
// Ungrouped Data", JASA 61, 1966, for n log n pairs. Left out: the p-value of Kendall's tau.

namespace Gradus.Evaluation.Statistics;

/// <summary>Correlation coefficients of two series of numbers, from −1 to 1; not a number where a series is constant.</summary>
public static class Correlation
{
    /// <summary>Pearson's r: linear correlation.</summary>
    /// <param name="x">One series, two values at least.</param>
    /// <param name="y">The other, as long.</param>
    /// <exception cref="ArgumentException">The lengths differ or are below 2.</exception>
    public static double Pearson(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        double meanX = Sample.Mean(x), meanY = Sample.Mean(y), xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double dx = x[i] - meanX, dy = y[i] - meanY;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
        // Rounding may pass the ends by an ulp.
        return Math.Clamp(xy / (Math.Sqrt(xx) * Math.Sqrt(yy)), -1, 1);
    }

    /// <summary>Spearman's ρ: Pearson's r of the ranks.</summary>
    /// <param name="x">One series, two values at least.</param>
    /// <param name="y">The other, as long.</param>
    /// <exception cref="ArgumentException">The lengths differ or are below 2.</exception>
    public static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        return Pearson(Ranks(x), Ranks(y));
    }

    /// <summary>Kendall's τ-b: concordant less discordant pairs, corrected for ties in either series.</summary>
    /// <param name="x">One series, two values at least.</param>
    /// <param name="y">The other, as long.</param>
    /// <exception cref="ArgumentException">The lengths differ or are below 2.</exception>
    public static double KendallTauB(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Check(x, y);
        double[] a = Ranks(x), b = Ranks(y);
        int[] order = [.. Enumerable.Range(0, a.Length).OrderBy(i => a[i]).ThenBy(i => b[i])];
        double[] sorted = [.. order.Select(i => b[i])];
        double pairs = Pairs(a.Length), tiedX = TiedPairs(a), tiedY = TiedPairs(b);
        double tiedBoth = order.GroupBy(i => (a[i], b[i])).Sum(group => Pairs(group.Count()));
        double discordant = Inversions(sorted, new double[sorted.Length]);
        // Pairs that are tied in neither, less twice the discordant ones.
        double difference = pairs - tiedX - tiedY + tiedBoth - (2 * discordant);
        return Math.Clamp(difference / Math.Sqrt(pairs - tiedX) / Math.Sqrt(pairs - tiedY), -1, 1);
    }

    /// <summary>
    /// The two-sided p-value of a Pearson or Spearman coefficient under independence, by Student's t with n − 2 degrees of freedom
    /// (exact for Pearson's r of normal series, an approximation for Spearman's ρ). 1 for two values; not a number for such an r.
    /// </summary>
    /// <param name="r">The coefficient, from −1 to 1.</param>
    /// <param name="count">n, 2 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">The coefficient or n is out of its range.</exception>
    public static double PValue(double r, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        if (r is < -1 or > 1)
            throw new ArgumentOutOfRangeException(nameof(r), r, "A correlation is from −1 to 1.");
        return double.IsNaN(r) ? r : count == 2 ? 1 : IncompleteBeta.Regularized((count / 2.0) - 1, 0.5, 1 - (r * r));
    }

    /// <summary>The ranks of values from 1 up; equal values share the mean of their ranks.</summary>
    /// <param name="values">The values; not-a-number comes first.</param>
    public static double[] Ranks(ReadOnlySpan<double> values)
    {
        double[] sorted = values.ToArray();
        int[] order = [.. Enumerable.Range(0, sorted.Length)];
        Array.Sort(sorted, order);
        var ranks = new double[sorted.Length];
        for (int start = 0; start < sorted.Length;)
        {
            int end = start + 1;
            while (end < sorted.Length && sorted[end] == sorted[start])
                end++;
            for (int i = start; i < end; i++)
                ranks[order[i]] = (start + end + 1) / 2.0;
            start = end;
        }
        return ranks;
    }

    private static double Pairs(long n) => n * (n - 1) / 2;

    private static double TiedPairs(double[] ranks) => ranks.GroupBy(r => r).Sum(group => Pairs(group.Count()));

    // Merge sort; counts pairs that stand in the wrong order.
    private static double Inversions(Span<double> values, Span<double> scratch)
    {
        if (values.Length < 2)
            return 0;
        int half = values.Length / 2, i = 0, j = half;
        double count = Inversions(values[..half], scratch[..half]) + Inversions(values[half..], scratch[half..]);
        for (int k = 0; k < values.Length; k++)
        {
            if (j == values.Length || (i < half && values[i] <= values[j]))
            {
                scratch[k] = values[i++];
            }
            else
            {
                count += half - i;
                scratch[k] = values[j++];
            }
        }
        scratch.CopyTo(values);
        return count;
    }

    private static void Check(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        if (x.Length != y.Length || x.Length < 2)
            throw new ArgumentException($"Series of {x.Length} and {y.Length} values: give as many of both, two at least.");
    }
}
