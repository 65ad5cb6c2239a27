namespace Gradus.Evaluation.Tasks;

/// <summary>The value of a metric over a task's examples.</summary>
/// <param name="Name">The metric's name, such as <c>acc_norm</c>.</param>
/// <param name="Filter">The filter that the answers went through; <c>none</c> where there is none.</param>
/// <param name="Value">The value, a finite number.</param>
/// <param name="StandardError">The standard error over examples, or null where there is none.</param>
/// <param name="Count">The number of examples.</param>
/// <param name="HigherIsBetter">Whether a larger value is better; null where neither is.</param>
/// <param name="Settings">The settings that change the value; may be empty.</param>
/// <param name="ClusteredError">The standard error where examples that share a source count as one, or null where none do.</param>
public sealed record MetricValue(
    string Name, string Filter, double Value, double? StandardError, int Count, bool? HigherIsBetter, string Settings, double? ClusteredError = null)
{
    /// <summary>The name that reports show: with the filter where there is one.</summary>
    public string Label => Filter == EvalRunner.NoFilter ? Name : $"{Name} ({Filter})";
}

/// <summary>An example with everything that was asked, answered and scored.</summary>
/// <param name="Example">The example.</param>
/// <param name="Responses">The answers to its requests.</param>
/// <param name="Scores">The scores by filter; empty where scoring failed.</param>
/// <param name="Error">Why it has no scores, or null.</param>
public sealed record ScoredExample(EvalExample Example, IReadOnlyList<EvalResponse> Responses, IReadOnlyList<FilteredScores> Scores, string? Error = null);

/// <summary>What a task says of a model.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Version">The version of its definition.</param>
/// <param name="Chance">The score of guessing on the first metric, or null.</param>
/// <param name="Metrics">The values.</param>
/// <param name="Examples">Every example.</param>
/// <param name="Notes">What a reader should know: lines such as how many prompts were shortened.</param>
public sealed record TaskResult(
    string Task, string Version, double? Chance, IReadOnlyList<MetricValue> Metrics, IReadOnlyList<ScoredExample> Examples, IReadOnlyList<string> Notes)
{
    /// <summary>Examples that could not be scored: the values are of the others only, and the result is no whole one.</summary>
    public int Errors => Examples.Count(e => e.Error is not null);

    /// <summary>The value of a metric, by its name or its label.</summary>
    /// <exception cref="ArgumentException">The task has no such metric; the message lists those it has.</exception>
    public MetricValue this[string metric] => Metrics.FirstOrDefault(m => m.Label == metric) ?? Metrics.FirstOrDefault(m => m.Name == metric)
        ?? throw new ArgumentException($"task {Task} has no metric {metric}; it has {string.Join(", ", Metrics.Select(m => m.Label))}.", nameof(metric));
}
