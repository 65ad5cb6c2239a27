using System.Globalization;
using Gradus.Training.Data.SmallWorld;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Writes the generated data that the quickstart learns from.</summary>
internal static class SmallWorldStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(SmallWorldRecipe recipe, StageContext context)
    {
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        SmallWorldFiles.Write(run.FullPath, (ulong)recipe.Seed, new SmallWorldSizes(
            new SplitSizes(recipe.Stories, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Dialogues, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Instructions, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Conversations, recipe.HeldOut, recipe.HeldOut)));
        RunDescription.Write(run, "small_world", RecipeJson.Default.SmallWorldRecipe, recipe, recipe.Seed, context.Device);
        context.Say($"data: {recipe.Stories:N0} stories, {recipe.Dialogues:N0} dialogues with summaries, {recipe.Instructions:N0} instructions, {recipe.Conversations:N0} conversations, and {recipe.HeldOut:N0} of each held out twice → {recipe.Run}");
        return new StageResult(run.FullPath,
        [
            ("Stories", recipe.Stories.ToString("N0", CultureInfo.InvariantCulture)),
            ("Dialogues with summaries", recipe.Dialogues.ToString("N0", CultureInfo.InvariantCulture)),
            ("Instructions", recipe.Instructions.ToString("N0", CultureInfo.InvariantCulture)),
            ("Conversations", recipe.Conversations.ToString("N0", CultureInfo.InvariantCulture)),
        ]);
    }
}
