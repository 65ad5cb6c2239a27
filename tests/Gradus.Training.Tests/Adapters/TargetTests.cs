using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Tests.Adapters;

/// <summary>Which layers a configuration names, by PEFT's rules.</summary>
public sealed class TargetTests
{
    private const string Layer0 = "model.layers.0.", Layer1 = "model.layers.1.";

    [Theory]
    [InlineData("q_proj", Layer0 + "self_attn.q_proj", true)]
    [InlineData("self_attn.q_proj", Layer0 + "self_attn.q_proj", true)]
    [InlineData("proj", Layer0 + "self_attn.q_proj", false)]
    [InlineData(Layer0 + "self_attn.q_proj", Layer0 + "self_attn.q_proj", true)]
    [InlineData(Layer0 + "self_attn.q_proj", Layer1 + "self_attn.q_proj", false)]
    public void AListNamesTheEndsOfPaths(string name, string path, bool expected) =>
        Assert.Equal(expected, new LoraConfig(TargetModules: ModuleNames.Of(name)).Targets(path));

    [Theory]
    [InlineData(@".*\.(q|v)_proj", Layer0 + "self_attn.v_proj", true)]
    [InlineData(@".*\.(q|v)_proj", Layer0 + "self_attn.k_proj", false)]
    [InlineData("q_proj", Layer0 + "self_attn.q_proj", false)]
    [InlineData(@"^(?!.*mlp).*_proj$", Layer0 + "mlp.up_proj", false)]
    public void AStringMatchesTheWholePath(string pattern, string path, bool expected) =>
        Assert.Equal(expected, new LoraConfig(TargetModules: new ModuleNames([pattern], IsPattern: true)).Targets(path));

    [Fact]
    public void ExcludedModulesAndModulesToSaveAreNoTargets()
    {
        LoraConfig config = new(TargetModules: ModuleNames.Of("q_proj", "up_proj", "lm_head"), ExcludeModules: ModuleNames.Of("layers.1.self_attn.q_proj"), ModulesToSave: ["lm_head"]);
        Assert.True(config.Targets(Layer0 + "self_attn.q_proj"));
        Assert.False(config.Targets(Layer1 + "self_attn.q_proj"));
        Assert.True(config.Targets(Layer1 + "mlp.up_proj"));
        Assert.False(config.Targets("lm_head"));
    }

    [Fact]
    public void LayersAreChosenByNumber()
    {
        LoraConfig config = new(TargetModules: ModuleNames.Of("q_proj", Layer0 + "mlp.up_proj"), LayersToTransform: new LayerNumbers([1]));
        Assert.False(config.Targets(Layer0 + "self_attn.q_proj"));
        Assert.True(config.Targets(Layer1 + "self_attn.q_proj"));
        Assert.True(config.Targets(Layer0 + "mlp.up_proj"));
        Assert.False(config.Targets("model.layers.11.self_attn.q_proj"));
        Assert.False((config with { LayersPattern = ModuleNames.Of("h") }).Targets(Layer1 + "self_attn.q_proj"));
        Assert.True((config with { LayersPattern = ModuleNames.Of("h", "layers") }).Targets(Layer1 + "self_attn.q_proj"));
        Assert.False(config.Targets("q_proj.q_proj"));
    }

    [Fact]
    public void PatternsChangeRankAndScale()
    {
        LoraConfig config = new(
            R: 8, LoraAlpha: 4,
            RankPattern: new Dictionary<string, int> { ["layers.1.self_attn.q_proj"] = 2, ["q_proj"] = 16 },
            AlphaPattern: new Dictionary<string, double> { [@"layers\.[01]\.mlp\..*"] = 32 });
        Assert.Equal(16, config.RankOf(Layer0 + "self_attn.q_proj"));
        Assert.Equal(2, config.RankOf(Layer1 + "self_attn.q_proj"));
        Assert.Equal(8, config.RankOf(Layer0 + "self_attn.xq_proj"));
        Assert.Equal(2f, config.ScaleOf(Layer1 + "self_attn.q_proj"));
        Assert.Equal(4f, config.ScaleOf(Layer0 + "mlp.up_proj"));
        Assert.Equal(0.5f, config.ScaleOf(Layer0 + "self_attn.v_proj"));
        Assert.Equal(1f, (config with { UseRslora = true }).ScaleOf(Layer0 + "self_attn.q_proj"));
    }

    [Fact]
    public void UsualTargetsComeFromTheArchitecture()
    {
        using DecoderModel llama = AdapterFixture.Llama(), gpt2 = AdapterFixture.Gpt2();
        using ModelAdapter onLlama = ModelAdapter.Attach(llama, new LoraConfig(), 1), onGpt2 = ModelAdapter.Attach(gpt2, new LoraConfig(), 1);
        Assert.Equal(["q_proj", "v_proj"], ((LoraConfig)onLlama.Config).TargetModules!.Values);
        Assert.Equal(["q_proj", "v_proj"], llama.Parts.Linears.Where(l => l.Adapter is not null).Select(l => l.Name).Distinct());
        Assert.Equal(["c_attn"], gpt2.Parts.Linears.Where(l => l.Adapter is not null).Select(l => l.Name).Distinct());
        Assert.False(((LoraConfig)onLlama.Config).FanInFanOut);
        Assert.True(((LoraConfig)onGpt2.Config).FanInFanOut);
        Assert.Contains("base_model.model.transformer.h.1.attn.c_attn.lora_A.weight", onGpt2.Tensors.Keys);
    }

    [Fact]
    public void AllLinearLeavesOutTheHead()
    {
        using DecoderModel model = AdapterFixture.Llama();
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(TargetModules: new ModuleNames(["All-Linear"], IsPattern: true)), 1);
        Assert.Equal(model.Parts.Linears.Where(l => l != model.Head), model.Parts.Linears.Where(l => l.Adapter is not null));
        Assert.Null(model.Parts.Embeddings[0].Adapter);
        Assert.Equal(14, ((LoraConfig)adapter.Config).TargetModules!.Values.Count);
    }

    [Theory]
    [InlineData(LoraBias.None, 0)]
    [InlineData(LoraBias.LoraOnly, 2)]
    [InlineData(LoraBias.All, 13)]
    public void BiasesAreTrainedOnRequest(LoraBias bias, int expected)
    {
        using AdapterFixture fixture = new();
        using DecoderModel model = AdapterFixture.Gpt2();
        float[] before = AdapterFixture.Logits(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 2, Bias: bias), 1);
        Assert.Equal(expected, adapter.Tensors.Keys.Count(k => k.EndsWith(".bias", StringComparison.Ordinal)));
        Assert.Equal(bias == LoraBias.None ? 0 : 2, adapter.Tensors.Keys.Count(k => k.EndsWith(".c_attn.base_layer.bias", StringComparison.Ordinal)));
        AdapterFixture.Train(model, 3);
        float[] trained = AdapterFixture.Logits(model);
        PeftFolder.Save(fixture.At("a"), adapter);
        adapter.Detach();
        Assert.Equal(before, AdapterFixture.Logits(model));
        using ModelAdapter again = PeftFolder.Load(fixture.At("a"), model);
        Assert.Equal(trained, AdapterFixture.Logits(model));
        again.Merge();
        AdapterFixture.Close(trained, AdapterFixture.Logits(model), 1e-4);
    }

    [Fact]
    public void ModulesToSaveMayBeHeadEmbeddingOrNorm()
    {
        using AdapterFixture fixture = new();
        using DecoderModel model = AdapterFixture.Llama();
        float[] before = AdapterFixture.Logits(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 2, ModulesToSave: ["lm_head", "embed_tokens", "model.norm"]), 1);
        Assert.Equal(before, AdapterFixture.Logits(model));
        foreach (string name in new[] { "lm_head", "model.embed_tokens", "model.norm" })
            Assert.Contains($"base_model.model.{name}.weight", adapter.Tensors.Keys);
        AdapterFixture.Train(model, 3);
        float[] trained = AdapterFixture.Logits(model);
        PeftFolder.Save(fixture.At("a"), adapter);
        adapter.Detach();
        Assert.Equal(before, AdapterFixture.Logits(model));
        using ModelAdapter again = PeftFolder.Load(fixture.At("a"), model);
        Assert.Equal(trained, AdapterFixture.Logits(model));
        again.Merge();
        AdapterFixture.Close(trained, AdapterFixture.Logits(model), 1e-4);
    }

    [Theory]
    [InlineData("head saved")]
    [InlineData("table saved")]
    [InlineData("both saved")]
    [InlineData("head adapted")]
    [InlineData("table adapted")]
    public void MergingUntiesAHeadThatSharesTheTable(string which)
    {
        LoraConfig config = which switch
        {
            "head saved" => new LoraConfig(R: 2, ModulesToSave: ["lm_head"]),
            "table saved" => new LoraConfig(R: 2, ModulesToSave: ["wte"]),
            "both saved" => new LoraConfig(R: 2, ModulesToSave: ["wte", "lm_head"]),
            "head adapted" => new LoraConfig(R: 2, TargetModules: ModuleNames.Of("c_attn", "lm_head")),
            _ => new LoraConfig(R: 2, TargetModules: ModuleNames.Of("c_attn", "wte")),
        };
        using AdapterFixture fixture = new();
        using DecoderModel model = AdapterFixture.Gpt2();
        float[] table = AdapterFixture.Values(model.Parts.Embeddings[0].Table);
        using (ModelAdapter adapter = ModelAdapter.Attach(model, config, 1))
        {
            AdapterFixture.Train(model, 3);
            Assert.Equal(table, AdapterFixture.Values(model.Parts.Embeddings[0].Table));
            PeftFolder.Save(fixture.At("a"), adapter);
            float[] trained = AdapterFixture.Logits(model);
            adapter.Merge();
            AdapterFixture.Close(trained, AdapterFixture.Logits(model), 1e-4);
        }
        Assert.False(((Gpt2Config)model.Config).TieWordEmbeddings);
        Assert.Equal(which.StartsWith("head", StringComparison.Ordinal), table.SequenceEqual(AdapterFixture.Values(model.Parts.Embeddings[0].Table)));
        float[] merged = AdapterFixture.Logits(model);
        using (AtomicFolder folder = AtomicFolder.Begin(fixture.At("merged")))
        {
            Checkpoint.Write(folder, model);
            folder.Commit();
        }
        using DecoderModel again = (DecoderModel)Checkpoint.Load(fixture.At("merged"), ReferenceDevice.Instance);
        Assert.Equal(merged, AdapterFixture.Logits(again));
    }

    [Fact]
    public void TrainedTokensKeepTheHeadTied()
    {
        using DecoderModel model = AdapterFixture.Gpt2();
        using ModelAdapter adapter = ModelAdapter.Attach(model, new TrainableTokensConfig([3, 5]), 1);
        AdapterFixture.Train(model, 3);
        float[] trained = AdapterFixture.Logits(model);
        adapter.Merge();
        AdapterFixture.Close(trained, AdapterFixture.Logits(model), 1e-4);
        Assert.True(((Gpt2Config)model.Config).TieWordEmbeddings);
    }

    [Theory]
    [InlineData("q_proj", "v_porj")]
    [InlineData("all-linear", "lm_haed")]
    public void ANameThatNoLayerHasIsRefused(string good, string bad)
    {
        using DecoderModel model = AdapterFixture.Llama();
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => ModelAdapter.Attach(model, new LoraConfig(TargetModules: ModuleNames.Of(good, bad)), 1));
        Assert.StartsWith($"target_modules: no layer of the model is called {bad}; its linear layers are ", e.Message, StringComparison.Ordinal);
        Assert.All(model.Parts.Linears, l => Assert.Null(l.Adapter));
    }

    [Fact]
    public void AllLinearMayStandBesideTheHead()
    {
        using DecoderModel model = AdapterFixture.Llama();
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(TargetModules: ModuleNames.Of("all-linear", "lm_head")), 1);
        Assert.All(model.Parts.Linears, l => Assert.IsType<LoraAdapter>(l.Adapter));
    }

    [Fact]
    public void PrincipalPartsAreThoseOfTheWeight()
    {
        using DecoderModel model = AdapterFixture.Llama();
        // Rank 8 of (8, 16): all there is.
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 8, LoraAlpha: 4, TargetModules: ModuleNames.Of("v_proj"), InitLoraWeights: LoraInit.Pissa), 1);
        Linear layer = model.Parts.Linears.First(l => l.Name == "v_proj");
        LoraAdapter lora = (LoraAdapter)layer.Adapter!;
        float[] w = AdapterFixture.Values(((DenseWeight)layer.Weight).Parameter), a = AdapterFixture.Values(lora.A), b = AdapterFixture.Values(lora.B);
        for (int o = 0; o < 8; o++)
        {
            for (int i = 0; i < 16; i++)
            {
                double sum = 0;
                for (int k = 0; k < 8; k++)
                    sum += 0.5 * b[(o * 8) + k] * a[(k * 16) + i];
                Assert.Equal(w[(o * 16) + i], sum, 1e-5);
            }
        }
    }
}
