// The points of one curve, and the two things done to them before they are drawn: thinning that keeps every extreme, and a
// moving mean that shows the trend under the noise of single batches.
namespace Gradus.Cli.Reports;

/// <summary>Points by ascending step. A value that is not finite is a gap in the line.</summary>
/// <param name="Steps">Training steps.</param>
/// <param name="Values">One value a step.</param>
internal sealed record Curve(long[] Steps, double[] Values)
{
    /// <summary>Curves with more points than this are thinned.</summary>
    public const int MostPoints = 2000;

    /// <summary>How many values are finite.</summary>
    public int Finite { get; } = Values.Count(double.IsFinite);

    /// <summary>The points of <paramref name="lines"/> that have this value at all.</summary>
    public static Curve Of(IReadOnlyList<LogLine> lines, Func<LogLine, double?> value)
    {
        LogLine[] with = [.. lines.Where(line => value(line) is not null)];
        return new Curve([.. with.Select(line => line.Step!.Value)], [.. with.Select(line => value(line)!.Value)]);
    }

    /// <summary>
    /// At most about <see cref="MostPoints"/> points: from each of equally many neighbours the least, the greatest and the first
    /// that is not finite, and both ends. A spike of a single step stays visible.
    /// </summary>
    public Curve Thinned()
    {
        int count = Steps.Length;
        if (count <= MostPoints)
            return this;
        const int Buckets = MostPoints / 2;
        SortedSet<int> kept = [0, count - 1];
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            int least = -1, greatest = -1, gap = -1;
            for (int i = (int)((long)count * bucket / Buckets); i < (int)((long)count * (bucket + 1) / Buckets); i++)
            {
                if (!double.IsFinite(Values[i]))
                    gap = gap < 0 ? i : gap;
                else
                    (least, greatest) = (least < 0 || Values[i] < Values[least] ? i : least, greatest < 0 || Values[i] > Values[greatest] ? i : greatest);
            }
            kept.UnionWith(new[] { least, greatest, gap }.Where(index => index >= 0));
        }
        return new Curve([.. kept.Select(i => Steps[i])], [.. kept.Select(i => Values[i])]);
    }

    /// <summary>The window of <see cref="Smoothed"/>: a fortieth of the points, odd, at most 501; 0 where the curve is too short to need one.</summary>
    public int Window => Steps.Length < 80 ? 0 : Math.Min(Steps.Length / 40, 500) | 1;

    /// <summary>Each finite value replaced by the mean of the finite values in the <see cref="Window"/> around it.</summary>
    public Curve Smoothed()
    {
        int half = Window / 2;
        double[] means = new double[Values.Length];
        for (int i = 0; i < means.Length; i++)
        {
            // At the steep start the window is cut on both sides, so that the mean does not lean; at the flat end only on the
            // side that is not there, so that the last mean is not one noisy value. Summed anew for each point: a running sum
            // would never recover from a single loss of 1e30.
            int before = Math.Min(half, i), after = Math.Min(before, means.Length - 1 - i);
            double sum = 0;
            int count = 0;
            foreach (double value in Values.AsSpan(i - before, before + 1 + after))
            {
                if (!double.IsFinite(value))
                    continue;
                sum += value;
                count++;
            }
            means[i] = double.IsFinite(Values[i]) ? sum / count : double.NaN;
        }
        return new Curve(Steps, means);
    }

    /// <summary>The first step whose value is not finite, and how many there are.</summary>
    public (long Step, int Count)? NonFinite()
    {
        int first = Array.FindIndex(Values, value => !double.IsFinite(value));
        return first < 0 ? null : (Steps[first], Steps.Length - Finite);
    }

    /// <summary>The median of the finite values; NaN where there is none.</summary>
    public double Median()
    {
        double[] sorted = [.. Values.Where(double.IsFinite).Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
