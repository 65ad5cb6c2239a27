using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Evaluation.Tasks;
using Spectre.Console;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus compare</c>: whether two evaluations differ by more than chance.</summary>
internal static class CompareVerb
{
    private static readonly Argument<string> First = new("A") { Description = "A run's folder with eval/, or one of its files; A:NAME takes one of the run's models." };
    private static readonly Argument<string> Second = new("B") { Description = "The same of what it is compared with." };
    private static readonly Option<int> Examples = Numeric.Option("--examples", "Changed examples to show of every metric.", 0, 1000, 0);
    private static readonly Option<bool> FailIfWorse = new("--fail-if-worse") { Description = "Exit with 1 where B is worse than A by more than chance." };
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per metric." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("compare", "Compare two evaluations example by example: differences, their standard errors, and whether they are noise.") { First, Second, Examples, FailIfWorse, Json };
        verb.Examples =
        [
            ("compare runs/base-eval runs/tuned-eval", "pairs the examples of all tasks that both were measured on"),
            ("compare runs/eval:before runs/eval:after --fail-if-worse", "two models of one run, as a gate"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        IReadOnlyList<ComparedMetric> rows = EvaluationComparison.Compare(Read(parse.GetRequiredValue(First)), Read(parse.GetRequiredValue(Second)));
        if (parse.GetValue(Json))
        {
            foreach (ComparedMetric row in rows)
                context.WriteJsonLine(Line(row));
        }
        else
        {
            Print(context, rows, parse.GetValue(Examples));
        }
        return parse.GetValue(FailIfWorse) && rows.Any(r => r.Verdict == "worse") ? ExitCode.Failed : ExitCode.Done;
    }

    private static void Print(CommandContext context, IReadOnlyList<ComparedMetric> rows, int examples)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumns("task", "metric", "A", "B", "B − A", "± se", "p (Holm)", "n", "changed", "verdict");
        foreach (ComparedMetric row in rows)
        {
            table.AddRow(new[]
            {
                row.Task, row.Metric, Number(row.A), Number(row.B), Number(row.Difference, signed: true), row.Paired?.StandardError is { } error ? Number(error) : "–",
                row.AdjustedPValue is { } p ? p.ToString(p < 0.001 ? "0.0e0" : "0.000", CultureInfo.InvariantCulture) : "–", $"{row.Paired?.Count}", $"{row.Paired?.Changed}", row.Verdict,
            }.Select(Markup.Escape).ToArray());
        }
        context.Console.Write(table);
        if (rows.FirstOrDefault(r => r.Verdict == "within the noise" && r.ExamplesForTwoPoints > r.Paired!.Count) is { } noisy)
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"To see a difference of 2 points on {noisy.Task} ({noisy.Metric}) {noisy.ExamplesForTwoPoints} examples are needed; there are {noisy.Paired!.Count}."));
        foreach (ComparedMetric row in examples > 0 ? rows.Where(r => r.Changes.Count > 0) : [])
        {
            context.Out.WriteLine($"{row.Task}, {row.Metric}: {row.Changes.Count} examples changed");
            foreach (ChangedExample changed in row.Changes.Take(examples))
                context.Out.WriteLine($"  {changed.Id}: {Number(changed.A)} → {Number(changed.B)}  {Failures.OneLine(changed.Prompt.Length > 100 ? "…" + changed.Prompt[^100..] : changed.Prompt)}");
        }
    }

    private static JsonObject Line(ComparedMetric row) => new()
    {
        ["task"] = row.Task,
        ["metric"] = row.Metric,
        ["a"] = row.A,
        ["b"] = row.B,
        ["difference"] = row.Difference,
        ["standard_error"] = row.Paired?.StandardError,
        ["p_value"] = row.Paired?.PValue,
        ["adjusted_p_value"] = row.AdjustedPValue,
        ["examples"] = row.Paired?.Count,
        ["changed"] = row.Paired?.Changed,
        ["higher_is_better"] = row.HigherIsBetter,
        ["verdict"] = row.Verdict,
    };

    private static string Number(double value, bool signed = false) => value.ToString(signed ? "+0.0000;−0.0000;0" : "0.0000", CultureInfo.InvariantCulture);

    // A folder's eval/*.json, of one model where several were measured.
    private static List<JsonObject> Read(string path)
    {
        string? name = null;
        if (!Path.Exists(path) && path.LastIndexOf(':') is > 0 and int colon)
            (path, name) = (path[..colon], path[(colon + 1)..]);
        string[] files = File.Exists(path) ? [path]
            : Directory.Exists(Path.Combine(path, "eval")) ? [.. Directory.EnumerateFiles(Path.Combine(path, "eval"), "*.json").Order(StringComparer.Ordinal)]
            : throw new UsageException($"{path}: no such run with an eval folder, and no such file; give what gradus evaluate has written.");
        List<JsonObject> read = [.. files.Select(ReadFile).Where(f => name is null || f["name"]?.ToString() == name)];
        if (read.Count == 0)
            throw new UsageException(name is null ? $"{path}: holds no evaluation." : $"{path}: has no model called \"{name}\".");
        string?[] names = [.. read.Select(f => f["name"]?.ToString()).Distinct()];
        return names.Length == 1 ? read : throw new UsageException($"{path}: several models were measured ({string.Join(", ", names)}); name one: {path}:{names[0]}");
    }

    private static JsonObject ReadFile(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new UsageException($"{path}: is no evaluation.");
        }
        catch (JsonException e)
        {
            throw new UsageException($"{path}: is no JSON: {e.Message}");
        }
    }
}
