using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Tests.Verbs;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors.Cpu;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary>A model learns vectors of texts: from pairs of fields to a folder that is opened as a sentence encoder.</summary>
public sealed class EmbeddingTuningTests : IDisposable
{
    private readonly SmallModel _models = new();

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("bert", "")]
    [InlineData("llama", """ "method": { "kind": "lora", "r": 4 }, """)]
    public void TextsThatBelongTogetherComeNear(string model, string more)
    {
        _models.WriteModel("bert", new BertConfig(HiddenSize: 16, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 24, HiddenDropoutProb: 0, AttentionProbsDropoutProb: 0, MaxPositionEmbeddings: SmallModel.Context));
        string[] words = ["cat", "dog", "owl", "fox", "hen", "bee"];
        _models.WriteFile("pairs.jsonl", string.Concat(Enumerable.Range(0, 60).Select(i => $$"""{"query": "a {{words[i % 6]}} is", "passage": "the {{words[i % 6].ToUpperInvariant()}}"}""" + "\n")));
        string run = _models["run"];
        FinetuneRecipe recipe = ConfigurationTree.Resolve(RecipeJson.Default.FinetuneRecipe, new FinetuneRecipe(), $$"""
            {
              "run": "{{run}}", "model": "{{_models[model]}}", "data": { "train": ["{{_models["pairs.jsonl"]}}"], "validation_fraction": 0.2 }, "batch_tokens": 128, {{more}}
              "embeddings": { "anchor": "query", "positive": "passage", "dimensions": [8] },
              "training": { "steps": 60, "evaluate_every": 30, "seed": 4, "optimizer": { "kind": "adamw", "learning_rate": 0.01 } }
            }
            """, "recipe.json", []);
        using CommandContext context = new(TextWriter.Null, TextWriter.Null);
        Assert.True(recipe.Execute(new StageContext(context, Json: false, Resume: false, CpuDevice.Default)).Finished);
        double[] losses = [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(l => JsonNode.Parse(l)!).Where(l => (string?)l["kind"] == "evaluation").Select(l => (double)l["loss"]!)];
        Assert.True(losses[^1] < 0.7 * losses[0], $"{losses[0]} → {losses[^1]}");
        using ModelBundle trained = ModelBundle.Open(RunFolder.LatestCheckpoint(run)!, CpuDevice.Default);
        if (trained.Adapter is null)
            Assert.Equal(Pooling.Mean, trained.Pooling);
        Assert.Equal(16, new TextEmbedder(trained).Embed(["a cat is"])[0].Length);
    }
}
