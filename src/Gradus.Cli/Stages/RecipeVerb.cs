using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Verbs;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Stages;

/// <summary>
/// Verbs that run a recipe: <c>gradus VERB RECIPE.json [--key.of.recipe=value …]</c>; of some stages also <c>gradus VERB MODEL --data FILE</c>, for
/// which a recipe is chosen, shown and run.
/// </summary>
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
        StageRecipe? chooser = defaults is StageRecipe { RunsWithoutRecipe: true } stage ? stage : null;
        Argument<string> recipe = new(chooser is null ? "RECIPE" : "RECIPE|MODEL")
        {
            Description = $"The recipe, a JSON file; `gradus schema {name}` prints what it can hold, `gradus init {name}` writes one.{(chooser is null ? "" : " With --data the model instead: a recipe is chosen for both.")}",
        };
        Option<string[]> data = InitVerb.DataOption();
        Option<bool> resume = new("--resume") { Description = "Go on with the run that the folder holds." };
        Option<bool> fetch = new("--fetch") { Description = "Fetch named data sets that are missing, without a question." };
        Option<bool> json = new("--json") { Description = "Print machine-readable lines." };
        Option<bool> plan = new("--plan") { Description = "Say what memory and time the run will take, and do not run it." };
        bool planned = defaults is StageRecipe { Planned: not null };
        Verb verb = new(name, description)
        {
            Arguments = { recipe },
            Examples =
            [
                ($"{name} recipes/NAME.json --training.steps=100", "run a recipe with one value changed"),
                .. chooser is null ? [] : ((string, string)[])[($"{name} my-model --data chat.jsonl", "without a recipe: one that suits model and data is chosen, shown, and kept with the run")],
            ],
            Notes = ("Keys of the recipe, to be changed by --KEY=VALUE:", () => CommentedRecipe.Keys(type, defaults)),
        };
        if (chooser is not null)
            verb.Options.Add(data);
        foreach (Option option in new Option[] { resume, fetch, json })
            verb.Options.Add(option);
        if (planned)
            verb.Options.Add(plan);
        verb.TreatUnmatchedTokensAsErrors = false;
        verb.SetAction(parse =>
        {
            string given = parse.GetRequiredValue(recipe);
            string[] files = chooser is null ? [] : parse.GetValue(data) ?? [];
            StageContext here = new(context, parse.GetValue(json), parse.GetValue(resume), CpuDevice.Default)
            {
                RecipeFile = files.Length == 0 ? given : null,
                Data = new NamedData(context, parse.GetValue(fetch)),
            };
            object resolved = files.Length == 0
                ? ConfigurationTree.Load(type, defaults, given, parse.UnmatchedTokens)
                : Chosen(chooser!, given, files, parse.UnmatchedTokens, here);
            if (planned && parse.GetValue(plan))
                return PlanVerb.Show(context, ((StageRecipe)resolved).Planned!(here), parse.GetValue(json));
            return run(resolved, here) ? ExitCode.Done : context.Interrupts.ExitCode ?? ExitCode.Interrupted;
        });
        return verb;
    }

    // What was changed on the command line is part of what is shown.
    private static StageRecipe Chosen(StageRecipe stage, string model, string[] files, IReadOnlyList<string> overrides, StageContext context)
    {
        StageRecipe chosen = stage.Choose(model, files, context);
        chosen = (StageRecipe)ConfigurationTree.Resolve(chosen.Metadata, chosen, overrides);
        context.Tell(
            new JsonObject { ["kind"] = "recipe", ["recipe"] = JsonNode.Parse(ConfigurationTree.ToJson(chosen.Metadata, chosen)) },
            CommentedRecipe.Write(chosen.Metadata, chosen, $"Chosen for {model} and {string.Join(", ", files)}; kept as {Path.Combine(chosen.Run, RunDescription.RecipeFile)}"));
        return chosen;
    }
}
