// One concept for every way of comparing a text with its references. A metric turns each example into a short row of
// additive numbers (its statistics); the value over a set of examples is a function of the summed rows. The mean of
// per-example scores is the simplest such function (MeanMetric); BLEU, chrF and TER are others. From the rows come the
// value, its standard error, bootstrap intervals and paired tests, without scoring anything twice.
// Left out: metrics that need a model (perplexity is in LanguageModelLoss, judges are elsewhere).

namespace Gradus.Evaluation.Metrics;

/// <summary>One prediction with the references it is compared with.</summary>
/// <param name="Prediction">The text to score; may be empty.</param>
/// <param name="References">The accepted texts; one at least, unless the metric says otherwise.</param>
public readonly record struct MetricExample(string Prediction, IReadOnlyList<string> References);

/// <summary>
/// A way of scoring texts against references: a score for each example, and a value with its standard error for a set of them.
/// Instances are immutable and can be used by many threads.
/// </summary>
public abstract class Metric
{
    /// <summary>The name under which reports and task files know the metric, such as <c>rougeL</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The name that reports show, as the field writes it, such as <c>ROUGE-L</c>.</summary>
    public virtual string Label => Name;

    /// <summary>The settings that change the value, as <c>key:value|key:value</c>; part of every report. May be empty.</summary>
    public virtual string Settings => "";

    /// <summary>The value of predictions that equal their references; it also tells the scale (1, or 100 for percentages).</summary>
    public abstract double Best { get; }

    /// <summary>True where a larger value is a better one; false for error rates.</summary>
    public virtual bool HigherIsBetter => true;

    /// <summary>The number of statistics in an example's row.</summary>
    protected internal abstract int StatisticCount { get; }

    /// <summary>Writes the statistics of one example: numbers that may be summed over examples.</summary>
    /// <param name="example">The prediction and its references.</param>
    /// <param name="statistics">Where the numbers go; <see cref="StatisticCount"/> zeros when called.</param>
    /// <exception cref="ArgumentException">The example has no reference and the metric needs one.</exception>
    protected internal abstract void Tally(MetricExample example, Span<double> statistics);

    /// <summary>The metric's value from statistics summed over the examples.</summary>
    /// <param name="totals">The sums, <see cref="StatisticCount"/> numbers.</param>
    protected internal abstract double Aggregate(ReadOnlySpan<double> totals);

    /// <summary>The score of one example alone.</summary>
    /// <param name="prediction">The text to score.</param>
    /// <param name="references">The accepted texts.</param>
    /// <exception cref="ArgumentException">There is no reference and the metric needs one.</exception>
    public double Score(string prediction, params IReadOnlyList<string> references)
    {
        var row = new double[StatisticCount];
        Tally(Checked(new MetricExample(prediction, references)), row);
        return ExampleScore(row);
    }

    /// <summary>The value over a set of examples, with the score of each.</summary>
    /// <param name="examples">One example at least.</param>
    /// <exception cref="ArgumentException">There are no examples, or one has no reference and the metric needs one.</exception>
    public MetricResult Evaluate(IReadOnlyList<MetricExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (examples.Count == 0)
            throw new ArgumentException($"{Name}: there are no examples to score; give one at least.", nameof(examples));
        int width = StatisticCount;
        var rows = new double[checked(examples.Count * width)];
        var scores = new double[examples.Count];
        for (int i = 0; i < scores.Length; i++)
        {
            Span<double> row = rows.AsSpan(i * width, width);
            Tally(Checked(examples[i]), row);
            scores[i] = ExampleScore(row);
        }
        return new MetricResult(this, scores, rows);
    }

    /// <summary>The score of one example from its statistics; the value of a set of one, unless the metric says otherwise.</summary>
    /// <param name="statistics">The example's row.</param>
    protected virtual double ExampleScore(ReadOnlySpan<double> statistics) => Aggregate(statistics);

    /// <summary>Throws where an example has no references.</summary>
    /// <param name="example">The example.</param>
    /// <exception cref="ArgumentException">The example has no reference.</exception>
    protected void RequireReference(MetricExample example)
    {
        if (example.References.Count == 0)
            throw new ArgumentException($"{Name}: an example has no reference (prediction \"{Excerpt(example.Prediction)}\"); give one at least.");
    }

    private MetricExample Checked(MetricExample example)
    {
        if (example.Prediction is null || example.References is null || example.References.Contains(null!))
            throw new ArgumentException($"{Name}: an example has no prediction, no list of references, or a null reference.");
        return example;
    }

    private static string Excerpt(string text) => text.Length <= 40 ? text : text[..40] + "…";
}

/// <summary>A metric whose value is the mean of the examples' scores.</summary>
public abstract class MeanMetric : Metric
{
    /// <inheritdoc/>
    protected internal sealed override int StatisticCount => 2;

    /// <summary>The score of one example.</summary>
    /// <param name="example">The prediction and its references.</param>
    protected abstract double ScoreOf(MetricExample example);

    /// <inheritdoc/>
    protected internal sealed override void Tally(MetricExample example, Span<double> statistics)
    {
        statistics[0] = ScoreOf(example);
        statistics[1] = 1;
    }

    /// <inheritdoc/>
    protected internal sealed override double Aggregate(ReadOnlySpan<double> totals) => totals[0] / totals[1];
}
