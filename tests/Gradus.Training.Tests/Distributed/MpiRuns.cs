using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using Gradus.Models;
using Gradus.Training.Data;
using Gradus.Training.Distributed;

namespace Gradus.Training.Tests.Distributed;

/// <summary>
/// The test assembly as the ranks of a launch: with <c>GRADUS_TEST_RANK</c> set it trains, or misbehaves, instead of running tests.
/// </summary>
public static class MpiRuns
{
    private const int Steps = 3;

    /// <summary>The launcher of an implementation under the name that Debian gives it, or null.</summary>
    public static string? Launcher(string kind) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, $"mpirun.{kind}")).FirstOrDefault(File.Exists);

    /// <summary>What the ranks of a launch printed, sorted, and the launcher's exit code.</summary>
    /// <param name="kind">openmpi or mpich.</param>
    /// <param name="ranks">How many.</param>
    /// <param name="work">What they do, and the leaves of a step.</param>
    public static (string[] Lines, int Code) Run(string kind, int ranks, string work)
    {
        using Process process = Start(kind, ranks, work);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string[] lines = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
        return lines.Length > 0 || process.ExitCode == 0 ? (lines, process.ExitCode) : ([error.Result], process.ExitCode);
    }

    /// <summary>Trains for some steps: what the model, the optimizer and the losses are then, as one text.</summary>
    internal static string Train(RankGroup ranks, bool wholeState)
    {
        using Threads threads = new(1);
        (GenerativeModel model, _) = TinyTraining.Create("llama", threads.Device);
        using GenerativeModel owned = model;
        MicroBatch[] batches = [.. TinyTraining.Examples(7).Select(e => new PackedExamples([e], 1000, 0).All().Single())];
        using Trainer trainer = new(model, new GivenMicroBatches(batches), TinyTraining.Options("llama") with { Leaves = ranks.Leaves }, ranks);
        string losses = string.Join(' ', Enumerable.Range(0, Steps).Select(_ => trainer.Step()).Select(r => $"{r.Loss:R} {r.GradientNorm:R} {r.Tokens}"));
        string state = wholeState ? TinyTraining.Sha(trainer.Optimizer.State.Values) : "own";
        return $"{TinyTraining.Sha(trainer.Parameters.Select(p => p.Value))} {state} {losses}";
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The generated entry point of a test assembly leaves no other place to become the child.")]
    internal static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable("GRADUS_TEST_RANK")?.Split(' ') is not [string work, string leaves])
            return;
        try
        {
            MpiLaunch launch = MpiLaunch.Find(Environment.GetEnvironmentVariable) ?? throw new InvalidOperationException("no launcher");
            using MpiRanks ranks = MpiRanks.Join(
                launch, int.Parse(leaves, CultureInfo.InvariantCulture), work == "zero1", work == "late" ? TimeSpan.FromSeconds(2) : TimeSpan.FromMinutes(1));
            Console.WriteLine(Work(work, ranks));
        }
        catch (MpiException e)
        {
            Console.WriteLine(e.Message);
            Environment.Exit(3);
        }
        Environment.Exit(0);
    }

    private static string Work(string work, MpiRanks ranks)
    {
        switch (work)
        {
            case "late" when ranks.Rank == 1:
                Thread.Sleep(TimeSpan.FromSeconds(8));
                return "late";
            case "dies" when ranks.Rank == 1:
                Process.GetCurrentProcess().Kill();
                return "";
            case "late" or "dies":
                ranks.Sum(new double[1]);
                return "not to be";
            case "uneven":
                ranks.Sum(new double[1 + ranks.Rank]);
                return "not to be";
            default:
                return Train(ranks, wholeState: work == "train");
        }
    }

    private static Process Start(string kind, int ranks, string work)
    {
        string[] shares = kind == "openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];
        ProcessStartInfo start = new(Launcher(kind)!, [.. shares, "-n", $"{ranks}", "dotnet", "exec", typeof(MpiRuns).Assembly.Location])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["GRADUS_TEST_RANK"] = work;
        start.Environment["GRADUS_THREADS"] = "1";
        // Open MPI gives its ranks a terminal, which .NET would set up with codes in their output.
        start.Environment["TERM"] = "dumb";
        // Open MPI asks twice before it runs as root, which containers do.
        start.Environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
        start.Environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
        return Process.Start(start)!;
    }
}
