using System.Diagnostics;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

public sealed class ResumeTests
{
    [Fact]
    public void ARunGoesOnWithMoreStepsBitForBit()
    {
        using CliProcess cli = new();
        cli.Train("whole");
        cli.Train("halves", "--training.steps=3", "--training.evaluate_every=0");
        cli.Train("halves", "--resume");
        Assert.Equal(cli.Sha("whole"), cli.Sha("halves"));
        Assert.True(File.Exists(cli["halves/report.html"]));
        Assert.Equal(["step-0000005", "step-0000006"], Directory.GetDirectories(cli["halves/checkpoints"]).Select(d => Path.GetFileName(d)!).Order());
        // Nothing is left to do, and nothing changes.
        string[] log = cli.Log("whole");
        cli.Train("whole", "--resume");
        Assert.Equal(log, cli.Log("whole"));
    }

    [Fact]
    public void OneAndTwoThreadsGiveTheSameCheckpoint()
    {
        using CliProcess cli = new();
        string[] shas = [.. new[] { "1", "2" }.Select(threads =>
        {
            cli.Run(
                [("GRADUS_THREADS", threads)],
                "pretrain", "recipe.json", $"--run=threads-{threads}", "--model.n_embd=64", "--batching.count=20", "--training.steps=4", "--training.checkpoint_every=0").Succeeded();
            Assert.Contains($"\"threads\": {threads}", File.ReadAllText(cli[$"threads-{threads}/run.json"]), StringComparison.Ordinal);
            return cli.Sha($"threads-{threads}");
        })];
        Assert.Equal(shas[0], shas[1]);
    }

    [Fact]
    public void KilledAtAnyMomentARunGoesOnBitForBit()
    {
        using CliProcess cli = new();
        string[] recipe = ["--training.steps=120", "--training.evaluate_every=7"];
        cli.Train("whole", recipe);
        int killed = 0;
        for (int round = 0; round < 7; round++)
        {
            using Process process = cli.Start(["pretrain", "recipe.json", "--run=killed", "--resume", "--json", .. recipe]);
            CliProcess.ReadTo(process, "\"step\"");
            if (round % 2 == 0)
                Thread.Sleep(CounterRandom.Below(20_24, round, 80));
            else
                WaitForSaving(process, cli["killed/checkpoints"]);
            process.Kill();
            CliProcess.WaitForExit(process);
            killed += process.ExitCode == 137 ? 1 : 0;
        }
        Assert.InRange(killed, 1, 7);
        cli.Train("killed", ["--resume", .. recipe]);
        Assert.Equal(cli.Sha("whole"), cli.Sha("killed"));
        Assert.Equal(cli.Log("whole"), cli.Log("killed"));
        Assert.Equal(["step-0000119", "step-0000120"], Directory.GetFileSystemEntries(cli["killed/checkpoints"]).Select(d => Path.GetFileName(d)!).Order());

        static void WaitForSaving(Process process, string checkpoints)
        {
            while (!process.HasExited && !(Directory.Exists(checkpoints) && Directory.EnumerateDirectories(checkpoints, ".step-*.writing-*").Any()))
                Thread.SpinWait(100);
        }
    }

    [Fact]
    public async Task OneProcessAtATimeAndCtrlCSaves()
    {
        using CliProcess cli = new();
        using Process first = cli.Start("pretrain", "recipe.json", "--training.steps=10000000", "--training.checkpoint_every=0", "--training.evaluate_every=0");
        CliProcess.ReadTo(first, "step      1/");
        foreach (string[] resume in (string[][])[["--resume"], []])
        {
            string message = cli.Run(["pretrain", "recipe.json", .. resume]).Failed(1);
            Assert.Contains($"run: is being written by another process (process {first.Id})", message, StringComparison.Ordinal);
        }
        using (Process interrupt = Process.Start("kill", ["-INT", $"{first.Id}"]))
            await interrupt.WaitForExitAsync();
        Task<string> reading = first.StandardOutput.ReadToEndAsync();
        string error = await first.StandardError.ReadToEndAsync(), output = await reading;
        CliProcess.WaitForExit(first);
        Assert.True(first.ExitCode == 130, $"exit code {first.ExitCode}: {error}");
        Assert.Equal("gradus: stopping; press Ctrl-C again to end at once.\n", error);
        Assert.Contains("saved; go on with --resume", output, StringComparison.Ordinal);

        long step = long.Parse(Path.GetFileName(RunFolder.LatestCheckpoint(cli["run"])!).AsSpan(5));
        string[] further = [$"--training.steps={step + 3}", "--training.checkpoint_every=0", "--training.evaluate_every=0"];
        cli.Train("run", ["--resume", .. further]);
        cli.Train("whole", further);
        Assert.Equal(cli.Sha("whole"), cli.Sha("run"));
        Assert.Equal(cli.Log("whole"), cli.Log("run"));
    }

    [Fact]
    public void ACutOffCheckpointGivesWayToAnOlderOneOrIsNamed()
    {
        using CliProcess cli = new();
        cli.Train("whole");
        cli.Train("run", "--training.steps=4");
        CutOff(cli["run/checkpoints/step-0000004/trainer/optimizer.safetensors"]);
        CliResult resumed = cli.Run("pretrain", "recipe.json", "--resume");
        resumed.Succeeded();
        Assert.Contains("going on after step 3", resumed.Output, StringComparison.Ordinal);
        Assert.Equal(cli.Sha("whole"), cli.Sha("run"));

        foreach (string checkpoint in Directory.GetDirectories(cli["run/checkpoints"]))
            CutOff(Path.Combine(checkpoint, "model.safetensors"));
        Assert.Contains("the checkpoint is damaged", cli.Run("pretrain", "recipe.json", "--resume").Failed(2), StringComparison.Ordinal);

        static void CutOff(string path)
        {
            using FileStream file = File.OpenWrite(path);
            file.SetLength(file.Length - 100);
        }
    }

    [Fact]
    public void ADivergedRunSaysAtWhichStepAndKeepsWhatItHad()
    {
        using CliProcess cli = new();
        cli.Train("run", "--training.steps=3");
        // As if it had been started so.
        string recipe = File.ReadAllText(cli["run/recipe.json"]);
        Assert.Contains("\"clip_norm\": 1", recipe, StringComparison.Ordinal);
        cli.Write("run/recipe.json", recipe.Replace("\"clip_norm\": 1", "\"clip_norm\": 0", StringComparison.Ordinal).Replace("\"learning_rate\": 0.01", "\"learning_rate\": 1e36", StringComparison.Ordinal));
        string message = cli.Run("pretrain", "recipe.json", "--resume", "--training.clip_norm=0", "--training.optimizer.learning_rate=1e36").Failed(1);
        Assert.Matches("Step [45]: .*(NaN|∞|finite).*Lower the learning rate", message);
        using LanguageModel model = Checkpoint.Load(RunFolder.LatestCheckpoint(cli["run"])!, ReferenceDevice.Instance);
        Assert.True(AtomicFolder.IsComplete(cli["run/checkpoints/step-0000003"]));
    }

    [FullDiskFact]
    public void AFullDiskEndsTheRunAndTheCheckpointBeforeSurvives()
    {
        using CliProcess cli = new();
        cli.Train("whole", "--training.steps=40");
        using (SmallDisk disk = new(cli["small"], "600k"))
        {
            string message = cli.Run("pretrain", "recipe.json", "--run=small/run", "--training.steps=40", "--training.keep_checkpoints=40").Failed(1);
            Assert.Contains("No space left on device", message, StringComparison.Ordinal);
            string latest = RunFolder.LatestCheckpoint(cli["small/run"])!;
            using LanguageModel model = Checkpoint.Load(latest, ReferenceDevice.Instance);
            // Somebody makes room.
            foreach (string old in Directory.GetDirectories(cli["small/run/checkpoints"]).Where(d => d != latest))
                Directory.Delete(old, recursive: true);
            cli.Train("small/run", "--resume", "--training.steps=40");
            Assert.Equal(cli.Sha("whole"), cli.Sha("small/run"));
            Assert.Equal(cli.Log("whole"), cli.Log("small/run"));
        }
    }
}

/// <summary>A fact that needs the right to mount a small file system; skipped with a message where that is denied.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FullDiskFactAttribute : FactAttribute
{
    public FullDiskFactAttribute()
    {
        if (!SmallDisk.CanMount)
            Skip = "needs the right to mount a tmpfs (root)";
    }
}

/// <summary>A file system of a few hundred kilobytes.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly string _path;

    public SmallDisk(string path, string size)
    {
        Directory.CreateDirectory(path);
        _path = path;
        Assert.Equal(0, Call("mount", "-t", "tmpfs", "-o", $"size={size}", "gradus-tests", path));
    }

    public static bool CanMount { get; } = TryMount();

    public void Dispose() => Call("umount", "-l", _path);

    private static bool TryMount()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            return false;
        string path = Directory.CreateTempSubdirectory("gradus-mount-").FullName;
        try
        {
            return Call("mount", "-t", "tmpfs", "-o", "size=64k", "gradus-tests", path) == 0 && Call("umount", path) == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
        finally
        {
            Directory.Delete(path);
        }
    }

    private static int Call(string command, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
