namespace Gradus.Evaluation.Statistics;

/// <summary>Plain statistics of a sample of numbers.</summary>
public static class Sample
{
    /// <summary>The mean.</summary>
    /// <param name="values">One value at least.</param>
    /// <exception cref="ArgumentException">There are no values.</exception>
    public static double Mean(ReadOnlySpan<double> values)
    {
        RequireValues(values);
        double sum = 0;
        foreach (double value in values)
            sum += value;
        return sum / values.Length;
    }

    /// <summary>The standard deviation √(Σ(x − mean)² / (n − 1)), or null for one value alone.</summary>
    /// <param name="values">One value at least.</param>
    /// <exception cref="ArgumentException">There are no values.</exception>
    public static double? StandardDeviation(ReadOnlySpan<double> values)
    {
        double mean = Mean(values), squares = 0;
        if (values.Length == 1)
            return null;
        foreach (double value in values)
            squares += (value - mean) * (value - mean);
        return Math.Sqrt(squares / (values.Length - 1));
    }

    /// <summary>The standard error of the mean, sd/√n, or null for one value alone.</summary>
    /// <param name="values">One value at least.</param>
    /// <exception cref="ArgumentException">There are no values.</exception>
    public static double? StandardError(ReadOnlySpan<double> values) => StandardDeviation(values) / Math.Sqrt(values.Length);

    /// <summary>A quantile by linear interpolation between order statistics (the seventh of Hyndman and Fan 1996; numpy's default).</summary>
    /// <param name="values">One value at least, in any order.</param>
    /// <param name="probability">From 0 (the least) to 1 (the largest).</param>
    /// <exception cref="ArgumentException">There are no values.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The probability is not from 0 to 1.</exception>
    public static double Quantile(ReadOnlySpan<double> values, double probability)
    {
        RequireValues(values);
        if (!(probability is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "A probability is from 0 to 1.");
        double[] sorted = values.ToArray();
        Array.Sort(sorted);
        double position = probability * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }

    private static void RequireValues(ReadOnlySpan<double> values)
    {
        if (values.IsEmpty)
            throw new ArgumentException("The sample is empty; one value at least is needed.", nameof(values));
    }
}
