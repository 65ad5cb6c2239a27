using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Measures;
using Gradus.Applications.Retrieval.Search;
using Gradus.Cli.Console;
using Spectre.Console;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus rag evaluate</c>.</summary>
internal static class RagEvaluateVerb
{
    private static readonly Argument<string> Questions = new("QUESTIONS") { Description = "JSON lines with question, and documents (names, or names with grades) or keywords." };
    private static readonly Option<string[]> IndexFiles = new("--index") { Description = "The index; several are compared (chunkings, for example).", HelpName = "FILE" };
    private static readonly Option<string?> Judgements = new("--judgements") { Description = "Lines of query, document and grade, or TREC's qrels, for questions with id.", HelpName = "FILE" };
    private static readonly Option<string[]> Recipes = new("--recipe") { Description = "How to search, see rag search; several are compared with the first.", HelpName = "NAME|FILE" };
    private static readonly Option<int> Top = RagVerb.TopOption(10);
    private static readonly Option<int> Level = Numeric.Option("--relevant-from", "The least grade that counts as relevant.", 1, 100, 1);
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per measure." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("evaluate", "Measure how well an index finds what questions ask for: Recall, MRR, MAP, nDCG, keyword coverage; several ways are compared in pairs.")
        {
            Questions, IndexFiles, Judgements, Recipes, Top, Level, Json,
        };
        verb.Examples =
        [
            ("rag evaluate questions.jsonl --index docs.db", "the measures of one way of searching"),
            ("rag evaluate questions.jsonl --index docs.db --recipe keywords --recipe hybrid", "two ways on the same questions, with p-values of the differences"),
            ("rag evaluate questions.jsonl --index small.db --index large.db", "the same with two chunkings"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        IReadOnlyList<RetrievalQuestion> questions = RetrievalQuestion.Read(parse.GetRequiredValue(Questions), parse.GetValue(Judgements));
        List<RetrievalResult> results = [];
        string[] files = parse.GetValue(IndexFiles) is { Length: > 0 } given ? given : ["documents.db"];
        string?[] recipes = parse.GetValue(Recipes) is { Length: > 0 } named ? named : new string?[1];
        using RagModels models = new(context);
        foreach (string file in files)
        {
            using RetrievalIndex index = RetrievalIndex.Open(file);
            foreach (string? name in recipes)
            {
                RetrievalStep recipe = RagVerb.Recipe(name, index);
                string title = string.Join(", ", [.. files.Length > 1 ? [Path.GetFileName(file)] : (string[])[], name ?? (recipe is KeywordSearch ? "keywords" : "hybrid")]);
                results.Add(RetrievalEvaluation.RunAsync(title, recipe, RagVerb.Search(index, recipe, null, models), questions, parse.GetValue(Top), parse.GetValue(Level), context.Cancellation).GetAwaiter().GetResult());
            }
        }
        if (parse.GetValue(Json))
            WriteJson(context, results, questions.Count);
        else
            Print(context, results, questions.Count);
        return ExitCode.Done;
    }

    private static void Print(CommandContext context, List<RetrievalResult> results, int questions)
    {
        context.Out.WriteLine($"{questions} questions; negative grades count as judged and not relevant.");
        Table table = new Table().Border(TableBorder.Simple).AddColumn("measure").AddColumns([.. results.Select(r => Markup.Escape(r.Name))]);
        foreach (string measure in results[0].Measures.Keys)
            table.AddRow([Markup.Escape(measure), .. results.Select(r => r.Mean(measure).ToString("0.0000", CultureInfo.InvariantCulture))]);
        table.AddRow(["ms a search", .. results.Select(r => r.Milliseconds.ToString("0.0", CultureInfo.InvariantCulture))]);
        context.Console.Write(table);
        foreach (RetrievalResult other in results.Skip(1))
        {
            context.Out.WriteLine($"{other.Name} beside {results[0].Name}:");
            foreach ((string measure, var comparison, double corrected) in RetrievalEvaluation.Compare(results[0], other))
                context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {measure,-34} {comparison.Difference,8:+0.0000;-0.0000} ± {comparison.StandardError ?? 0:0.0000}  p {comparison.PValue:0.0000} (Holm {corrected:0.0000})  {comparison.Changed} of {comparison.Count} questions changed"));
        }
    }

    private static void WriteJson(CommandContext context, List<RetrievalResult> results, int questions)
    {
        foreach (RetrievalResult result in results)
        {
            Dictionary<string, double> p = result == results[0]
                ? []
                : RetrievalEvaluation.Compare(results[0], result).ToDictionary(c => c.Measure, c => c.Comparison.PValue);
            foreach (string measure in result.Measures.Keys)
            {
                JsonObject line = new() { ["way"] = result.Name, ["measure"] = measure, ["value"] = result.Mean(measure), ["questions"] = questions };
                if (p.TryGetValue(measure, out double value))
                    line["p"] = value;
                context.WriteJsonLine(line);
            }
        }
    }
}
