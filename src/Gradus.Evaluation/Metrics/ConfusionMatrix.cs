// Purpose: the scores of a classifier of one label per example, equal to scikit-learn's with zero_division=0.
// Source: https://scikit-learn.org/stable/modules/model_evaluation.html; Gorodkin 2004 for the Matthews coefficient of several classes.

namespace Gradus.Evaluation.Metrics;

/// <summary>How often each class was predicted for each true class, and the scores that follow from that.</summary>
public sealed class ConfusionMatrix
{
    private readonly long[] counts;
    private readonly long[] actual;
    private readonly long[] predicted;

    private ConfusionMatrix(int classes, long[] counts)
    {
        Classes = classes;
        this.counts = counts;
        actual = new long[classes];
        predicted = new long[classes];
        for (int i = 0; i < counts.Length; i++)
        {
            actual[i / classes] += counts[i];
            predicted[i % classes] += counts[i];
            Count += counts[i];
            Correct += i / classes == i % classes ? counts[i] : 0;
        }
    }

    /// <summary>The matrix of true and predicted classes.</summary>
    /// <param name="truth">The true classes, from 0 to <paramref name="classes"/> − 1; one at least.</param>
    /// <param name="prediction">The predicted classes, as many.</param>
    /// <param name="classes">The number of classes, 1 to 10,000.</param>
    /// <exception cref="ArgumentException">There are no examples, the lengths differ, or a class is out of range.</exception>
    public static ConfusionMatrix Of(ReadOnlySpan<int> truth, ReadOnlySpan<int> prediction, int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classes, 10_000);
        if (truth.IsEmpty || truth.Length != prediction.Length)
            throw new ArgumentException($"{truth.Length} true classes and {prediction.Length} predicted ones: give as many of both, one at least.");
        var counts = new long[classes * classes];
        for (int i = 0; i < truth.Length; i++)
        {
            if ((uint)truth[i] >= (uint)classes || (uint)prediction[i] >= (uint)classes)
                throw new ArgumentException($"Example {i} has class {truth[i]} and prediction {prediction[i]}; classes are 0 to {classes - 1}.");
            counts[(truth[i] * classes) + prediction[i]]++;
        }
        return new ConfusionMatrix(classes, counts);
    }

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>The number of examples.</summary>
    public long Count { get; }

    /// <summary>The number of examples whose class was predicted.</summary>
    public long Correct { get; }

    /// <summary>How often a class was predicted for examples of a true class.</summary>
    /// <param name="truth">The true class.</param>
    /// <param name="prediction">The predicted class.</param>
    public long this[int truth, int prediction] => counts[(truth * Classes) + prediction];

    /// <summary>The number of examples of a true class.</summary>
    /// <param name="label">The class.</param>
    public long Support(int label) => actual[label];

    /// <summary>The fraction of examples whose class was predicted.</summary>
    public double Accuracy => (double)Correct / Count;

    /// <summary>The mean recall of the classes that occur.</summary>
    public double BalancedAccuracy => Enumerable.Range(0, Classes).Where(c => actual[c] > 0).Average(c => (double)this[c, c] / actual[c]);

    /// <summary>The Matthews correlation coefficient (Rₖ of several classes), −1 to 1; 0 where one side has one class only.</summary>
    public double MatthewsCorrelation
    {
        get
        {
            double n = Count, both = 0, squaresActual = 0, squaresPredicted = 0;
            for (int c = 0; c < Classes; c++)
            {
                both += (double)actual[c] * predicted[c];
                squaresActual += (double)actual[c] * actual[c];
                squaresPredicted += (double)predicted[c] * predicted[c];
            }
            double variances = ((n * n) - squaresActual) * ((n * n) - squaresPredicted);
            return variances == 0 ? 0 : ((n * Correct) - both) / Math.Sqrt(variances);
        }
    }

    /// <summary>Cohen's κ: agreement beyond chance, 1 at most; not a number where both sides are of one and the same class.</summary>
    public double CohenKappa
    {
        get
        {
            double chance = 0;
            for (int c = 0; c < Classes; c++)
                chance += (double)actual[c] / Count * predicted[c] / Count;
            return chance == 1 ? double.NaN : (Accuracy - chance) / (1 - chance);
        }
    }

    /// <summary>Precision, recall and F-measure of one class against the rest.</summary>
    /// <param name="label">The class.</param>
    /// <param name="beta">How many times recall weighs as much as precision.</param>
    public PrecisionRecallF OfClass(int label, double beta = 1)
        => PrecisionRecallF.OfCounts(this[label, label], predicted[label], actual[label], beta);

    /// <summary>The plain mean of the classes' precision, recall and F-measure.</summary>
    /// <param name="beta">How many times recall weighs as much as precision.</param>
    public PrecisionRecallF Macro(double beta = 1) => PrecisionRecallF.Mean(PerClass(beta), [.. actual.Select(_ => 1.0)]);

    /// <summary>The mean of the classes' precision, recall and F-measure by the number of examples of each.</summary>
    /// <param name="beta">How many times recall weighs as much as precision.</param>
    public PrecisionRecallF Weighted(double beta = 1) => PrecisionRecallF.Mean(PerClass(beta), [.. actual.Select(n => (double)n)]);

    /// <summary>Precision, recall and F-measure of all decisions put together; with one label per example all equal accuracy.</summary>
    public PrecisionRecallF Micro() => PrecisionRecallF.OfCounts(Correct, Count, Count);

    private PrecisionRecallF[] PerClass(double beta) => [.. Enumerable.Range(0, Classes).Select(c => OfClass(c, beta))];
}
