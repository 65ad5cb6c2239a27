// Fine-tuning a model that makes vectors of texts, from pairs of texts that belong together.

using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Runs;
using Gradus.Training.Tuning;

namespace Gradus.Cli.Stages;

/// <summary>Vectors of texts: which fields of the records belong together, and how vectors are made.</summary>
/// <param name="Anchor">The field of a text: a query, a sentence.</param>
/// <param name="Positive">The field of a text that is to lie near it; those of other records in a micro-batch are not.</param>
/// <param name="Negative">The field of a text that is not to lie near it; null where records have none.</param>
/// <param name="Pooling">How the hidden states of a text become one vector; null for the model's own way, or the mean, and the last token of a decoder.</param>
/// <param name="Temperature">Similarities are divided by it.</param>
public sealed record SentenceOptions(
    [MinLength(1)] string Anchor = "anchor",
    [MinLength(1)] string Positive = "positive",
    string? Negative = null,
    Pooling? Pooling = null,
    [Range(0.0, 100.0, MinimumIsExclusive = true)] double Temperature = 0.05)
{
    /// <summary>Besides whole vectors, so many first values of them are trained to be vectors of their own (Matryoshka).</summary>
    [Range(1, 1_000_000)]
    public int[] Dimensions { get; init; } = [];
}

/// <summary>Trains a model to make vectors of texts; its checkpoint is one that sentence-transformers loads.</summary>
internal static class EmbeddingTuning
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(FinetuneRecipe recipe, SentenceOptions options, StageContext context)
    {
        if (recipe.Quantize is not null || recipe.KeepStoredType)
            throw new InvalidDataException("embeddings: vectors are not trained over quantized or stored weights; leave quantize and keep_stored_type out.");
        if (recipe.Samples.Prompts.Length > 0)
            throw new InvalidDataException("samples: a model of vectors writes no text; leave the prompts out.");
        using RunFolder run = context.OpenRun(recipe);
        using ModelBundle bundle = context.OpenModel(RunDescription.BaseOf(run) ?? recipe.Model, new ModelBundleOptions());
        if (bundle.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        LanguageModel body = (bundle.Model as TaskModel)?.Body ?? bundle.Model;
        Pooling pooling = options.Pooling ?? bundle.Pooling ?? (body is DecoderModel or RnnLm ? Pooling.Last : Pooling.Mean);
        int limit = Math.Min(recipe.BatchTokens / (options.Negative is null ? 2 : 3), recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, bundle.ContextLength) : bundle.ContextLength);
        IReadOnlyList<SentenceTriple> train = Read(recipe, recipe.Data.Train, options, bundle, limit, context);
        IReadOnlyList<SentenceTriple> heldOut = recipe.Data.Validation.Length == 0 ? [] : Read(recipe, recipe.Data.Validation, options, bundle, limit, context);
        (train, heldOut) = AlignSetting.Parted(train, heldOut, recipe.Data.ValidationFraction);
        ulong seed = (ulong)recipe.Training.Seed;
        SentenceTriples batches = new(train, recipe.BatchTokens, seed);
        context.Say(string.Create(CultureInfo.InvariantCulture, $"finetune: {train.Count:N0} records to train on, {heldOut.Count:N0} held out; {(double)train.Count / batches.BatchesOf(1):0.#} texts are compared at once"));
        TuningTarget target = new(bundle.Model, bundle.Tokenizer, Path.GetFullPath(bundle.Location.Folder), "FEATURE_EXTRACTION", recipe.Training.Steps) { Batches = batches.All().Select(b => b.Tokens) };
        using Tuning tuning = recipe.Tuned.Apply(target, seed);
        ContrastiveObjective objective = new(
            new ContrastiveOptions(pooling, options.Temperature, options.Dimensions), batches, heldOut.Count == 0 ? null : new SentenceTriples(heldOut, recipe.BatchTokens, seed), recipe.Accumulation);
        return new TrainingRunner("finetune", context, FinetuneStage.WithGroups(recipe.Training, recipe.Tuned), sampler: null).Train(
            bundle.Model,
            tuning.For(objective),
            run,
            () => RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device, bundle.Location.Folder),
            folder =>
            {
                tuning.Write(folder);
                bundle.Tokenizer.Save(folder.TemporaryPath);
                SentencePooling.Write(folder, pooling, WidthOf(bundle.Model));
            });
    }

    private static int WidthOf(LanguageModel model) => model.Parts.Embeddings.First(e => e.Count == model.Config.Vocabulary).Width;

    private static List<SentenceTriple> Read(FinetuneRecipe recipe, string[] paths, SentenceOptions options, ModelBundle bundle, int limit, StageContext context)
    {
        List<SentenceTriple> triples = [];
        long cut = 0;
        foreach (DataRecord record in context.Files(paths).SelectMany(p => TextFiles.Records(p, recipe.Data.Columns)))
            triples.Add(new SentenceTriple(Tokens(record, options.Anchor), Tokens(record, options.Positive), options.Negative is { } negative ? Tokens(record, negative) : null));
        if (cut > 0)
            context.Note($"finetune: {cut:N0} texts were longer than {limit:N0} tokens and cut");
        return triples;

        int[] Tokens(DataRecord record, string field)
        {
            string text = record.Text(field);
            int[] ids = bundle.ReadsSource ? SourceText.Encode(text, bundle.Tokenizer) : bundle.Tokenizer.Encode(text);
            if (ids.Length == 0)
                throw record.Wrong($"the field \"{field}\" has no text; leave the record out.");
            if (ids.Length <= limit)
                return ids;
            cut++;
            return bundle.Tokenizer.EncodeWithOffsets(text, truncation: new Truncation(limit)).Ids;
        }
    }
}
