using System.CommandLine;
using System.Text.Json.Serialization.Metadata;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Stages;

/// <summary>Verbs that run a recipe: <c>gradus VERB RECIPE.json [--key.of.recipe=value …]</c>.</summary>
internal static class RecipeVerb
{
    /// <summary>Makes the verb of a kind of recipe.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="name">The verb.</param>
    /// <param name="description">One line of help.</param>
    /// <param name="type">The recipe's metadata.</param>
    /// <param name="defaults">The values of everything that is not given.</param>
    /// <param name="run">Runs the recipe; false where it was asked to stop before its end.</param>
    public static Command Create(CommandContext context, string name, string description, JsonTypeInfo type, object defaults, Func<object, StageContext, bool> run)
    {
        Argument<string> recipe = new("RECIPE") { Description = "The recipe, a JSON file; `gradus schema` prints what it can hold." };
        Option<bool> resume = new("--resume") { Description = "Go on with the run that the folder holds." };
        Option<bool> fetch = new("--fetch") { Description = "Fetch named data sets that are missing, without a question." };
        Option<bool> json = new("--json") { Description = "Print machine-readable lines." };
        Verb verb = new(name, description)
        {
            Examples = [($"{name} recipes/NAME.json --training.steps=100", "run a recipe with one value changed")],
        };
        verb.Arguments.Add(recipe);
        verb.Options.Add(resume);
        verb.Options.Add(fetch);
        verb.Options.Add(json);
        verb.TreatUnmatchedTokensAsErrors = false;
        verb.SetAction(parse =>
        {
            object resolved = ConfigurationTree.Load(type, defaults, parse.GetValue(recipe)!, parse.UnmatchedTokens);
            StageContext stage = new(context.Out, parse.GetValue(json), parse.GetValue(resume), CpuDevice.Default, context.Cancellation)
            {
                Data = new NamedData(context, parse.GetValue(fetch)),
            };
            return run(resolved, stage) ? ExitCode.Done : context.Interrupts.ExitCode ?? ExitCode.Interrupted;
        });
        return verb;
    }
}
