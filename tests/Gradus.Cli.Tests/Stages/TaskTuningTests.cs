using System.Text;
using System.Text.Json.Nodes;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary>A model learns to judge texts: from labelled records to a classifier's folder, its metrics in the log, the report and the lines of <c>--json</c>.</summary>
public sealed class TaskTuningTests
{
    private const string Recipe =
        """
        {
          "run": "judge", "model": "model", "task": { "kind": "classes" },
          "data": { "train": ["labels.jsonl"], "validation_fraction": 0.25 }, "batch_tokens": 64,
          "training": { "steps": 40, "evaluate_every": 20, "seed": 5, "optimizer": { "kind": "adamw", "learning_rate": 0.02 } }
        }
        """;

    [Fact]
    public void AClassifierLearnsItsLabelsAndSaysSo()
    {
        using CliProcess cli = Prepared();
        CliResult trained = cli.Run("finetune", "judge.json", "--json");
        trained.Succeeded();
        JsonObject last = trained.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!.AsObject()).Last(l => (string?)l["kind"] == "evaluation");
        Assert.Equal(1.0, (double)last["metrics"]!["accuracy"]!);
        Assert.Null(last["perplexity"]);
        Assert.Contains(File.ReadLines(Path.Combine(cli["judge"], "log.jsonl")), l => l.Contains("\"metrics\":{\"accuracy\":", StringComparison.Ordinal));
        Assert.Contains("accuracy", File.ReadAllText(Path.Combine(cli["judge"], "report.html")), StringComparison.Ordinal);
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(RunFolder.LatestCheckpoint(cli["judge"])!, "config.json")))!.AsObject();
        Assert.Equal("GPT2ForSequenceClassification", (string?)config["architectures"]![0]);
        Assert.Equal(["dog", "owl"], config["id2label"]!.AsObject().Select(l => (string)l.Value!));
    }

    [Fact]
    public void AnAdapterHoldsTheHeadToo()
    {
        using CliProcess cli = Prepared();
        cli.Run("finetune", "judge.json", "--lora.r=4", "--run=adapter").Succeeded();
        string adapter = File.ReadAllText(Path.Combine(RunFolder.LatestCheckpoint(cli["adapter"])!, "adapter_config.json"));
        Assert.Contains("SEQ_CLS", adapter, StringComparison.Ordinal);
        Assert.Contains("score", adapter, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--task.label=kind", "labels.jsonl: line 1", "\"kind\" is missing")]
    [InlineData("--task.kind=tags", "task.kind", "no head for this")]
    [InlineData("--task.kind=numbers", "labels.jsonl: line 1", "no number")]
    [InlineData("--data.validation=other.jsonl", "other.jsonl: line 1", "none of those of the training data: dog, owl")]
    [InlineData("--keep_stored_type=true", "task", "keep_stored_type")]
    public void WhatIsWrongIsOneLine(string option, string what, string advice)
    {
        using CliProcess cli = Prepared();
        cli.Write("other.jsonl", """{"text": "a fox", "label": "fox"}""");
        CliResult result = cli.Run("finetune", "judge.json", option);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(what, result.Error, StringComparison.Ordinal);
        Assert.Contains(advice, result.Error, StringComparison.Ordinal);
    }

    private static CliProcess Prepared()
    {
        CliProcess cli = new();
        cli.Train("model", "--training.checkpoint_every=0");
        StringBuilder records = new();
        for (int i = 0; i < 32; i++)
        {
            string who = i % 2 == 0 ? "dog" : "owl";
            records.Append($$"""{"text": "{{(i % 3 == 0 ? "the " : "near ")}}{{who}} is", "label": "{{who}}"}""").Append('\n');
        }
        cli.Write("labels.jsonl", records.ToString());
        cli.Write("judge.json", Recipe);
        return cli;
    }
}
