using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Measures models on tasks into a run's folder: a file a task, the values of groups, and what has gone wrong.</summary>
internal sealed class EvaluationRun(StageContext context, RunFolder run, bool keepGoing)
{
    private const string Folder = "eval";
    private readonly HashSet<string> _files = [];
    private readonly List<string> _failures = [];
    private readonly List<string> _models = [];

    /// <summary>Label and value of what a reader wants to know first.</summary>
    public List<(string, string)> Facts { get; } = [];

    /// <summary>Every value that was measured, by model.</summary>
    public Dictionary<string, List<(string Task, MetricValue Value)>> Values { get; } = [];

    /// <summary>What could not be measured, a line each.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Reads the records of task files' data.</summary>
    public static RecordReader Reader(StageContext context) => path =>
    {
        string file = context.Files([path])[0];
        return IsText(file) ? [new JsonObject { ["text"] = TextFiles.ReadAll(file) }] : TextFiles.Records(file).Select(r => JsonObject.Create(r.Json)!);
    };

    /// <summary>Measures a model on tasks of a library and on the groups that they were named by.</summary>
    public void Tasks(string name, string path, Func<EvalTask, IEvalModel> model, TaskLibrary library, IReadOnlyList<string> names, EvalOptions options, AnswerCache? cache, IReadOnlyList<Perturbation>? perturbations = null)
    {
        Dictionary<string, IReadOnlyList<MetricValue>> measured = [];
        foreach (string task in library.Resolve(names))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            TaskResult? result = Guarded(name, task, () => Opened(library.Open(task, options.Shots)));
            if (result is not null)
                measured[task] = result.Metrics;
            foreach (Perturbation perturbation in measured.ContainsKey(task) ? perturbations ?? [] : [])
                Guarded(name, $"{task}+{perturbation.Name}", () => Moved(result!, Opened(new PerturbedTask(library.Open(task, options.Shots), perturbation))));
        }

        TaskResult Moved(TaskResult plain, TaskResult changed)
        {
            context.Say(string.Create(CultureInfo.InvariantCulture, $"  {name}, {changed.Task}: {plain.Metrics[0].Label} moves by {changed.Metrics[0].Value - plain.Metrics[0].Value:+0.000;−0.000;0}"));
            return changed;
        }

        TaskResult Opened(EvalTask task) => Run(name, path, model(task), task, options, cache);

        foreach (TaskGroup group in library.Groups(names).Where(g => g.Metrics.Count > 0))
        {
            IReadOnlyList<string> members = library.TasksOf(group);
            if (members.FirstOrDefault(m => !measured.ContainsKey(m)) is { } missing)
                _failures.Add($"{name}, {group.Name}: has no values, because {missing} has none");
            else
                Keep(name, group.Name, group.Values([.. members.Select(m => measured[m])]), EvaluationJson.Write(group, group.Values([.. members.Select(m => measured[m])]), name, path));
        }
    }

    /// <summary>Measures a model on one task.</summary>
    public TaskResult Run(string name, string path, IEvalModel model, EvalTask task, EvalOptions options, AnswerCache? cache)
    {
        long start = Stopwatch.GetTimestamp(), shown = start;
        TaskResult result = EvalRunner.Run(task, model, options, cache, Report, keepGoing, context.Cancellation);
        Keep(name, path, result, options);
        return result;

        void Report(int done, int all)
        {
            if (done < all && Stopwatch.GetElapsedTime(shown).TotalSeconds < 5)
                return;
            shown = Stopwatch.GetTimestamp();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (seconds < 5 || done == 0)
                return;
            context.Say(string.Create(CultureInfo.InvariantCulture, $"  {name}, {task.Name}: {done} of {all} requests, {done / seconds:0.0} a second{(done < all ? $", {StageContext.Duration((all - done) * seconds / done)} left" : "")}"));
        }
    }

    /// <summary>Keeps a result.</summary>
    public void Keep(string name, string path, TaskResult result, EvalOptions? options)
    {
        if (result.Errors > 0)
            _failures.Add($"{name}, {result.Task}: {result.Errors} of {result.Examples.Count} examples have no score: {result.Examples.First(e => e.Error is not null).Error}");
        foreach (string note in result.Notes)
            context.Say($"  {result.Task}: {note}");
        Keep(name, result.Task, result.Metrics, EvaluationJson.Write(result, name, path, options));
    }

    private void Keep(string name, string task, IReadOnlyList<MetricValue> values, JsonObject file)
    {
        // The columns of reports stand in the order of the models.
        file["order"] = _models.IndexOf(name) is >= 0 and int place ? place : AddModel(name);
        run.WriteResult($"{Folder}/{FileName($"{name}-{task}")}.json", file);
        context.Tell(
            new JsonObject { ["kind"] = "evaluation", ["name"] = name, ["task"] = task, ["metrics"] = EvaluationJson.Metrics(values) },
            $"  {name}, {task}: {string.Join("  ", values.Select(Shown))}");
        MetricValue first = values.FirstOrDefault(v => v.Name == "ROUGE-L") ?? values[0];
        Facts.Add(($"{task}, {name}", string.Create(CultureInfo.InvariantCulture, $"{first.Label} {first.Value:0.000}")));
        if (!Values.TryGetValue(name, out List<(string, MetricValue)>? of))
            Values[name] = of = [];
        of.AddRange(values.Select(v => (task, v)));
    }

    private int AddModel(string name)
    {
        _models.Add(name);
        return _models.Count - 1;
    }

    private TaskResult? Guarded(string name, string task, Func<TaskResult> measure)
    {
        try
        {
            return measure();
        }
        catch (Exception e) when (keepGoing && e is InvalidDataException or NotSupportedException or UsageException)
        {
            _failures.Add($"{name}, {task}: {e.Message}");
            context.Say($"  {name}, {task}: not measured: {e.Message}");
            return null;
        }
    }

    private static string Shown(MetricValue value) => string.Create(CultureInfo.InvariantCulture, $"{value.Label} {value.Value:0.000}{((value.ClusteredError ?? value.StandardError) is { } error ? $" ± {error:0.000}" : "")}");

    private static bool IsText(string path)
    {
        string name = Path.GetFileName(path).ToLowerInvariant().Replace(".gz", "", StringComparison.Ordinal).Replace(".zst", "", StringComparison.Ordinal);
        return Path.GetExtension(name) is ".txt" or ".text" or ".md" or "";
    }

    // Names may differ only in characters that a file's name cannot have.
    private string FileName(string name)
    {
        string clean = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-')), unique = clean;
        for (int i = 2; !_files.Add(unique); i++)
            unique = string.Create(CultureInfo.InvariantCulture, $"{clean}-{i}");
        return unique;
    }
}
