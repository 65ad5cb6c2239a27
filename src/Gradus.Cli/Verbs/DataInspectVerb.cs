using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;
using Gradus.Models;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data inspect</c>: what files of records hold, and what a fine-tuning would see of them.</summary>
internal static class DataInspectVerb
{
    private static readonly Argument<string[]> Files = new("FILE") { Description = "Files of records.", Arity = ArgumentArity.OneOrMore };

    private static readonly Option<string?> Model = new("--model") { Description = "The model that is to be fine-tuned: its tokenizer, template and context are used.", HelpName = "MODEL" };

    private static readonly Option<string[]> Validation = new("--validation") { Description = "Files that are held out, to look for overlap.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };

    private static readonly Option<string[]> Columns = new("--column") { Description = "What the files call a field, and the name that it is read as.", HelpName = "NAME=NAME" };

    private static readonly Option<int> MaxLength = Numeric.Option("--max-length", "The most tokens of an example; 0 for the model's context.", 0, int.MaxValue, 0);

    private static readonly Option<int> Samples = Numeric.Option("--samples", "Examples whose tokens are shown.", 0, 1000, 3);

    private static readonly Option<string?> Html = new("--html") { Description = "Write the shown examples as a page.", HelpName = "FILE" };

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("inspect", "Show what data holds: counts, lengths, duplicates, what is cut, which tokens are learned, what is wrong.")
        {
            Files, Model, Validation, Columns, MaxLength, Samples, Html, Json,
        };
        verb.Examples =
        [
            ("data inspect chats.jsonl", "counts records, fields and duplicates"),
            ("data inspect chats.jsonl --model runs/quickstart/3-pretrain --validation held-out.jsonl", "shows what fine-tuning that model would learn"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    /// <summary>Reads NAME=NAME options.</summary>
    /// <exception cref="UsageException">One has another form.</exception>
    public static Dictionary<string, string> ColumnsOf(string[]? given)
    {
        Dictionary<string, string> columns = [];
        foreach (string one in given ?? [])
        {
            string[] names = one.Split('=');
            if (names.Length != 2 || names.Any(n => n.Length == 0))
                throw new UsageException($"--column {one}: give NAME=NAME, such as question=prompt.");
            columns[names[0]] = names[1];
        }
        return columns;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        NamedData named = new(context, fetch: false);
        ModelLocation? location = parse.GetValue(Model) is { } model ? ModelFolder.Find(model, cancel: context.Cancellation) : null;
        Tokenizer? tokenizer = location?.OpenTokenizer();
        SupervisedExamples? reader = tokenizer is null ? null : Reader(location!, tokenizer, parse.GetValue(MaxLength));
        DataInspection inspection = DataInspection.Of(
            named.Resolve(parse.GetRequiredValue(Files)), named.Resolve(parse.GetValue(Validation) ?? []), ColumnsOf(parse.GetValue(Columns)), reader);
        List<string> warnings = [.. inspection.Warnings];
        if (reader is not null && tokenizer!.Parts.ChatTemplate is { } template && !ChatTemplate.Parse(template).HasGenerationBlocks)
            warnings.Add("the chat template has no generation marks; what is learned is found by tracing the roles: look at the coloured tokens");
        IReadOnlyList<SeenToken>[] samples = [.. (inspection.Examples?.Examples ?? []).Take(parse.GetValue(Samples)).Select(e => DataInspection.Tokens(e, tokenizer!))];
        if (parse.GetValue(Html) is { } page)
            AtomicFile.WriteAllText(page, Page(samples));
        if (parse.GetValue(Json))
            context.WriteJson(Describe(inspection, warnings, samples));
        else
            Print(context, inspection, warnings, samples);
        return ExitCode.Done;
    }

    private static SupervisedExamples Reader(ModelLocation location, Tokenizer tokenizer, int maxLength)
    {
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        int longest = maxLength > 0 ? Math.Min(maxLength, config.ContextLength) : config.ContextLength;
        ExampleLimits limits = new(longest, int.MaxValue);
        return config is T5Config or BartConfig
            ? new SupervisedExamples(tokenizer, 0, limits)
            : new SupervisedExamples(new ChatEncoder(tokenizer, ChatTemplate.Parse(DefaultChatTemplate.Ensure(tokenizer).Parts.ChatTemplate!)), limits);
    }

    private static void Print(CommandContext context, DataInspection inspection, List<string> warnings, IReadOnlyList<SeenToken>[] samples)
    {
        Facts list = new(context);
        list.Add("records", $"{inspection.Records:N0}");
        list.Add("fields", string.Join(", ", inspection.Fields.Select(f => $"{f.Key} ({f.Value:N0})")));
        list.Add("characters", $"{inspection.Characters:N0}");
        list.Add("duplicates", $"{inspection.Duplicates:N0}");
        if (inspection.Examples is { } report)
        {
            list.Add("examples", $"{report.Examples.Count:N0}");
            list.Add("tokens", $"{report.Tokens:N0}, {report.Targets:N0} of them learned");
            list.Add("lengths", $"least {inspection.Quantile(0)}, median {inspection.Quantile(0.5)}, 90% {inspection.Quantile(0.9)}, 99% {inspection.Quantile(0.99)}, most {inspection.Quantile(1)} tokens");
        }
        foreach (IReadOnlyList<SeenToken> sample in samples)
        {
            list.Headline(context.OutputIsTerminal ? "What is learned is green:" : "What is learned stands between ⟦ and ⟧:");
            context.Out.WriteLine(Coloured(sample, context.OutputIsTerminal));
        }
        if (warnings.Count > 0)
            list.Headline("Look at this:");
        foreach (string warning in warnings)
            context.Out.WriteLine($"- {Failures.OneLine(warning)}");
    }

    private static string Coloured(IReadOnlyList<SeenToken> tokens, bool terminal)
    {
        StringBuilder text = new();
        bool learned = false;
        foreach (SeenToken token in tokens)
        {
            if (token.Learned != learned)
                text.Append(terminal ? token.Learned ? "\e[32m" : "\e[0m" : token.Learned ? "⟦" : "⟧");
            learned = token.Learned;
            foreach (char c in token.Text)
                text.Append(c is '\n' or '\t' || !char.IsControl(c) ? c : '\uFFFD');
        }
        return text.Append(learned ? terminal ? "\e[0m" : "⟧" : "").ToString();
    }

    private static string Page(IReadOnlyList<SeenToken>[] samples)
    {
        HtmlWriter html = new();
        html.Add($$"""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>What is learned</title><style>
            body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem } pre { white-space: pre-wrap; border-left: 3px solid #ccc; padding-left: 1rem }
            i, b { font-style: normal; font-weight: normal; border-right: 1px dotted #999 } b { background: #b7e4c0; color: #111 }</style></head><body>
            <h1>What is learned</h1><p>Every token of {{samples.Length}} examples; what the loss counts is green.</p>
            """);
        foreach (IReadOnlyList<SeenToken> sample in samples)
        {
            StringBuilder tokens = new();
            foreach (SeenToken token in sample)
                tokens.Append(token.Learned ? "<b>" : "<i>").Append(HtmlWriter.Escape(token.Text)).Append(token.Learned ? "</b>" : "</i>");
            html.Trusted($"<pre>{tokens}</pre>\n");
        }
        html.Add($"</body></html>");
        return html.ToString();
    }

    private static JsonObject Describe(DataInspection inspection, List<string> warnings, IReadOnlyList<SeenToken>[] samples)
    {
        JsonObject described = new()
        {
            ["records"] = inspection.Records,
            ["fields"] = new JsonObject(inspection.Fields.Select(f => KeyValuePair.Create<string, JsonNode?>(f.Key, f.Value))),
            ["characters"] = inspection.Characters,
            ["duplicates"] = inspection.Duplicates,
            ["overlap"] = inspection.Overlap,
            ["warnings"] = new JsonArray([.. warnings.Select(w => (JsonNode)w)]),
        };
        if (inspection.Examples is { } report)
        {
            described["examples"] = report.Examples.Count;
            described["tokens"] = report.Tokens;
            described["learned"] = report.Targets;
            described["too_long"] = report.TooLong.Count;
            described["without_answer"] = report.WithoutAnswer.Count;
            described["lengths"] = new JsonObject(new[] { 0, 0.5, 0.9, 0.99, 1 }.Select(q => KeyValuePair.Create<string, JsonNode?>(q.ToString(System.Globalization.CultureInfo.InvariantCulture), inspection.Quantile(q))));
            described["samples"] = new JsonArray([.. samples.Select(s => (JsonNode)new JsonArray([.. s.Select(t => (JsonNode)new JsonObject { ["text"] = t.Text, ["learned"] = t.Learned })]))]);
        }
        return described;
    }
}
