using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Tests.Verbs;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary><c>gradus align</c>: every objective through the recipe, on a decoder and on a model with an encoder; resumed to the same bits; wrong runs refused.</summary>
public sealed class AlignStageTests : IDisposable
{
    private const string Policy = """{ "kind": "policy", "rewards": [{ "kind": "expected" }, { "kind": "regex", "name": "letter", "pattern": "[aeiou]", "weight": 0 }], "options": { "prompts": 2, "group_size": 4, "max_new_tokens": 4""";

    private readonly SmallModel _models = new();

    public AlignStageTests()
    {
        _models.WriteModel("t5", new T5Config(DModel: 16, DKv: 8, DFf: 24, NumLayers: 1, NumHeads: 2));
        _models.WriteFile("pairs.jsonl", string.Concat(Enumerable.Range(0, 24).Select(i =>
            $$"""{"prompt": "{{(i % 2 == 0 ? "cat" : "fox")}}", "chosen": "dog", "rejected": "{{(i % 3 == 0 ? "owl" : "cow")}}", "answer": "dog"}""" + "\n")));
        _models.WriteFile("labels.jsonl", string.Concat(Enumerable.Range(0, 24).Select(i =>
            $$"""{"prompt": "cat", "completion": "{{(i % 2 == 0 ? "dog" : "owl")}}", "label": {{(i % 2 == 0 ? "true" : "false")}}}""" + "\n")));
    }

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("llama", """{ "kind": "preference" }""", "rewards/accuracies")]
    [InlineData("t5", """{ "kind": "preference", "loss": { "kind": "ipo" } }""", "rewards/margins")]
    [InlineData("gpt2", """{ "kind": "preference", "loss": { "kind": "simpo" } }""", "rewards/margins")]
    [InlineData("llama", """{ "kind": "preference", "loss": { "kind": "orpo" } }""", "loss/sft")]
    [InlineData("llama", """{ "kind": "preference", "loss": { "kind": "mixed", "parts": [{ "weight": 0.5, "loss": { "kind": "sigmoid" } }, { "loss": { "kind": "bco_pair" } }] }, "sft_coefficient": 0.1 }""", "loss/sft")]
    [InlineData("llama", """{ "kind": "preference", "sampling": { "answers": 4, "max_new_tokens": 4 }, "rewards": [{ "kind": "overlap" }, { "kind": "words", "least": 1, "most": 1, "weight": 0.5 }] }""", "rewards/accuracies")]
    [InlineData("llama", """{ "kind": "unpaired" }""", "kl")]
    [InlineData("t5", """{ "kind": "unpaired", "loss": { "kind": "apo_zero_unpaired" } }""", "rewards/chosen")]
    [InlineData("llama", """{ "kind": "reward" }""", "accuracy")]
    [InlineData("llama", Policy + """ } }""", "reward/letter")]
    [InlineData("t5", Policy + """, "epochs": 2, "advantage": { "kind": "gae" }, "kl": { "initial": 0.1 } } }""", "kl")]
    [InlineData("gpt2", Policy + """, "advantage": { "kind": "rloo" } } }""", "end_rate")]
    public void AnObjectiveTrainsAndGoesOn(string model, string objective, string metric)
    {
        foreach (string lora in objective.Contains("reward\" }", StringComparison.Ordinal) ? new[] { "" } : ["", """ "lora": { "r": 2, "alpha": 4 }, """])
        {
            string run = _models[$"run{lora.Length}"];
            AlignRecipe recipe = Recipe(run, model, objective, lora);
            Assert.True(Run(recipe, resume: false).Finished);
            string last = RunFolder.LatestCheckpoint(run)!;
            Assert.Equal(lora.Length > 0, PeftFolder.IsAdapter(last));
            JsonObject[] log = Log(run);
            JsonObject[] steps = [.. log.Where(l => (string?)l["kind"] == "step")];
            Assert.Equal(3, steps.Length);
            Assert.Contains(steps, s => s["metrics"]!.AsObject().ContainsKey(metric));
            Assert.Contains(log, l => (string?)l["kind"] == "evaluation" && (double)l["loss"]! is var loss && double.IsFinite(loss));
            byte[] weights = Weights(last), optimizer = File.ReadAllBytes(Path.Combine(last, "trainer", "optimizer.safetensors"));
            Directory.Delete(last, recursive: true);
            Assert.True(Run(recipe, resume: true).Finished);
            Assert.Equal(weights, Weights(last));
            Assert.Equal(optimizer, File.ReadAllBytes(Path.Combine(last, "trainer", "optimizer.safetensors")));
            Assert.Contains(metric, File.ReadAllText(Path.Combine(run, "report.html")), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TheFirstLossOfDpoIsLn2()
    {
        string run = _models["dpo"];
        Run(Recipe(run, "llama", """{ "kind": "preference" }"""), resume: false);
        Assert.Equal(Math.Log(2), (double)Log(run).First(l => (string?)l["kind"] == "step")["loss"]!, 1e-6);
    }

    [Fact]
    public void ARewardModelIsAReward()
    {
        Run(Recipe(_models["judge"], "llama", """{ "kind": "reward" }"""), resume: false);
        string run = _models["policy"];
        string judge = System.Text.Json.JsonEncodedText.Encode(_models["judge"]).ToString();
        Run(Recipe(run, "llama", $$"""{ "kind": "policy", "rewards": [{ "kind": "model", "name": "judge", "model": "{{judge}}" }], "options": { "prompts": 2, "group_size": 2, "max_new_tokens": 4 } }"""), resume: false);
        Assert.All(Log(run).Where(l => (string?)l["kind"] == "step"), s => Assert.NotEqual(0, (double)s["metrics"]!["reward/judge"]!));
    }

    [Fact]
    public void AProgramIsRun()
    {
        RewardSetting setting = new([new([new("user", "2+2")], "4")], SmallModel.Tokenizer("0123456789+=()"), null!);
        Training.Alignment.RewardSource reward = new ProgramRewardRecipe().Make(setting);
        Assert.Equal([1, 1, 0, 0], reward.Score([.. new[] { "print(2+2)", "solution=4", "print(5)", "print(" }.Select(p => new Training.Alignment.Rollout([0], setting.Tokenizer.Encode(p), true))]));
    }

    [Theory]
    [InlineData("""{ "kind": "policy" }""", "", "objective.rewards: is empty")]
    [InlineData("""{ "kind": "policy", "rewards": [{ "kind": "regex", "pattern": "(" }] }""", "", "not a regular expression")]
    [InlineData("""{ "kind": "policy", "rewards": [{ "kind": "expected", "weight": 0 }] }""", "", "none counts")]
    [InlineData("""{ "kind": "reward" }""", """ "keep_stored_type": true, """, "keep_stored_type")]
    [InlineData("""{ "kind": "unpaired" }""", """ "max_length": 4, """, "nothing is left to learn from")]
    [InlineData("""{ "kind": "preference" }""", """ "lora": { "r": 2 }, "method": { "kind": "ia3" }, """, "give one of them")]
    public void WhatIsWrongIsSaid(string objective, string more, string message)
    {
        AlignRecipe recipe = Recipe(_models["wrong"], "llama", objective, more);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => Run(recipe, resume: false)).Message, StringComparison.Ordinal);
    }

    private AlignRecipe Recipe(string run, string model, string objective, string more = "")
    {
        string data = objective.Contains("unpaired", StringComparison.Ordinal) ? "labels.jsonl" : "pairs.jsonl";
        string json = $$"""
            {
              "run": {{Quoted(run)}}, "model": {{Quoted(_models[model])}}, "data": { "train": [{{Quoted(_models[data])}}], "validation_fraction": 0.25 }, "batch_tokens": 192,
              {{more}} "objective": {{objective}},
              "training": { "steps": 3, "checkpoint_every": 1, "keep_checkpoints": 3, "evaluate_every": 2, "seed": 4, "optimizer": { "kind": "adamw", "learning_rate": 0.01 } }
            }
            """;
        return ConfigurationTree.Resolve(RecipeJson.Default.AlignRecipe, new AlignRecipe(), json, "recipe.json", []);
    }

    private static StageResult Run(AlignRecipe recipe, bool resume)
    {
        using CommandContext context = new(TextWriter.Null, TextWriter.Null);
        return recipe.Execute(new StageContext(context, Json: false, resume, CpuDevice.Default));
    }

    private static JsonObject[] Log(string run) => [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject())];

    private static byte[] Weights(string folder) =>
        File.ReadAllBytes(new[] { "model.safetensors", "adapter_model.safetensors" }.Select(n => Path.Combine(folder, n)).First(File.Exists));

    private static string Quoted(string text) => $"\"{System.Text.Json.JsonEncodedText.Encode(text)}\"";
}
