using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Gradus.Files;
using Gradus.Training.Planning;
using Gradus.Training.Runs;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus plan fit</c>: a scaling law of one's own runs.</summary>
internal static class PlanFitVerb
{
    private static readonly Argument<string[]> Runs = new("RUN")
    {
        Description = "Folders of finished runs of one recipe in several sizes and lengths, each with its own schedule to its end; or folders that hold such runs.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<double[]> Flops = new("--flops") { Description = "Budgets to say the best size for.", HelpName = "N" };

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("fit", "Fit a scaling law to finished runs, and say the best size for a budget by it.") { Runs, Flops, Json };
        verb.Examples = [("plan fit runs/sizes --flops 1e16", "the law of all runs in a folder, and what it says of 1e16 operations")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        List<ScalingRun> runs = [];
        JsonArray shown = [];
        foreach (string folder in parse.GetRequiredValue(Runs).SelectMany(RunsIn))
        {
            ScalingRun run = Read(folder);
            runs.Add(run);
            shown.Add((JsonNode)new JsonObject { ["run"] = folder, ["parameters"] = run.Parameters, ["tokens"] = run.Tokens, ["loss"] = run.Loss });
        }
        ScalingFit fit = ScalingFit.Of(runs);
        JsonArray budgets = [.. (parse.GetValue(Flops) ?? []).Select(f => Budget(fit, f))];
        JsonObject law = [];
        foreach ((string name, Func<ScalingLaw, double> value) in Values)
            law[name] = Interval(fit, value);
        if (parse.GetValue(Json))
        {
            context.WriteJson(new JsonObject { ["runs"] = shown, ["law"] = law, ["error"] = fit.Error, ["budgets"] = budgets });
            return ExitCode.Done;
        }
        Facts lines = new(context);
        foreach (JsonNode? run in shown)
            lines.Add((string)run!["run"]!, string.Create(CultureInfo.InvariantCulture, $"{PlanSizeVerb.Count((double)run["parameters"]!)} parameters, {PlanSizeVerb.Count((double)run["tokens"]!)} tokens, loss {(double)run["loss"]!:0.0000}"), width: 32);
        lines.Headline(string.Create(CultureInfo.InvariantCulture, $"L = E + A/N^α + B/D^β, off by {fit.Error:P2} of the loss; middle 95% of {fit.Resampled.Count} fits to runs drawn anew"));
        foreach ((string name, JsonNode? value) in law)
            lines.Add(name, Range(value!, "0.####"));
        foreach (JsonNode? budget in budgets)
        {
            lines.Headline(string.Create(CultureInfo.InvariantCulture, $"{(double)budget!["flops"]!:0.##e0} floating-point operations"));
            foreach (string key in new[] { "parameters", "tokens", "loss" })
                lines.Add(key, Range(budget[key]!, key == "loss" ? "0.0000" : null));
        }
        return ExitCode.Done;
    }

    private static readonly (string Name, Func<ScalingLaw, double> Value)[] Values =
        [("E", l => l.E), ("A", l => l.A), ("B", l => l.B), ("alpha", l => l.Alpha), ("beta", l => l.Beta)];

    private static JsonObject Budget(ScalingFit fit, double flops)
    {
        if (!(flops > 0))
            throw new UsageException($"--flops {flops.ToString(CultureInfo.InvariantCulture)}: must be positive.");
        return new JsonObject
        {
            ["flops"] = flops,
            ["parameters"] = Interval(fit, l => l.Optimal(flops).Parameters),
            ["tokens"] = Interval(fit, l => l.Optimal(flops).Tokens),
            ["loss"] = Interval(fit, l => l.Optimal(flops).Loss),
        };
    }

    private static JsonObject Interval(ScalingFit fit, Func<ScalingLaw, double> value)
    {
        (double low, double high) = fit.Interval(value);
        JsonObject interval = new() { ["value"] = value(fit.Law) };
        if (double.IsFinite(low) && double.IsFinite(high))
            (interval["low"], interval["high"]) = (low, high);
        return interval;
    }

    private static string Range(JsonNode interval, string? format)
    {
        string value = Show("value");
        return interval["low"] is null ? value : $"{value}  ({Show("low")} to {Show("high")})";

        string Show(string key) => format is null ? PlanSizeVerb.Count((double)interval[key]!) : ((double)interval[key]!).ToString(format, CultureInfo.InvariantCulture);
    }

    private static IEnumerable<string> RunsIn(string folder)
    {
        if (!Directory.Exists(folder))
            throw new UsageException($"{folder}: no such folder; give the folders of runs.");
        return File.Exists(Path.Combine(folder, "run.json")) ? [folder] : Directory.GetDirectories(folder).Where(d => File.Exists(Path.Combine(d, "run.json"))).Order(StringComparer.Ordinal);
    }

    private static ScalingRun Read(string folder)
    {
        LogContents log = LogContents.Read(Path.Combine(folder, "log.jsonl")) ?? throw new InvalidDataException($"{folder}: has no log.jsonl; give finished runs.");
        LogLine last = log.Evaluations.Count > 0 ? log.Evaluations[^1] : throw new InvalidDataException($"{folder}: the run was never evaluated on held-out text; give it validation data.");
        double loss = last.Loss ?? throw new InvalidDataException($"{folder}: the last evaluation has no loss.");
        double tokens = log.Steps.LastOrDefault(s => s.Step <= last.Step)?.Tokens ?? throw new InvalidDataException($"{folder}: the log does not say how many tokens were trained on.");
        string checkpoint = RunFolder.LatestCheckpoint(folder) ?? throw new InvalidDataException($"{folder}: has no checkpoint.");
        using TensorFile tensors = TensorFile.Open(Path.Combine(checkpoint, Checkpoint.WeightsFile));
        return new ScalingRun(tensors.Entries.Sum(e => (double)e.Shape.Count), tokens, loss);
    }
}
