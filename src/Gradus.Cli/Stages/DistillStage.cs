using System.ComponentModel.DataAnnotations;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Training;
using Gradus.Training.Compression.Distillation;
using Gradus.Training.Data;
using Gradus.Training.Data.Tokens;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Train a model to say what a larger one says.</summary>
public sealed record DistillRecipe : StageRecipe
{
    /// <summary>The teacher: a checkpoint, a run's folder, a GGUF file.</summary>
    [MinLength(1)]
    public string Teacher { get; init; } = "";

    /// <summary>The student to start from: a pruned or smaller model with the teacher's tokens. Null to begin a new one as <see cref="NewModel"/> says.</summary>
    public string? Model { get; init; }

    /// <summary>The architecture of a new student, where <see cref="Model"/> is null; the teacher sets its vocabulary.</summary>
    public ModelConfig? NewModel { get; init; }

    /// <summary>Documents, or conversations where <see cref="Conversations"/> is set.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>Whether the data holds conversations, of which only the assistant's words are learned.</summary>
    public bool Conversations { get; init; }

    /// <summary>What is learned from the teacher.</summary>
    public DistillationOptions Distillation { get; init; } = new();

    /// <summary>A file that keeps the teacher's most probable next tokens of the data, so that it reads each text once, in this run and later ones; null to ask it every time.</summary>
    public string? TeacherStore { get; init; }

    /// <summary>How many tokens are kept there for each one; the others share what is left equally.</summary>
    [Range(1, int.MaxValue)]
    public int TeacherTopK { get; init; } = 64;

    /// <summary>Train for the form that a GGUF file of this type stores (q4_0, q8_0 …): computes with rounded weights. Null for none.</summary>
    public string? QuantizationAware { get; init; }

    /// <summary>The most tokens of a text; 0 for the context.</summary>
    [Range(0, int.MaxValue)]
    public int MaxLength { get; init; }

    /// <summary>The most tokens per micro-batch.</summary>
    [Range(1, int.MaxValue)]
    public int BatchTokens { get; init; } = 2048;

    /// <summary>Micro-batches per step.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new() { Optimizer = new AdamW(LearningRate: 5e-4) };

    /// <summary>Texts to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();

    internal override string Summary => "Train a model to say what a larger one says.";

    internal override IReadOnlyList<string> MayChange => [.. base.MayChange, .. TrainingRunner.MayChange];

    internal override StageResult Execute(StageContext context) => DistillStage.Run(this, context);
}

/// <summary>Trains a model to say what a larger one says.</summary>
internal static class DistillStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(DistillRecipe recipe, StageContext context)
    {
        if (recipe.Model is null == recipe.NewModel is null)
            throw new InvalidDataException("distill: give the student either as model (a folder to start from) or as new_model (an architecture).");
        using RunFolder run = context.OpenRun(recipe);
        using ModelBundle teacher = context.OpenModel(recipe.Teacher, new ModelBundleOptions(KeepStoredType: true, KeepPacked: true, WritesText: true, DefaultTemplate: recipe.Conversations));
        using ModelBundle student = Student(recipe, teacher, context);
        if (student.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        DistillationObjective.Check(student.Generative, teacher.Generative, recipe.Distillation);
        StageQuantization.Apply(student.Model, recipe.QuantizationAware, "distill", context);
        student.Model.SetTrainable(true);
        (BatchSource train, BatchSource? validation, IDisposable? text) = Batches(recipe, student, context);
        using IDisposable? owned = text;
        TeacherStore? store = recipe.TeacherStore is { } path ? Training.Compression.Distillation.TeacherStore.Open(path, Path.GetFullPath(recipe.Teacher), recipe.TeacherTopK) : null;
        using DistillationObjective objective = new(
            teacher.Generative, train, validation, recipe.Distillation, recipe.Accumulation, recipe.Conversations ? student.AnswerEndIds : student.EndIds, store);
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null
            : recipe.Conversations ? Sampler.OfAnswers(student, recipe.Samples, recipe.Training.Seed) : Sampler.OfTexts(student, recipe.Samples, recipe.Training.Seed);
        StageResult result = new TrainingRunner("distill", context, recipe.Training, sampler).Train(
            student.Model,
            objective,
            run,
            () => RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                Checkpoint.Write(folder, student.Model);
                student.Tokenizer.Save(folder.TemporaryPath);
            });
        if (store is not null)
            store.Save(recipe.TeacherStore!);
        return result;
    }

    private static ModelBundle Student(DistillRecipe recipe, ModelBundle teacher, StageContext context)
    {
        if (recipe.Model is { } path)
            return context.OpenModel(path, new ModelBundleOptions(WritesText: true, DefaultTemplate: recipe.Conversations));
        LanguageModel made = Checkpoint.Create(recipe.NewModel!.WithVocabulary(teacher.Model.Config.Vocabulary), (ulong)recipe.Training.Seed, context.Device);
        return new ModelBundle(made, teacher.Tokenizer, new ModelLocation(recipe.Run), teacher.EndIds, defaultTemplate: recipe.Conversations);
    }

    private static (BatchSource, BatchSource?, IDisposable?) Batches(DistillRecipe recipe, ModelBundle student, StageContext context)
    {
        ulong seed = (ulong)recipe.Training.Seed;
        int limit = Math.Min(recipe.BatchTokens, recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, student.ContextLength) : student.ContextLength);
        if (!recipe.Conversations)
        {
            TextFileSet files = new(context.Files(recipe.Data.Train), context.Files(recipe.Data.Validation), recipe.Data.ValidationFraction, recipe.Data.Columns);
            files.ThrowIfEmpty();
            PretrainingText text = PretrainingText.Read(files, student.Tokenizer, context.TokenCache, cancel: context.Cancellation);
            if (limit < 2 || text.Train.Length <= text.Train.Documents)
                throw new InvalidDataException($"{string.Join(", ", recipe.Data.Train)}: nothing to predict in pieces of {limit} tokens; give more text, or raise batch_tokens.");
            (PackedExamples packed, PackedExamples? heldOut, int examples, int heldOutExamples) = text.Packed(limit, recipe.BatchTokens, seed);
            context.SayPasses("distill", packed, examples, heldOutExamples, recipe.Accumulation, recipe.Training);
            return (packed, heldOut, text);
        }
        ExampleLimits limits = new(limit, recipe.BatchTokens, TooLong.Drop);
        SupervisedExamples reader = student.Model is EncoderDecoderModel answering ? new(student.Tokenizer, answering.StartToken, limits) : new(student.Chat, limits);
        IReadOnlyList<Example> train = Read(recipe.Data.Train);
        IReadOnlyList<Example> validation = recipe.Data.Validation.Length == 0 ? [] : Read(recipe.Data.Validation);
        if (validation.Count == 0 && HoldOut.Kept(train.Count, recipe.Data.ValidationFraction) is var kept && kept < train.Count)
            (train, validation) = ([.. train.Take(kept)], [.. train.Skip(kept)]);
        PackedExamples batches = new(train, recipe.BatchTokens, seed);
        context.SayPasses("distill", batches, train.Count, validation.Count, recipe.Accumulation, recipe.Training);
        return (batches, validation.Count == 0 ? null : new PackedExamples(validation, recipe.BatchTokens, seed), null);

        IReadOnlyList<Example> Read(string[] paths)
        {
            ExampleReport report = reader.Read(context.Files(paths), recipe.Data.Columns);
            return report.Examples.Count > 0 ? report.Examples : throw new InvalidDataException($"{string.Join(", ", paths)}: no record has an answer to learn in {limit} tokens; only what the assistant says is learned.");
        }
    }
}

/// <summary>Training for a stored form, for any stage.</summary>
internal static class StageQuantization
{
    /// <summary>Lets a model compute with the weights that a GGUF file would hold.</summary>
    /// <param name="model">The model.</param>
    /// <param name="type">The type, or null: nothing is done.</param>
    /// <param name="stage">The stage, for messages.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">There is no such type, or GGUF has no form for the model.</exception>
    public static void Apply(LanguageModel model, string? type, string stage, StageContext context)
    {
        if (type is null)
            return;
        if (!GgufStorage.Names.Contains(type.ToLowerInvariant()))
            throw new InvalidDataException($"quantization_aware: {type} is no type of a GGUF file; there are {string.Join(", ", GgufStorage.Names)}.");
        int rounded = Gradus.Training.Compression.QuantizationAware.Apply(model, Architectures.ToJson(model.Config), GgufStorage.Get(type)).Count;
        context.Say($"{stage}: {rounded} matrices are rounded to what {type} stores; write the file with gradus quantize RUN FILE.gguf --target {type}");
    }
}
