// Purpose: the scores of a classifier of any number of labels per example, equal to scikit-learn's with zero_division=0.

namespace Gradus.Evaluation.Metrics;

/// <summary>How well sets of labels were predicted.</summary>
public sealed class MultilabelScores
{
    private readonly PrecisionRecallF[] perLabel;
    private readonly double[] support;

    private MultilabelScores(PrecisionRecallF[] perLabel, double[] support, PrecisionRecallF micro, PrecisionRecallF samples, double subset, double hamming)
    {
        this.perLabel = perLabel;
        this.support = support;
        Micro = micro;
        Samples = samples;
        SubsetAccuracy = subset;
        HammingLoss = hamming;
    }

    /// <summary>The scores of true and predicted label sets.</summary>
    /// <param name="truth">For each example, whether it has each label; one example at least.</param>
    /// <param name="prediction">For each example, whether each label was predicted.</param>
    /// <exception cref="ArgumentException">There are no examples or labels, or the shapes differ.</exception>
    public static MultilabelScores Of(IReadOnlyList<bool[]> truth, IReadOnlyList<bool[]> prediction)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(prediction);
        if (truth.Count == 0 || truth.Count != prediction.Count || truth[0].Length == 0)
            throw new ArgumentException($"{truth.Count} true label sets and {prediction.Count} predicted ones: give as many of both, one at least, of one label at least.");
        int labels = truth[0].Length;
        double[] hits = new double[labels], predicted = new double[labels], actual = new double[labels];
        List<PrecisionRecallF> examples = [];
        int equal = 0, wrong = 0;
        for (int i = 0; i < truth.Count; i++)
        {
            bool[] t = truth[i], p = prediction[i];
            if (t.Length != labels || p.Length != labels)
                throw new ArgumentException($"Example {i} has {t.Length} true and {p.Length} predicted labels; the first has {labels}.");
            for (int l = 0; l < labels; l++)
            {
                hits[l] += t[l] && p[l] ? 1 : 0;
                predicted[l] += p[l] ? 1 : 0;
                actual[l] += t[l] ? 1 : 0;
                wrong += t[l] != p[l] ? 1 : 0;
            }
            equal += t.AsSpan().SequenceEqual(p) ? 1 : 0;
            examples.Add(PrecisionRecallF.OfCounts(t.Zip(p).Count(x => x.First && x.Second), p.Count(x => x), t.Count(x => x)));
        }
        return new(
            [.. Enumerable.Range(0, labels).Select(l => PrecisionRecallF.OfCounts(hits[l], predicted[l], actual[l]))],
            actual,
            PrecisionRecallF.OfCounts(hits.Sum(), predicted.Sum(), actual.Sum()),
            PrecisionRecallF.Mean(examples, [.. examples.Select(_ => 1.0)]),
            (double)equal / truth.Count,
            (double)wrong / truth.Count / labels);
    }

    /// <summary>The fraction of examples whose label set was predicted exactly.</summary>
    public double SubsetAccuracy { get; }

    /// <summary>The fraction of single decisions that are wrong.</summary>
    public double HammingLoss { get; }

    /// <summary>Precision, recall and F1 of all decisions put together.</summary>
    public PrecisionRecallF Micro { get; }

    /// <summary>The mean over examples of their precision, recall and F1.</summary>
    public PrecisionRecallF Samples { get; }

    /// <summary>The plain mean over labels.</summary>
    public PrecisionRecallF Macro => PrecisionRecallF.Mean(perLabel, [.. perLabel.Select(_ => 1.0)]);

    /// <summary>The mean over labels by the number of examples that have each.</summary>
    public PrecisionRecallF Weighted => PrecisionRecallF.Mean(perLabel, support);

    /// <summary>Precision, recall and F1 of one label.</summary>
    /// <param name="label">The label.</param>
    public PrecisionRecallF OfLabel(int label) => perLabel[label];
}
