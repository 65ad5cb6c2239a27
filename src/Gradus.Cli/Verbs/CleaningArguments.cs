using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary>What the verbs that clean a corpus share: files in, a file out, and what was taken away.</summary>
internal sealed class CleaningArguments
{
    private readonly Argument<string[]> _files = new("FILE")
    {
        Description = "Text, JSON lines, JSON, CSV, TSV or Parquet, compressed or not; folders; patterns such as crawl/*.jsonl.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string> _output = new("--output", "-o") { Description = "The file of JSON lines to write (.jsonl, also .gz or .zst).", HelpName = "FILE", Required = true };

    private readonly Option<string[]> _columns = new("--column") { Description = "What the files call a field, and the name that it is read as: content=text.", HelpName = "NAME=NAME" };

    private readonly Option<int> _samples = Numeric.Option("--samples", "Samples shown of what each rule took away.", 0, 1000, 1);

    private readonly Option<bool> _json = new("--json") { Description = "Print what happened as one JSON object." };

    /// <summary>Adds the arguments to a verb.</summary>
    public void AddTo(Command verb)
    {
        verb.Arguments.Add(_files);
        foreach (Option option in new Option[] { _output, _columns, _samples, _json })
            verb.Options.Add(option);
    }

    /// <summary>The file to write.</summary>
    public string Output(ParseResult parse) => parse.GetRequiredValue(_output);

    /// <summary>Runs steps one after the other, each on what the one before has written, and prints what they took away.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="parse">What was given.</param>
    /// <param name="steps">The steps: from files to a file.</param>
    public int Run(CommandContext context, ParseResult parse, IReadOnlyList<(string Name, Action<CorpusCleaning, string> Step)> steps)
    {
        string output = parse.GetRequiredValue(_output);
        IReadOnlyList<string> files = CorpusDocuments.Files(new NamedData(context, fetch: false).Resolve(parse.GetRequiredValue(_files)));
        if (files.Any(f => Path.GetFullPath(f) == Path.GetFullPath(output)))
            throw new UsageException($"{output}: is one of the files to read; write another one.");
        Dictionary<string, string>? columns = DataInspectVerb.ColumnsOf(parse.GetValue(_columns));
        List<(string Name, CleaningReport Report)> reports = [];
        string folder = Directory.CreateTempSubdirectory("gradus-data-").FullName;
        try
        {
            for (int i = 0; i < steps.Count; i++)
            {
                string target = i + 1 == steps.Count ? output : Path.Combine(folder, $"{i}.jsonl");
                CleaningReport report = new(parse.GetValue(_samples));
                steps[i].Step(new CorpusCleaning(files, columns, report, context.Cancellation), target);
                reports.Add((steps[i].Name, report));
                (files, columns) = ([target], null);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        if (parse.GetValue(_json))
            context.WriteJson(new JsonObject { ["output"] = output, ["steps"] = new JsonArray([.. reports.Select(r => (JsonNode)Describe(r.Name, r.Report))]) });
        else
            reports.ForEach(r => Print(context, r.Name, r.Report));
        return ExitCode.Done;
    }

    private static void Print(CommandContext context, string name, CleaningReport report)
    {
        context.Out.WriteLine($"{name}: {report.Kept:N0} of {report.Documents:N0} documents kept, {Share(report.KeptCharacters, report.Characters)} of the characters");
        foreach ((string rule, CleaningReport.Loss loss) in report.Losses.OrderByDescending(l => l.Value.Documents))
        {
            context.Out.WriteLine($"  {rule}: {loss.Documents:N0} documents, {Share(loss.Characters, report.Characters)} of the characters");
            foreach (string sample in loss.Samples)
                context.Out.WriteLine($"      {Failures.OneLine(sample)}");
        }
    }

    private static JsonObject Describe(string name, CleaningReport report) => new()
    {
        ["name"] = name,
        ["documents"] = report.Documents,
        ["kept"] = report.Kept,
        ["characters"] = report.Characters,
        ["kept_characters"] = report.KeptCharacters,
        ["dropped"] = new JsonObject(report.Losses.Select(l => KeyValuePair.Create<string, JsonNode?>(l.Key, new JsonObject
        {
            ["documents"] = l.Value.Documents,
            ["characters"] = l.Value.Characters,
            ["samples"] = new JsonArray([.. l.Value.Samples.Select(s => (JsonNode)s)]),
        }))),
    };

    private static string Share(long part, long all) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{(all == 0 ? 0 : 100.0 * part / all):0.0}%");
}
