using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Gradus.Cli.Console;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus rag search</c>.</summary>
internal static class RagSearchVerb
{
    private static readonly Argument<string> Question = new("QUESTION") { Description = "What to look for." };
    private static readonly Option<string> IndexFile = RagVerb.IndexOption();
    private static readonly Option<string?> Recipe = RagVerb.RecipeOption();
    private static readonly Option<string[]> Where = RagVerb.WhereOption();
    private static readonly Option<int> Top = RagVerb.TopOption(5);
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per chunk." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("search", "Find the passages of an index that fit a question; needs no language model.") { Question, IndexFile, Recipe, Where, Top, Json };
        verb.Examples = [("rag search \"how are releases numbered\" --index docs.db", "prints the best passages with their sources")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        using RetrievalIndex index = RetrievalIndex.Open(parse.GetRequiredValue(IndexFile));
        RetrievalStep recipe = RagVerb.Recipe(parse.GetValue(Recipe), index);
        using RagModels models = new(context);
        SearchContext search = RagVerb.Search(index, recipe, parse.GetValue(Where), models);
        IReadOnlyList<Hit> hits = recipe.FindAsync(search, parse.GetRequiredValue(Question), parse.GetValue(Top), context.Cancellation).GetAwaiter().GetResult();
        foreach ((Hit hit, StoredChunk chunk) in hits.Zip(index.Chunks(hits.Select(h => h.Chunk))))
        {
            if (parse.GetValue(Json))
                context.WriteJsonLine(Describe(hit, chunk));
            else
                Print(context, hit, chunk);
        }
        if (hits.Count == 0)
            context.Note("nothing found; try other words.");
        return ExitCode.Done;
    }

    /// <summary>A hit as JSON.</summary>
    internal static JsonObject Describe(Hit hit, StoredChunk chunk) => new()
    {
        ["score"] = hit.Score,
        ["document"] = chunk.Document,
        ["headings"] = new JsonArray([.. chunk.Headings.Select(h => (JsonNode)h)]),
        ["page"] = chunk.Page,
        ["start"] = chunk.Start,
        ["text"] = chunk.Text,
    };

    private static void Print(CommandContext context, Hit hit, StoredChunk chunk)
    {
        context.Out.WriteLine(Failures.OneLine($"{hit.Score:0.000}  {chunk.Source}"));
        foreach (string line in chunk.Text.Split('\n'))
            context.Out.WriteLine($"    {Failures.OneLine(line)}");
        context.Out.WriteLine();
    }
}
