using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Stages;

public sealed class PipelineTests
{
    private const string Recipe =
        """
        {
          "run": "life", "title": "A short life", "next": ["gradus chat $run/5-lora"],
          "talk": { "model": "$run/4-instruct", "prompts": ["Hello!", "Who are you?"], "max_tokens": 8 },
          "stages": [
            { "kind": "small_world", "title": "Data", "run": "$run/1-data", "stories": 60, "dialogues": 50, "instructions": 50, "conversations": 50, "held_out": 8 },
            { "kind": "tokenizer", "title": "Tokenizer", "run": "$run/2-tokenizer", "data": ["$run/1-data/pretrain.train.jsonl", "$run/1-data/instructions.train.jsonl"], "vocabulary_size": 400 },
            { "kind": "pretrain", "title": "Pre-training", "run": "$run/3-pretrain", "tokenizer": "$run/2-tokenizer",
              "data": { "train": ["$run/1-data/pretrain.train.jsonl"], "validation": ["$run/1-data/pretrain.validation.jsonl"] },
              "model": { "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 512, "tie_word_embeddings": true },
              "batching": { "kind": "packed", "tokens": 512 },
              "training": { "steps": 3, "evaluate_every": 2, "evaluate_batches": 1, "checkpoint_every": 1 }, "samples": { "prompts": ["Once"], "max_tokens": 4 } },
            { "kind": "finetune", "title": "Instruction tuning", "run": "$run/4-instruct", "model": "$run/3-pretrain",
              "data": { "train": ["$run/1-data/instructions.train.jsonl"], "validation": ["$run/1-data/instructions.validation.jsonl"] }, "batch_tokens": 512,
              "training": { "steps": 3, "evaluate_every": 2, "evaluate_batches": 1, "checkpoint_every": 1 }, "samples": { "prompts": ["Hello"], "max_tokens": 4, "temperature": 0 } },
            { "kind": "finetune", "title": "LoRA", "run": "$run/5-lora", "model": "$run/4-instruct", "data": { "train": ["$run/1-data/dialogues.train.jsonl"], "validation_fraction": 0.1 },
              "batch_tokens": 512, "accumulation": 2, "lora": { "r": 2, "alpha": 4, "dropout": 0.1 }, "training": { "steps": 3, "checkpoint_every": 1 } },
            { "kind": "evaluate", "title": "Evaluation", "run": "$run/6-evaluation", "models": { "before": "$run/3-pretrain", "after": "$run/5-lora" },
              "tasks": [
                { "kind": "answers", "name": "summaries", "data": ["$run/1-data/dialogues.test.jsonl"], "limit": 3, "max_tokens": 4 },
                { "kind": "answers", "name": "one example", "data": ["$run/1-data/dialogues.test.jsonl"], "limit": 2, "shots": 1, "shot_data": ["$run/1-data/dialogues.train.jsonl"], "max_tokens": 4, "metrics": ["exact_match"] },
                { "kind": "loss", "name": "stories", "data": ["$run/1-data/stories.test.jsonl"], "limit": 3 }] }
          ]
        }
        """;

    [Fact]
    public void AWholeLifeRunsToItsEndAndIsToldInOneReport()
    {
        using CliProcess cli = new();
        cli.Write("life.json", Recipe);
        cli.Run("run", "life.json").Succeeded();
        JsonObject summary = JsonNode.Parse(File.ReadAllText(cli["life/pipeline.json"]))!.AsObject();
        Assert.Equal("A short life", (string?)summary["title"]);
        Assert.Equal("gradus chat life/5-lora", (string?)summary["next"]![0]);
        Assert.Equal(
            ["1-data", "2-tokenizer", "3-pretrain", "4-instruct", "5-lora", "6-evaluation"],
            summary["stages"]!.AsArray().Select(s => (string?)s!["folder"]));
        Assert.All(summary["stages"]!.AsArray(), s => Assert.NotEmpty(s!["facts"]!.AsObject()));
        string report = File.ReadAllText(cli["life/report.html"]);
        Assert.All(summary["stages"]!.AsArray(), s => Assert.Contains((string)s!["title"]!, report, StringComparison.Ordinal));
        Assert.Equal(
            ["after-one-example", "after-stories", "after-summaries", "before-one-example", "before-stories", "before-summaries"],
            Directory.GetFiles(cli["life/6-evaluation/eval"], "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(cli["life/5-lora/checkpoints/step-0000003/adapter_model.safetensors"]));
        Assert.Equal(3, Directory.GetFiles(cli["life/3-pretrain/samples"]).Length);
        // What is told of the finished model is what it says when it is asked.
        JsonNode talk = summary["talk"]!;
        Assert.Equal("gradus chat life/4-instruct --greedy", (string?)talk["command"]);
        Assert.Equal(["Hello!", "Who are you?"], talk["answers"]!.AsArray().Select(a => (string?)a!["prompt"]));
        foreach (JsonNode? exchange in talk["answers"]!.AsArray())
        {
            CliResult said = cli.Run("generate", "life/4-instruct", "--greedy", "--max-tokens", "8", "--json", "--prompt", $"<|im_start|>user\n{exchange!["prompt"]}<|im_end|>\n<|im_start|>assistant\n");
            said.Succeeded();
            Assert.Equal((string?)exchange["answer"], ((string?)JsonNode.Parse(said.Output)!["text"])!.Trim());
            Assert.Contains((string)exchange["prompt"]!, report, StringComparison.Ordinal);
        }
        Assert.Equal(0.5, Answers(cli, "before-summaries").Count / 6.0);

        string message = cli.Run("run", "life.json").Failed(2);
        Assert.Contains("life: holds a run already; go on with --resume", message, StringComparison.Ordinal);
        CliResult again = cli.Run("run", "life.json", "--resume");
        again.Succeeded();
        Assert.Equal(6, again.Output.Split('\n').Count(l => l.EndsWith("done before", StringComparison.Ordinal)));

        string other = cli.Run("run", "life.json", "--resume", "--stages.2.training.steps=4").Failed(2);
        Assert.Contains("life: the stage \"Pre-training\" ran there with other settings", other, StringComparison.Ordinal);

        // Every stage left the recipe with which its verb does it again.
        cli.Run("pretrain", "life/3-pretrain/recipe.json", "--run=again").Succeeded();
        Assert.Equal(cli.Sha("life/3-pretrain"), cli.Sha("again"));

        Interrupted(cli);
    }

    [Fact]
    public void AStageIsNotWrittenOverWhatIsThere()
    {
        using CliProcess cli = new();
        cli.Write("life.json", Recipe);
        Directory.CreateDirectory(cli["mine"]);
        cli.Write("mine/notes.txt", "keep me");
        cli.Run("run", "life.json", "--stages.0.run=mine", "--stages.1.data=missing.jsonl").Failed(2);
        Assert.Equal("keep me", File.ReadAllText(cli["mine/notes.txt"]));
        Assert.Contains("is a file", cli.Run("run", "life.json", "--run=life.json").Failed(2), StringComparison.Ordinal);
    }

    // The same life, killed in the middle of stages and gone on with.
    private static void Interrupted(CliProcess cli)
    {
        foreach (string moment in new[] { "[2/6]", "3-pretrain/checkpoints/step-0000002", "5-lora/checkpoints/step-0000001" })
        {
            using Process process = cli.Start("run", "life.json", "--run=killed", "--resume");
            CliProcess.ReadTo(process, moment);
            process.Kill();
            CliProcess.WaitForExit(process);
            Assert.Equal(137, process.ExitCode);
        }
        cli.Run("run", "life.json", "--run=killed", "--resume").Succeeded();
        Assert.Equal(cli.Sha("life/3-pretrain"), cli.Sha("killed/3-pretrain"));
        Assert.Equal(cli.Sha("life/4-instruct"), cli.Sha("killed/4-instruct"));
        Assert.Equal(cli.Sha("life/5-lora", "adapter_model.safetensors"), cli.Sha("killed/5-lora", "adapter_model.safetensors"));
        Assert.True(JsonNode.DeepEquals(Answers(cli, "after-summaries"), JsonNode.Parse(File.ReadAllText(cli["killed/6-evaluation/eval/after-summaries.json"]))!["samples"]));
    }

    private static JsonArray Answers(CliProcess cli, string name) =>
        JsonNode.Parse(File.ReadAllText(cli[$"life/6-evaluation/eval/{name}.json"]))!["samples"]!.AsArray();
}
