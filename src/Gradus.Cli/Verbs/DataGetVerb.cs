using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Training.Data.Registry;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data get</c>: fetches data sets by their names.</summary>
internal static class DataGetVerb
{
    private static readonly Argument<string[]> Names = new("NAME") { Description = "Data sets; gradus data list shows their names.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<string?> Output = new("--output", "-o")
    {
        Description = "The folder of data sets; without it GRADUS_DATA, or the cache.",
        HelpName = "FOLDER",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print the paths as one JSON object a set." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("get", "Fetch data sets by their names; what is fetched is checked by size and SHA-256.") { Names, Output, Json };
        verb.Examples =
        [
            ("data get tiny-shakespeare", "fetches a set; recipes find it"),
            ("data get tiny-shakespeare -o data", "puts it into data/tiny-shakespeare"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string folder = Path.GetFullPath(parse.GetValue(Output) ?? NamedData.Target);
        DataSetInfo[] sets = [.. parse.GetRequiredValue(Names).Select(Find)];
        using DataSetStore store = new([folder]);
        foreach (DataSetInfo set in sets)
        {
            IReadOnlyList<string> paths = NamedData.Fetch(store, set, folder, context);
            if (parse.GetValue(Json))
                context.WriteJsonLine(new JsonObject { ["name"] = set.Name, ["licence"] = set.Licence, ["files"] = new JsonArray([.. paths.Select(p => (JsonNode)p)]) });
            else
                context.Out.WriteLine($"{NamedData.Describe(set)} → {Path.Combine(folder, set.Name)}");
        }
        return ExitCode.Done;
    }

    private static DataSetInfo Find(string name) => NamedData.Registry.Find(name)
        ?? throw new UsageException($"{name}: no data set has this name; {KeySuggestion.For(name, NamedData.Registry.Sets.Select(s => s.Name), "data sets")}");
}
