using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data mix</c>: one corpus of several, by weights.</summary>
internal static class DataMixVerb
{
    private static readonly Argument<string[]> Sources = new("PATH=WEIGHT") { Description = "A file, folder or pattern, and its share of the documents.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<string> Output = new("--output", "-o") { Description = "The file of JSON lines to write (.jsonl, also .gz or .zst).", HelpName = "FILE", Required = true };

    private static readonly Option<int> Documents = Numeric.Option("--documents", "How many documents to write.", 1, int.MaxValue, 10_000);

    private static readonly Option<double> Temperature = new("--temperature") { Description = "Weights are taken to the power 1/T.", DefaultValueFactory = _ => 1 };

    private static readonly Option<int> Passes = Numeric.Option("--passes", "How often a source may be gone through; 0 for any number.", 0, int.MaxValue, 4);

    private static readonly Option<int> Seed = Numeric.Option("--seed", "Which sources are drawn.", 0, int.MaxValue, 1);

    private static readonly Option<bool> Json = new("--json") { Description = "Print what was taken as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("mix", "Mix corpora by weights; the same seed gives the same file.") { Sources, Output, Documents, Temperature, Passes, Seed, Json };
        verb.Examples = [("data mix books.jsonl=3 web.jsonl=1 -o mixed.jsonl --documents 20000", "writes three books for every web page")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        MixtureSource[] sources = [.. parse.GetRequiredValue(Sources).Select(s => Source(s, context))];
        if (parse.GetValue(Temperature) is not (> 0 and < 1000) and var temperature)
            throw new UsageException($"--temperature {temperature.ToString(CultureInfo.InvariantCulture)}: must be above 0 and below 1000.");
        string output = parse.GetRequiredValue(Output);
        IReadOnlyList<(long Documents, int Passes)> taken = CorpusMixture.Write(
            sources, parse.GetValue(Documents), parse.GetValue(Temperature), parse.GetValue(Passes), (ulong)parse.GetValue(Seed), output, context.Cancellation);
        JsonObject described = [];
        for (int i = 0; i < sources.Length; i++)
        {
            described[sources[i].Name] = new JsonObject { ["documents"] = taken[i].Documents, ["passes"] = taken[i].Passes };
            if (!parse.GetValue(Json))
                context.Out.WriteLine($"{sources[i].Name}: {taken[i].Documents:N0} documents, gone through {taken[i].Passes:N0} times to its end");
        }
        if (parse.GetValue(Json))
            context.WriteJson(new JsonObject { ["output"] = output, ["sources"] = described });
        return ExitCode.Done;
    }

    private static MixtureSource Source(string given, CommandContext context)
    {
        int at = given.LastIndexOf('=');
        return at > 0 && double.TryParse(given[(at + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double weight) && weight > 0 && double.IsFinite(weight)
            ? new MixtureSource(given[..at], CorpusDocuments.Files([new NamedData(context, fetch: false).Resolve(given[..at])]), weight)
            : throw new UsageException($"{given}: give PATH=WEIGHT with a weight above 0, such as books.jsonl=3.");
    }
}
