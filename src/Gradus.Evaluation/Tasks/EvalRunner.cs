using System.Runtime.InteropServices;
using Gradus.Evaluation.Statistics;

namespace Gradus.Evaluation.Tasks;

/// <summary>Carries a task through: asks every different question once, keeps the answers, scores them, and never takes a failure for a score.</summary>
public static class EvalRunner
{
    /// <summary>The name of answers that went through no filter.</summary>
    public const string NoFilter = "none";

    /// <summary>Runs a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="model">What answers.</param>
    /// <param name="options">How many examples, in which form.</param>
    /// <param name="cache">Keeps answers, so that a run that was ended goes on where it was; null keeps none.</param>
    /// <param name="progress">Takes the number of answered requests and of all.</param>
    /// <param name="keepGoing">Count an example that cannot be scored as an error and go on, rather than end.</param>
    /// <param name="cancellation">Ends the run; answers that are in the cache stay.</param>
    /// <exception cref="InvalidDataException">The task has no examples, an answer cannot be scored, or a value is not a number; one line.</exception>
    /// <exception cref="NotSupportedException">The model cannot answer this kind of request; one line.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static TaskResult Run(
        EvalTask task, IEvalModel model, EvalOptions options, AnswerCache? cache = null, Action<int, int>? progress = null, bool keepGoing = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        IReadOnlyList<EvalExample> examples = task.Prepare(options);
        if (examples.Count == 0)
            throw new InvalidDataException($"task {task.Name}: there are no examples; nothing would be measured.");
        Dictionary<EvalRequest, EvalResponse> answers = Ask(task, examples, model, cache, progress, cancellation);
        List<ScoredExample> scored = [.. examples.Select(example =>
        {
            EvalResponse[] responses = [.. example.Requests.Select(r => answers[r])];
            try
            {
                return new ScoredExample(example, responses, Checked(task, example, task.Score(example, responses)));
            }
            catch (InvalidDataException e) when (keepGoing)
            {
                return new ScoredExample(example, responses, [], e.Message);
            }
        })];
        List<string> notes = [.. model.Notes];
        return new TaskResult(task.Name, task.Version, task.Chance, Aggregate(task, scored, options, notes), scored, notes);
    }

    /// <summary>The values of a task's metrics from scored examples.</summary>
    /// <param name="task">The task.</param>
    /// <param name="examples">The examples; those with an error do not count.</param>
    /// <param name="options">How standard errors are made.</param>
    /// <param name="notes">Takes what a reader should know.</param>
    /// <exception cref="InvalidDataException">No example has scores, or a value is not a number; one line.</exception>
    public static IReadOnlyList<MetricValue> Aggregate(EvalTask task, IReadOnlyList<ScoredExample> examples, EvalOptions options, ICollection<string>? notes = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(options);
        ScoredExample[] whole = [.. examples.Where(e => e.Error is null)];
        if (whole.Length == 0)
            throw new InvalidDataException($"task {task.Name}: no example could be scored: {(examples.Count > 0 ? examples[0].Error : "there are none")}");
        List<MetricValue> values = [];
        for (int f = 0; f < whole[0].Scores.Count; f++)
        {
            string filter = whole[0].Scores[f].Filter;
            foreach (TaskMetric metric in task.Metrics)
            {
                SampleValue[] items = [.. whole.Where(e => e.Scores[f].Values.ContainsKey(metric.Name)).Select(e => e.Scores[f].Values[metric.Name])];
                if (items.Length == 0)
                    throw new InvalidDataException($"task {task.Name}: no example has a score for {metric.Name}.");
                if (Valued(task, metric, filter, items, options, whole) is { } value)
                    values.Add(value);
                else
                    notes?.Add($"{metric.Name} is beyond the largest number and left out");
            }
        }
        return values;
    }

    private static MetricValue? Valued(EvalTask task, TaskMetric metric, string filter, SampleValue[] items, EvalOptions options, ScoredExample[] whole)
    {
        double value = metric.Aggregation.Value(items);
        if (double.IsNaN(value))
            throw new InvalidDataException($"task {task.Name}: {metric.Name} is not a number; look at the answers in which it is undefined.");
        if (!double.IsFinite(value))
            return null;
        double? error = metric.Aggregation.StandardError(items, options.BootstrapResamples);
        double? clustered = null;
        if (metric.Aggregation.IsMean && items.Length == whole.Length && Array.TrueForAll(whole, e => e.Example.Cluster is not null))
            clustered = Clustered.StandardError([.. items.Cast<NumberSample>().Select(n => n.Value)], [.. whole.Select(e => e.Example.Cluster!)]);
        return new MetricValue(metric.Name, filter, value, error is { } e && double.IsFinite(e) ? e : null, items.Length, metric.HigherIsBetter, metric.Settings, clustered);
    }

    private static Dictionary<EvalRequest, EvalResponse> Ask(
        EvalTask task, IReadOnlyList<EvalExample> examples, IEvalModel model, AnswerCache? cache, Action<int, int>? progress, CancellationToken cancellation)
    {
        Dictionary<EvalRequest, EvalResponse> answers = [];
        List<EvalRequest> open = [];
        foreach (EvalRequest request in examples.SelectMany(e => e.Requests))
        {
            ref EvalResponse? answer = ref CollectionsMarshal.GetValueRefOrAddDefault(answers, request, out bool known);
            if (!known && (answer = cache?.Find(model.Name, request)) is null)
                open.Add(request);
        }
        int all = answers.Count, done = all - open.Count;
        progress?.Invoke(done, all);
        if (open.Count > 0)
        {
            model.Answer(open, (index, response) =>
            {
                RequireNumber(task, response);
                answers[open[index]] = response;
                cache?.Add(model.Name, open[index], response);
                progress?.Invoke(++done, all);
            }, cancellation);
        }
        return open.Exists(r => answers[r] is null)
            ? throw new InvalidDataException($"task {task.Name}: the model left {open.Count(r => answers[r] is null)} of {open.Count} requests without an answer.")
            : answers;
    }

    private static void RequireNumber(EvalTask task, EvalResponse response)
    {
        if (response is LikelihoodResponse { LogLikelihood: var value } && (double.IsNaN(value) || double.IsPositiveInfinity(value)))
            throw new InvalidDataException($"task {task.Name}: the model's log-likelihood is {value}: its weights are broken; go back to an earlier checkpoint.");
    }

    private static IReadOnlyList<FilteredScores> Checked(EvalTask task, EvalExample example, IReadOnlyList<FilteredScores> scores)
    {
        if (scores.Count == 0)
            throw new InvalidDataException($"task {task.Name}: document {example.Id} has no scores.");
        foreach (FilteredScores filtered in scores)
        {
            if (filtered.Values.FirstOrDefault(v => v.Value is NumberSample { Value: double.NaN }) is { Key: { } metric })
                throw new InvalidDataException($"task {task.Name}: {metric} of document {example.Id} is not a number.");
        }
        return scores;
    }
}
