// Source: E. Miller, "Adding Error Bars to Evals", 2024, https://arxiv.org/abs/2411.00640, section 2.2.

namespace Gradus.Evaluation.Statistics;

/// <summary>Standard errors of means over examples that are not independent: questions about one passage, rows of one document.</summary>
public static class Clustered
{
    /// <summary>The standard error of Σ values / Σ weights: √(Σ (value − ratio · weight)² · n / (n − 1)) / Σ weights.</summary>
    /// <param name="values">The values; two at least.</param>
    /// <param name="weights">As many weights, their sum above 0.</param>
    public static double RatioError(IReadOnlyList<double> values, IReadOnlyList<double> weights)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(weights);
        double total = weights.Sum(), ratio = values.Sum() / total;
        double squares = values.Zip(weights, (v, w) => Math.Pow(v - (ratio * w), 2)).Sum();
        return Math.Sqrt(squares * values.Count / (values.Count - 1)) / total;
    }

    /// <summary>√(Σ over clusters (Σ over its examples (s − mean))²) / n; with one example a cluster the usual error but for its factor n/(n − 1).</summary>
    /// <param name="scores">The scores; one at least.</param>
    /// <param name="clusters">What each example shares with others.</param>
    /// <returns>The standard error, or null for one cluster alone.</returns>
    /// <exception cref="ArgumentException">The lengths differ, or there are no scores.</exception>
    public static double? StandardError(IReadOnlyList<double> scores, IReadOnlyList<string> clusters)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(clusters);
        if (scores.Count == 0 || scores.Count != clusters.Count)
            throw new ArgumentException($"{scores.Count} scores and {clusters.Count} clusters: give as many of both, one at least.");
        double mean = Sample.Mean([.. scores]);
        Dictionary<string, double> sums = new(StringComparer.Ordinal);
        for (int i = 0; i < scores.Count; i++)
            sums[clusters[i]] = sums.GetValueOrDefault(clusters[i]) + scores[i] - mean;
        return sums.Count == 1 ? null : Math.Sqrt(sums.Values.Sum(s => s * s)) / scores.Count;
    }
}
