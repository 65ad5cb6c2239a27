// Fine-tuning a model with the head of a task: a classifier, a tagger, a finder of answers, a regression.

using System.Globalization;
using Gradus.Bundle;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Models;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Runs;
using Gradus.Training.Tuning;

namespace Gradus.Cli.Stages;

/// <summary>What a model with a head is to tell of a text, and the fields of the records that say it.</summary>
/// <param name="Kind">One class of several, any number of labels, numbers, a tag for every word, or where an answer stands.</param>
/// <param name="Text">The text; of tags a list of words, of answers the question. Null for text, tokens or question.</param>
/// <param name="Pair">A second text behind the first; of answers the one that holds them. Null for none, of answers context.</param>
/// <param name="Label">The class, labels, number, tags or answers. Null for label, labels, tags or answers.</param>
public sealed record TaskOptions(TaskKind Kind = TaskKind.Classes, string? Text = null, string? Pair = null, string? Label = null)
{
    /// <summary>The names of the classes in the order of their numbers; empty for those that the training data has.</summary>
    public string[] Names { get; init; } = [];

    internal LabelledFields Fields => new(
        Kind,
        Text ?? (Kind switch { TaskKind.Tags => "tokens", TaskKind.Answers => "question", _ => "text" }),
        Pair ?? (Kind == TaskKind.Answers ? "context" : ""),
        Label ?? (Kind switch { TaskKind.Tags => "tags", TaskKind.Answers => "answers", TaskKind.Labels => "labels", _ => "label" }));
}

/// <summary>Trains a body with the head of a task, or an adapter and the head.</summary>
internal static class TaskTuning
{
    // What heads are called, in any family.
    private static readonly string[] Heads = ["classifier", "pre_classifier", "score", "qa_outputs", "sequence_summary", "logits_proj", "pooler"];

    /// <summary>Runs the stage.</summary>
    public static StageResult Run(FinetuneRecipe recipe, TaskOptions task, StageContext context)
    {
        if (recipe.Quantize is not null || recipe.KeepStoredType)
            throw new InvalidDataException("task: a model with a head is not trained over quantized or stored weights; leave quantize and keep_stored_type out.");
        if (recipe.Samples.Prompts.Length > 0)
            throw new InvalidDataException("samples: a model with the head of a task writes no text; leave the prompts out.");
        using RunFolder run = context.OpenRun(recipe);
        ModelLocation location = ModelFolder.Find(recipe.Model, cancel: context.Cancellation);
        if (location.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus convert {recipe.Model} FOLDER");
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        string architecture = ArchitectureOf(config, task.Kind);
        Tokenizer tokenizer = location.OpenTokenizer();
        int limit = Math.Min(recipe.BatchTokens, recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, config.ContextLength) : config.ContextLength);
        LabelledRecords reader = new(task.Fields, tokenizer, limit);
        List<DataRecord> records = [.. Records(recipe.Data.Train, recipe, context)], heldOut = [.. Records(recipe.Data.Validation, recipe, context)];
        if (heldOut.Count == 0 && HoldOut.Kept(records.Count, recipe.Data.ValidationFraction) is var kept && kept < records.Count)
            (records, heldOut) = (records[..kept], records[kept..]);
        LabelSet labels = task.Names.Length > 0 ? reader.LabelsOf(records) with { Names = task.Names } : reader.LabelsOf(records);
        ulong seed = (ulong)recipe.Training.Seed;
        List<LabelledExample> train = [.. reader.Read(records, labels)], validation = [.. reader.Read(heldOut, labels)];
        Say(context, reader, labels, train, validation, limit);
        using TaskModel model = Checkpoint.LoadForTask(location.Folder, context.Device, architecture, labels, seed);
        TaskObjective objective = new(
            new LabelledExamples(train, recipe.BatchTokens, seed), validation.Count == 0 ? null : new LabelledExamples(validation, recipe.BatchTokens, seed), recipe.Accumulation);
        using Tuning tuning = recipe.Tuned.Apply(Target(recipe.Training.Steps, TaskTypeOf(task.Kind), location, model, tokenizer), seed);
        return new TrainingRunner("finetune", context, FinetuneStage.WithGroups(recipe.Training, recipe.Tuned), sampler: null).Train(
            model,
            tuning.For(objective),
            run,
            () => RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                tuning.Write(folder);
                tokenizer.Save(folder.TemporaryPath);
            });
    }

    private static IEnumerable<DataRecord> Records(string[] paths, FinetuneRecipe recipe, StageContext context) =>
        context.Files(paths).SelectMany(p => TextFiles.Records(p, recipe.Data.Columns));

    private static void Say(StageContext context, LabelledRecords reader, LabelSet labels, List<LabelledExample> train, List<LabelledExample> validation, int limit)
    {
        if (train.Count == 0)
            throw new InvalidDataException($"data.train: no example is left ({reader.LostAnswers} answers lie behind the {limit} tokens that are read); raise max_length.");
        string classes = labels.Count <= 12 ? $": {string.Join(", ", labels.Names)}" : "";
        context.Say(string.Create(CultureInfo.InvariantCulture, $"finetune: {train.Count:N0} examples to train on, {validation.Count:N0} held out, {labels.Count} labels{classes}"));
        if (train.Concat(validation).All(e => e.Classes is { Length: 1 }) && validation.Count > 0)
        {
            double most = validation.GroupBy(e => e.Classes![0]).Max(g => g.Count()) / (double)validation.Count;
            context.Say(string.Create(CultureInfo.InvariantCulture, $"finetune: always the most frequent class is right for {most:P1} of those held out"));
        }
        if (reader.Cut > 0)
            context.Note($"finetune: {reader.Cut:N0} texts were longer than {limit:N0} tokens and cut");
        if (reader.LostAnswers > 0)
            context.Note($"finetune: {reader.LostAnswers:N0} records left out, their answers lie where the text was cut");
    }

    /// <summary>The class of a model with a head.</summary>
    /// <exception cref="InvalidDataException">The family has none.</exception>
    public static string ArchitectureOf(ModelConfig config, TaskKind kind)
    {
        string ending = kind switch
        {
            TaskKind.Tags => "ForTokenClassification",
            TaskKind.Answers => "ForQuestionAnswering",
            _ => "ForSequenceClassification",
        };
        IReadOnlyCollection<string> classes = config is EncoderConfig encoder ? encoder.ArchitectureClasses : [Architectures.ClassifierOf(config)];
        return classes.FirstOrDefault(c => c.Contains(ending, StringComparison.Ordinal))
            ?? throw new InvalidDataException($"task.kind: a model of the family {config.Architecture} has no head for this; it can be a {string.Join(" or ", classes)}.");
    }

    private static string TaskTypeOf(TaskKind kind) => kind switch { TaskKind.Tags => "TOKEN_CLS", TaskKind.Answers => "QUESTION_ANS", _ => "SEQ_CLS" };

    /// <summary>A model with a head as methods see it: the head is trained as a whole.</summary>
    public static TuningTarget Target(int updates, string taskType, ModelLocation location, TaskModel model, Tokenizer tokenizer) =>
        new(model, tokenizer, Path.GetFullPath(location.Folder), taskType, updates)
        {
            Heads = [.. Heads.Where(h => model.Parameters.Any(p => p.Name.StartsWith($"{h}.", StringComparison.Ordinal) || p.Name.Contains($".{h}.", StringComparison.Ordinal)))],
        };
}
