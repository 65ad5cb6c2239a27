using System.Text.Json.Nodes;
using Gradus.Cli.Configuration;
using Gradus.Cli.Stages;

namespace Gradus.Cli.Tests.Stages;

/// <summary>What a stranger begins with: a recipe written for a model and data, a run without one, and help that names the keys.</summary>
public sealed class WithoutRecipeTests : IDisposable
{
    private readonly CliProcess _cli = new();

    public WithoutRecipeTests()
    {
        _cli.Write("recipe.json", CliProcess.Recipe.Replace("\"n_positions\": 16", "\"n_positions\": 128", StringComparison.Ordinal));
        _cli.Write("chat.jsonl", string.Concat(Enumerable.Range(0, 40).Select(i => $"{{\"prompt\": \"cat {i % 3}\", \"completion\": \"dog\"}}\n")));
        _cli.Train("model", "--training.checkpoint_every=0");
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public void AModelAndDataAreEnoughToFineTune()
    {
        CliResult run = _cli.Run("finetune", "model", "--data", "chat.jsonl", "--training.steps=2", "--run=tuned");
        run.Succeeded();
        // What is shown is what is kept, and runs again to the same bits.
        JsonObject kept = JsonNode.Parse(File.ReadAllText(_cli["tuned/recipe.json"]))!.AsObject();
        Assert.Equal("model", (string?)kept["model"]);
        Assert.Equal("chat.jsonl", (string?)kept["data"]!["train"]![0]);
        Assert.Equal(2, (int)kept["training"]!["steps"]!);
        Assert.Contains("\"validation_fraction\": 0.05", run.Output, StringComparison.Ordinal);
        Assert.Contains("// The model to start from", run.Output, StringComparison.Ordinal);
        Assert.Contains("38 examples to train on, 2 held out", run.Output, StringComparison.Ordinal);
        _cli.Run("finetune", "tuned/recipe.json", "--run=again").Succeeded();
        Assert.Equal(_cli.Sha("tuned"), _cli.Sha("again"));
        Assert.Contains("RECIPE|MODEL", _cli.Run("finetune", "--help").Output, StringComparison.Ordinal);
        Assert.Contains("missing.jsonl: no such file", _cli.Run("finetune", "model", "--data", "missing.jsonl").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void ARecipeIsWrittenForAModelAndData()
    {
        foreach (string[] init in (string[][])[["finetune", "model", "--data", "chat.jsonl"], ["pretrain", "--data", "text.txt"], ["evaluate", "model", "--data", "chat.jsonl"]])
        {
            string kind = init[0], file = $"{kind}-recipe.json";
            _cli.Run(["init", .. init, "-o", file]).Succeeded();
            string text = File.ReadAllText(_cli[file]);
            // Every key has its words, and the file says no other than what was chosen.
            StageRecipe stage = StageRecipe.All.Single(s => s.Kind == kind);
            Assert.True(text.Split('\n').Count(l => l.TrimStart().StartsWith("//", StringComparison.Ordinal)) >= stage.Metadata.Properties.Count);
            Assert.Equal(text, CommentedRecipe.Write(stage.Metadata, ConfigurationTree.Load(stage.Metadata, stage, _cli[file], []), $"gradus {kind} {file}"));
            Assert.Contains("is there already", _cli.Run(["init", .. init, "-o", file]).Failed(2), StringComparison.Ordinal);
        }
        _cli.Run("pretrain", "pretrain-recipe.json", "--training.steps=1").Succeeded();
        _cli.Run("evaluate", "evaluate-recipe.json", "--tasks.0.limit=1", "--tasks.0.max_tokens=2").Succeeded();
        Assert.Contains("did you mean \"finetune\"", _cli.Run("init", "finetnue", "model", "--data", "chat.jsonl").Failed(2), StringComparison.Ordinal);
        Assert.Contains("MODEL is missing", _cli.Run("init", "finetune", "--data", "chat.jsonl").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void HelpNamesTheKeys()
    {
        string help = _cli.Run("finetune", "--help").Output;
        Assert.Contains("training.steps = 1000", help, StringComparison.Ordinal);
        Assert.Contains("training.optimizer.learning_rate = 0.0002", help, StringComparison.Ordinal);
        Assert.Contains("training.optimizer.kind = adamw", help, StringComparison.Ordinal);
        Assert.Contains("training.checkpoint_minutes = 10", help, StringComparison.Ordinal);
        Assert.Contains("did you mean \"pretrain\"", _cli.Run("pretrian", "recipe.json").Failed(2), StringComparison.Ordinal);
        Assert.Contains("did you mean \"steps\"", _cli.Run("pretrain", "recipe.json", "--training.stpes=3").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void AnAdapterRunsOverABaseThatMoved()
    {
        _cli.Run("finetune", "model", "--data", "chat.jsonl", "--training.steps=2", "--run=adapter", "--lora={\"r\": 2}").Succeeded();
        string[] generate = ["generate", "adapter", "-p", "cat", "--max-tokens", "4"];
        string there = _cli.Run([.. generate, "--temperature", "0"]).Output;
        Directory.Move(_cli["model"], _cli["moved"]);
        Assert.Contains("--base", _cli.Run(generate).Failed(2), StringComparison.Ordinal);
        Assert.Equal(there, _cli.Run([.. generate, "--greedy", "--base", "moved"]).Output);
        Assert.Equal(there, _cli.Run([.. generate, "--temperature", "0", "--base", "moved"]).Output);
        _cli.Run("inspect", "adapter", "--base", "moved").Succeeded();
        _cli.Run("convert", "adapter", "merged", "--base", "moved").Succeeded();
        Assert.NotEqual(0, _cli.Run("generate", "moved", "--base", "moved", "-p", "cat").ExitCode);
    }
}
