using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Applications.Retrieval.Answers;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Clients;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus rag ask</c> and <c>gradus rag chat</c>.</summary>
internal static class RagAskVerb
{
    private static readonly Argument<string> Model = new("MODEL") { Description = "The model that answers: a folder, a run's or an adapter's; it must have a chat template." };
    private static readonly Argument<string> Question = new("QUESTION") { Description = "The question." };
    private static readonly Option<string> IndexFile = RagVerb.IndexOption();
    private static readonly Option<string?> Recipe = RagVerb.RecipeOption();
    private static readonly Option<string[]> Where = RagVerb.WhereOption();
    private static readonly Option<int> Top = RagVerb.TopOption(8);
    private static readonly Option<int> ContextCharacters = Numeric.Option("--context", "The most characters of passages that the model is shown.", 100, 10_000_000, new AnswerOptions().ContextCharacters);
    private static readonly Option<int> Tokens = Numeric.Option("--max-tokens", "The most tokens of an answer.", 1, 100_000, new AnswerOptions().Tokens);
    private static readonly Option<string?> Base = ModelFolder.BaseOption();
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per answer." };

    /// <summary>Makes the command for one question.</summary>
    public static Command CreateAsk(CommandContext context)
    {
        Verb verb = new("ask", "Answer a question from an index, with citations that stand in the documents word for word.") { Model, Question, IndexFile, Recipe, Where, Top, ContextCharacters, Tokens, Base, Json };
        verb.Examples = [("rag ask my-model \"when is the harbour closed\" --index docs.db", "prints the answer, then the quotes it rests on")];
        verb.SetAction(parse => Run(context, parse, [parse.GetRequiredValue(Question)]));
        return verb;
    }

    /// <summary>Makes the command for a conversation.</summary>
    public static Command CreateChat(CommandContext context)
    {
        Verb verb = new("chat", "A conversation with an index: every line is a question, follow-up questions are made whole.") { Model, IndexFile, Recipe, Where, Top, ContextCharacters, Tokens, Base, Json };
        verb.Examples = [("rag chat my-model --index docs.db", "asks in the terminal; in a pipe every line is a question")];
        verb.SetAction(parse => Run(context, parse, Lines(context)));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse, IEnumerable<string> questions)
    {
        using RetrievalIndex index = RetrievalIndex.Open(parse.GetRequiredValue(IndexFile));
        RetrievalStep recipe = RagVerb.Recipe(parse.GetValue(Recipe), index);
        using ModelBundle bundle = ModelFolder.Open(parse.GetRequiredValue(Model), CpuDevice.Default, ModelBundleOptions.ToRun with { WritesText = true }, parse.GetValue(Base), context.Cancellation);
        using LocalChatClient chat = new(bundle);
        AnswerOptions options = new(parse.GetValue(Top), parse.GetValue(ContextCharacters), parse.GetValue(Tokens));
        using RagModels models = new(context);
        AnswerWriter writer = new(RagVerb.Search(index, recipe, parse.GetValue(Where), models, chat), recipe, options);
        foreach (string question in questions)
        {
            RetrievalAnswer answer = writer.AnswerAsync(question, context.Cancellation).GetAwaiter().GetResult();
            if (parse.GetValue(Json))
                context.WriteJsonLine(Describe(question, answer));
            else
                Print(context, answer);
        }
        return ExitCode.Done;
    }

    private static IEnumerable<string> Lines(CommandContext context)
    {
        using StreamReader input = new(context.OpenInput());
        while (true)
        {
            if (context.InputIsTerminal)
                context.Error.Write("> ");
            if (input.ReadLine() is not { } line)
                yield break;
            if (!string.IsNullOrWhiteSpace(line))
                yield return line;
        }
    }

    private static void Print(CommandContext context, RetrievalAnswer answer)
    {
        foreach (string line in answer.Text.Split('\n'))
            context.Out.WriteLine(Failures.OneLine(line));
        foreach (Citation citation in answer.Citations)
            context.Out.WriteLine(Failures.OneLine($"  [{citation.Number}] {citation.Source}, character {citation.Start}: {Facts.Quote(citation.Quote)}"));
        if (answer.Removed > 0)
            context.Note($"{answer.Removed} citation{(answer.Removed == 1 ? "" : "s")} of the model stood in no document and {(answer.Removed == 1 ? "was" : "were")} removed.");
        context.Out.Flush();
    }

    private static JsonObject Describe(string question, RetrievalAnswer answer) => new()
    {
        ["question"] = question,
        ["query"] = answer.Query,
        ["answer"] = answer.Text,
        ["found"] = answer.Found,
        ["citations"] = new JsonArray([.. answer.Citations.Select(c => (JsonNode)new JsonObject { ["number"] = c.Number, ["document"] = c.Document, ["start"] = c.Start, ["quote"] = c.Quote })]),
        ["removed_citations"] = answer.Removed,
        ["passages"] = new JsonArray([.. answer.Passages.Select(p => (JsonNode)new JsonObject { ["document"] = p.Document, ["start"] = p.Start, ["length"] = p.Text.Length })]),
    };
}
