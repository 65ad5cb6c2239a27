using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus run</c>: several stages from one recipe.</summary>
internal static class RunVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context) => RecipeVerb.Create(
        context, "run", "Run several stages of one recipe, with one report.", RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), Pipeline.Run);
}
