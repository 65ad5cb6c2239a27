// Purpose: one value of all examples, with its standard error, equal to lm-evaluation-harness' to the last digits.
// Source: https://github.com/EleutherAI/lm-evaluation-harness, lm_eval/api/metrics.py: sums from left to right, the sample standard deviation
// over √n for means, a bootstrap in chunks of 1,000 (chunk i seeded with i, by Python's generator) for what has no formula, none for others.

using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;

namespace Gradus.Evaluation.Tasks;

/// <summary>Makes one value of what a metric keeps of each example.</summary>
public sealed class Aggregation
{
    private const int Chunk = 1000;
    private readonly Func<IReadOnlyList<SampleValue>, ResampledStatistic> _prepare;
    private readonly ErrorKind _error;
    private readonly int _mostResamples;

    private Aggregation(string name, ErrorKind error, Func<IReadOnlyList<SampleValue>, ResampledStatistic> prepare, int mostResamples = int.MaxValue)
    {
        Name = name;
        _error = error;
        _prepare = prepare;
        _mostResamples = mostResamples;
    }

    private enum ErrorKind
    {
        None,
        OfMean,
        Bootstrap,
    }

    /// <summary>All aggregations that task files can name.</summary>
    public static IReadOnlyList<Aggregation> All { get; } =
    [
        new("mean", ErrorKind.OfMean, items => Of(Numbers(items), values => Sum(values) / values.Length)),
        new("nanmean", ErrorKind.Bootstrap, items => Of(Numbers(items), MeanOfNumbers)),
        new("median", ErrorKind.Bootstrap, items => Of(Numbers(items), values => { Array.Sort(values); return values[values.Length / 2]; })),
        new("perplexity", ErrorKind.Bootstrap, items => Of(Numbers(items), values => Math.Exp(-(Sum(values) / values.Length)))),
        new("weighted_perplexity", ErrorKind.None, items => Weighted(items, mean => Math.Exp(-mean))),
        new("bits_per_byte", ErrorKind.None, items => Weighted(items, mean => -mean / Math.Log(2))),
        new("f1", ErrorKind.Bootstrap, BinaryF1),
        new("matthews_corrcoef", ErrorKind.Bootstrap, Matthews),
        new("brier_score", ErrorKind.None, items => Of([.. items.Cast<ProbabilitySample>().Select(SquaredError)], values => Sum(values) / values.Length)),
        new("bleu", ErrorKind.Bootstrap, items => Texts(items, new Bleu()), mostResamples: 100),
        new("chrf", ErrorKind.Bootstrap, items => Texts(items, new Chrf()), mostResamples: 100),
        new("ter", ErrorKind.Bootstrap, items => Texts(items, new Ter()), mostResamples: 100),
        new("bypass", ErrorKind.None, _ => _ => 999),
    ];

    /// <summary>The mean, whose standard error is sd/√n.</summary>
    public static Aggregation Mean => All[0];

    /// <summary>The name under which task files know it.</summary>
    public string Name { get; }

    /// <summary>Whether the value is the mean of the examples' scores, so that it may be paired, clustered and permuted as one.</summary>
    public bool IsMean => _error == ErrorKind.OfMean;

    /// <summary>The aggregation of a name.</summary>
    /// <exception cref="InvalidDataException">There is none; the message lists those there are.</exception>
    public static Aggregation Get(string name) => All.FirstOrDefault(a => a.Name == name)
        ?? throw new InvalidDataException($"aggregation: \"{name}\" is unknown; known are {string.Join(", ", All.Select(a => a.Name))}.");

    /// <summary>The aggregation of a metric of texts, whose value and standard error are that metric's own.</summary>
    /// <param name="metric">The metric; examples are <see cref="TextSample"/>.</param>
    public static Aggregation Of(Metric metric)
    {
        ArgumentNullException.ThrowIfNull(metric);
        return new Aggregation(metric.Name, ErrorKind.Bootstrap, items => Texts(items, metric));
    }

    /// <summary>The value.</summary>
    /// <param name="items">One item at least.</param>
    public double Value(IReadOnlyList<SampleValue> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return _prepare(items)([.. Enumerable.Range(0, items.Count)]);
    }

    /// <summary>The standard error over examples, or null where there is none: one example, no formula and no bootstrap.</summary>
    /// <param name="items">One item at least.</param>
    /// <param name="resamples">Resamples of a bootstrap; fewer than 1,000, or a multiple of it; 0 for no standard errors at all.</param>
    public double? StandardError(IReadOnlyList<SampleValue> items, int resamples)
    {
        ArgumentNullException.ThrowIfNull(items);
        if (items.Count < 2 || resamples <= 0 || _error == ErrorKind.None)
            return null;
        if (_error == ErrorKind.OfMean)
            return DeviationOf(Numbers(items)) / Math.Sqrt(items.Count);
        ResampledStatistic statistic = _prepare(items);
        resamples = Math.Min(resamples, _mostResamples);
        int chunk = Math.Min(Chunk, resamples);
        List<double> values = [];
        int[] indices = new int[items.Count];
        for (int i = 0; i < resamples / chunk; i++)
        {
            PythonRandom random = new(i);
            for (int s = 0; s < chunk; s++)
            {
                random.Choices(items.Count, indices);
                values.Add(statistic(indices));
            }
        }
        return DeviationOf([.. values]);
    }

    private static double Sum(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double value in values)
            sum += value;
        return sum;
    }

    private static double DeviationOf(double[] values)
    {
        double mean = Sum(values) / values.Length, squares = 0;
        foreach (double value in values)
            squares += (value - mean) * (value - mean);
        return Math.Sqrt(squares / (values.Length - 1));
    }

    private static double[] Numbers(IReadOnlyList<SampleValue> items) => [.. items.Select(i => i is NumberSample number
        ? number.Value
        : throw new InvalidDataException($"a mean needs a number for every example, not {i}; another aggregation fits this metric."))];

    private static ResampledStatistic Of(double[] all, Func<double[], double> value)
    {
        double[] drawn = new double[all.Length];
        return indices =>
        {
            for (int i = 0; i < indices.Length; i++)
                drawn[i] = all[indices[i]];
            return value(drawn);
        };
    }

    private static double MeanOfNumbers(double[] values)
    {
        double[] numbers = [.. values.Where(v => !double.IsNaN(v))];
        return numbers.Length == 0 ? double.NaN : Sum(numbers) / numbers.Length;
    }

    private static ResampledStatistic Weighted(IReadOnlyList<SampleValue> items, Func<double, double> value)
    {
        WeightedSample[] all = [.. items.Cast<WeightedSample>()];
        return indices =>
        {
            double sum = 0, weight = 0;
            foreach (int i in indices)
                (sum, weight) = (sum + all[i].Sum, weight + all[i].Weight);
            return value(sum / weight);
        };
    }

    // Precision and recall of class 1, as scikit-learn has them for two classes.
    private static ResampledStatistic BinaryF1(IReadOnlyList<SampleValue> items)
    {
        ClassSample[] all = [.. items.Cast<ClassSample>()];
        if (all.FirstOrDefault(s => s.Gold is not (0 or 1) || s.Predicted is not (0 or 1)) is { } other)
            throw new InvalidDataException($"f1 is of two classes, 0 and 1; an example has {other.Gold} and was taken for {other.Predicted}.");
        return indices =>
        {
            long both = 0, either = 0;
            foreach (int i in indices)
            {
                both += all[i].Gold & all[i].Predicted;
                either += all[i].Gold + all[i].Predicted;
            }
            return either == 0 ? 0 : 2.0 * both / either;
        };
    }

    private static ResampledStatistic Matthews(IReadOnlyList<SampleValue> items)
    {
        ClassSample[] all = [.. items.Cast<ClassSample>()];
        int[] classes = [.. all.SelectMany(s => new[] { s.Gold, s.Predicted }).Distinct().Order()];
        int[] gold = [.. all.Select(s => Array.BinarySearch(classes, s.Gold))], predicted = [.. all.Select(s => Array.BinarySearch(classes, s.Predicted))];
        return indices =>
        {
            int[] drawnGold = new int[indices.Length], drawnPredicted = new int[indices.Length];
            for (int i = 0; i < indices.Length; i++)
                (drawnGold[i], drawnPredicted[i]) = (gold[indices[i]], predicted[indices[i]]);
            return ConfusionMatrix.Of(drawnGold, drawnPredicted, classes.Length).MatthewsCorrelation;
        };
    }

    private static double SquaredError(ProbabilitySample sample)
    {
        int gold = sample.Gold < 0 ? sample.Gold + sample.Probabilities.Count : sample.Gold;
        if ((uint)gold >= (uint)sample.Probabilities.Count)
            throw new InvalidDataException("brier_score: an example's right answer is not among its choices.");
        double sum = 0;
        for (int k = 0; k < sample.Probabilities.Count; k++)
            sum += Math.Pow(sample.Probabilities[k] - (k == gold ? 1 : 0), 2);
        return sum;
    }

    private static ResampledStatistic Texts(IReadOnlyList<SampleValue> items, Metric metric) =>
        metric.Evaluate([.. items.Cast<TextSample>().Select(s => new MetricExample(s.Prediction, [s.Reference]))]).Resample;
}
