// The third approach of Hoffmann et al. (2022) as Besiroglu et al. (2024) repeated it: the law in logarithms, a Huber loss on the logarithm of
// the loss, from a grid of beginnings; intervals from runs that are drawn anew with replacement. Minimized by Levenberg and Marquardt's method with
// the Huber loss's weights rather than by L-BFGS: five unknowns, exact derivatives, no step length to search.

using Gradus.Tensors;

namespace Gradus.Training.Planning;

/// <summary>A run that a scaling law is fitted to.</summary>
/// <param name="Parameters">N, > 0.</param>
/// <param name="Tokens">D, > 0.</param>
/// <param name="Loss">The loss it reached on held-out text, in nats a token, > 0.</param>
public sealed record ScalingRun(double Parameters, double Tokens, double Loss);

/// <summary>A law fitted to runs, and how sure it is.</summary>
/// <param name="Law">The law.</param>
/// <param name="Error">Root mean square of what it is off by, as a share of the loss.</param>
/// <param name="Resampled">The laws of runs that were drawn anew, for intervals.</param>
public sealed record ScalingFit(ScalingLaw Law, double Error, IReadOnlyList<ScalingLaw> Resampled)
{
    /// <summary>The fewest runs: five unknowns need more than five numbers.</summary>
    public const int FewestRuns = 6;

    private const double Huber = 1e-3;
    private const int Unknowns = 5;

    /// <summary>Fits the law.</summary>
    /// <param name="runs">At least six runs of at least two sizes and two numbers of tokens.</param>
    /// <param name="resamples">How often runs are drawn anew for intervals.</param>
    /// <param name="seed">Draws them.</param>
    /// <exception cref="InvalidDataException">The runs do not determine a law.</exception>
    public static ScalingFit Of(IReadOnlyList<ScalingRun> runs, int resamples = 200, ulong seed = 1)
    {
        ArgumentNullException.ThrowIfNull(runs);
        if (runs.Count < FewestRuns || runs.DistinctBy(r => r.Parameters).Count() < 2 || runs.DistinctBy(r => r.Tokens).Count() < 2)
            throw new InvalidDataException($"A scaling law has five unknowns: give at least {FewestRuns} runs, of at least two sizes and two numbers of tokens.");
        if (runs.FirstOrDefault(r => !(r.Parameters > 0 && r.Tokens > 0 && r.Loss > 0 && double.IsFinite(r.Loss))) is { } bad)
            throw new InvalidDataException($"A run of {bad.Parameters} parameters, {bad.Tokens} tokens and a loss of {bad.Loss} tells nothing; all three must be positive.");
        double[] best = Starts(runs).Select(start => Minimize(runs, start)).MinBy(x => Cost(runs, x))!;
        List<ScalingLaw> resampled = [];
        for (int i = 0; i < resamples; i++)
        {
            ScalingRun[] drawn = [.. runs.Select((_, r) => runs[CounterRandom.Below(CounterRandom.Derive(seed, (ulong)i), r, runs.Count)])];
            if (drawn.Distinct().Count() >= Unknowns)
                resampled.Add(LawOf(Minimize(drawn, best)));
        }
        ScalingLaw law = LawOf(best);
        return new ScalingFit(law, Math.Sqrt(runs.Average(r => Math.Pow((law.Loss(r.Parameters, r.Tokens) / r.Loss) - 1, 2))), resampled);
    }

    /// <summary>The middle 95% of a number that follows from the law.</summary>
    /// <param name="value">The number of a law.</param>
    public (double Low, double High) Interval(Func<ScalingLaw, double> value)
    {
        double[] values = [.. Resampled.Select(value).Where(double.IsFinite).Order()];
        return values.Length == 0 ? (double.NaN, double.NaN) : (values[(int)(0.025 * (values.Length - 1))], values[(int)Math.Ceiling(0.975 * (values.Length - 1))]);
    }

    private static ScalingLaw LawOf(double[] x) => new(Math.Exp(x[2]), Math.Exp(x[0]), Math.Exp(x[1]), x[3], x[4]);

    private static IEnumerable<double[]> Starts(IReadOnlyList<ScalingRun> runs)
    {
        double least = Math.Log(runs.Min(r => r.Loss));
        foreach (double alpha in new[] { 0.2, 0.35, 0.6, 1 })
        {
            foreach (double beta in new[] { 0.2, 0.35, 0.6, 1 })
            {
                foreach (double share in new[] { 0.3, 0.6, 0.9 })
                {
                    // What lies above the floor, in equal parts from size and data, at the run in the middle.
                    ScalingRun middle = runs[runs.Count / 2];
                    double e = least + Math.Log(share), above = Math.Max(1e-6, middle.Loss - Math.Exp(e)) / 2;
                    yield return [Math.Log(above) + (alpha * Math.Log(middle.Parameters)), Math.Log(above) + (beta * Math.Log(middle.Tokens)), e, alpha, beta];
                }
            }
        }
    }

    private static double Cost(IReadOnlyList<ScalingRun> runs, double[] x)
    {
        double cost = 0;
        foreach (ScalingRun run in runs)
        {
            double r = Math.Abs(Residual(run, x, null));
            cost += r <= Huber ? r * r / 2 : Huber * (r - (Huber / 2));
        }
        return double.IsNaN(cost) ? double.PositiveInfinity : cost;
    }

    // log of the law less log of the loss, and its derivatives by (log A, log B, log E, α, β).
    private static double Residual(ScalingRun run, double[] x, double[]? slope)
    {
        double n = Math.Log(run.Parameters), d = Math.Log(run.Tokens);
        double size = x[0] - (x[3] * n), data = x[1] - (x[4] * d), top = Math.Max(Math.Max(size, data), x[2]);
        double p = Math.Exp(size - top), q = Math.Exp(data - top), s = Math.Exp(x[2] - top), sum = p + q + s;
        if (slope is not null)
            (slope[0], slope[1], slope[2], slope[3], slope[4]) = (p / sum, q / sum, s / sum, -n * p / sum, -d * q / sum);
        return top + Math.Log(sum) - Math.Log(run.Loss);
    }

    private static double[] Minimize(IReadOnlyList<ScalingRun> runs, double[] start)
    {
        double[] x = [.. start], slope = new double[Unknowns];
        double damping = 1e-3, cost = Cost(runs, x);
        for (int iteration = 0; iteration < 300 && damping < 1e12; iteration++)
        {
            double[,] normal = new double[Unknowns, Unknowns + 1];
            foreach (ScalingRun run in runs)
            {
                double r = Residual(run, x, slope), weight = Math.Abs(r) <= Huber ? 1 : Huber / Math.Abs(r);
                for (int i = 0; i < Unknowns; i++)
                {
                    for (int j = 0; j < Unknowns; j++)
                        normal[i, j] += weight * slope[i] * slope[j];
                    normal[i, Unknowns] -= weight * slope[i] * r;
                }
            }
            for (int i = 0; i < Unknowns; i++)
                normal[i, i] += damping * (normal[i, i] + 1e-12);
            double[] next = Solve(normal);
            for (int i = 0; i < Unknowns; i++)
                next[i] += x[i];
            // A size or data that makes things worse is no law.
            double tried = next[3] > 0 && next[4] > 0 ? Cost(runs, next) : double.PositiveInfinity;
            if (tried < cost)
            {
                bool settled = cost - tried <= 1e-14 * cost;
                (x, cost, damping) = (next, tried, damping / 3);
                if (settled)
                    break;
            }
            else
            {
                damping *= 4;
            }
        }
        return x;
    }

    // Gauss with the largest pivot.
    private static double[] Solve(double[,] m)
    {
        int n = m.GetLength(0);
        for (int c = 0; c < n; c++)
        {
            int pivot = Enumerable.Range(c, n - c).MaxBy(r => Math.Abs(m[r, c]));
            for (int j = 0; j <= n; j++)
                (m[c, j], m[pivot, j]) = (m[pivot, j], m[c, j]);
            for (int r = c + 1; r < n; r++)
            {
                double factor = m[r, c] / m[c, c];
                for (int j = c; j <= n; j++)
                    m[r, j] -= factor * m[c, j];
            }
        }
        double[] x = new double[n];
        for (int r = n - 1; r >= 0; r--)
        {
            double sum = m[r, n];
            for (int j = r + 1; j < n; j++)
                sum -= m[r, j] * x[j];
            x[r] = sum / m[r, r];
        }
        return x;
    }
}
