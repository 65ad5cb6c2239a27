using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Statistics;
using Gradus.Evaluation.Tasks.Harness;

namespace Gradus.Evaluation.Tasks;

/// <summary>How two models differ on one metric of one task.</summary>
/// <param name="Task">The task.</param>
/// <param name="Metric">The metric's label.</param>
/// <param name="HigherIsBetter">Whether a larger value is better; null where neither is.</param>
/// <param name="A">The first model's value.</param>
/// <param name="B">The second model's value.</param>
/// <param name="Paired">The paired comparison over the examples of both, or null where examples have no scores of their own.</param>
/// <param name="AdjustedPValue">The p-value, adjusted for all metrics that are compared (Holm); null without a paired comparison.</param>
/// <param name="Changes">Examples whose score changed, the largest change first: number, prompt, both scores.</param>
public sealed record ComparedMetric(
    string Task, string Metric, bool? HigherIsBetter, double A, double B, PairedComparison? Paired, double? AdjustedPValue, IReadOnlyList<ChangedExample> Changes)
{
    /// <summary>B − A.</summary>
    public double Difference => B - A;

    /// <summary>Whether the difference is more than chance makes, at 5% over all metrics that are compared.</summary>
    public bool IsSignificant => AdjustedPValue < 0.05;

    /// <summary>The verdict in words: same, within the noise, better, worse, different, or not comparable.</summary>
    public string Verdict => Paired is null ? (Difference == 0 ? "same" : "not paired")
        : Paired.Changed == 0 ? "same"
        : !IsSignificant ? "within the noise"
        : HigherIsBetter is not { } higher ? "different"
        : Difference > 0 == higher ? "better" : "worse";

    /// <summary>The examples that a difference of two points would need to be seen; null where that is not known.</summary>
    public long? ExamplesForTwoPoints => Paired is { StandardError: { } error, Count: var n } && error > 0 ? PairedComparison.ExamplesNeeded(0.02, error * Math.Sqrt(n)) : null;
}

/// <summary>An example on which two models score differently.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Prompt">What was asked.</param>
/// <param name="A">The first model's score.</param>
/// <param name="B">The second model's score.</param>
public sealed record ChangedExample(int Id, string Prompt, double A, double B);

/// <summary>Compares the evaluation files of two models.</summary>
public static class EvaluationComparison
{
    /// <summary>Compares all metrics of the tasks that both models were measured on.</summary>
    /// <param name="a">The first model's files, as <see cref="EvaluationJson"/> writes them.</param>
    /// <param name="b">The second model's files.</param>
    /// <exception cref="InvalidDataException">They have no task in common, or measured it with other settings; one line.</exception>
    public static IReadOnlyList<ComparedMetric> Compare(IReadOnlyList<JsonObject> a, IReadOnlyList<JsonObject> b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        List<ComparedMetric> rows = [];
        foreach (JsonObject first in a)
        {
            if (b.FirstOrDefault(f => f["task"]?.ToString() == first["task"]?.ToString()) is { } second)
                rows.AddRange(Task(first, second));
        }
        if (rows.Count == 0)
            throw new InvalidDataException($"the two have no task in common: {Tasks(a)} against {Tasks(b)}.");
        int[] tested = [.. Enumerable.Range(0, rows.Count).Where(i => rows[i].Paired is not null)];
        double[] adjusted = PairedComparison.Holm([.. tested.Select(i => rows[i].Paired!.PValue)]);
        for (int i = 0; i < tested.Length; i++)
            rows[tested[i]] = rows[tested[i]] with { AdjustedPValue = adjusted[i] };
        return rows;
    }

    private static IEnumerable<ComparedMetric> Task(JsonObject first, JsonObject second)
    {
        string task = first["task"]!.ToString();
        if (first["version"]?.ToString() != second["version"]?.ToString())
            throw new InvalidDataException($"task {task}: version {first["version"]} against {second["version"]}: measure both with one version.");
        Dictionary<string, Dictionary<string, double>> scoresA = EvaluationJson.Scores(first), scoresB = EvaluationJson.Scores(second);
        Dictionary<string, string> clusters = Clusters(first);
        foreach (JsonNode? metric in first["metrics"] as JsonArray ?? [])
        {
            string label = metric!["name"]!.ToString();
            JsonNode? other = (second["metrics"] as JsonArray)?.FirstOrDefault(m => m!["name"]?.ToString() == label);
            if (other is null || JsonNumber.Of(metric["value"]) is not { } valueA || JsonNumber.Of(other["value"]) is not { } valueB)
                continue;
            if (metric["settings"]?.ToString() != other["settings"]?.ToString())
                throw new InvalidDataException($"task {task}: {label} was measured with other settings: {metric["settings"]} against {other["settings"]}.");
            bool? higher = metric["higher_is_better"]?.GetValueKind() switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };
            (PairedComparison? paired, List<ChangedExample> changes) = Pair(scoresA.GetValueOrDefault(label), scoresB.GetValueOrDefault(label), clusters);
            yield return new ComparedMetric(task, label, higher, valueA, valueB, paired, null, changes);
        }
    }

    private static (PairedComparison?, List<ChangedExample>) Pair(Dictionary<string, double>? a, Dictionary<string, double>? b, Dictionary<string, string> clusters)
    {
        string[] common = a is null || b is null ? [] : [.. a.Keys.Where(b.ContainsKey)];
        if (common.Length == 0)
            return (null, []);
        bool clustered = common.All(clusters.ContainsKey);
        PairedComparison paired = PairedComparison.Of([.. common.Select(k => a![k])], [.. common.Select(k => b![k])], clustered ? [.. common.Select(k => clusters[k])] : null);
        return (paired, [.. common.Where(k => a![k] != b![k]).OrderByDescending(k => Math.Abs(a![k] - b![k])).Select(k => new ChangedExample(
            int.Parse(k[..k.IndexOf('\n', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture), k[(k.IndexOf('\n', StringComparison.Ordinal) + 1)..], a![k], b![k]))]);
    }

    private static Dictionary<string, string> Clusters(JsonObject file)
    {
        Dictionary<string, string> clusters = new(StringComparer.Ordinal);
        foreach (JsonNode? sample in file["samples"] as JsonArray ?? [])
        {
            if (sample?["cluster"] is { } cluster)
                clusters[$"{sample["id"]}\n{sample["prompt"]}"] = cluster.ToString();
        }
        return clusters;
    }

    private static string Tasks(IEnumerable<JsonObject> files) => string.Join(", ", files.Select(f => f["task"]?.ToString()).Distinct().Take(8));
}
