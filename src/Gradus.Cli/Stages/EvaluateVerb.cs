using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus evaluate</c>.</summary>
internal static class EvaluateVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context) => RecipeVerb.Create(
        context, "evaluate", "Measure models: losses, and answers by their metrics.", RecipeJson.Default.EvaluateRecipe, new EvaluateRecipe(), (r, c) => EvaluateStage.Run(r, c).Finished);
}
