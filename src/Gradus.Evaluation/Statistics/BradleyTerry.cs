// Source: Bradley and Terry, 1952; Hunter, "MM Algorithms for Generalized Bradley-Terry Models", 2004 (the iteration; ties count half to each);
// Elo's scale: 400 points are odds of ten to one.

using Gradus.Tensors;

namespace Gradus.Evaluation.Statistics;

/// <summary>One comparison of two players.</summary>
/// <param name="First">The number of the first player.</param>
/// <param name="Second">The number of the second.</param>
/// <param name="Outcome">1 where the first won, 0 where the second did, 0.5 for a tie.</param>
public readonly record struct Comparison(int First, int Second, double Outcome);

/// <summary>A player's strength.</summary>
/// <param name="Rating">On Elo's scale; the mean of all players is 1000.</param>
/// <param name="Interval">Its percentile interval over resampled comparisons.</param>
public readonly record struct Strength(double Rating, ConfidenceInterval Interval);

/// <summary>The strengths of players from who won against whom.</summary>
public static class BradleyTerry
{
    private const double Scale = 400;

    /// <summary>Fits the strengths. Every player gets half a drawn game against a player of mean strength, so that one who always wins stays finite.</summary>
    /// <param name="players">The number of players, 2 or more.</param>
    /// <param name="comparisons">The comparisons; one at least.</param>
    /// <param name="level">The confidence of the intervals, between 0 and 1.</param>
    /// <param name="resamples">Resamples for the intervals, 1 or more.</param>
    /// <param name="seed">The seed of the resampling.</param>
    /// <exception cref="ArgumentException">There are no comparisons, or one names an unknown player or outcome.</exception>
    public static IReadOnlyList<Strength> Fit(int players, IReadOnlyList<Comparison> comparisons, double level = 0.95, int resamples = 200, ulong seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(players, 2);
        ArgumentNullException.ThrowIfNull(comparisons);
        if (comparisons.Count == 0 || comparisons.Any(c => (uint)c.First >= (uint)players || (uint)c.Second >= (uint)players || c.First == c.Second || c.Outcome is not (>= 0 and <= 1)))
            throw new ArgumentException("Give one comparison at least, each of two different players, with an outcome from 0 to 1.", nameof(comparisons));
        double[] ratings = Ratings(players, comparisons);
        double[][] drawn = new double[resamples][];
        Parallel.For(0, resamples, s =>
        {
            ulong key = CounterRandom.Derive(seed, (ulong)s);
            drawn[s] = Ratings(players, [.. Enumerable.Range(0, comparisons.Count).Select(i => comparisons[CounterRandom.Below(key, i, comparisons.Count)])]);
        });
        return [.. Enumerable.Range(0, players).Select(p => new Strength(ratings[p], Bootstrap.Percentiles([.. drawn.Select(d => d[p])], level)))];
    }

    private static double[] Ratings(int players, IReadOnlyList<Comparison> comparisons)
    {
        double[] wins = new double[players];
        double[,] games = new double[players, players];
        foreach (Comparison c in comparisons)
        {
            wins[c.First] += c.Outcome;
            wins[c.Second] += 1 - c.Outcome;
            games[c.First, c.Second]++;
            games[c.Second, c.First]++;
        }
        double[] strength = new double[players];
        Array.Fill(strength, 1);
        for (int iteration = 0; iteration < 10_000; iteration++)
        {
            double change = 0, logs = 0;
            double[] next = new double[players];
            for (int p = 0; p < players; p++)
            {
                double sum = 0.5 / (strength[p] + 1);
                for (int q = 0; q < players; q++)
                    sum += games[p, q] == 0 ? 0 : games[p, q] / (strength[p] + strength[q]);
                next[p] = (wins[p] + 0.25) / sum;
                logs += Math.Log(next[p]);
            }
            double mean = Math.Exp(logs / players);
            for (int p = 0; p < players; p++)
            {
                next[p] /= mean;
                change = Math.Max(change, Math.Abs(Math.Log(next[p] / strength[p])));
            }
            strength = next;
            if (change < 1e-10)
                break;
        }
        return [.. strength.Select(s => 1000 + (Scale * Math.Log10(s)))];
    }
}
