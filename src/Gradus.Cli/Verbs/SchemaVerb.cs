using System.CommandLine;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;

namespace Gradus.Cli.Verbs;

/// <summary>A kind of recipe that <c>gradus schema</c> describes.</summary>
/// <param name="Name">What the verb calls it: the verb that runs it.</param>
/// <param name="Meaning">What it is for, in one line.</param>
/// <param name="Write">Writes the schema.</param>
internal sealed record RecipeKind(string Name, string Meaning, Func<string> Write);

/// <summary><c>gradus schema</c>: the JSON schema of recipes, for editors.</summary>
internal static class SchemaVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        RecipeKind[] kinds =
        [
            .. StageRecipe.All.Where(s => s.HasRecipeVerb).Select(s => new RecipeKind(s.Kind, s.Summary, () => ConfigurationSchema.Write(s.Metadata, s))),
            new RecipeKind("run", "Several stages, one after the other.", () => ConfigurationSchema.Write(RecipeJson.Default.PipelineRecipe, new PipelineRecipe())),
        ];
        Argument<string?> kind = new("KIND")
        {
            Description = $"The recipe: {string.Join(", ", kinds.Select(k => k.Name))}; none lists them.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Verb verb = new("schema", "Print the JSON schema of a recipe, from which editors complete and check it.") { kind };
        verb.Examples = [($"schema {kinds[0].Name} > {kinds[0].Name}.schema.json", "writes a schema; name it in a recipe as \"$schema\"")];
        verb.SetAction(parse => Run(context, kinds, parse.GetValue(kind)));
        return verb;
    }

    private static int Run(CommandContext context, IReadOnlyList<RecipeKind> kinds, string? name)
    {
        if (name is null)
        {
            Facts facts = new(context);
            foreach (RecipeKind kind in kinds)
                facts.Add(kind.Name, kind.Meaning);
            return ExitCode.Done;
        }
        RecipeKind found = kinds.FirstOrDefault(k => k.Name == name)
            ?? throw new UsageException($"there is no recipe {ConfigurationNode.Quote(name)}; {KeySuggestion.For(name, kinds.Select(k => k.Name), "recipes")}");
        context.Out.Write(found.Write());
        return ExitCode.Done;
    }
}
