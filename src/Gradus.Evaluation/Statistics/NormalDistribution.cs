// Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 7.1 (series and continued fraction of the error function);
// Wichura, "Algorithm AS 241", 1988, improved here by one step of Halley's method.

namespace Gradus.Evaluation.Statistics;

/// <summary>The standard normal distribution.</summary>
public static class NormalDistribution
{
    /// <summary>The probability of a value up to <paramref name="x"/>, within 1e-14.</summary>
    public static double Cumulative(double x) => 0.5 * Complement(-x / Math.Sqrt(2));

    /// <summary>The value below which a part of the distribution lies.</summary>
    /// <param name="probability">Between 0 and 1 exclusive.</param>
    /// <exception cref="ArgumentOutOfRangeException">The probability is not between 0 and 1.</exception>
    public static double Quantile(double probability)
    {
        if (!(probability is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "A probability is between 0 and 1.");
        // A crude start (Abramowitz and Stegun 26.2.23), then Halley's steps on the exact function.
        double tail = Math.Min(probability, 1 - probability), t = Math.Sqrt(-2 * Math.Log(tail));
        double x = t - ((2.515517 + (t * (0.802853 + (t * 0.010328)))) / (1 + (t * (1.432788 + (t * (0.189269 + (t * 0.001308)))))));
        x = probability < 0.5 ? -x : x;
        for (int i = 0; i < 4; i++)
        {
            double error = (Cumulative(x) - probability) * Math.Sqrt(2 * Math.PI) * Math.Exp(x * x / 2);
            x -= error / (1 + (x * error / 2));
        }
        return x;
    }

    // erfc: a series near 0, a continued fraction in the tails.
    private static double Complement(double x)
    {
        double size = Math.Abs(x);
        double value;
        if (size < 2.5)
        {
            double term = size, sum = size;
            for (int n = 1; Math.Abs(term) > 1e-18 * sum && n < 200; n++)
            {
                term *= -size * size / n;
                sum += term / ((2 * n) + 1);
            }
            value = 1 - (2 / Math.Sqrt(Math.PI) * sum);
        }
        else
        {
            double fraction = 0;
            for (int k = 60; k > 0; k--)
                fraction = k / 2.0 / (size + fraction);
            value = Math.Exp(-size * size) / Math.Sqrt(Math.PI) / (size + fraction);
        }
        return x < 0 ? 2 - value : value;
    }
}
