namespace Gradus.Evaluation.Statistics;

/// <summary>How far predicted numbers are from true ones.</summary>
public static class Regression
{
    /// <summary>The mean of |prediction − truth|, in the numbers' own unit.</summary>
    /// <param name="truth">The true values, one at least.</param>
    /// <param name="prediction">The predictions, as many.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0.</exception>
    public static double MeanAbsoluteError(ReadOnlySpan<double> truth, ReadOnlySpan<double> prediction)
        => Mean(truth, prediction, (t, p) => Math.Abs(p - t));

    /// <summary>The mean of (prediction − truth)².</summary>
    /// <param name="truth">The true values, one at least.</param>
    /// <param name="prediction">The predictions, as many.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0.</exception>
    public static double MeanSquaredError(ReadOnlySpan<double> truth, ReadOnlySpan<double> prediction)
        => Mean(truth, prediction, (t, p) => (p - t) * (p - t));

    /// <summary>√ of the mean of (ln(1 + prediction) − ln(1 + truth))²: the error of magnitudes, such as prices.</summary>
    /// <param name="truth">The true values, above −1, one at least.</param>
    /// <param name="prediction">The predictions, above −1, as many.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0, or a value is −1 or less.</exception>
    public static double RootMeanSquaredLogError(ReadOnlySpan<double> truth, ReadOnlySpan<double> prediction)
    {
        return Math.Sqrt(Mean(truth, prediction, (t, p) => Math.Pow(Log(p) - Log(t), 2)));

        static double Log(double value)
            => value > -1 ? Math.Log(1 + value) : throw new ArgumentException($"The log error needs values above −1; got {value:g6}.");
    }

    /// <summary>
    /// R² = 1 − Σ(t − p)²/Σ(t − mean t)²: 1 is perfect, 0 as good as the mean, below 0 worse. Where all true values are equal it
    /// is 1 for perfect predictions and else 0, as in scikit-learn.
    /// </summary>
    /// <param name="truth">The true values, one at least.</param>
    /// <param name="prediction">The predictions, as many.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0.</exception>
    public static double RSquared(ReadOnlySpan<double> truth, ReadOnlySpan<double> prediction)
    {
        double residual = MeanSquaredError(truth, prediction), mean = Sample.Mean(truth), variance = 0;
        foreach (double t in truth)
            variance += (t - mean) * (t - mean) / truth.Length;
        if (variance == 0)
            return residual == 0 ? 1 : 0;
        return 1 - (residual / variance);
    }

    private static double Mean(ReadOnlySpan<double> truth, ReadOnlySpan<double> prediction, Func<double, double, double> error)
    {
        if (truth.IsEmpty || truth.Length != prediction.Length)
            throw new ArgumentException($"{truth.Length} true values and {prediction.Length} predictions: give as many of both, one at least.");
        double sum = 0;
        for (int i = 0; i < truth.Length; i++)
            sum += error(truth[i], prediction[i]);
        return sum / truth.Length;
    }
}
