using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Tensors.Cpu;
using Gradus.Training.Measure;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus bench</c>: what this machine can do at most, and how near its kernels come.</summary>
internal static class BenchVerb
{
    private static readonly Option<int[]> Threads = new("--threads")
    {
        Description = "Numbers of threads to measure with; one and all of them where absent.",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each measurement, whose median counts.", DefaultValueFactory = _ => 5 };

    private static readonly Option<bool> KernelsOnly = new("--kernels-only") { Description = "Leave out the training steps, which take minutes and 3 GB of memory." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("bench", "Measure this machine's ceilings, its kernels against them, and training steps.") { Threads, Rounds, KernelsOnly, Json };
        verb.Examples = [("bench", "measures with one thread and with all"), ("bench --threads 2 --json", "prints figures for a program")];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        int[] threads = parse.GetValue(Threads) is { Length: > 0 } given ? given : [.. new[] { 1, CpuDevice.Default.Threads }.Distinct()];
        int rounds = parse.GetValue(Rounds);
        foreach (int count in threads)
        {
            if (count is < 1 or > 1024)
                throw new UsageException($"--threads {count}: give numbers from 1 to 1024.");
        }
        if (rounds is < 1 or > 1000)
            throw new UsageException($"--rounds {rounds}: give a number from 1 to 1000.");
        bool json = parse.GetValue(Json);
        IEnumerable<CpuMeasurement> measurements = threads.SelectMany(count => CpuBenchmark.Run(count, rounds, context.Cancellation));
        if (!parse.GetValue(KernelsOnly))
            measurements = measurements.Concat(TrainingBenchmark.Run(context.Cancellation));
        JsonArray measured = [];
        if (!json)
            PrintHead(context);
        foreach (CpuMeasurement measurement in measurements)
        {
            measured.Add((JsonNode)Describe(measurement));
            if (!json)
                Print(context, measurement);
        }
        if (json)
        {
            context.WriteJson(new JsonObject
            {
                ["isa"] = CpuDevice.Default.IsaName,
                ["not_better"] = CpuDevice.WhyNotBetter,
                ["packed_products"] = CpuDevice.Default.PackedInstructions,
                ["cores"] = Environment.ProcessorCount,
                ["measurements"] = measured,
            });
        }
        return context.Cancellation.IsCancellationRequested ? ExitCode.Failed : ExitCode.Done;
    }

    private static void PrintHead(CommandContext context)
    {
        context.Out.WriteLine($"instruction set  {CpuDevice.Default.IsaName}{(CpuDevice.WhyNotBetter is { } reason ? $" ({reason})" : "")}");
        context.Out.WriteLine($"packed products  {CpuDevice.Default.PackedInstructions}");
        context.Out.WriteLine("goals            those of training were set for two cores of Sapphire Rapids");
        context.Out.WriteLine();
        context.Out.WriteLine($"{"",-62} {"threads",7} {"measured",10} {"",-8} {"of ceiling",10}  goal");
    }

    private static void Print(CommandContext context, CpuMeasurement m) => context.Out.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{m.Name,-62} {m.Threads,7} {m.Value,10:N1} {m.Unit,-8} {m.Share,10:P0}  {GoalText(m)}").TrimEnd());

    private static string GoalText(CpuMeasurement m) => m.Goal is not { } goal
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $"{goal.Kind switch
        {
            GoalKind.Share => $"at least {goal.Value:P0}",
            GoalKind.AtLeast => $"at least {goal.Value:N0}",
            _ => $"at most {goal.Value:0.##}",
        }}: {(m.Reached == true ? "reached" : "missed")}");

    private static JsonObject Describe(CpuMeasurement m) => new()
    {
        ["name"] = m.Name,
        ["threads"] = m.Threads,
        ["value"] = m.Value,
        ["unit"] = m.Unit,
        ["share"] = m.Share,
        ["goal"] = m.Goal is { } goal
            ? new JsonObject
            {
                ["of"] = goal.Kind == GoalKind.Share ? "share" : "value",
                ["at"] = goal.Kind == GoalKind.AtMost ? "most" : "least",
                ["limit"] = goal.Value,
                ["reached"] = m.Reached,
            }
            : null,
    };
}
