// Purpose: answers that are sets of labels, written as "a, b": the F1 of all decisions together, and how often the whole set is right.
// Source: scikit-learn's multilabel metrics (average="micro" and subset accuracy), https://scikit-learn.org/stable/modules/model_evaluation.html.

namespace Gradus.Evaluation.Metrics;

/// <summary>F1 over all labels of all examples put together; a label is what stands between commas, semicolons or line ends, case ignored.</summary>
public sealed class LabelF1 : Metric
{
    /// <inheritdoc/>
    public override string Name => "label_f1";

    /// <inheritdoc/>
    public override string Settings => "average:micro|case:lc";

    /// <inheritdoc/>
    public override double Best => 1;

    // Common labels, labels of the predictions, labels of the references; of several references the one with the best F1.
    /// <inheritdoc/>
    protected internal override int StatisticCount => 3;

    /// <summary>The labels of a text.</summary>
    public static HashSet<string> Labels(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. text.Split([',', ';', '\n']).Select(l => PythonText.ToLower(PythonText.Strip(l))).Where(l => l.Length > 0)];
    }

    /// <inheritdoc/>
    protected internal override void Tally(MetricExample example, Span<double> statistics)
    {
        RequireReference(example);
        HashSet<string> predicted = Labels(example.Prediction);
        (int common, int size) = example.References.Select(Labels).Select(r => (Common: r.Count(predicted.Contains), r.Count))
            .OrderByDescending(r => F(r.Common, predicted.Count, r.Count)).ThenByDescending(r => r.Common).ThenBy(r => r.Count).First();
        (statistics[0], statistics[1], statistics[2]) = (common, predicted.Count, size);
    }

    /// <inheritdoc/>
    protected internal override double Aggregate(ReadOnlySpan<double> totals) => F(totals[0], totals[1], totals[2]);

    private static double F(double common, double predicted, double actual) => predicted + actual == 0 ? 1 : 2 * common / (predicted + actual);
}

/// <summary>How often the set of labels is exactly the right one; labels as in <see cref="LabelF1"/>.</summary>
public sealed class LabelExactMatch : MeanMetric
{
    /// <inheritdoc/>
    public override string Name => "label_exact";

    /// <inheritdoc/>
    public override string Settings => "case:lc";

    /// <inheritdoc/>
    public override double Best => 1;

    /// <inheritdoc/>
    protected override double ScoreOf(MetricExample example)
    {
        RequireReference(example);
        HashSet<string> predicted = LabelF1.Labels(example.Prediction);
        return example.References.Any(r => LabelF1.Labels(r).SetEquals(predicted)) ? 1 : 0;
    }
}
