// Source: Angelopoulos et al., "Prediction-Powered Inference", Science 2023, https://arxiv.org/abs/2301.09633, and "PPI++", 2023,
// https://arxiv.org/abs/2311.01453 (the factor λ that is never worse than the labels alone).

namespace Gradus.Evaluation.Statistics;

/// <summary>The mean of people's labels, from a few labels and a judge's scores of many examples.</summary>
/// <param name="Mean">The estimate.</param>
/// <param name="StandardError">Its standard error.</param>
/// <param name="Interval">Its interval, of the normal distribution.</param>
/// <param name="JudgeMean">What the judge alone says.</param>
/// <param name="LabelMean">What the labels alone say.</param>
/// <param name="LabelError">The standard error of the labels alone.</param>
/// <param name="Weight">λ: how much the judge counts, from 0 to 1.</param>
public sealed record PredictionPowered(double Mean, double StandardError, ConfidenceInterval Interval, double JudgeMean, double LabelMean, double LabelError, double Weight)
{
    /// <summary>By how much the judge overstates: its mean less the estimate.</summary>
    public double JudgeBias => JudgeMean - Mean;

    /// <summary>Estimates the mean label: mean(λ·judge of all) + mean(label − λ·judge, of the labelled).</summary>
    /// <param name="labels">People's labels; two at least.</param>
    /// <param name="judgedLabelled">The judge's scores of the same examples.</param>
    /// <param name="judgedOthers">The judge's scores of examples without a label; two at least.</param>
    /// <param name="level">The confidence of the interval, between 0 and 1.</param>
    /// <exception cref="ArgumentException">There are too few, the numbers differ, or a value is not a number.</exception>
    public static PredictionPowered Estimate(IReadOnlyList<double> labels, IReadOnlyList<double> judgedLabelled, IReadOnlyList<double> judgedOthers, double level = 0.95)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(judgedLabelled);
        ArgumentNullException.ThrowIfNull(judgedOthers);
        if (labels.Count < 2 || labels.Count != judgedLabelled.Count || judgedOthers.Count < 2)
            throw new ArgumentException($"{labels.Count} labels, {judgedLabelled.Count} judgements of them and {judgedOthers.Count} others: give two labels at least, a judgement of each, and two others.");
        if (labels.Concat(judgedLabelled).Concat(judgedOthers).Any(x => !double.IsFinite(x)))
            throw new ArgumentException("A label or judgement is not a number; leave out what failed.");
        double n = labels.Count, others = judgedOthers.Count;
        double variance = Variance([.. judgedLabelled, .. judgedOthers]), covariance = Covariance(labels, judgedLabelled);
        double weight = variance == 0 ? 0 : Math.Clamp(covariance / ((1 + (n / others)) * variance), 0, 1);
        double[] rest = [.. labels.Zip(judgedLabelled, (y, f) => y - (weight * f))];
        double mean = (weight * judgedOthers.Average()) + rest.Average();
        double error = Math.Sqrt((weight * weight * Variance(judgedOthers) / others) + (Variance(rest) / n));
        double half = NormalDistribution.Quantile(1 - ((1 - level) / 2)) * error;
        return new PredictionPowered(mean, error, new ConfidenceInterval(mean - half, mean + half, level), judgedOthers.Concat(judgedLabelled).Average(),
            labels.Average(), Math.Sqrt(Variance(labels) / n), weight);
    }

    private static double Variance(IReadOnlyList<double> x) => Covariance(x, x);

    private static double Covariance(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        double meanX = x.Average(), meanY = y.Average();
        return x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / (x.Count - 1);
    }
}
