using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;

namespace Gradus.Cli.Tests.Stages;

/// <summary>The commands with models that are no decoders: encoder-decoders and recurrent networks.</summary>
public sealed class ArchitectureStageTests
{
    private const string Pairs =
        """
        {"source": "the cat", "target": "a bird"}
        {"prompt": "the dog", "completion": "a leaf"}
        {"instruction": "the", "input": "owl", "output": "a pond"}
        {"source": "the fox", "target": "a star"}
        """;

    [Fact]
    public void AT5IsTunedOnPairsAndAnswers()
    {
        using CliProcess cli = new();
        WriteT5(cli);
        cli.Write("pairs.jsonl", Pairs);
        cli.Write("tune.json",
            """
            { "run": "tuned", "model": "t5", "data": { "train": ["pairs.jsonl"], "validation": ["pairs.jsonl"] }, "batch_tokens": 64,
              "training": { "steps": 150, "evaluate_every": 75, "checkpoint_every": 75, "optimizer": { "kind": "adamw", "learning_rate": 0.01 } },
              "samples": { "prompts": ["the cat"], "max_tokens": 8, "temperature": 0 } }
            """);
        cli.Run("finetune", "tune.json").Succeeded();
        JsonNode answer = Generate(cli, "tuned", "the dog");
        Assert.Equal("a leaf", (string?)answer["text"]);
        Assert.Equal("end_token", (string?)answer["finish"]);
        Assert.Equal("a bird", (string?)JsonNode.Parse(File.ReadAllText(cli["tuned/samples/step-0000150.json"]))!["samples"]![0]!["completion"]);

        cli.Run("finetune", "tune.json", "--run=adapted", "--lora.r=4", "--training.steps=2").Succeeded();
        JsonObject adapter = Checkpoint.ReadObject(cli["adapted/checkpoints/step-0000002/adapter_config.json"]);
        Assert.Equal("SEQ_2_SEQ_LM", (string?)adapter["task_type"]);
        Generate(cli, "adapted", "the dog");

        string refused = cli.Run("pretrain", "recipe.json", "--model.model_type=t5", "--run=no").Failed(2);
        Assert.Contains("gradus finetune", refused, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lstm")]
    [InlineData("gru")]
    public void ARecurrentNetworkIsTrainedLikeATransformer(string rnn)
    {
        using CliProcess cli = new();
        JsonObject recipe = JsonNode.Parse(CliProcess.Recipe)!.AsObject();
        recipe["model"] = new JsonObject { ["model_type"] = "rnn_lm", ["rnn"] = rnn, ["embedding_size"] = 16, ["hidden_size"] = 24, ["dropout"] = 0.1 };
        cli.Write("rnn.json", recipe.ToJsonString());
        cli.Run("pretrain", "rnn.json").Succeeded();
        JsonNode text = Generate(cli, "run", "the cat");
        Assert.Equal(12, (int)text["tokens"]!);
        Assert.Equal("rnn_lm", (string?)Checkpoint.ReadObject(cli["run/checkpoints/step-0000006/config.json"])["model_type"]);
        cli.Run("inspect", "run").Succeeded();
    }

    private static JsonNode Generate(CliProcess cli, string model, string prompt)
    {
        CliResult result = cli.Run("generate", model, "--prompt", prompt, "--greedy", "--max-tokens", "12", "--json");
        result.Succeeded();
        return JsonNode.Parse(result.Output)!;
    }

    private static void WriteT5(CliProcess cli)
    {
        Tokenizer tokenizer = CharacterTokenizer.Train(["the cat dog owl fox bird leaf pond star\n"], ["<|endoftext|>"]);
        using LanguageModel model = Checkpoint.Create(
            new T5Config(tokenizer.VocabularySize, DModel: 32, DKv: 16, DFf: 64, NumLayers: 1, NumHeads: 2, DropoutRate: 0, EosTokenId: tokenizer.EndOfText!.Value), 3, ReferenceDevice.Instance);
        using AtomicFolder folder = AtomicFolder.Begin(cli["t5"]);
        Checkpoint.Write(folder, model);
        tokenizer.Save(folder.TemporaryPath);
        folder.Commit();
    }
}
