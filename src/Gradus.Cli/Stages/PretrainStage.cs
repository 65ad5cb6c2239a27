using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Models;
using Gradus.Text;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Data.Tokens;
using Gradus.Training.Objectives;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Train a model on text.</summary>
public sealed record PretrainRecipe : StageRecipe
{
    /// <summary>A tokenizer's folder or file, or "character" for one token per distinct character of the text.</summary>
    [MinLength(1)]
    public string Tokenizer { get; init; } = "";

    /// <summary>The text.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>The architecture; the tokenizer sets its vocabulary.</summary>
    public ModelConfig Model { get; init; } = new Gpt2Config();

    /// <summary>A model to go on from, instead of a new one.</summary>
    public string? StartFrom { get; init; }

    /// <summary>Train for the form that a GGUF file of this type stores (q4_0, q8_0 …): computes with rounded weights. Null for none.</summary>
    public string? QuantizationAware { get; init; }

    /// <summary>What the model is trained for: the next token, masked tokens, replaced ones, pieces cut out, or two of them.</summary>
    public ObjectiveRecipe Objective { get; init; } = new NextTokenRecipe();

    /// <summary>How text is cut into micro-batches.</summary>
    public Batching Batching { get; init; } = new PackedBatching();

    /// <summary>Micro-batches per step.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new();

    /// <summary>Texts to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();

    internal override string Summary => "Train a model on text.";

    internal override IReadOnlyList<string> MayChange => [.. base.MayChange, .. TrainingRunner.MayChange];

    internal override StageRecipe Choose(string? model, string[] data, StageContext context) => RecipeChoice.Pretrain(model, data, context);

    internal override Func<StageContext, PlannedTraining>? Planned => context => PlannedTraining.Of(this, context);

    internal override StageResult Execute(StageContext context) => PretrainStage.Run(this with { Training = Training.On(context.Device) }, context);
}

/// <summary>How text is cut into micro-batches.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(BlockBatching), "blocks")]
[JsonDerivedType(typeof(PackedBatching), "packed")]
public abstract record Batching;

/// <summary>Blocks from random places of the text, all documents joined to one.</summary>
/// <param name="Length">Tokens per block.</param>
/// <param name="Count">Blocks per micro-batch.</param>
public sealed record BlockBatching([Range(1, int.MaxValue)] int Length = 64, [Range(1, int.MaxValue)] int Count = 12) : Batching;

/// <summary>Whole documents end to end; they do not see each other. Longer ones are cut at the model's context.</summary>
/// <param name="Tokens">The most tokens per micro-batch.</param>
public sealed record PackedBatching([Range(1, int.MaxValue)] int Tokens = 2048) : Batching;

/// <summary>Trains a model on text.</summary>
internal static class PretrainStage
{
    private const string PerCharacter = "character";

    /// <summary>Runs the stage.</summary>
    public static StageResult Run(PretrainRecipe recipe, StageContext context)
    {
        if (recipe.StartFrom is null)
            recipe.Objective.Check(recipe.Model);
        if (!recipe.Objective.WritesText && recipe.Samples.Prompts.Length > 0)
            throw new InvalidDataException("samples: a model of this objective writes no text; leave the prompts out.");
        using RunFolder run = context.OpenRun(recipe);
        TextFileSet files = Files(recipe, context);
        files.ThrowIfEmpty();
        Tokenizer tokenizer = recipe.Tokenizer == PerCharacter ? Characters(files) : Tokenizer.Load(recipe.Tokenizer);
        if (recipe.StartFrom is null)
            tokenizer = recipe.Objective.Prepare(tokenizer);
        using LanguageModel model = recipe.StartFrom is { } from
            ? Load(from, recipe.Objective, context)
            : Checkpoint.Create(recipe.Model.WithVocabulary(tokenizer.VocabularySize), (ulong)recipe.Training.Seed, context.Device);
        if (tokenizer.VocabularySize > model.Config.Vocabulary)
            throw new InvalidDataException($"{recipe.Tokenizer}: the tokenizer has {tokenizer.VocabularySize} tokens, but the model takes {model.Config.Vocabulary}; use the model's own tokenizer.");
        ModelBundle bundle = new(model, tokenizer, new ModelLocation(recipe.StartFrom ?? recipe.Run));
        StageQuantization.Apply(model, recipe.QuantizationAware, "pretrain", context);
        model.SetTrainable(true);
        using PretrainingText text = PretrainingText.Read(files, tokenizer, context.TokenCache, cancel: context.Cancellation);
        (BatchSource train, BatchSource? validation) = Batches(recipe, text, model.Config.ContextLength - recipe.Objective.AddedTokens, context);
        Objective objective = recipe.Objective.Make(model, tokenizer, train, validation, recipe.Accumulation, (ulong)recipe.Training.Seed);
        using IDisposable? owned = objective as IDisposable;
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfTexts(bundle, recipe.Samples, recipe.Training.Seed);
        return new TrainingRunner("pretrain", context, recipe.Training, sampler).Train(
            model,
            objective,
            run,
            () => RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                Checkpoint.Write(folder, model);
                tokenizer.Save(folder.TemporaryPath);
            });
    }

    /// <summary>The tokenizer of a recipe; null where it is not there yet.</summary>
    public static Tokenizer? TokenizerOf(PretrainRecipe recipe, StageContext context) =>
        recipe.Tokenizer == PerCharacter ? Characters(Files(recipe, context)) : Path.Exists(recipe.Tokenizer) ? Tokenizer.Load(recipe.Tokenizer) : null;

    private static TextFileSet Files(PretrainRecipe recipe, StageContext context) =>
        new(context.Files(recipe.Data.Train), context.Files(recipe.Data.Validation), recipe.Data.ValidationFraction, recipe.Data.Columns);

    private static Tokenizer Characters(TextFileSet files) => CharacterTokenizer.Train(files.TrainDocuments().Concat(files.ValidationDocuments()));

    private static LanguageModel Load(string from, ObjectiveRecipe objective, StageContext context)
    {
        ModelBundle opened = context.OpenModel(from, new ModelBundleOptions(WritesText: objective.WritesText));
        if (opened.Adapter is null)
        {
            objective.Check(opened.Model.Config);
            return opened.Model;
        }
        opened.Dispose();
        throw new InvalidDataException($"{from}: is an adapter; merge it into its model first: gradus convert {from} FOLDER");
    }

    private static (BatchSource Train, BatchSource? Validation) Batches(PretrainRecipe recipe, PretrainingText text, int contextLength, StageContext context)
    {
        string train = string.Join(", ", recipe.Data.Train);
        ulong seed = (ulong)recipe.Training.Seed;
        context.Say($"pretrain: {text.Train.Documents:N0} documents, {text.Train.Length:N0} tokens to train on, {text.HeldOut.Length:N0} held out");
        if (recipe.Batching is BlockBatching blocks)
        {
            if (blocks.Length > contextLength)
                throw new InvalidDataException($"batching.length: {blocks.Length} tokens, but the model's context is {contextLength}; lower it, or lengthen the context.");
            return text.Train.Length > blocks.Length
                ? text.Blocks(blocks.Length, blocks.Count, seed)
                : throw new InvalidDataException($"{train}: {text.Train.Length} tokens to train on, but a block takes {blocks.Length} and the one that follows; give more text, or lower batching.length.");
        }
        int tokens = ((PackedBatching)recipe.Batching).Tokens, limit = Math.Min(contextLength, tokens);
        if (limit < 2 || text.Train.Length <= text.Train.Documents)
            throw new InvalidDataException($"{train}: nothing to predict in pieces of {limit} tokens; give more text, or raise batching.tokens.");
        (PackedExamples packed, PackedExamples? heldOut, int examples, int heldOutExamples) = text.Packed(limit, tokens, seed);
        context.SayPasses("pretrain", packed, examples, heldOutExamples, recipe.Accumulation, recipe.Training);
        return (packed, heldOut);
    }
}
