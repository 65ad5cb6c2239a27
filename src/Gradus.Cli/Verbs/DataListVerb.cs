using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Training.Data.Registry;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data list</c>: the data sets that have names.</summary>
internal static class DataListVerb
{
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object a line." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("list", "List the data sets that have names: size, licence, source, what they are for, and whether they are here.") { Json };
        verb.Examples = [("data list", "shows what recipes can name as $data/NAME/FILE")];
        verb.SetAction(parse => Run(context, parse.GetValue(Json)));
        return verb;
    }

    private static int Run(CommandContext context, bool json)
    {
        using DataSetStore store = new(NamedData.Folders);
        foreach (DataSetInfo set in NamedData.Registry.Sets)
        {
            string?[] here = [.. set.Files.Select(f => store.Find(set.Name, f.Name))];
            string where = here.All(p => p is null) ? "not here" : here.Any(p => p is null) ? "in part" : Path.GetDirectoryName(here[0])!;
            if (json)
            {
                context.WriteJsonLine(new JsonObject
                {
                    ["name"] = set.Name,
                    ["what"] = set.What,
                    ["for"] = set.UsedFor,
                    ["licence"] = set.Licence,
                    ["source"] = set.Source,
                    ["revision"] = set.Revision,
                    ["bytes"] = set.Size,
                    ["files"] = new JsonObject(set.Files.Zip(here, (f, p) => KeyValuePair.Create<string, JsonNode?>(f.Name, p))),
                });
                continue;
            }
            context.Out.WriteLine($"{set.Name}  {Facts.Bytes(set.Size)}, {set.Licence}; {where}");
            context.Out.WriteLine($"    {set.What} {set.UsedFor}");
            context.Out.WriteLine($"    {string.Join(", ", set.Files.Select(f => $"{NamedData.Variable}/{set.Name}/{f.Name}"))}");
            context.Out.WriteLine($"    {set.Source} at {set.Revision}");
        }
        return ExitCode.Done;
    }
}
