using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors.Packed;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Trains a model, or a low-rank adapter of it, on conversations.</summary>
internal static class FinetuneStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(FinetuneRecipe recipe, StageContext context)
    {
        if (recipe.Quantize is not null && recipe.Lora is null)
            throw new InvalidDataException("quantize: quantized weights are not trained; set lora as well, or leave quantize out.");
        PackedFormat? format = recipe.Quantize is { } quantize ? Format(quantize) : null;
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        bool keep = recipe.KeepStoredType && recipe.Lora is not null;
        using ModelBundle bundle = ModelFolder.Open(
            recipe.Model, context.Device, new ModelBundleOptions(keep, keep, WritesText: true, DefaultTemplate: ChatTemplate.ChatMl), context.Cancellation);
        if (bundle.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus convert {recipe.Model} FOLDER");
        int limit = recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, bundle.ContextLength) : bundle.ContextLength;
        ulong seed = (ulong)recipe.Training.Seed;
        Func<string[], IEnumerable<Example>> tokenize = bundle.Model is EncoderDecoderModel answering
            ? paths => SourceTargets.Tokenize(paths, bundle.Tokenizer, answering.StartToken)
            : paths => Conversations.Tokenize(paths, bundle.Chat);
        List<Example> train = Examples(recipe.Data.Train, tokenize, limit, recipe.BatchTokens, context);
        List<Example> heldOut = Examples(recipe.Data.Validation, tokenize, limit, recipe.BatchTokens, context);
        if (heldOut.Count == 0 && recipe.Data.ValidationFraction > 0 && train.Count > 1)
        {
            int kept = Math.Clamp((int)(train.Count * (1 - recipe.Data.ValidationFraction)), 1, train.Count - 1);
            (train, heldOut) = (train[..kept], train[kept..]);
        }
        NextToken objective = new(
            new PackedExamples(train, recipe.BatchTokens, seed),
            heldOut.Count == 0 ? null : new PackedExamples(heldOut, recipe.BatchTokens, seed),
            recipe.Accumulation);
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
            () => RunDescription.Write(run, "finetune", RecipeJson.Default.FinetuneRecipe, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                if (adapter is null)
                    Checkpoint.Write(folder, bundle.Model);
                else
                    PeftFolder.Write(folder, adapter);
                bundle.Tokenizer.Save(folder.TemporaryPath);
                Checkpoint.WriteObject(folder, "generation_config.json", new JsonObject { ["eos_token_id"] = new JsonArray([.. bundle.AnswerEndIds.Select(s => (JsonNode)s)]) });
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

    private static List<Example> Examples(string[] paths, Func<string[], IEnumerable<Example>> tokenize, int longest, int batchTokens, StageContext context)
    {
        if (paths.Length == 0)
            return [];
        List<Example> all = [.. tokenize(paths)];
        int limit = Math.Min(longest, batchTokens);
        List<Example> fitting = [.. all.Where(e => e.Ids.Length <= longest && (e.Source?.Length ?? 1) is var read && read > 0 && read <= longest && e.TotalTokens <= batchTokens && Enumerable.Range(0, e.Ids.Length).Any(e.IsTarget))];
        string left = fitting.Count == all.Count ? "" : $"; {all.Count - fitting.Count:N0} left out: longer than {limit:N0} tokens, or without an answer";
        context.Say($"finetune: {fitting.Count:N0} conversations of {string.Join(", ", paths.Select(Path.GetFileName))}, {fitting.Sum(e => (long)e.TotalTokens):N0} tokens{left}");
        return fitting.Count > 0
            ? fitting
            : throw new InvalidDataException($"{string.Join(", ", paths)}: no conversation fits {limit} tokens; raise max_length or batch_tokens, or use a model with a longer context.");
    }
}
