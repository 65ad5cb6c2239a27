using System.Reflection;
using System.Text.Json.Serialization;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Tests.Verbs;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Text.Chat;
using Gradus.Training.Runs;
using Gradus.Training.Tuning;

namespace Gradus.Cli.Tests.Stages;

/// <summary>Every method of tuning, through the recipe, on several families: trained, saved in its library's layout, gone on with to the same bits, loaded, used, merged.</summary>
public sealed class MethodContractTests : IClassFixture<MethodContractTests.Models>
{
    /// <summary>Values that keep the methods small, and those without which one does not know what to do.</summary>
    private static readonly Dictionary<string, string> Small = new()
    {
        ["adalora"] = """, "init_r": 4, "target_r": 2 """,
        ["bottleneck"] = """, "reduction_factor": 4 """,
        ["last_layers"] = """, "count": 1 """,
        ["lora"] = """, "r": 4, "rate_ratio": 4 """,
        ["loha"] = """, "r": 3 """,
        ["lokr"] = """, "r": 2 """,
        ["miss"] = """, "r": 4 """,
        ["multitask_prompt_tuning"] = """, "virtual_tokens": 3, "tasks": 2 """,
        ["oft"] = """, "block_size": 4 """,
        ["p_tuning"] = """, "virtual_tokens": 3 """,
        ["parameters"] = """, "names": ["/norm|ln_|layer_norm/"] """,
        ["prefix_tuning"] = """, "virtual_tokens": 3, "projection": true """,
        ["prompt_tuning"] = """, "virtual_tokens": 3, "start": "text", "text": "cat" """,
        ["trainable_tokens"] = """, "tokens": ["a", "o"] """,
        ["vera"] = """, "r": 8 """,
    };

    private readonly Models _models;

    public MethodContractTests(Models models) => _models = models;

    private static string[] Kinds => [.. typeof(TuningMethod).GetCustomAttributes<JsonDerivedTypeAttribute>(false).Select(a => (string)a.TypeDiscriminator!)];

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string kind in Kinds)
        {
            foreach (string model in new[] { "gpt2", "llama", "t5" })
            {
                // Neither Llama nor T5 has biases.
                if (kind != "bitfit" || model == "gpt2")
                    cases.Add(kind, model);
            }
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void AMethodTrainsGoesOnAndIsUsed(string kind, string model)
    {
        string run = _models.Path($"{kind}-{model}");
        FinetuneRecipe recipe = _models.Recipe(run, model, kind);
        Assert.True(Run(recipe, resume: false).Finished);
        string last = RunFolder.LatestCheckpoint(run)!;
        Assert.Equal("step-0000003", Path.GetFileName(last));
        bool adapts = recipe.Tuned.FreezesModel;
        Assert.Equal(adapts, PeftFolder.IsAdapter(last));
        Assert.Equal(!adapts, File.Exists(Path.Combine(last, "model.safetensors")));

        // From the checkpoint before it the run comes to the same bits.
        Dictionary<string, byte[]> first = Files(last);
        Directory.Delete(last, recursive: true);
        Assert.True(Run(recipe, resume: true).Finished);
        Dictionary<string, byte[]> again = Files(last);
        Assert.Equal(first.Keys.Order(), again.Keys.Order());
        Assert.All(first, f => Assert.True(f.Value.AsSpan().SequenceEqual(again[f.Key]), f.Key));

        using ModelBundle start = ModelBundle.Open(_models.Path(model), CpuDevice.Default), trained = ModelBundle.Open(last, CpuDevice.Default);
        float[] scores = Scores(trained);
        Assert.NotEqual(Scores(start), scores);
        using (Generator generator = new(trained.Generative))
        {
            GeneratedSequence written = generator.Run([trained.Answer(new ChatConversation([new ChatMessage("user", "cat")])) with { MaxNewTokens = 3 }])[0];
            Assert.InRange(((int[])[.. written.Generated]).Length, 1, 3);
        }
        if (trained.Adapter is not { CanMerge: true } adapter)
            return;
        adapter.Merge();
        float[] merged = Scores(trained);
        float scale = scores.Max(MathF.Abs);
        Assert.All(scores.Zip(merged), p => Assert.Equal(p.First, p.Second, 1e-3f * scale));
    }

    [Fact]
    public void EveryMethodOfPeftHasARecipe()
    {
        using ModelBundle bundle = ModelBundle.Open(_models.Path("llama"), CpuDevice.Default);
        TuningTarget target = new(bundle.Model, bundle.Tokenizer, "base", "CAUSAL_LM", 3);
        HashSet<string> made = [];
        foreach (string kind in Kinds.Except(["bitfit"]))
        {
            using Tuning tuning = _models.Recipe("run", "llama", kind).Tuned.Apply(target, 1);
            if (tuning.Adapter is { } adapter)
                made.Add(adapter.Config.PeftType);
        }
        Assert.Equal(PeftConfig.PeftTypes, made.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("eva")]
    [InlineData("pissa")]
    [InlineData("olora")]
    [InlineData("orthogonal")]
    [InlineData("gaussian")]
    public void LoraStartsAsItIsTold(string start)
    {
        string run = _models.Path($"start-{start}");
        FinetuneRecipe recipe = _models.Recipe(run, "llama", "lora", $$""", "r": 4, "start": "{{start}}" """);
        Assert.True(Run(recipe, resume: false).Finished);
        string config = File.ReadAllText(Path.Combine(RunFolder.LatestCheckpoint(run)!, PeftFolder.ConfigFile));
        Assert.Contains($"\"init_lora_weights\": \"{start}\"", config, StringComparison.Ordinal);
    }

    [Fact]
    public void TheRatesOfLoraPlusDiffer()
    {
        LoraMethod method = new(RateRatio: 16);
        Assert.True(method.Groups.Single().Matches("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight"));
        Assert.False(method.Groups.Single().Matches("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"));
        Assert.Equal(16, method.Groups.Single().LearningRateFactor);
    }

    [Theory]
    [InlineData("trainable_tokens", """, "tokens": ["nothing"] """, "\"nothing\" is no token")]
    [InlineData("parameters", """, "names": ["nowhere"] """, "nowhere names no parameter")]
    [InlineData("bitfit", "", "bitfit trains biases")]
    [InlineData("prompt_tuning", """, "start": "text" """, "method.text: is missing")]
    [InlineData("lora", """, "r": 3, "start": "orthogonal" """, "needs an even rank")]
    [InlineData("adalora", """, "warmup_steps": 3 """, "leave none between")]
    public void WhatDoesNotFitIsSaid(string kind, string values, string message)
    {
        FinetuneRecipe recipe = _models.Recipe(_models.Path($"wrong-{kind}-{message.Length}"), "llama", kind, values);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => Run(recipe, resume: false)).Message, StringComparison.Ordinal);
    }

    private static StageResult Run(FinetuneRecipe recipe, bool resume)
    {
        using CommandContext context = new(TextWriter.Null, TextWriter.Null);
        return recipe.Execute(new StageContext(context, Json: false, resume, CpuDevice.Default));
    }

    private static Dictionary<string, byte[]> Files(string folder) => Directory.GetFiles(folder, "*.safetensors", SearchOption.AllDirectories)
        .Append(Path.Combine(folder, "trainer", "state.json"))
        .ToDictionary(f => Path.GetRelativePath(folder, f), File.ReadAllBytes);

    private static float[] Scores(ModelBundle bundle)
    {
        using Workspace step = bundle.Model.Parts.Store.NewScratch();
        TokenBatchOf(bundle, out Nn.TokenBatch batch);
        return bundle.Generative.Logits(new Nn.Pass(batch, step)).ToArray();
    }

    private static void TokenBatchOf(ModelBundle bundle, out Nn.TokenBatch batch)
    {
        GenerationRequest request = bundle.Answer(new ChatConversation([new ChatMessage("user", "a cat is an owl to a fox.")]));
        batch = request.Source is { } source
            ? new Nn.TokenBatch(request.Prompt, [0, request.Prompt.Length]) { Source = Nn.TokenBatch.Of([source]) }
            : Nn.TokenBatch.Of([request.Prompt]);
    }

    /// <summary>Small models, and conversations to learn.</summary>
    public sealed class Models : IDisposable
    {
        private readonly SmallModel _models = new();

        public Models()
        {
            _models.WriteModel("t5", new T5Config(DModel: 16, DKv: 8, DFf: 24, NumLayers: 1, NumHeads: 2));
            _models.WriteFile("chat.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i =>
                $$"""{"prompt": "{{(i % 2 == 0 ? "cat" : "fox")}}", "completion": "{{(i % 2 == 0 ? "dog" : "owl")}}", "task_id": {{i % 2}}}""" + "\n")));
        }

        public string Path(string name) => _models[name];

        internal FinetuneRecipe Recipe(string run, string model, string kind, string? values = null)
        {
            string json = $$"""
                {
                  "run": {{Quoted(run)}}, "model": {{Quoted(Path(model))}}, "data": { "train": [{{Quoted(Path("chat.jsonl"))}}] }, "batch_tokens": 96,
                  "method": { "kind": "{{kind}}"{{values ?? Small.GetValueOrDefault(kind, "")}} },
                  "training": { "steps": 3, "checkpoint_every": 1, "keep_checkpoints": 3, "seed": 4, "optimizer": { "kind": "adamw", "learning_rate": 0.02 } }
                }
                """;
            return (FinetuneRecipe)ConfigurationTree.Resolve(RecipeJson.Default.FinetuneRecipe, new FinetuneRecipe(), json, "recipe.json", []);
        }

        public void Dispose() => _models.Dispose();

        private static string Quoted(string text) => $"\"{System.Text.Json.JsonEncodedText.Encode(text)}\"";
    }
}
