// Source: NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/8.17 (continued fraction 8.17.22, evaluated by
// Lentz's method) and Lanczos 1964 for ln Γ.

namespace Gradus.Evaluation.Statistics;

/// <summary>The regularized incomplete beta function, from which the tails of Student's t follow.</summary>
internal static class IncompleteBeta
{
    private static readonly double[] Lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
        -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>I(x; a, b) for a, b above 0 and x from 0 to 1; some 1e-13 of relative error.</summary>
    public static double Regularized(double a, double b, double x)
    {
        if (x <= 0 || x >= 1)
            return Math.Clamp(x, 0, 1);
        // The fraction converges fast below the mean of the distribution only.
        if (x > (a + 1) / (a + b + 2))
            return 1 - Regularized(b, a, 1 - x);
        double front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + (a * Math.Log(x)) + (b * Math.Log(1 - x)));
        return front / a / Fraction(a, b, x);
    }

    private static double Fraction(double a, double b, double x)
    {
        const double Tiny = 1e-300;
        double value = 1, c = 1, d = 0;
        for (int n = 1; n <= 10_000; n++)
        {
            int m = n / 2;
            double numerator = n % 2 == 0
                ? m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)))
                : -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / AwayFromZero(1 + (numerator * d));
            c = AwayFromZero(1 + (numerator / c));
            value *= c * d;
            if (Math.Abs((c * d) - 1) < 1e-15)
                break;
        }
        return value;

        static double AwayFromZero(double z) => Math.Abs(z) < Tiny ? Tiny : z;
    }

    private static double LogGamma(double z)
    {
        if (z < 0.5)
            return Math.Log(Math.PI / Math.Sin(Math.PI * z)) - LogGamma(1 - z);
        z--;
        double sum = Lanczos[0];
        for (int i = 1; i < Lanczos.Length; i++)
            sum += Lanczos[i] / (z + i);
        double t = z + Lanczos.Length - 1.5;
        return (0.5 * Math.Log(2 * Math.PI)) + ((z + 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }
}
