// Source: Fleiss, "Measuring Nominal Scale Agreement among Many Raters", 1971; Krippendorff, "Content Analysis", 4th edition 2018, chapter 12.
// Cohen's κ of two raters is ConfusionMatrix.CohenKappa.

namespace Gradus.Evaluation.Statistics;

/// <summary>How far several raters agree beyond chance: 1 is agreement, 0 chance.</summary>
public static class Agreement
{
    /// <summary>Fleiss' κ; null where all ratings are of one category, so that chance explains everything.</summary>
    /// <param name="counts">For each item, how many raters chose each category; as many ratings of every item, two at least.</param>
    /// <exception cref="ArgumentException">There are no items, or they have different numbers of ratings.</exception>
    public static double? FleissKappa(IReadOnlyList<int[]> counts)
    {
        ArgumentNullException.ThrowIfNull(counts);
        int raters = counts.Count == 0 ? 0 : counts[0].Sum();
        if (raters < 2 || counts.Any(c => c.Length != counts[0].Length || c.Sum() != raters || c.Any(n => n < 0)))
            throw new ArgumentException("Fleiss' κ needs items with as many ratings each, two at least, over the same categories.", nameof(counts));
        double agreement = counts.Average(c => (c.Sum(n => (double)n * n) - raters) / ((double)raters * (raters - 1)));
        double chance = Enumerable.Range(0, counts[0].Length).Sum(k => Math.Pow(counts.Sum(c => (double)c[k]) / ((double)raters * counts.Count), 2));
        return chance >= 1 ? null : (agreement - chance) / (1 - chance);
    }

    /// <summary>Krippendorff's α; ratings may be missing. Null where fewer than two ratings can be paired, or all are equal.</summary>
    /// <param name="ratings">For each item, the rating of each rater, or null.</param>
    /// <param name="interval">Whether the distance of ratings is their squared difference; else they are equal or not.</param>
    public static double? KrippendorffAlpha(IReadOnlyList<double?[]> ratings, bool interval = false)
    {
        ArgumentNullException.ThrowIfNull(ratings);
        double[][] pairable = [.. ratings.Select(r => r.OfType<double>().ToArray()).Where(r => r.Length > 1)];
        double[] all = [.. pairable.SelectMany(r => r)];
        if (all.Length < 2)
            return null;
        double observed = pairable.Sum(item => Pairs(item) / (item.Length - 1)) / all.Length;
        double expected = Pairs(all) / ((double)all.Length * (all.Length - 1));
        return expected == 0 ? null : 1 - (observed / expected);

        // Σ over ordered pairs of the distance, from counts of equal ratings or from sums of squares.
        double Pairs(double[] values)
        {
            if (!interval)
                return ((double)values.Length * values.Length) - values.GroupBy(v => v).Sum(g => (double)g.Count() * g.Count());
            double sum = values.Sum();
            return 2 * ((values.Length * values.Sum(v => v * v)) - (sum * sum));
        }
    }
}
