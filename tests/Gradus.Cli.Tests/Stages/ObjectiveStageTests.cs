using System.Text.Json.Nodes;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary>Every objective of <c>pretrain</c> with a model that it trains.</summary>
public sealed class ObjectiveStageTests
{
    private const string Small = "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"hidden_size\": 16, \"intermediate_size\": 24, \"max_position_embeddings\": 24";

    public static TheoryData<string, string> Objectives => new()
    {
        { """{ "kind": "masked_language", "mask": { "whole_words": true } }""", $$"""{ "model_type": "bert", {{Small}} }""" },
        { """{ "kind": "replaced_tokens", "generator_width": 0.5 }""", $$"""{ "model_type": "electra", "embedding_size": 16, {{Small}} }""" },
        { """{ "kind": "denoising", "denoisers": [{ "kind": "spans", "share": 0.3 }, { "kind": "prefix", "weight": 0.5 }], "sentinels": 20 }""", """{ "model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2 }""" },
        { """{ "kind": "causal_and_masked", "masked_share": 0.5 }""", $$"""{ "model_type": "llama", "num_key_value_heads": 2, {{Small}} }""" },
    };

    [Theory]
    [MemberData(nameof(Objectives))]
    public void AnObjectiveTrainsItsModel(string objective, string model)
    {
        using CliProcess cli = Prepared(objective, model);
        cli.Run("pretrain", "objective.json").Succeeded();
        Assert.True(File.Exists(Path.Combine(RunFolder.LatestCheckpoint(cli["run"])!, "tokenizer.json")));
        JsonObject[] log = [.. File.ReadLines(Path.Combine(cli["run"], "log.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject())];
        Assert.Equal(6, log.Count(l => (string?)l["kind"] == "step"));
        Assert.All(log, l => Assert.True(double.IsFinite((double)l["loss"]!)));
        Assert.Contains(log, l => (string?)l["kind"] == "evaluation");
    }

    [Fact]
    public void AMaskedLanguageModelBecomesAClassifier()
    {
        using CliProcess cli = Prepared("""{ "kind": "masked_language" }""", $$"""{ "model_type": "bert", {{Small}} }""");
        cli.Run("pretrain", "objective.json", "--run=base").Succeeded();
        cli.Write("labels.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => i % 2 == 0 ? "{\"text\": \"a dog\", \"label\": 1}\n" : "{\"text\": \"an owl\", \"label\": 0}\n")));
        cli.Write("judge.json", """{ "run": "judge", "model": "base", "task": {}, "data": { "train": ["labels.jsonl"] }, "training": { "steps": 2 } }""");
        cli.Run("finetune", "judge.json").Succeeded();
        Assert.Contains("BertForSequenceClassification", File.ReadAllText(Path.Combine(RunFolder.LatestCheckpoint(cli["judge"])!, "config.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "kind": "next_token" }""", "bert", "does not predict the next token")]
    [InlineData("""{ "kind": "masked_language" }""", "llama", "does not fill in masked tokens")]
    [InlineData("""{ "kind": "denoising" }""", "llama", "has no encoder")]
    public void AModelThatCannotLearnItIsRefused(string objective, string model, string message)
    {
        using CliProcess cli = Prepared(objective, $$"""{ "model_type": "{{model}}" }""");
        CliResult result = cli.Run("pretrain", "objective.json");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private static CliProcess Prepared(string objective, string model)
    {
        CliProcess cli = new();
        cli.Write("objective.json", $$"""
            {
              "run": "run", "tokenizer": "character", "data": { "train": ["text.txt"], "validation_fraction": 0.2 },
              "model": {{model}}, "objective": {{objective}}, "batching": { "kind": "blocks", "length": 16, "count": 4 },
              "training": { "steps": 6, "evaluate_every": 3, "seed": 5 }
            }
            """);
        return cli;
    }
}
