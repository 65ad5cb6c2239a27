// Purpose: scores of predicted probabilities. Source: scikit-learn for log loss, Brier score, ROC AUC and average precision
// (https://scikit-learn.org/stable/modules/model_evaluation.html); Guo et al., "On Calibration of Modern Neural Networks", 2017,
// https://arxiv.org/abs/1706.04599 for the expected calibration error.

namespace Gradus.Evaluation.Metrics;

/// <summary>How good the probabilities are that a classifier gives, not only its choices.</summary>
public static class ProbabilityScores
{
    /// <summary>The mean of −ln p of the true class, in nats; p is held within 2⁻⁵² of 0 and 1. Lower is better.</summary>
    /// <param name="truth">The true classes; one at least.</param>
    /// <param name="probabilities">For each example, the probability of each class.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, or a number is not a probability.</exception>
    public static double LogLoss(IReadOnlyList<int> truth, IReadOnlyList<double[]> probabilities)
    {
        const double Epsilon = 1.0 / (1L << 52);
        Check(truth, probabilities);
        return truth.Zip(probabilities, (y, p) => -Math.Log(Math.Clamp(p[y], Epsilon, 1 - Epsilon))).Average();
    }

    /// <summary>
    /// The expected calibration error: over equal-width bins of the largest probability, [0, 1/bins), …, the mean of
    /// |accuracy − mean confidence| by the number of examples. From 0, perfectly calibrated, to 1.
    /// </summary>
    /// <param name="truth">The true classes; one at least.</param>
    /// <param name="probabilities">For each example, the probability of each class; the first largest is the choice.</param>
    /// <param name="bins">The number of bins, 1 or more.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, or a number is not a probability.</exception>
    public static double ExpectedCalibrationError(IReadOnlyList<int> truth, IReadOnlyList<double[]> probabilities, int bins = 10)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
        Check(truth, probabilities);
        var gaps = new double[bins];
        for (int i = 0; i < truth.Count; i++)
        {
            double confidence = probabilities[i].Max();
            bool right = Array.IndexOf(probabilities[i], confidence) == truth[i];
            gaps[Math.Min(bins - 1, (int)(confidence * bins))] += (right ? 1 : 0) - confidence;
        }
        return gaps.Sum(Math.Abs) / truth.Count;
    }

    /// <summary>The Brier score of two classes: the mean of (p − y)², from 0 to 1. Lower is better.</summary>
    /// <param name="truth">Whether each example is positive; one at least.</param>
    /// <param name="probabilities">The probability that it is.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0, or a number is not a probability.</exception>
    public static double Brier(IReadOnlyList<bool> truth, IReadOnlyList<double> probabilities)
    {
        CheckLengths(truth, probabilities);
        if (probabilities.Any(p => p is not (>= 0 and <= 1)))
            throw new ArgumentException("A probability is from 0 to 1.", nameof(probabilities));
        return truth.Zip(probabilities, (y, p) => (p - (y ? 1 : 0)) * (p - (y ? 1 : 0))).Average();
    }

    /// <summary>The area under the ROC curve: the chance that a positive scores above a negative, ties counting one half.</summary>
    /// <param name="truth">Whether each example is positive; at least one is, and one is not.</param>
    /// <param name="scores">The score of each; only their order matters.</param>
    /// <exception cref="ArgumentException">The lengths differ, a score is not a number, or there is one class only.</exception>
    public static double RocAuc(IReadOnlyList<bool> truth, IReadOnlyList<double> scores)
    {
        CheckLengths(truth, scores);
        double positives = truth.Count(y => y), negatives = truth.Count - positives;
        if (positives == 0 || negatives == 0)
            throw new ArgumentException("The area under the ROC curve needs a positive and a negative example.", nameof(truth));
        double[] ranks = Statistics.Correlation.Ranks([.. scores]);
        double sum = truth.Zip(ranks, (y, rank) => y ? rank : 0).Sum();
        return (sum - (positives * (positives + 1) / 2)) / (positives * negatives);
    }

    /// <summary>The mean over classes of the area under the ROC curve of each class against the rest.</summary>
    /// <param name="truth">The true classes; each class occurs, and there are two at least.</param>
    /// <param name="probabilities">For each example, the probability of each class.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, a number is not a probability, or a class does not occur.</exception>
    public static double RocAucOneVersusRest(IReadOnlyList<int> truth, IReadOnlyList<double[]> probabilities)
    {
        Check(truth, probabilities);
        return Enumerable.Range(0, probabilities[0].Length)
            .Average(c => RocAuc([.. truth.Select(y => y == c)], [.. probabilities.Select(p => p[c])]));
    }

    /// <summary>Average precision: Σ (Rₙ − Rₙ₋₁)·Pₙ over the thresholds from the highest score down; 0 without positives.</summary>
    /// <param name="truth">Whether each example is positive; one example at least.</param>
    /// <param name="scores">The score of each; only their order matters.</param>
    /// <exception cref="ArgumentException">The lengths differ or are 0, or a score is not a number.</exception>
    public static double AveragePrecision(IReadOnlyList<bool> truth, IReadOnlyList<double> scores)
    {
        CheckLengths(truth, scores);
        double positives = truth.Count(y => y), hits = 0, seen = 0, sum = 0;
        foreach (IGrouping<double, bool> tied in truth.Zip(scores).GroupBy(x => x.Second, x => x.First).OrderByDescending(g => g.Key))
        {
            double more = tied.Count(y => y);
            hits += more;
            seen += tied.Count();
            sum += more > 0 ? more / positives * (hits / seen) : 0;
        }
        return sum;
    }

    private static void CheckLengths(IReadOnlyList<bool> truth, IReadOnlyList<double> scores)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(scores);
        if (truth.Count == 0 || truth.Count != scores.Count)
            throw new ArgumentException($"{truth.Count} true classes and {scores.Count} scores: give as many of both, one at least.");
        if (scores.Any(double.IsNaN))
            throw new ArgumentException("A score is not a number.", nameof(scores));
    }

    private static void Check(IReadOnlyList<int> truth, IReadOnlyList<double[]> probabilities)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(probabilities);
        if (truth.Count == 0 || truth.Count != probabilities.Count)
            throw new ArgumentException($"{truth.Count} true classes and {probabilities.Count} rows of probabilities: give as many of both, one at least.");
        for (int i = 0; i < truth.Count; i++)
        {
            double[] p = probabilities[i];
            if (p.Length != probabilities[0].Length || (uint)truth[i] >= (uint)p.Length)
                throw new ArgumentException($"Example {i} has class {truth[i]} and {p.Length} probabilities; the first has {probabilities[0].Length}.");
            // Rows that come from a softmax in single precision sum to 1 within some 1e-6.
            if (p.Any(x => x is not (>= 0 and <= 1)) || Math.Abs(p.Sum() - 1) > 1e-3)
                throw new ArgumentException($"The probabilities of example {i} are not from 0 to 1 or do not sum to 1 (sum {p.Sum():g6}).");
        }
    }
}
