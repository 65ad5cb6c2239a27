using System.Diagnostics;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary>What a run may go on with, what ends it, and that no work is lost: after the kinds of public reports in <c>cases/finetuning</c>.</summary>
public sealed class GoingOnTests : IDisposable
{
    private const string Adapter =
        """
        { "run": "adapter", "model": "run", "data": { "train": ["chat.jsonl"] }, "batch_tokens": 64, "lora": { "r": 2, "alpha": 4 },
          "training": { "steps": 2, "checkpoint_every": 1 } }
        """;

    private readonly CliProcess _cli = new();

    public GoingOnTests()
    {
        _cli.Write("chat.jsonl", "{\"prompt\": \"cat\", \"completion\": \"dog\"}\n{\"prompt\": \"fox\", \"completion\": \"owl\"}\n");
        _cli.Write("adapter.json", Adapter);
        // A conversation is longer than sixteen characters.
        _cli.Write("recipe.json", CliProcess.Recipe.Replace("\"n_positions\": 16", "\"n_positions\": 128", StringComparison.Ordinal));
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public void AChangedRecipeIsRefusedByItsKeys()
    {
        _cli.Train("run", "--training.steps=3");
        Refused(["pretrain", "recipe.json"], "--training.optimizer.learning_rate=0.5", "training.optimizer.learning_rate was 0.01, is 0.5");
        Refused(["pretrain", "recipe.json"], "--data.validation_fraction=0.1", "data.validation_fraction was 0.2, is 0.1");
        Refused(["pretrain", "recipe.json"], "--batching.count=5", "batching.count was 4, is 5");
        Refused(["pretrain", "recipe.json"], "--training.seed=6", "training.seed was 5, is 6");
        _cli.Run("finetune", "adapter.json", "--model=run").Succeeded();
        string recipe = File.ReadAllText(_cli["adapter/recipe.json"]);
        Refused(["finetune", "adapter.json"], "--lora.target_modules=c_attn", "lora.target_modules was [\"all-linear\"], is [\"c_attn\"]");
        Refused(["finetune", "adapter.json"], "--lora.alpha=8", "lora.alpha was 4, is 8");
        Refused(["finetune", "adapter.json"], "--model=run/checkpoints/step-0000003", "model was \"run\"");
        Assert.Equal(recipe, File.ReadAllText(_cli["adapter/recipe.json"]));
        // What has no part in the numbers may change.
        _cli.Run("finetune", "adapter.json", "--resume", "--training.steps=3", "--training.evaluate_every=1", "--title=other").Succeeded();

        void Refused(string[] verb, string option, string key)
        {
            string message = _cli.Run([.. verb, "--resume", "--training.steps=9", option]).Failed(2);
            Assert.Contains(key, message, StringComparison.Ordinal);
            Assert.Contains("what may change is title, what, run, training.steps", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AFinishedRunIsSaidToBeFinished()
    {
        _cli.Train("run");
        string run = File.ReadAllText(_cli["run/run.json"]);
        CliResult again = _cli.Run("pretrain", "recipe.json", "--resume");
        again.Succeeded();
        Assert.Equal("pretrain: already finished: 6 steps were made; go on with more by --training.steps=N", again.Output.TrimEnd().Split('\n')[^1]);
        Assert.Equal(run, File.ReadAllText(_cli["run/run.json"]));
    }

    [Fact]
    public void ACheckpointWithoutItsMarkIsNamed()
    {
        _cli.Train("run", "--training.steps=3");
        File.Delete(_cli["run/checkpoints/step-0000003/.complete"]);
        string message = _cli.Run("pretrain", "recipe.json", "--resume").Failed(2);
        Assert.Contains("step-0000003: its .complete mark is missing", message, StringComparison.Ordinal);
        Assert.Contains("go on from step-0000002", message, StringComparison.Ordinal);
        // Copied without dot files there is no other.
        File.Delete(_cli["run/checkpoints/step-0000002/.complete"]);
        Assert.Contains("its .complete mark is missing", _cli.Run("generate", "run", "-p", "cat").Failed(2), StringComparison.Ordinal);
        Assert.Contains("start over", _cli.Run("pretrain", "recipe.json", "--resume").Failed(2), StringComparison.Ordinal);
        _cli.Run("generate", "run/checkpoints/step-0000003", "-p", "cat", "--max-tokens", "1").Succeeded();
    }

    [Fact]
    public void AReaderThatGoesAwayDoesNotEndTheRun()
    {
        using Process process = _cli.Start("pretrain", "recipe.json", "--training.steps=60", "--json");
        CliProcess.ReadTo(process, "\"step\"");
        process.StandardOutput.Close();
        string error = process.StandardError.ReadToEnd();
        CliProcess.WaitForExit(process);
        Assert.Equal(0, process.ExitCode);
        Assert.Equal("gradus: the reader of the output has gone away; the run goes on, and its folder holds the log.\n", error);
        Assert.EndsWith("step-0000060", RunFolder.LatestCheckpoint(_cli["run"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exec", 129)]
    [InlineData("trap '' HUP; exec", 0)]
    public async Task AHangUpSavesUnlessItIsIgnored(string shell, int code)
    {
        if (OperatingSystem.IsWindows())
            return;
        ProcessStartInfo start = new("/bin/sh", ["-c", $"{shell} dotnet exec \"$0\" pretrain recipe.json --training.steps={(code == 0 ? 60 : 10_000_000)} --training.checkpoint_every=0 --training.evaluate_every=0", typeof(Gradus.Cli.Console.Application).Assembly.Location])
        {
            WorkingDirectory = _cli.FullPath,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        CliProcess.ReadTo(process, "step      1/");
        using (Process hangUp = Process.Start("kill", ["-HUP", $"{process.Id}"]))
            await hangUp.WaitForExitAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        CliProcess.WaitForExit(process);
        Assert.True(process.ExitCode == code, $"exit code {process.ExitCode}: {await error}");
        Assert.NotNull(RunFolder.LatestCheckpoint(_cli["run"]));
        Assert.Contains(code == 0 ? "done in" : "saved; go on with --resume", await output, StringComparison.Ordinal);
    }

    [Fact]
    public void TheModelUnderAnAdapterStaysWhenItsRunGoesOn()
    {
        _cli.Train("run", "--training.steps=3");
        _cli.Run("finetune", "adapter.json").Succeeded();
        _cli.Train("run", "--resume", "--training.steps=8");
        Assert.Equal(
            ["step-0000003", "step-0000007", "step-0000008"],
            Directory.GetDirectories(_cli["run/checkpoints"]).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal));
        _cli.Run("generate", "adapter", "-p", "cat", "--max-tokens", "1", "--greedy").Succeeded();
        // The adapter goes on over the model that it was begun on.
        _cli.Run("finetune", "adapter.json", "--resume", "--training.steps=3").Succeeded();
        _cli.Run("finetune", "adapter.json", "--run=straight", "--model=run/checkpoints/step-0000003", "--training.steps=3").Succeeded();
        Assert.Equal(_cli.Sha("straight", "adapter_model.safetensors"), _cli.Sha("adapter", "adapter_model.safetensors"));
        // Nothing stands on it any more.
        Directory.Delete(_cli["adapter"], recursive: true);
        Directory.Delete(_cli["straight"], recursive: true);
        _cli.Train("run", "--resume", "--training.steps=9");
        Assert.False(Directory.Exists(_cli["run/checkpoints/step-0000003"]));
    }

    [Fact]
    public void APathOfARecipeElsewhereIsSaidToCountFromTheWorkingDirectory()
    {
        Directory.CreateDirectory(_cli["recipes"]);
        File.Move(_cli["text.txt"], _cli["recipes/text.txt"]);
        File.Move(_cli["recipe.json"], _cli["recipes/recipe.json"]);
        string message = _cli.Run("pretrain", "recipes/recipe.json").Failed(2);
        Assert.Contains($"text.txt: no such file in {_cli.FullPath}, where the paths of a recipe count from; there is one beside the recipe", message, StringComparison.Ordinal);
        Assert.Contains("or write recipes/text.txt", message, StringComparison.Ordinal);
        Assert.Contains($"missing.txt: no such file in {_cli.FullPath}", _cli.Run("pretrain", "recipes/recipe.json", "--data.train=missing.txt").Failed(2), StringComparison.Ordinal);
    }
}
