using System.CommandLine;
using System.Diagnostics;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus quickstart</c>: the whole life of a small model, by the recipe that ships with the command.</summary>
internal static class QuickstartVerb
{
    private const string Recipe = "recipes/quickstart.json";

    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context)
    {
        Option<bool> resume = new("--resume") { Description = "Go on with a quickstart that was interrupted." };
        Option<bool> json = new("--json") { Description = "Print machine-readable lines." };
        Verb verb = new("quickstart", "The whole life of a small model in minutes: data, tokenizer, pre-training, fine-tuning, LoRA, alignment, evaluation, report.")
        {
            Examples = [("quickstart", "do it in runs/quickstart"), ("quickstart --run=/tmp/first --resume", "go on elsewhere")],
        };
        verb.Options.Add(resume);
        verb.Options.Add(json);
        verb.TreatUnmatchedTokensAsErrors = false;
        verb.SetAction(parse =>
        {
            long start = Stopwatch.GetTimestamp();
            PipelineRecipe recipe = ConfigurationTree.Resolve(RecipeJson.Default.PipelineRecipe, new PipelineRecipe(), EmbeddedText.Read(Recipe), Recipe, parse.UnmatchedTokens);
            StageContext stage = new(context, parse.GetValue(json), parse.GetValue(resume), CpuDevice.Default);
            if (!Pipeline.Run(recipe, stage))
                return context.Interrupts.ExitCode ?? ExitCode.Interrupted;
            stage.Say($"\nDone in {StageContext.Duration(Stopwatch.GetElapsedTime(start).TotalSeconds)}. The report: {Path.Combine(recipe.Run, "report.html")}");
            foreach (string next in recipe.Next)
                stage.Say($"Try: {next.Replace("$run", recipe.Run, StringComparison.Ordinal)}");
            return ExitCode.Done;
        });
        return verb;
    }
}
