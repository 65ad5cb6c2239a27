using Gradus.Adapters;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Text;
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
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        using LoadedModel loaded = ModelFolder.Open(recipe.Model, context.Device, recipe.KeepStoredType && recipe.Lora is not null);
        ChatTemplate template = loaded.Template ?? ChatTemplate.Parse(ChatTemplate.ChatMl);
        int limit = recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, loaded.Model.Config.ContextLength) : loaded.Model.Config.ContextLength;
        ulong seed = (ulong)recipe.Training.Seed;
        List<Example> train = Examples(recipe.Data.Train, loaded.Tokenizer, template, Math.Min(limit, recipe.BatchTokens), context);
        List<Example> heldOut = Examples(recipe.Data.Validation, loaded.Tokenizer, template, Math.Min(limit, recipe.BatchTokens), context);
        if (heldOut.Count == 0 && recipe.Data.ValidationFraction > 0 && train.Count > 1)
        {
            int kept = Math.Clamp((int)(train.Count * (1 - recipe.Data.ValidationFraction)), 1, train.Count - 1);
            (train, heldOut) = (train[..kept], train[kept..]);
        }
        run.WriteRun(RunDescription.Of("finetune", RecipeJson.Default.FinetuneRecipe, recipe, recipe.Training.Seed, context.Device));
        NextToken objective = new(
            new PackedExamples(train, recipe.BatchTokens, seed),
            heldOut.Count == 0 ? null : new PackedExamples(heldOut, recipe.BatchTokens, seed),
            recipe.Accumulation);
        Action<AtomicFolder> write = recipe.Lora is { } lora ? Adapt(lora, loaded, seed) : Whole(loaded);
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfAnswers(loaded, template, recipe.Samples, recipe.Training.Seed);
        return new TrainingRunner("finetune", context, recipe.Training, sampler).Train(loaded.Model, objective, run, write);
    }

    private static Action<AtomicFolder> Whole(LoadedModel loaded)
    {
        loaded.Model.SetTrainable(true);
        return folder =>
        {
            Checkpoint.Write(folder, loaded.Model);
            loaded.Tokenizer.Save(folder.TemporaryPath);
        };
    }

    private static Action<AtomicFolder> Adapt(LoraOptions lora, LoadedModel loaded, ulong seed)
    {
        loaded.Model.SetTrainable(false);
        throw new NotSupportedException();
    }

    private static List<Example> Examples(string[] paths, Tokenizer tokenizer, ChatTemplate template, int limit, StageContext context)
    {
        if (paths.Length == 0)
            return [];
        List<Example> all = [.. Conversations.Read(paths).Select(c => Conversations.Tokenize(c, tokenizer, template))];
        List<Example> fitting = [.. all.Where(e => e.Ids.Length <= limit && Enumerable.Range(0, e.Ids.Length).Any(e.IsTarget))];
        string left = fitting.Count == all.Count ? "" : $"; {all.Count - fitting.Count:N0} left out: longer than {limit:N0} tokens, or without an answer";
        context.Say($"finetune: {fitting.Count:N0} conversations of {string.Join(", ", paths.Select(Path.GetFileName))}, {fitting.Sum(e => (long)e.Ids.Length):N0} tokens{left}");
        return fitting.Count > 0
            ? fitting
            : throw new InvalidDataException($"{string.Join(", ", paths)}: no conversation fits {limit} tokens; raise max_length or batch_tokens, or use a model with a longer context.");
    }
}
