using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus pretrain</c>.</summary>
internal static class PretrainVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context) => RecipeVerb.Create(
        context, "pretrain", "Train a model on text.", RecipeJson.Default.PretrainRecipe, new PretrainRecipe(), (r, c) => PretrainStage.Run(r, c).Finished);
}
