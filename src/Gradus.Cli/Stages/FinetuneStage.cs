using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
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
using Gradus.Training.Tuning;

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

    /// <summary>Train vectors of texts on pairs that belong together; null to learn to write.</summary>
    public SentenceOptions? Embeddings { get; init; }

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

    /// <summary>Train a low-rank adapter and leave the model as it is: the short form of method lora; null for the method, or the whole model.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>What is trained: all of the model, chosen parameters, or an adapter on it; null for lora, or the whole model.</summary>
    public TuningMethod? Method { get; init; }

    /// <summary>Quantize the frozen model's linear layers, but for the output head, when it is loaded (QLoRA); only with an adapter.</summary>
    public QuantizeOptions? Quantize { get; init; }

    /// <summary>Keep the frozen model's weights as they are stored (BF16, F16, a GGUF file's blocks: QLoRA); only with an adapter.</summary>
    public bool KeepStoredType { get; init; }

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new() { Optimizer = new AdamW(LearningRate: 2e-4) };

    /// <summary>Answers to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();

    /// <summary>What is trained.</summary>
    internal TuningMethod Tuned => LoraOptions.MethodOf(Method, Lora);

    internal override string Summary => "Train a model, or an adapter of it, on conversations or labelled texts.";

    internal override IReadOnlyList<string> MayChange => [.. base.MayChange, .. TrainingRunner.MayChange];

    internal override bool RunsWithoutRecipe => true;

    internal override StageRecipe Choose(string? model, string[] data, StageContext context) => RecipeChoice.Finetune(Needed(model), data, context);

    internal override Func<StageContext, PlannedTraining>? Planned => context => PlannedTraining.Of(this, context);

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

    /// <summary>What a recipe says is trained.</summary>
    /// <param name="method">Its method, or null.</param>
    /// <param name="lora">Its short form of the method lora, or null.</param>
    /// <exception cref="InvalidDataException">It says both.</exception>
    internal static TuningMethod MethodOf(TuningMethod? method, LoraOptions? lora) => (method, lora) switch
    {
        (null, null) => new FullMethod(),
        (null, { } given) => new LoraMethod(given.R, given.Alpha, given.Dropout) { TargetModules = given.TargetModules },
        ({ } given, null) => given,
        _ => throw new InvalidDataException("method: lora says the same in short; give one of them."),
    };
}

/// <summary>How a frozen model's weights are quantized in memory before an adapter is trained over them (Dettmers et al., "QLoRA", 2023).</summary>
/// <param name="Format">A packed format: NF4, Q4_K, Q8_0 …</param>
/// <param name="DoubleQuantization">Quantize the scales of NF4's blocks too: 4.127 bits a weight instead of 4.5.</param>
public sealed record QuantizeOptions(string Format = "NF4", bool DoubleQuantization = false);

/// <summary>Trains a model, or an adapter of it, on conversations.</summary>
internal static class FinetuneStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(FinetuneRecipe recipe, StageContext context)
    {
        TuningMethod method = recipe.Tuned;
        if (recipe.Task is { } task)
            return recipe.Embeddings is null ? TaskTuning.Run(recipe, task, context) : throw new InvalidDataException("embeddings: task asks for another head; give one of them.");
        if (recipe.Embeddings is { } embeddings)
            return EmbeddingTuning.Run(recipe, embeddings, context);
        if (recipe.Quantize is not null && !method.FreezesModel)
            throw new InvalidDataException("quantize: quantized weights are not trained; set lora, or a method that trains an adapter, or leave quantize out.");
        PackedFormat? format = recipe.Quantize is { } quantize ? Format(quantize) : null;
        using RunFolder run = context.OpenRun(recipe);
        bool keep = recipe.KeepStoredType && method.FreezesModel;
        // The model's own run may have gone on since.
        using ModelBundle bundle = context.OpenModel(RunDescription.BaseOf(run) ?? recipe.Model, new ModelBundleOptions(keep, keep, WritesText: true, DefaultTemplate: true));
        if (bundle.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        (PackedExamples batches, PackedExamples? heldOut) = Data(recipe, method, bundle, context);
        if (format is not null)
            Quantize(bundle.Model, format, recipe.Quantize!.DoubleQuantization, context);
        TuningTarget target = new(bundle.Model, bundle.Tokenizer, Path.GetFullPath(bundle.Location.Folder), bundle.ReadsSource ? "SEQ_2_SEQ_LM" : "CAUSAL_LM", recipe.Training.Steps)
        {
            Batches = batches.All().Select(b => b.Tokens),
        };
        using Tuning tuning = method.Apply(target, (ulong)recipe.Training.Seed);
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfAnswers(bundle, recipe.Samples, recipe.Training.Seed);
        return new TrainingRunner("finetune", context, WithGroups(recipe.Training, method), sampler).Train(
            bundle.Model,
            tuning.For(new NextToken(batches, heldOut, recipe.Accumulation)),
            run,
            () =>
            {
                RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device, bundle.Location.Folder);
                KeepBase("finetune", tuning, bundle, run, context);
            },
            folder => WriteWith(folder, tuning, bundle));
    }

    /// <summary>The options of a training with the parameter groups of its method behind those of the recipe.</summary>
    public static TrainingOptions WithGroups(TrainingOptions options, TuningMethod method) =>
        method.Groups.Count == 0 ? options : options with { Groups = [.. options.Groups, .. method.Groups] };

    /// <summary>Notes in the base model's run that an adapter stands on its checkpoint.</summary>
    public static void KeepBase(string stage, Tuning tuning, ModelBundle bundle, RunFolder run, StageContext context)
    {
        if (tuning.Adapter is not null && !RunFolder.KeepFor(bundle.Location.Folder, run.FullPath))
            context.Note($"{stage}: warning: {bundle.Location.Folder} is a checkpoint of a run that cannot be written; if that run goes on, it may remove the model that this adapter needs");
    }

    /// <summary>Writes what was trained, the tokenizer with its template, and the ids that end an answer.</summary>
    public static void WriteWith(AtomicFolder folder, Tuning tuning, ModelBundle bundle)
    {
        tuning.Write(folder);
        Tokenizer tokenizer = bundle.ReadsSource ? bundle.Tokenizer : DefaultChatTemplate.Ensure(bundle.Tokenizer);
        tokenizer.Save(folder.TemporaryPath);
        int[] ends = [.. new SortedSet<int>(tokenizer.EndOfText is { } end && !bundle.ReadsSource ? [.. bundle.AnswerEndIds, end] : bundle.AnswerEndIds)];
        Checkpoint.WriteObject(folder, "generation_config.json", new JsonObject { ["eos_token_id"] = new JsonArray([.. ends.Select(s => (JsonNode)s)]) });
    }

    private static (PackedExamples Train, PackedExamples? HeldOut) Data(FinetuneRecipe recipe, TuningMethod method, ModelBundle bundle, StageContext context)
    {
        int room = bundle.ContextLength - ((method as PromptMethod)?.VirtualTokens ?? 0);
        if (room < 2)
            throw new InvalidDataException($"method.virtual_tokens: leave no room in the model's context of {bundle.ContextLength} tokens; use fewer.");
        ExampleLimits limits = new(recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, room) : room, recipe.BatchTokens, recipe.TooLong);
        int? tasks = (method as MultitaskPromptTuningMethod)?.Tasks;
        SupervisedExamples reader = (bundle.Model is EncoderDecoderModel answering ? new(bundle.Tokenizer, answering.StartToken, limits) : new SupervisedExamples(bundle.Chat, limits)).WithTasks(tasks);
        IReadOnlyList<Example> train = Examples(recipe.Data.Train, reader, recipe.Data, limits, context);
        IReadOnlyList<Example> heldOut = recipe.Data.Validation.Length == 0 ? [] : Examples(recipe.Data.Validation, reader, recipe.Data, limits, context);
        if (heldOut.Count == 0 && HoldOut.Kept(train.Count, recipe.Data.ValidationFraction) is var kept && kept < train.Count)
            (train, heldOut) = ([.. train.Take(kept)], [.. train.Skip(kept)]);
        ulong seed = (ulong)recipe.Training.Seed;
        PackedExamples batches = new(train, recipe.BatchTokens, seed);
        context.SayPasses("finetune", batches, train.Count, heldOut.Count, recipe.Accumulation, recipe.Training);
        return (batches, heldOut.Count == 0 ? null : new PackedExamples(heldOut, recipe.BatchTokens, seed));
    }

    /// <summary>The format of a recipe.</summary>
    /// <exception cref="InvalidDataException">There is none of that name, or it has no double quantization.</exception>
    public static PackedFormat Format(QuantizeOptions options)
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
