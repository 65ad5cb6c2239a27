using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Tensors;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Runs;
using MetricValue = Gradus.Evaluation.Tasks.MetricValue;

namespace Gradus.Cli.Stages;

/// <summary>Measure models.</summary>
public sealed record EvaluateRecipe : StageRecipe
{
    /// <summary>The models by the names that the report calls them.</summary>
    public Dictionary<string, string> Models { get; init; } = [];

    /// <summary>What to measure.</summary>
    [MinLength(1)]
    public TaskRecipe[] Tasks { get; init; } = [];

    /// <summary>How matrix products round their operands where the loss of text is measured.</summary>
    public Precision Precision { get; init; } = Precision.F32;

    /// <summary>A file of answers that something else wrote, scored as a model called "predictions"; none where empty.</summary>
    public string Predictions { get; init; } = "";

    /// <summary>Texts that are written at once.</summary>
    [Range(1, 1024)]
    public int Batch { get; init; } = 16;

    /// <summary>Go on after a task or an example that cannot be scored; the exit code is 1 all the same.</summary>
    public bool KeepGoing { get; init; }

    /// <summary>Limits that every model has to reach, or the exit code is 1: <c>TASK:METRIC=VALUE</c>, <c>TASK=VALUE</c>, <c>VALUE</c>.</summary>
    public string[] FailUnder { get; init; } = [];

    internal override string Summary => "Measure models on tasks, with standard errors and every single answer.";

    internal override StageRecipe Choose(string? model, string[] data, StageContext context) => RecipeChoice.Evaluate(Needed(model), data, context);

    internal override StageResult Execute(StageContext context) => EvaluateStage.Run(this, context);

    internal override Command CreateVerb(CommandContext context) => EvaluateVerb.Create(context);
}

/// <summary>One measurement.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(LossTaskRecipe), "loss")]
[JsonDerivedType(typeof(AnswerTaskRecipe), "answers")]
[JsonDerivedType(typeof(BenchmarkTaskRecipe), "benchmark")]
public abstract record TaskRecipe
{
    /// <summary>The measurement's name in the report.</summary>
    [MinLength(1)]
    public string Name { get; init; } = "";

    /// <summary>The files; of a benchmark, task files and folders of them, or none.</summary>
    public string[] Data { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"question": "prompt", "answer": "completion"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];

    /// <summary>The most records; 0 for all.</summary>
    [Range(0, int.MaxValue)]
    public int Limit { get; init; }
}

/// <summary>Loss, perplexity and bits per byte of text.</summary>
public sealed record LossTaskRecipe : TaskRecipe
{
    /// <summary>Tokens of a block, the <c>block</c> of the pre-training; 0 for the model's context.</summary>
    [Range(0, int.MaxValue)]
    public int Block { get; init; }
}

/// <summary>Answers written by the model, compared with the right ones.</summary>
public sealed record AnswerTaskRecipe : TaskRecipe
{
    /// <summary>Metrics by name.</summary>
    [MinLength(1)]
    public string[] Metrics { get; init; } = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

    /// <summary>Solved examples shown before each question.</summary>
    [Range(0, 100)]
    public int Shots { get; init; }

    /// <summary>Where the solved examples come from; needed with shots.</summary>
    public string[] ShotData { get; init; } = [];

    /// <summary>The longest answer, in tokens.</summary>
    [Range(1, int.MaxValue)]
    public int MaxTokens { get; init; } = 64;
}

/// <summary>Tasks that come with the program, or of lm-evaluation-harness' task files.</summary>
public sealed record BenchmarkTaskRecipe : TaskRecipe
{
    /// <summary>Names of tasks, groups and tags; <c>gradus evaluate --list</c> shows them.</summary>
    [MinLength(1)]
    public string[] Names { get; init; } = [];

    /// <summary>Solved examples before each question; null for what the task says.</summary>
    [Range(0, 1000)]
    public int? Shots { get; init; }

    /// <summary>Which solved examples and which texts are drawn.</summary>
    [Range(0, long.MaxValue)]
    public long Seed { get; init; } = 1234;

    /// <summary>Ask through the model's chat template.</summary>
    public bool Chat { get; init; }

    /// <summary>With chat: every solved example is a turn of the conversation.</summary>
    public bool ShotsAsTurns { get; init; }

    /// <summary>What stands before the task's description; null for nothing.</summary>
    public string? SystemInstruction { get; init; }

    /// <summary>Changes of the prompts that keep their meaning, measured beside each task: typos, lower, upper, spaces, unpunctuated.</summary>
    public string[] Robustness { get; init; } = [];
}

/// <summary>Measures models on tasks: the figures with their standard errors, and every single answer.</summary>
internal static class EvaluateStage
{
    private const string Answers = "eval/answers.cache.jsonl";

    /// <summary>Runs the stage.</summary>
    public static StageResult Run(EvaluateRecipe recipe, StageContext context)
    {
        Check(recipe);
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        EvaluationRun evaluation = new(context, run, recipe.KeepGoing);
        try
        {
            using AnswerCache cache = new(Path.Combine(run.FullPath, Answers));
            foreach ((string name, string path) in recipe.Models)
            {
                using ModelBundle bundle = context.OpenModel(path, new ModelBundleOptions(KeepStoredType: true, KeepPacked: true, WritesText: true, DefaultTemplate: true));
                LocalModel model = new(bundle, new LocalModelOptions(recipe.Batch, (ulong)recipe.Tasks.OfType<BenchmarkTaskRecipe>().Select(t => t.Seed).FirstOrDefault(), recipe.Precision));
                foreach (TaskRecipe task in recipe.Tasks)
                    Measure(task, name, path, bundle, model, recipe, context, evaluation, cache);
            }
            if (recipe.Predictions.Length > 0)
                Predictions(recipe, context, evaluation);
        }
        catch (OperationCanceledException) when (context.Cancellation.IsCancellationRequested)
        {
            return new StageResult(run.FullPath, evaluation.Facts, Finished: false);
        }
        // Last: a recipe that turned out wrong leaves no run in the way of the right one.
        RunDescription.Write(run, recipe, 0, context.Device);
        string report = RunReport.Write(run.FullPath);
        string[] missed = [.. Missed(recipe.FailUnder, evaluation.Values)];
        foreach (string line in evaluation.Failures.Concat(missed))
            context.Note($"evaluate: {line}");
        bool failed = evaluation.Failures.Count > 0 || missed.Length > 0;
        context.Say($"evaluate: {(failed ? "failed" : "done")} → {Path.GetRelativePath(".", report)}");
        return new StageResult(run.FullPath, evaluation.Facts, Failed: failed);
    }

    private static void Check(EvaluateRecipe recipe)
    {
        if (recipe.Models.Count == 0 && recipe.Predictions.Length == 0)
            throw new InvalidDataException("models: there are none, and no predictions; name a model.");
        if (recipe.Tasks.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { } same)
            throw new InvalidDataException($"tasks: two are called \"{same.Key}\"; give each a name of its own.");
        if (recipe.Tasks.FirstOrDefault(t => t is not BenchmarkTaskRecipe && t.Data.Length == 0) is { } empty)
            throw new InvalidDataException($"task {empty.Name}: data: there are no files; name one at least.");
        foreach (string limit in recipe.FailUnder)
            ReadLimit(limit);
    }

    private static void Measure(TaskRecipe task, string name, string path, ModelBundle bundle, LocalModel model, EvaluateRecipe recipe, StageContext context, EvaluationRun evaluation, AnswerCache cache)
    {
        context.Cancellation.ThrowIfCancellationRequested();
        switch (task)
        {
            case AnswerTaskRecipe answers:
                evaluation.Run(name, path, model, Conversation(answers, bundle, context), EvalOptions.Default, cache);
                break;
            case LossTaskRecipe loss:
                evaluation.Keep(name, path, Loss(loss, bundle, recipe, context), options: null);
                break;
            case BenchmarkTaskRecipe benchmark:
                evaluation.Tasks(name, path, _ => model, Library(benchmark, context, out string[] names), names, Options(benchmark, model), cache, [.. benchmark.Robustness.Select(Perturbation.Get)]);
                break;
            default:
                throw new NotSupportedException($"No code runs the task {task.GetType().Name}.");
        }
    }

    private static void Predictions(EvaluateRecipe recipe, StageContext context, EvaluationRun evaluation)
    {
        PredictionsFile file = new(recipe.Predictions, EvaluationRun.Reader(context)(recipe.Predictions));
        foreach (BenchmarkTaskRecipe task in recipe.Tasks.OfType<BenchmarkTaskRecipe>())
        {
            EvalOptions options = Options(task, model: null);
            evaluation.Tasks("predictions", recipe.Predictions, t => file.For(t.Name, t.Prepare(options)), Library(task, context, out string[] names), names, options, cache: null);
        }
    }

    // A name that is a file or a folder is a task file, or a folder of them: all its tasks.
    private static TaskLibrary Library(BenchmarkTaskRecipe task, StageContext context, out string[] names)
    {
        TaskLibrary library = new(EvaluationRun.Reader(context));
        foreach (string path in task.Data)
            library.AddFiles(path);
        names = [.. task.Names.SelectMany(n => n.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase) || n.EndsWith(".yml", StringComparison.OrdinalIgnoreCase) || Directory.Exists(n) ? library.AddFiles(n) : [n])];
        return library;
    }

    private static EvalOptions Options(BenchmarkTaskRecipe task, LocalModel? model) => new()
    {
        Limit = task.Limit,
        Shots = task.Shots,
        Seed = task.Seed,
        SystemInstruction = task.SystemInstruction,
        ChatTemplate = !task.Chat ? null : model is null ? throw new InvalidDataException($"task {task.Name}: chat: predictions have no chat template.") : model.Render,
        ShotsAsTurns = task.ShotsAsTurns,
    };

    private static TaskResult Loss(LossTaskRecipe task, ModelBundle bundle, EvaluateRecipe recipe, StageContext context)
    {
        IEnumerable<string> all = TextFiles.Documents(context.Files(task.Data), task.Columns);
        string[] documents = [.. task.Limit > 0 ? all.Take(task.Limit) : all];
        int[] tokens = [.. bundle.Tokenizer.EncodeDocuments(documents).SelectMany(d => d)];
        return LossTask.Run(bundle.Generative, tokens, documents.Sum(d => (long)Encoding.UTF8.GetByteCount(d)), task.Block, recipe.Precision, context.Cancellation).ToResult(task.Name);
    }

    // Every conversation asks for its last assistant message; solved examples stand before it as turns of their own.
    private static ConversationTask Conversation(AnswerTaskRecipe task, ModelBundle bundle, StageContext context)
    {
        if (task.Shots > 0 && task.ShotData.Length == 0)
            throw new InvalidDataException($"task {task.Name}: shots need shot_data, files with solved examples.");
        Metric[] metrics = [.. task.Metrics.Select(MetricOf)];
        List<ChatMessage> shots = [.. Conversations.Read(context.Files(task.ShotData), task.Columns).Take(task.Shots).SelectMany(c => c.Messages)];
        List<ConversationExample> examples = [];
        int tooLong = 0;
        IEnumerable<ChatConversation> conversations = Conversations.Read(context.Files(task.Data), task.Columns);
        foreach (ChatConversation conversation in task.Limit > 0 ? conversations.Take(task.Limit) : conversations)
        {
            List<ChatMessage> before = [.. conversation.Messages];
            int answer = before.FindLastIndex(m => m.Role == "assistant");
            if (answer < 1)
                continue;
            ChatMessage[] asked = [.. shots, .. before[..answer]];
            if (!bundle.Fits(bundle.Answer(new ChatConversation(asked)), task.MaxTokens))
                tooLong++;
            else
                examples.Add(new ConversationExample(asked, before[answer].Text ?? ""));
        }
        if (tooLong > 0)
            context.Say($"  {task.Name}: {tooLong} questions do not fit the model's context and were left out");
        return examples.Count > 0
            ? new ConversationTask(task.Name, examples, metrics, task.MaxTokens)
            : throw new InvalidDataException($"{string.Join(", ", task.Data)}: no question fits the model's context of {bundle.ContextLength} tokens.");
    }

    private static Metric MetricOf(string name) => MetricRegistry.All.FirstOrDefault(m => m.Name == name)
        ?? throw new InvalidDataException($"metrics: \"{name}\" is unknown; known are {string.Join(", ", MetricRegistry.All.Select(m => m.Name))}.");

    // TASK:METRIC=VALUE, TASK=VALUE (its first metric) or VALUE (the first metric of every task).
    private static (string? Task, string? Metric, double Value) ReadLimit(string limit)
    {
        int equals = limit.LastIndexOf('=');
        if (!double.TryParse(limit[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            throw new UsageException($"--fail-under: \"{limit}\" has no number behind =; write TASK:METRIC=VALUE, TASK=VALUE or VALUE.");
        if (equals < 0)
            return (null, null, value);
        string[] parts = limit[..equals].Split(':', 2);
        return (parts[0], parts.Length > 1 ? parts[1] : null, value);
    }

    private static IEnumerable<string> Missed(string[] limits, Dictionary<string, List<(string Task, MetricValue Value)>> values)
    {
        foreach ((string? task, string? metric, double wanted) in limits.Select(ReadLimit))
        {
            foreach ((string model, List<(string Task, MetricValue Value)> measured) in values)
            {
                var tasks = measured.GroupBy(m => m.Task).Where(g => task is null || g.Key == task).ToArray();
                // METRIC=VALUE where no task is called so.
                string? named = metric ?? (tasks.Length == 0 ? task : null);
                var chosen = (tasks.Length == 0 ? measured.GroupBy(m => m.Task) : tasks)
                    .Select(g => (g.Key, Value: named is null ? g.First().Value : g.FirstOrDefault(m => m.Value.Label == named || m.Value.Name == named).Value)).Where(c => c.Value is not null).ToArray();
                if (chosen.Length == 0)
                    yield return $"--fail-under: {model} has no value for {task}{(metric is null ? "" : $":{metric}")}, so the limit is not reached";
                foreach ((string of, MetricValue value) in chosen)
                {
                    if (value.HigherIsBetter == false ? value.Value > wanted : !(value.Value >= wanted))
                        yield return string.Create(CultureInfo.InvariantCulture, $"{model}, {of}: {value.Label} is {value.Value:0.####}, {(value.HigherIsBetter == false ? "above" : "under")} the limit of {wanted:0.####}");
                }
            }
        }
    }
}
