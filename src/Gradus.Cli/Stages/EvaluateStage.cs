using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Bundle;
using Gradus.Cli.Reports;
using Gradus.Cli.Verbs;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Tasks;
using Gradus.Generation;
using Gradus.Tensors;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Measure a model.</summary>
public sealed record EvaluateRecipe : StageRecipe
{
    /// <summary>The models by the names that the report calls them.</summary>
    [MinLength(1)]
    public Dictionary<string, string> Models { get; init; } = [];

    /// <summary>What to measure.</summary>
    [MinLength(1)]
    public TaskRecipe[] Tasks { get; init; } = [];

    /// <summary>How matrix products round their operands.</summary>
    public Precision Precision { get; init; } = Precision.F32;

    internal override string Summary => "Measure models: losses, and answers by their metrics.";

    internal override StageResult Execute(StageContext context) => EvaluateStage.Run(this, context);
}

/// <summary>One measurement.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(LossTaskRecipe), "loss")]
[JsonDerivedType(typeof(AnswerTaskRecipe), "answers")]
public abstract record TaskRecipe
{
    /// <summary>The measurement's name in the report.</summary>
    [MinLength(1)]
    public string Name { get; init; } = "";

    /// <summary>The files.</summary>
    [MinLength(1)]
    public string[] Data { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"question": "prompt", "answer": "completion"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];

    /// <summary>The most records; 0 for all.</summary>
    [Range(0, int.MaxValue)]
    public int Limit { get; init; }
}

/// <summary>Loss, perplexity and bits per byte of text.</summary>
public sealed record LossTaskRecipe : TaskRecipe;

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

    /// <summary>Answers kept as examples in the report.</summary>
    [Range(0, int.MaxValue)]
    public int Examples { get; init; } = 5;
}

/// <summary>Measures models on tasks: the figures with their standard errors, and every single answer.</summary>
internal static class EvaluateStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(EvaluateRecipe recipe, StageContext context)
    {
        if (recipe.Tasks.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { } same)
            throw new InvalidDataException($"tasks: two are called \"{same.Key}\"; give each a name of its own.");
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        List<(string, string)> facts = [];
        HashSet<string> files = [];
        foreach ((string name, string path) in recipe.Models)
        {
            using ModelBundle bundle = ModelFolder.Open(path, context.Device, new ModelBundleOptions(WritesText: true, DefaultTemplate: true), context.Cancellation);
            foreach (TaskRecipe task in recipe.Tasks)
            {
                if (context.Cancellation.IsCancellationRequested)
                    return new StageResult(run.FullPath, facts, Finished: false);
                (JsonArray metrics, JsonArray answers) = Measure(task, bundle, recipe, context);
                string file = FileName($"{name}-{task.Name}", files);
                if (answers.Count > 0)
                    run.WriteLines($"eval/{file}.answers.jsonl", answers);
                run.WriteResult($"eval/{file}.json", new JsonObject
                {
                    ["name"] = name,
                    ["task"] = task.Name,
                    ["model"] = path,
                    ["metrics"] = metrics,
                    ["examples"] = new JsonArray([.. answers.Take(task is AnswerTaskRecipe { Examples: int shown } ? shown : 0).Select(a => a!.DeepClone())]),
                });
                context.Emit(new JsonObject { ["kind"] = "evaluation", ["name"] = name, ["task"] = task.Name, ["metrics"] = metrics.DeepClone() });
                string line = string.Join("  ", metrics.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m!["name"]} {(double)m["value"]!:0.000}")));
                context.Say($"  {name}, {task.Name}: {line}");
                facts.Add(($"{task.Name}, {name}", Headline(metrics)));
            }
        }
        // Last: a recipe that turned out wrong leaves no run in the way of the right one.
        RunDescription.Write(run, recipe, 0, context.Device);
        string report = RunReport.Write(run.FullPath);
        context.Say($"evaluate: done → {Path.GetRelativePath(".", report)}");
        return new StageResult(run.FullPath, facts);
    }

    // Names may differ only in characters that a file's name cannot have.
    private static string FileName(string name, HashSet<string> taken)
    {
        string clean = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-')), unique = clean;
        for (int i = 2; !taken.Add(unique); i++)
            unique = string.Create(CultureInfo.InvariantCulture, $"{clean}-{i}");
        return unique;
    }

    private static (JsonArray Metrics, JsonArray Answers) Measure(TaskRecipe task, ModelBundle bundle, EvaluateRecipe recipe, StageContext context) => task switch
    {
        AnswerTaskRecipe answers => Answers(answers, bundle, context),
        LossTaskRecipe loss => (Loss(loss, bundle, recipe, context), []),
        _ => throw new NotSupportedException($"No code runs the task {task.GetType().Name}."),
    };

    private static JsonArray Loss(LossTaskRecipe task, ModelBundle bundle, EvaluateRecipe recipe, StageContext context)
    {
        List<string> documents = [.. Limited(TextFiles.Documents(context.Files(task.Data), task.Columns), task.Limit)];
        int[][] ids = bundle.Tokenizer.EncodeBatch(documents, addSpecialTokens: false);
        LossResult result = LossTask.Run(bundle.Generative, ids, documents.Sum(d => (long)Encoding.UTF8.GetByteCount(d)), recipe.Precision, context.Cancellation);
        if (!double.IsFinite(result.Loss))
            throw new InvalidDataException($"{bundle.Location.Folder}: the loss of {task.Name} is {result.Loss}: the model's weights are broken; go back to an earlier checkpoint.");
        return double.IsFinite(result.Perplexity)
            ? [Value("loss", result.Loss), Value("perplexity", result.Perplexity), Value("bits per byte", result.BitsPerByte)]
            : [Value("loss", result.Loss), Value("bits per byte", result.BitsPerByte)];
    }

    private static (JsonArray Metrics, JsonArray Answers) Answers(AnswerTaskRecipe task, ModelBundle bundle, StageContext context)
    {
        Metric[] metrics = [.. task.Metrics.Select(MetricOf)];
        List<Question> questions = Questions(task, bundle, context, out int tooLong);
        if (tooLong > 0)
            context.Say($"  {task.Name}: {tooLong} questions do not fit the model's context and were left out");
        if (questions.Count == 0)
            throw new InvalidDataException($"{string.Join(", ", task.Data)}: no question fits the model's context of {bundle.ContextLength} tokens.");
        AnswerResult result = AnswerTask.Run(bundle.Generative, bundle.Tokenizer, questions, metrics, task.MaxTokens, bundle.AnswerEndIds, cancellation: context.Cancellation);
        JsonArray figures = [.. result.Results.Select((r, i) => (JsonNode)new JsonObject
        {
            ["name"] = Shown(task.Metrics[i]),
            ["value"] = r.Value,
            ["standard_error"] = r.StandardError,
        })];
        JsonArray answers = [];
        for (int i = 0; i < questions.Count; i++)
        {
            JsonObject scores = [];
            for (int m = 0; m < metrics.Length; m++)
                scores[Shown(task.Metrics[m])] = result.Results[m].Scores[i];
            answers.Add((JsonNode)new JsonObject { ["prompt"] = questions[i].Text, ["prediction"] = result.Answers[i], ["reference"] = questions[i].Reference, ["scores"] = scores });
        }
        return (figures, answers);
    }

    // Every conversation asks for its last assistant message; solved examples stand before it as turns of their own.
    private static List<Question> Questions(AnswerTaskRecipe task, ModelBundle bundle, StageContext context, out int tooLong)
    {
        if (task.Shots > 0 && task.ShotData.Length == 0)
            throw new InvalidDataException($"task {task.Name}: shots need shot_data, files with solved examples.");
        List<ChatMessage> shots = [.. Conversations.Read(context.Files(task.ShotData), task.Columns).Take(task.Shots).SelectMany(c => c.Messages)];
        List<Question> questions = [];
        tooLong = 0;
        foreach (ChatConversation conversation in Limited(Conversations.Read(context.Files(task.Data), task.Columns), task.Limit))
        {
            List<ChatMessage> before = [.. conversation.Messages];
            int answer = before.FindLastIndex(m => m.Role == "assistant");
            if (answer < 1)
                continue;
            string reference = before[answer].Text ?? "";
            before = before[..answer];
            GenerationRequest request = bundle.Answer(new ChatConversation([.. shots, .. before]));
            if (!bundle.Fits(request, task.MaxTokens))
                tooLong++;
            else
                questions.Add(new Question(request.Source ?? request.Prompt, before[^1].Text ?? "", reference));
        }
        return questions;
    }

    private static Metric MetricOf(string name)
    {
        try
        {
            return MetricRegistry.Get(name);
        }
        catch (ArgumentException)
        {
            throw new InvalidDataException($"metrics: \"{name}\" is unknown; known are {string.Join(", ", MetricRegistry.All.Select(m => m.Name))}.");
        }
    }

    private static string Shown(string metric) => metric switch
    {
        "rouge1" => "ROUGE-1",
        "rouge2" => "ROUGE-2",
        "rougeL" => "ROUGE-L",
        "rougeLsum" => "ROUGE-Lsum",
        _ => metric,
    };

    private static string Headline(JsonArray metrics)
    {
        JsonNode first = metrics.FirstOrDefault(m => (string?)m!["name"] == "ROUGE-L") ?? metrics[0]!;
        return string.Create(CultureInfo.InvariantCulture, $"{first["name"]} {(double)first["value"]!:0.000}");
    }

    private static JsonObject Value(string name, double value) => new() { ["name"] = name, ["value"] = value };

    private static IEnumerable<T> Limited<T>(IEnumerable<T> all, int limit) => limit > 0 ? all.Take(limit) : all;
}
