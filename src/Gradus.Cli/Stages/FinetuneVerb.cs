using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus finetune</c>.</summary>
internal static class FinetuneVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context) => RecipeVerb.Create(
        context, "finetune", "Train a model, or a low-rank adapter of it, on conversations.", RecipeJson.Default.FinetuneRecipe, new FinetuneRecipe(), (r, c) => FinetuneStage.Run(r, c).Finished);
}
