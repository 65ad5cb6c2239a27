using System.Text;
using Gradus.Bundle;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Trains a model on text.</summary>
internal static class PretrainStage
{
    private const string PerCharacter = "character";

    /// <summary>Runs the stage.</summary>
    public static StageResult Run(PretrainRecipe recipe, StageContext context)
    {
        if (recipe.StartFrom is null && !Architectures.WritesText(recipe.Model))
            throw new InvalidDataException($"model: {recipe.Model.Architecture} does not predict the next token; pretrain a decoder such as gpt2 or llama.");
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        List<string> documents = [.. recipe.Data.Train.SelectMany(TextFiles.Texts)];
        if (documents.All(string.IsNullOrEmpty))
            throw new InvalidDataException($"{string.Join(", ", recipe.Data.Train)}: all documents are empty; give more text.");
        Tokenizer tokenizer = recipe.Tokenizer == PerCharacter
            ? CharacterTokenizer.Train(documents.Concat(recipe.Data.Validation.SelectMany(TextFiles.Texts)))
            : Tokenizer.Load(recipe.Tokenizer);
        using LanguageModel model = recipe.StartFrom is { } from
            ? Load(from, context.Device, context.Cancellation)
            : Checkpoint.Create(recipe.Model.WithVocabulary(tokenizer.VocabularySize), (ulong)recipe.Training.Seed, context.Device);
        if (tokenizer.VocabularySize > model.Config.Vocabulary)
            throw new InvalidDataException($"{recipe.Tokenizer}: the tokenizer has {tokenizer.VocabularySize} tokens, but the model takes {model.Config.Vocabulary}; use the model's own tokenizer.");
        ModelBundle bundle = new(model, tokenizer, new ModelLocation(recipe.StartFrom ?? recipe.Run));
        if (bundle.ReadsSource)
            throw new InvalidDataException($"model: a {model.Config.ArchitectureClass} writes targets for sources, which plain text has not; train it with gradus finetune.");
        model.SetTrainable(true);
        (BatchSource train, BatchSource? validation) = Batches(recipe, documents, tokenizer, model.Config.ContextLength, context);
        NextToken objective = new(train, validation, recipe.Accumulation);
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfTexts(bundle, recipe.Samples, recipe.Training.Seed);
        return new TrainingRunner("pretrain", context, recipe.Training, sampler).Train(
            model,
            objective,
            run,
            () => RunDescription.Write(run, "pretrain", RecipeJson.Default.PretrainRecipe, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                Checkpoint.Write(folder, model);
                tokenizer.Save(folder.TemporaryPath);
            });
    }

    private static GenerativeModel Load(string from, Device device, CancellationToken cancel)
    {
        ModelBundle opened = ModelFolder.Open(from, device, new ModelBundleOptions(WritesText: true), cancel);
        if (opened.Adapter is null)
            return opened.Generative;
        opened.Dispose();
        throw new InvalidDataException($"{from}: is an adapter; merge it into its model first: gradus convert {from} FOLDER");
    }

    private static (BatchSource Train, BatchSource? Validation) Batches(
        PretrainRecipe recipe, List<string> documents, Tokenizer tokenizer, int contextLength, StageContext context)
    {
        List<string> heldOut = [.. recipe.Data.Validation.SelectMany(TextFiles.Texts)];
        if (heldOut.Count == 0 && recipe.Data.ValidationFraction > 0)
            (documents, heldOut) = HoldOut(documents, recipe.Data.ValidationFraction, wholeDocuments: recipe.Batching is PackedBatching);
        return recipe.Batching is BlockBatching blocks
            ? Blocks(blocks, recipe, documents, heldOut, tokenizer, contextLength, context)
            : Packed((PackedBatching)recipe.Batching, recipe, documents, heldOut, tokenizer, contextLength, context);
    }

    private static (BatchSource Train, BatchSource? Validation) Blocks(
        BlockBatching blocks, PretrainRecipe recipe, List<string> documents, List<string> heldOut, Tokenizer tokenizer, int contextLength, StageContext context)
    {
        if (blocks.Length > contextLength)
            throw new InvalidDataException($"batching.length: {blocks.Length} tokens, but the model's context is {contextLength}; lower it, or lengthen the context.");
        ulong seed = (ulong)recipe.Training.Seed;
        int[] train = Stream(documents, tokenizer), validation = Stream(heldOut, tokenizer);
        if (train.Length <= blocks.Length)
            throw new InvalidDataException($"{string.Join(", ", recipe.Data.Train)}: {train.Length} tokens to train on, but a block takes {blocks.Length} and the one that follows; give more text, or lower batching.length.");
        context.Say($"pretrain: {train.Length:N0} tokens to train on, {validation.Length:N0} held out");
        int targets = validation.Length - 1;
        return (new RandomBlocks(train, blocks.Length, blocks.Count, seed),
            targets < 1 ? null : new RandomBlocks(validation, Math.Min(blocks.Length, targets), blocks.Count, seed) { BytesPerTarget = BytesPer(heldOut, targets) });
    }

    private static (BatchSource Train, BatchSource? Validation) Packed(
        PackedBatching batching, PretrainRecipe recipe, List<string> documents, List<string> heldOut, Tokenizer tokenizer, int contextLength, StageContext context)
    {
        ulong seed = (ulong)recipe.Training.Seed;
        int limit = Math.Min(contextLength, batching.Tokens);
        List<Example> train = Cut(documents, tokenizer, limit), validation = Cut(heldOut, tokenizer, limit);
        if (train.Count == 0)
            throw new InvalidDataException($"{string.Join(", ", recipe.Data.Train)}: nothing to predict in pieces of {limit} tokens; give more text, or raise batching.tokens.");
        long targets = validation.Sum(e => (long)e.Ids.Length - 1);
        context.Say($"pretrain: {documents.Count:N0} documents, {train.Sum(e => (long)e.Ids.Length):N0} tokens to train on, {targets:N0} held out");
        return (new PackedExamples(train, batching.Tokens, seed),
            targets == 0 ? null : new PackedExamples(validation, batching.Tokens, seed) { BytesPerTarget = BytesPer(heldOut, targets) });
    }

    /// <summary>Parts the last documents from the others; a single one is cut in two unless only whole ones may be parted.</summary>
    private static (List<string> Kept, List<string> HeldOut) HoldOut(List<string> documents, double fraction, bool wholeDocuments)
    {
        if (documents.Count > 1)
        {
            int kept = Math.Clamp((int)(documents.Count * (1 - fraction)), 1, documents.Count - 1);
            return (documents[..kept], documents[kept..]);
        }
        if (wholeDocuments)
            return (documents, []);
        (string first, string rest) = SplitText(documents[0], fraction);
        return ([first], [rest]);
    }

    /// <summary>The documents as one stream, each ended by the tokenizer's end of text where it has one and there are several.</summary>
    private static int[] Stream(List<string> documents, Tokenizer tokenizer)
    {
        List<int> ids = [];
        foreach (string document in documents)
        {
            ids.AddRange(tokenizer.Encode(document, addSpecialTokens: false));
            if (documents.Count > 1 && tokenizer.EosId is { } end)
                ids.Add(end);
        }
        return [.. ids];
    }

    /// <summary>Documents as examples that end with the end of text; longer ones are cut at the limit.</summary>
    private static List<Example> Cut(List<string> documents, Tokenizer tokenizer, int limit)
    {
        List<Example> examples = [];
        foreach (int[] encoded in tokenizer.EncodeBatch(documents, addSpecialTokens: false))
        {
            int[] ids = tokenizer.EosId is { } end ? [.. encoded, end] : encoded;
            for (int start = 0; start < ids.Length; start += limit)
            {
                int[] part = ids[start..Math.Min(ids.Length, start + limit)];
                if (part.Length > 1)
                    examples.Add(new Example(part));
            }
        }
        return examples;
    }

    // The end of the text is held out; a pair of surrogates is not torn apart.
    private static (string Kept, string HeldOut) SplitText(string text, double fraction)
    {
        int at = (int)(text.Length * (1 - fraction));
        if (at > 0 && at < text.Length && char.IsLowSurrogate(text[at]))
            at--;
        return (text[..at], text[at..]);
    }

    private static double BytesPer(List<string> texts, long targets) =>
        targets > 0 ? texts.Sum(t => (double)Encoding.UTF8.GetByteCount(t)) / targets : 0;
}
