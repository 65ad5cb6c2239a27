// Source: E. Miller, "Adding Error Bars to Evals", 2024, https://arxiv.org/abs/2411.00640 (paired differences, power); Good, "Permutation,
// Parametric, and Bootstrap Tests of Hypotheses", 2005 (sign flips); Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.

using Gradus.Tensors;

namespace Gradus.Evaluation.Statistics;

/// <summary>How far system B is from system A on the same examples, when each score of one is paired with that of the other.</summary>
/// <param name="Count">Examples.</param>
/// <param name="A">A's mean.</param>
/// <param name="B">B's mean.</param>
/// <param name="StandardError">The standard error of B − A: sd of the paired differences / √n, clustered where clusters were given; null for one example.</param>
/// <param name="PValue">The two-sided p-value of a permutation test: how often flipped signs give as large a difference.</param>
/// <param name="Changed">Examples whose score is not the same.</param>
public sealed record PairedComparison(int Count, double A, double B, double? StandardError, double PValue, int Changed)
{
    /// <summary>B − A.</summary>
    public double Difference => B - A;

    /// <summary>Compares the means of two systems.</summary>
    /// <param name="a">A's scores; one at least.</param>
    /// <param name="b">B's scores on the same examples.</param>
    /// <param name="clusters">What examples share that are not independent, or null; signs flip by cluster.</param>
    /// <param name="permutations">Random sign flips; all of them where there are no more than that.</param>
    /// <param name="seed">The seed; the same seed gives the same p-value.</param>
    /// <exception cref="ArgumentException">The numbers of scores differ, or there are none.</exception>
    public static PairedComparison Of(IReadOnlyList<double> a, IReadOnlyList<double> b, IReadOnlyList<string>? clusters = null, int permutations = 10_000, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Count == 0 || a.Count != b.Count || (clusters is not null && clusters.Count != a.Count))
            throw new ArgumentException($"Cannot pair {a.Count} scores with {b.Count}: score both systems on the same examples, one at least.");
        double[] differences = [.. a.Zip(b, (x, y) => y - x)];
        double[] sums = clusters is null ? differences : [.. clusters.Zip(differences).GroupBy(p => p.First, p => p.Second, StringComparer.Ordinal).Select(g => g.Sum())];
        double? error = clusters is null ? Sample.StandardError(differences) : Clustered.StandardError(differences, clusters);
        return new PairedComparison(a.Count, Sample.Mean([.. a]), Sample.Mean([.. b]), error, PermutationTest(sums, permutations, seed), differences.Count(d => d != 0));
    }

    /// <summary>The p-values of several tests, made so that all together are wrong no more often than one alone (Holm).</summary>
    /// <param name="pValues">The p-values.</param>
    /// <returns>The adjusted p-values in the same order, 1 at most.</returns>
    public static double[] Holm(IReadOnlyList<double> pValues)
    {
        ArgumentNullException.ThrowIfNull(pValues);
        int[] order = [.. Enumerable.Range(0, pValues.Count).OrderBy(i => pValues[i])];
        double[] adjusted = new double[pValues.Count];
        double largest = 0;
        for (int rank = 0; rank < order.Length; rank++)
        {
            largest = Math.Max(largest, Math.Min(1, pValues[order[rank]] * (order.Length - rank)));
            adjusted[order[rank]] = largest;
        }
        return adjusted;
    }

    /// <summary>The examples that a paired comparison needs to see a difference: ((z₁₋α⁄₂ + z_power) · sd / difference)².</summary>
    /// <param name="difference">The difference to see, not 0.</param>
    /// <param name="deviation">The standard deviation of the paired differences, above 0.</param>
    /// <param name="alpha">The chance of seeing one that is not there, between 0 and 1.</param>
    /// <param name="power">The chance of seeing one that is there, between 0 and 1.</param>
    public static long ExamplesNeeded(double difference, double deviation, double alpha = 0.05, double power = 0.8)
    {
        if (difference == 0 || !(deviation > 0))
            throw new ArgumentOutOfRangeException(nameof(difference), "The difference is not 0, and the deviation is above 0.");
        double z = NormalDistribution.Quantile(1 - (alpha / 2)) + NormalDistribution.Quantile(power);
        return (long)Math.Ceiling(Math.Pow(z * deviation / difference, 2));
    }

    /// <summary>The least difference that a paired comparison of so many examples sees.</summary>
    /// <param name="standardError">The standard error of the difference.</param>
    /// <param name="alpha">The chance of seeing one that is not there, between 0 and 1.</param>
    /// <param name="power">The chance of seeing one that is there, between 0 and 1.</param>
    public static double SmallestVisible(double standardError, double alpha = 0.05, double power = 0.8) =>
        (NormalDistribution.Quantile(1 - (alpha / 2)) + NormalDistribution.Quantile(power)) * standardError;

    // Under no difference the sign of every paired difference is as likely + as −. Zeros have no sign.
    private static double PermutationTest(double[] sums, int permutations, ulong seed)
    {
        double[] signed = [.. sums.Where(s => s != 0)];
        if (signed.Length == 0)
            return 1;
        double real = Math.Abs(signed.Sum()) * (1 - 1e-12);
        if (signed.Length < 31 && 1L << signed.Length <= permutations)
        {
            long extreme = 0, all = 1L << signed.Length;
            for (long flips = 0; flips < all; flips++)
            {
                double sum = 0;
                for (int i = 0; i < signed.Length; i++)
                    sum += (flips >> i & 1) == 0 ? signed[i] : -signed[i];
                extreme += Math.Abs(sum) >= real ? 1 : 0;
            }
            return (double)extreme / all;
        }
        int extremes = Enumerable.Range(0, permutations).AsParallel().Count(p => Math.Abs(Flipped(signed, CounterRandom.Derive(seed, (ulong)p))) >= real);
        return (extremes + 1.0) / (permutations + 1);
    }

    private static double Flipped(double[] signed, ulong key)
    {
        double sum = 0;
        ulong bits = 0;
        for (int i = 0; i < signed.Length; i++)
        {
            if (i % 64 == 0)
                bits = CounterRandom.Bits64(key, i / 64);
            sum += (bits & 1) == 0 ? signed[i] : -signed[i];
            bits >>= 1;
        }
        return sum;
    }
}
