using System.Text;
using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;

namespace Gradus.Training.Tests.Runs;

public sealed class TrainingSessionTests
{
    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    [Theory]
    [InlineData("gpt2", "adamw", false)]
    [InlineData("llama", "sgd", true)]
    [InlineData("gpt2 lora", "adamw", true)]
    [InlineData("llama lora", "adamw", false)]
    [InlineData("llama bf16", "adam", false)]
    public void HalfARunAndTheOtherHalfAreTheWholeBitForBit(string kind, string optimizer, bool recompute)
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options(kind, steps: 8) with
        {
            EvaluateEvery = 2,
            Recompute = recompute,
            Optimizer = optimizer switch { "adam" => new Adam(WeightDecay: 0.01f), "sgd" => new Sgd(Momentum: 0.9f, Nesterov: true), _ => new AdamW() },
        };
        Run(kind, folder["whole"], options);
        Run(kind, folder["halves"], options, stopAfter: 4);
        Assert.Equal(["step-0000004"], Checkpoints(folder["halves"]));
        Run(kind, folder["halves"], options, resume: true);

        string whole = RunFolder.LatestCheckpoint(folder["whole"])!, halves = RunFolder.LatestCheckpoint(folder["halves"])!;
        Assert.EndsWith("step-0000008", halves, StringComparison.Ordinal);
        foreach (string file in new[] { kind.EndsWith("lora", StringComparison.Ordinal) ? "adapter_model.safetensors" : "model.safetensors", "trainer/optimizer.safetensors", "trainer/state.json" })
            Assert.Equal(TinyTraining.Sha(Path.Combine(whole, file)), TinyTraining.Sha(Path.Combine(halves, file)));
        Assert.Equal(LogWithoutTimes(folder["whole"]), LogWithoutTimes(folder["halves"]));
    }

    [Fact]
    public void ARunResumedManyTimesIsTheSame()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 6) with { EvaluateEvery = 4 };
        Run("gpt2", folder["whole"], options);
        for (int step = 0; step <= 6; step++)
            Run("gpt2", folder["steps"], options, stopAfter: step, resume: step > 0);
        Assert.Equal(ModelSha(folder["whole"]), ModelSha(folder["steps"]));
        Run("gpt2", folder["steps"], options, resume: true);
        Run("gpt2", folder["steps"], options, resume: true);
        Assert.Equal(ModelSha(folder["whole"]), ModelSha(folder["steps"]));
        Assert.Equal(LogWithoutTimes(folder["whole"]), LogWithoutTimes(folder["steps"]));
    }

    [Fact]
    public void TrainingEndsWhenTheHeldOutLossStopsFalling()
    {
        using TestFolder folder = new();
        // Nothing moves, so that no evaluation is better than the first.
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 40) with { EvaluateEvery = 1, Patience = 3, Optimizer = new Sgd(1e-30) };
        Run("gpt2", folder["run"], options);
        Assert.Equal(["step-0000003"], Checkpoints(folder["run"]));
        // Going on finds the run at its end.
        string sha = ModelSha(folder["run"]);
        Run("gpt2", folder["run"], options, resume: true);
        Assert.Equal(sha, ModelSha(folder["run"]));
        Assert.Equal(["step-0000003"], Checkpoints(folder["run"]));
    }

    [Fact]
    public void TheBestCheckpointIsKeptHoweverOld()
    {
        using TestFolder folder = new();
        // It learns, then forgets: the second part has a rate that breaks everything.
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 4) with { EvaluateEvery = 2, KeepBest = true, KeepCheckpoints = 1, CheckpointEvery = 1 };
        Run("gpt2", folder["run"], options);
        Assert.EndsWith("step-0000004", RunFolder.BestCheckpoint(folder["run"])!, StringComparison.Ordinal);
        Run("gpt2", folder["run"], options with { Steps = 10, Optimizer = new AdamW(3) }, resume: true);
        Assert.EndsWith("step-0000004", RunFolder.BestCheckpoint(folder["run"])!, StringComparison.Ordinal);
        Assert.Equal(["step-0000004", "step-0000010"], Checkpoints(folder["run"]));
    }

    [Fact]
    public void TheNewestCheckpointsAreKeptAndDamagedOnesDoNotCount()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 6) with { CheckpointEvery = 1, KeepCheckpoints = 2 };
        Run("gpt2", folder["run"], options, stopAfter: 5);
        Assert.Equal(["step-0000004", "step-0000005"], Checkpoints(folder["run"]));
        string newest = Path.Combine(folder["run"], "checkpoints", "step-0000005", "model.safetensors");
        using (FileStream file = File.OpenWrite(newest))
            file.SetLength(file.Length / 2);
        Assert.EndsWith("step-0000004", RunFolder.LatestCheckpoint(folder["run"]), StringComparison.Ordinal);

        Run("gpt2", folder["run"], options, resume: true);
        Assert.Equal(["step-0000005", "step-0000006"], Checkpoints(folder["run"]));
        Run("gpt2", folder["whole"], options);
        Assert.Equal(ModelSha(folder["whole"]), ModelSha(folder["run"]));
    }

    [Fact]
    public void ADamagedCheckpointPushesNoWholeOneOut()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 6) with { CheckpointEvery = 1, KeepCheckpoints = 1 };
        Run("gpt2", folder["run"], options, stopAfter: 2);
        string damaged = Path.Combine(folder["run"], "checkpoints", "step-0000009");
        Directory.CreateDirectory(damaged);
        File.WriteAllText(Path.Combine(damaged, ".complete"), """{"model.safetensors": 1000}""");
        Directory.CreateDirectory(Path.Combine(folder["run"], "checkpoints", "step-by-step"));
        Run("gpt2", folder["run"], options, stopAfter: 3, resume: true);
        Assert.Equal(["step-0000003", "step-0000009", "step-by-step"], Checkpoints(folder["run"]));
        Assert.EndsWith("step-0000003", RunFolder.LatestCheckpoint(folder["run"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"kind\":\"step\",\"step\":5,\"lo")]
    [InlineData("{\"kind\":\"step\",\"step\":4}")]
    [InlineData("\0\0\0\0\0\0")]
    [InlineData("\0\0\0\n[1, 2]\n5\n\n")]
    public void WhatWasLoggedBehindTheCheckpointIsCutOff(string torn)
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 6) with { EvaluateEvery = 2 };
        Run("gpt2", folder["whole"], options);
        Run("gpt2", folder["run"], options, stopAfter: 4);
        string log = Path.Combine(folder["run"], "log.jsonl");
        string[] lines = File.ReadAllLines(log);
        Assert.Equal("""{"kind":"evaluation","step":4""", lines[^1][..29]);
        File.AppendAllText(log, """{"kind":"step","step":5,"loss":1}""" + "\n" + torn);
        if (torn.StartsWith('\0'))
            File.WriteAllText(log, string.Join('\n', lines) + "\n" + torn);

        Run("gpt2", folder["run"], options, resume: true);
        Assert.Equal(LogWithoutTimes(folder["whole"]), LogWithoutTimes(folder["run"]));
    }

    [Fact]
    public void ARunKilledBeforeItsFirstCheckpointStartsOver()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 4) with { EvaluateEvery = 2 };
        Run("gpt2", folder["whole"], options);
        Run("gpt2", folder["run"], options, stopAfter: 3);
        Directory.Delete(Path.Combine(folder["run"], "checkpoints"), recursive: true);
        Run("gpt2", folder["run"], options, resume: true);
        Assert.Equal(ModelSha(folder["whole"]), ModelSha(folder["run"]));
        Assert.Equal(LogWithoutTimes(folder["whole"]), LogWithoutTimes(folder["run"]));
    }

    [Fact]
    public void CancellingSavesAndEnds()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 50) with { EvaluateEvery = 10 };
        List<TrainingEvent> events = Run("gpt2", folder["run"], options, stopAfter: 3);
        Assert.Equal(new Saved(3, Path.Combine(folder["run"], "checkpoints", "step-0000003")), events[^1]);
        Assert.Equal(3, events.OfType<StepMade>().Count());
        Assert.Single(events.OfType<Evaluated>());

        events = Run("gpt2", folder["at once"], options, stopAfter: 0);
        Assert.Equal(0, Assert.IsType<Saved>(Assert.Single(events)).Step);
    }

    [Fact]
    public void EvaluatingAndSavingChangeNoWeight()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 4);
        Run("gpt2", folder["plain"], options);
        List<TrainingEvent> events = Run("gpt2", folder["busy"], options with { EvaluateEvery = 1, CheckpointEvery = 1 });
        Assert.Equal(5, events.OfType<Evaluated>().Count());
        Assert.Equal(4, events.OfType<Saved>().Count());
        Assert.Equal(ModelSha(folder["plain"]), ModelSha(folder["busy"]));
    }

    [Fact]
    public void ADivergedRunKeepsItsLastGoodCheckpoint()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 8) with { CheckpointEvery = 1, KeepCheckpoints = 1 };
        TrainingDivergedException e = Assert.Throws<TrainingDivergedException>(
            () => Run("gpt2", folder["run"], options, objective: new BrokenFrom(3, TinyTraining.Objective())));
        Assert.Equal(4, e.Step);
        string checkpoint = RunFolder.LatestCheckpoint(folder["run"])!;
        Assert.EndsWith("step-0000003", checkpoint, StringComparison.Ordinal);
        using LanguageModel model = Checkpoint.Load(checkpoint, Device);
        Run("gpt2", folder["whole"], options, stopAfter: 3);
        Assert.Equal(ModelSha(folder["whole"]), ModelSha(folder["run"]));
    }

    [Fact]
    public void ParametersThatAnUpdateBrokeAreNotSaved()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 8) with { CheckpointEvery = 1, KeepCheckpoints = 1, Schedule = new ConstantSchedule() };
        Run("gpt2", folder["run"], options, stopAfter: 2);
        Assert.Throws<TrainingDivergedException>(() =>
            Run("gpt2", folder["run"], options with { ClipNorm = 0, Optimizer = new Sgd(LearningRate: 3e38, WeightDecay: 1e10f) }, resume: true));
        Assert.Equal(["step-0000002"], Checkpoints(folder["run"]));
    }

    [Fact]
    public void AnotherSeedModelOrDamagedStateIsRefused()
    {
        using TestFolder folder = new();
        TrainingOptions options = TinyTraining.Options("gpt2", steps: 4);
        Run("gpt2", folder["run"], options, stopAfter: 2);
        string Refused(string kind, TrainingOptions changed)
        {
            string message = Assert.Throws<InvalidDataException>(() => Run(kind, folder["run"], changed, resume: true)).Message;
            Assert.DoesNotContain('\n', message);
            return message;
        }
        Assert.Contains("the run was started with seed 7, not 8", Refused("gpt2", options with { Seed = 8 }), StringComparison.Ordinal);
        Assert.Contains("is missing", Refused("llama", options), StringComparison.Ordinal);
        Assert.Contains(".trace' is missing", Refused("gpt2", options with { Optimizer = new Sgd(Momentum: 0.5f) }), StringComparison.Ordinal);
        string state = Path.Combine(RunFolder.LatestCheckpoint(folder["run"])!, "trainer", "state.json");
        foreach (string broken in new[] { """{"step": "2"}""", "[]", "{" })
        {
            // As long as the marker says, so that only the contents are wrong.
            File.WriteAllText(state, broken.PadRight((int)new FileInfo(state).Length));
            Assert.Contains("state.json", Refused("gpt2", options), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AFolderHoldsOneRunAndOneProcess()
    {
        using TestFolder folder = new();
        Run("gpt2", folder["run"], TinyTraining.Options("gpt2", steps: 2));
        Assert.Contains("holds a run already; go on with --resume", Assert.Throws<InvalidDataException>(() => RunFolder.Open(folder["run"], resume: false)).Message, StringComparison.Ordinal);
        // Checkpoints without run.json are a run as well: a new one would push them out, or they it.
        File.Delete(Path.Combine(folder["run"], "run.json"));
        Assert.Throws<InvalidDataException>(() => RunFolder.Open(folder["run"], resume: false));
        using (RunFolder open = RunFolder.Open(folder["run"], resume: true))
        {
            Assert.True(open.Resumed);
            Assert.Contains(
                $"(process {Environment.ProcessId})", Assert.Throws<IOException>(() => RunFolder.Open(folder["run"], resume: true)).Message, StringComparison.Ordinal);
        }
        RunFolder.Open(folder["run"], resume: true).Dispose();
        Assert.Throws<InvalidDataException>(() => RunFolder.Open(folder.Write("file", "x"), resume: false));
    }

    [Fact]
    public void TheLogCanBeReadWhileItIsWrittenAndIsJSONWhateverTheLoss()
    {
        using TestFolder folder = new();
        using RunFolder run = RunFolder.Open(folder["run"], resume: false);
        Assert.Throws<InvalidOperationException>(() => run.Log([]));
        run.OpenLog(0);
        run.Log(new JsonObject { ["kind"] = "step", ["step"] = 1, ["text"] = "é\n\"" });
        using FileStream other = new(Path.Combine(run.FullPath, "log.jsonl"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(other, Encoding.UTF8);
        Assert.Equal("é\n\"", (string?)JsonNode.Parse(reader.ReadLine()!)!["text"]);
        Assert.Null(new EvaluationReport(1, 1000, 1, 0).Perplexity);
        Assert.Null(new EvaluationReport(1, 1, 1, 0) { IsLikelihood = false }.Perplexity);
        Assert.Equal(1 / Math.Log(2) / 4, new EvaluationReport(1, 1, 1, 4).BitsPerByte!.Value, 1e-12);
        Assert.Null(new EvaluationReport(1, 1, 1, 0).BitsPerByte);
    }

    private static List<TrainingEvent> Run(
        string kind, string path, TrainingOptions options, int? stopAfter = null, bool resume = false, Objective? objective = null)
    {
        (GenerativeModel model, ModelAdapter? adapter) = TinyTraining.Create(kind, Device);
        using GenerativeModel owned = model;
        using ModelAdapter? attached = adapter;
        using RunFolder run = RunFolder.Open(path, resume);
        using Trainer trainer = new(model, objective ?? TinyTraining.Objective(kind), options);
        TrainingSession session = new(trainer, options, run, folder =>
        {
            if (adapter is null)
                Checkpoint.Write(folder, model);
            else
                PeftFolder.Write(folder, adapter);
        });
        run.WriteRun([]);
        using CancellationTokenSource cancel = new();
        if (trainer.Steps >= stopAfter)
            cancel.Cancel();
        List<TrainingEvent> events = [];
        foreach (TrainingEvent happened in session.Run(cancel.Token))
        {
            events.Add(happened);
            // Behind the evaluation that is due, where there is one: a signal in its middle ends it.
            long at = happened switch { StepMade s when !Due(options.EvaluateEvery, s.Report.Step) => s.Report.Step, Evaluated e => e.Report.Step, _ => -1 };
            if (at == stopAfter)
                cancel.Cancel();
        }
        return events;

        static bool Due(int every, long step) => every > 0 && step % every == 0;
    }

    private static string ModelSha(string run)
    {
        string checkpoint = RunFolder.LatestCheckpoint(run)!;
        return TinyTraining.Sha(Path.Combine(checkpoint, "model.safetensors")) + TinyTraining.Sha(Path.Combine(checkpoint, "trainer", "optimizer.safetensors"));
    }

    private static string[] Checkpoints(string run) =>
        [.. Directory.GetDirectories(Path.Combine(run, "checkpoints")).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)];

    private static string[] LogWithoutTimes(string run) => [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(line =>
    {
        JsonObject json = JsonNode.Parse(line)!.AsObject();
        json.Remove("tokens_per_second");
        json.Remove("seconds");
        return json.ToJsonString();
    })];
}
