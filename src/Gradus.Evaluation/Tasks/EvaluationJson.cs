using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// The file of an evaluation, <c>eval/NAME.json</c>: what was measured, every value with its standard error, direction and settings, and every
/// example with what was asked, answered and scored. The one place that writes it, and reads it back to compare.
/// </summary>
public static class EvaluationJson
{
    /// <summary>The file of a task's result.</summary>
    /// <param name="result">The result.</param>
    /// <param name="name">What reports call the model.</param>
    /// <param name="model">The model's path.</param>
    /// <param name="options">How the task was run; null for the defaults.</param>
    public static JsonObject Write(TaskResult result, string name, string model, EvalOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(result);
        JsonObject file = new()
        {
            ["name"] = name,
            ["task"] = result.Task,
            ["version"] = result.Version,
            ["model"] = model,
            ["metrics"] = Metrics(result.Metrics),
        };
        if (options is not null)
            file["options"] = new JsonObject { ["limit"] = options.Limit, ["shots"] = options.Shots, ["seed"] = options.Seed, ["system_instruction"] = options.SystemInstruction, ["chat_template"] = options.ChatTemplate is not null };
        if (result.Chance is { } chance)
            file["chance"] = chance;
        if (result.Errors > 0)
            file["errors"] = result.Errors;
        if (result.Notes.Count > 0)
            file["notes"] = new JsonArray([.. result.Notes.Select(n => (JsonNode)n)]);
        file["samples"] = new JsonArray([.. result.Examples.Select(Sample)]);
        return file;
    }

    /// <summary>The file of a group's values.</summary>
    public static JsonObject Write(TaskGroup group, IReadOnlyList<MetricValue> values, string name, string model)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(values);
        return new JsonObject
        {
            ["name"] = name,
            ["task"] = group.Name,
            ["model"] = model,
            ["members"] = new JsonArray([.. group.Members.Select(m => (JsonNode)m)]),
            ["metrics"] = Metrics(values),
        };
    }

    /// <summary>Values as reports read them.</summary>
    public static JsonArray Metrics(IEnumerable<MetricValue> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return [.. values.Select(Value)];
    }

    /// <summary>The scores of each example on the metrics that are means of them, by metric label; for paired comparisons.</summary>
    /// <param name="file">What <see cref="Write(TaskResult, string, string, EvalOptions?)"/> wrote.</param>
    /// <returns>For each metric the score by the example's number and what it was asked.</returns>
    public static Dictionary<string, Dictionary<string, double>> Scores(JsonObject file)
    {
        ArgumentNullException.ThrowIfNull(file);
        Dictionary<string, Dictionary<string, double>> scores = new(StringComparer.Ordinal);
        foreach (JsonNode? sample in file["samples"] as JsonArray ?? [])
        {
            string key = $"{sample?["id"]}\n{sample?["prompt"]}";
            foreach ((string metric, JsonNode? score) in sample?["scores"] as JsonObject ?? [])
            {
                if (Harness.JsonNumber.Of(score) is not { } value)
                    continue;
                if (!scores.TryGetValue(metric, out Dictionary<string, double>? of))
                    scores[metric] = of = new Dictionary<string, double>(StringComparer.Ordinal);
                of[key] = value;
            }
        }
        return scores;
    }

    private static JsonObject Value(MetricValue value)
    {
        JsonObject metric = new() { ["name"] = value.Label, ["value"] = value.Value };
        if (value.StandardError is { } error)
            metric["standard_error"] = error;
        if (value.ClusteredError is { } clustered)
            metric["clustered_error"] = clustered;
        metric["examples"] = value.Count;
        metric["higher_is_better"] = value.HigherIsBetter;
        if (value.Settings.Length > 0)
            metric["settings"] = value.Settings;
        return metric;
    }

    private static JsonObject Sample(ScoredExample scored)
    {
        EvalExample example = scored.Example;
        JsonObject sample = new() { ["id"] = example.Id };
        EvalRequest first = example.Requests[0];
        sample["prompt"] = Prompt(first);
        if (example.Requests.All(r => r is LogLikelihoodRequest))
            sample["choices"] = new JsonArray([.. example.Requests.Zip(scored.Responses, (r, a) => (JsonNode)Choice((LogLikelihoodRequest)r, (LikelihoodResponse)a, example.Requests[0]))]);
        else if (scored.Responses[0] is LikelihoodResponse likelihood)
            sample["log_likelihood"] = Number(likelihood.LogLikelihood);
        else
            Texts(sample, scored);
        if (example.Target is not null)
            sample["reference"] = example.Target.DeepClone();
        if (example.Cluster is not null)
            sample["cluster"] = example.Cluster;
        if (scored.Error is not null)
            sample["error"] = scored.Error;
        JsonObject scores = [];
        foreach (FilteredScores filtered in scored.Scores)
        {
            foreach ((string metric, SampleValue value) in filtered.Values)
                scores[filtered.Filter == EvalRunner.NoFilter ? metric : $"{metric} ({filtered.Filter})"] = Score(value);
        }
        sample["scores"] = scores;
        return sample;
    }

    private static void Texts(JsonObject sample, ScoredExample scored)
    {
        IReadOnlyList<string> texts = ((TextResponse)scored.Responses[0]).Texts;
        sample["prediction"] = texts[0];
        if (texts.Count > 1)
            sample["predictions"] = new JsonArray([.. texts.Select(t => (JsonNode)t)]);
        if (scored.Scores.Any(s => s.Filter != EvalRunner.NoFilter))
            sample["filtered"] = new JsonObject([.. scored.Scores.Select(s => KeyValuePair.Create(s.Filter, s.Filtered[0]?.DeepClone()))]);
    }

    private static string Prompt(EvalRequest request) => request switch
    {
        LogLikelihoodRequest likelihood => likelihood.Context,
        RollingRequest rolling => rolling.Text,
        GenerateRequest { Messages: { } messages } => messages[^1].Text ?? "",
        GenerateRequest generate => generate.Context,
        _ => "",
    };

    private static JsonObject Choice(LogLikelihoodRequest request, LikelihoodResponse answer, EvalRequest first)
    {
        JsonObject choice = new() { ["text"] = request.Continuation, ["log_likelihood"] = Number(answer.LogLikelihood), ["greedy"] = answer.IsGreedy };
        if (request.Context != ((LogLikelihoodRequest)first).Context)
            choice["context"] = request.Context;
        return choice;
    }

    private static JsonNode Number(double value) => double.IsFinite(value) ? value : value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static JsonNode? Score(SampleValue value) => value switch
    {
        NumberSample number => Number(number.Value),
        WeightedSample weighted => new JsonArray(Number(weighted.Sum), weighted.Weight),
        ClassSample classes => new JsonArray(classes.Gold, classes.Predicted),
        ProbabilitySample probabilities => new JsonArray(probabilities.Gold, new JsonArray([.. probabilities.Probabilities.Select(p => Number(p))])),
        TextSample { Score: { } score } => Number(score),
        _ => null,
    };
}
