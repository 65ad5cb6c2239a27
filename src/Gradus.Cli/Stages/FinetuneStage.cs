using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors.Packed;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Train a model on conversations; only the assistant's words count. Models with an encoder learn to write the target of a source.</summary>
public sealed record FinetuneRecipe : StageRecipe
{
    /// <summary>The model to start from: a checkpoint, or a run's folder.</summary>
    [MinLength(1)]
    public string Model { get; init; } = "";

    /// <summary>Conversations: messages, sharegpt, alpaca, prompt/completion, dialogue/summary or source/target records; documents: text.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>Train the head of a task on labelled records: a classifier, a tagger, a regression, a finder of answers; null to learn to write.</summary>
    public TaskOptions? Task { get; init; }

    /// <summary>The most tokens of a conversation; 0 for the model's context.</summary>
    [Range(0, int.MaxValue)]
    public int MaxLength { get; init; }

    /// <summary>What becomes of longer conversations: left out, cut at their beginning, or split into several.</summary>
    public TooLong TooLong { get; init; } = TooLong.Drop;

    /// <summary>The most tokens per micro-batch.</summary>
    [Range(1, int.MaxValue)]
    public int BatchTokens { get; init; } = 2048;

    /// <summary>Micro-batches per step.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Train an adapter and leave the model as it is; null to train the whole model.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>Quantize the frozen model's linear layers, but for the output head, when it is loaded (QLoRA); only with an adapter.</summary>
    public QuantizeOptions? Quantize { get; init; }

    /// <summary>Keep the frozen model's weights as they are stored (BF16, F16, a GGUF file's blocks: QLoRA); only with an adapter.</summary>
    public bool KeepStoredType { get; init; }

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new() { Optimizer = new AdamW(LearningRate: 2e-4) };

    /// <summary>Answers to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();

    internal override string Summary => "Train a model, or a low-rank adapter of it, on conversations or labelled texts.";

    internal override IReadOnlyList<string> MayChange => [.. base.MayChange, .. TrainingRunner.MayChange];

    internal override bool RunsWithoutRecipe => true;

    internal override StageRecipe Choose(string? model, string[] data, StageContext context) => RecipeChoice.Finetune(Needed(model), data, context);

    internal override StageResult Execute(StageContext context) => FinetuneStage.Run(this with { Training = Training.On(context.Device) }, context);
}

/// <summary>Low-rank adaptation of a frozen model (Hu et al., "LoRA", 2022).</summary>
/// <param name="R">Rank.</param>
/// <param name="Alpha">Scale of the update times the rank.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
public sealed record LoraOptions(
    [Range(1, int.MaxValue)] int R = 16,
    [Range(1.0, double.PositiveInfinity)] float Alpha = 32,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0)
{
    /// <summary>Names of the linear layers to adapt, or "all-linear".</summary>
    [MinLength(1)]
    public string[] TargetModules { get; init; } = ["all-linear"];
}

/// <summary>How a frozen model's weights are quantized in memory before an adapter is trained over them (Dettmers et al., "QLoRA", 2023).</summary>
/// <param name="Format">A packed format: NF4, Q4_K, Q8_0 …</param>
/// <param name="DoubleQuantization">Quantize the scales of NF4's blocks too: 4.127 bits a weight instead of 4.5.</param>
public sealed record QuantizeOptions(string Format = "NF4", bool DoubleQuantization = false);

/// <summary>Trains a model, or a low-rank adapter of it, on conversations.</summary>
internal static class FinetuneStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(FinetuneRecipe recipe, StageContext context)
    {
        if (recipe.Task is { } task)
            return TaskTuning.Run(recipe, task, context);
        if (recipe.Quantize is not null && recipe.Lora is null)
            throw new InvalidDataException("quantize: quantized weights are not trained; set lora as well, or leave quantize out.");
        PackedFormat? format = recipe.Quantize is { } quantize ? Format(quantize) : null;
        using RunFolder run = context.OpenRun(recipe);
        bool keep = recipe.KeepStoredType && recipe.Lora is not null;
        // The model's own run may have gone on since.
        using ModelBundle bundle = context.OpenModel(RunDescription.BaseOf(run) ?? recipe.Model, new ModelBundleOptions(keep, keep, WritesText: true, DefaultTemplate: true));
        if (bundle.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        int limit = recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, bundle.ContextLength) : bundle.ContextLength;
        ulong seed = (ulong)recipe.Training.Seed;
        ExampleLimits limits = new(limit, recipe.BatchTokens, recipe.TooLong);
        SupervisedExamples reader = bundle.Model is EncoderDecoderModel answering ? new(bundle.Tokenizer, answering.StartToken, limits) : new(bundle.Chat, limits);
        IReadOnlyList<Example> train = Examples(recipe.Data.Train, reader, recipe.Data, limits, context);
        IReadOnlyList<Example> heldOut = recipe.Data.Validation.Length == 0 ? [] : Examples(recipe.Data.Validation, reader, recipe.Data, limits, context);
        if (heldOut.Count == 0 && HoldOut.Kept(train.Count, recipe.Data.ValidationFraction) is var kept && kept < train.Count)
            (train, heldOut) = ([.. train.Take(kept)], [.. train.Skip(kept)]);
        PackedExamples batches = new(train, recipe.BatchTokens, seed);
        NextToken objective = new(
            batches,
            heldOut.Count == 0 ? null : new PackedExamples(heldOut, recipe.BatchTokens, seed),
            recipe.Accumulation);
        context.SayPasses("finetune", batches, train.Count, heldOut.Count, recipe.Accumulation, recipe.Training);
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfAnswers(bundle, recipe.Samples, recipe.Training.Seed);
        if (format is not null)
            Quantize(bundle.Model, format, recipe.Quantize!.DoubleQuantization, context);
        using ModelAdapter? adapter = recipe.Lora is { } lora ? Attach(lora, recipe.Model, bundle, seed) : null;
        if (adapter is null)
            bundle.Model.SetTrainable(true);
        return new TrainingRunner("finetune", context, recipe.Training, sampler).Train(
            bundle.Model,
            objective,
            run,
            () =>
            {
                RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device, bundle.Location.Folder);
                if (adapter is not null && !RunFolder.KeepFor(bundle.Location.Folder, run.FullPath))
                    context.Note($"finetune: warning: {bundle.Location.Folder} is a checkpoint of a run that cannot be written; if that run goes on, it may remove the model that this adapter needs");
            },
            folder =>
            {
                if (adapter is null)
                    Checkpoint.Write(folder, bundle.Model);
                else
                    PeftFolder.Write(folder, adapter);
                Tokenizer tokenizer = bundle.ReadsSource ? bundle.Tokenizer : DefaultChatTemplate.Ensure(bundle.Tokenizer);
                tokenizer.Save(folder.TemporaryPath);
                int[] ends = [.. new SortedSet<int>(tokenizer.EndOfText is { } end && !bundle.ReadsSource ? [.. bundle.AnswerEndIds, end] : bundle.AnswerEndIds)];
                Checkpoint.WriteObject(folder, "generation_config.json", new JsonObject { ["eos_token_id"] = new JsonArray([.. ends.Select(s => (JsonNode)s)]) });
            });
    }

    private static PackedFormat Format(QuantizeOptions options)
    {
        if (!PackedFormats.TryGet(options.Format, out PackedFormat? format))
            throw new InvalidDataException($"quantize.format: '{options.Format}' is no packed format; there are {string.Join(", ", PackedFormats.All)}.");
        return options.DoubleQuantization && format is not NF4
            ? throw new InvalidDataException($"quantize.double_quantization: {format} has none; use NF4, or leave it out.")
            : format;
    }

    private static void Quantize(LanguageModel model, PackedFormat format, bool doubleQuantization, StageContext context)
    {
        long before = model.Parts.Store.LiveBytes;
        Linear? head = model is GenerativeModel { Head: { } output } ? output : null;
        IReadOnlyList<Linear> quantized = ModelQuantization.Apply(model, format, l => l != head, doubleQuantization);
        int left = model.Parts.Linears.Count(l => l != head && l.Weight is DenseWeight);
        string others = left == 0 ? "" : $"; {left} are left as they are, their rows are no whole blocks of {format.BlockSize}";
        context.Say($"finetune: {quantized.Count} layers in {format}{(doubleQuantization ? " with double quantization" : "")}{others}; the model takes {model.Parts.Store.LiveBytes / 1e6:N1} MB instead of {before / 1e6:N1} MB");
    }

    private static ModelAdapter Attach(LoraOptions lora, string basePath, ModelBundle bundle, ulong seed)
    {
        bundle.Model.SetTrainable(false);
        return ModelAdapter.Attach(
            bundle.Model,
            new LoraConfig(
                R: lora.R,
                LoraAlpha: lora.Alpha,
                LoraDropout: lora.Dropout,
                TargetModules: lora.TargetModules is ["all-linear"] ? ModuleNames.AllLinear : new ModuleNames(lora.TargetModules),
                TaskType: bundle.ReadsSource ? "SEQ_2_SEQ_LM" : "CAUSAL_LM",
                BaseModelNameOrPath: Path.GetFullPath(bundle.Location.Folder)),
            seed);
    }

    private static IReadOnlyList<Example> Examples(string[] paths, SupervisedExamples reader, TextData data, ExampleLimits limits, StageContext context)
    {
        ExampleReport report = reader.Read(context.Files(paths), data.Columns);
        context.Say($"finetune: {report.Records:N0} records of {string.Join(", ", paths.Select(Path.GetFileName))}, {report.Examples.Count:N0} examples, {report.Tokens:N0} tokens, {report.Targets:N0} of them learned");
        foreach (string note in report.Notes())
            context.Note($"finetune: {note}");
        return report.Examples.Count > 0
            ? report.Examples
            : throw new InvalidDataException(report.TooLong.Count > 0
                ? $"{string.Join(", ", paths)}: no conversation fits {limits.Tokens} tokens ({report.TooLong}); raise max_length or batch_tokens, set too_long to keep_answer, or use a model with a longer context."
                : $"{string.Join(", ", paths)}: no record has an answer to learn ({report.WithoutAnswer}); only what the assistant says is learned.");
    }
}
