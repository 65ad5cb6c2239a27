using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Adapters;

/// <summary>What adapters do to a model, whatever the method: the contract that every registered one keeps.</summary>
public sealed class ModelAdapterTests
{
    /// <summary>Configurations of every method, by a name for the test's report.</summary>
    private static readonly Dictionary<string, PeftConfig> Configs = new()
    {
        ["lora"] = new LoraConfig(R: 4),
        ["lora all-linear"] = new LoraConfig(R: 4, LoraAlpha: 16, TargetModules: ModuleNames.AllLinear),
        ["rslora gaussian"] = new LoraConfig(R: 4, UseRslora: true, InitLoraWeights: LoraInit.Gaussian),
        ["dora"] = new LoraConfig(R: 4, UseDora: true),
        ["dora dropout"] = new LoraConfig(R: 4, UseDora: true, LoraDropout: 0.2f),
        ["pissa"] = new LoraConfig(R: 3, LoraAlpha: 6, InitLoraWeights: LoraInit.Pissa),
        ["pissa dora"] = new LoraConfig(R: 3, InitLoraWeights: LoraInit.Pissa, UseDora: true),
        ["olora"] = new LoraConfig(R: 3, LoraAlpha: 6, InitLoraWeights: LoraInit.Olora),
        ["orthogonal"] = new LoraConfig(R: 4, InitLoraWeights: LoraInit.Orthogonal),
        ["lora-fa"] = new LoraConfig(R: 4) { FreezeA = true },
        ["lora tokens"] = new LoraConfig(R: 4, TrainableTokenIndices: new TokenIndices(new Dictionary<string, int[]> { [""] = [3, 5] })),
        ["ia3"] = new Ia3Config(),
        ["loha"] = new LohaConfig(R: 3),
        ["loha dropout"] = new LohaConfig(R: 3, RankDropout: 0.2f, ModuleDropout: 0.1f),
        ["lokr"] = new LokrConfig(R: 2),
        ["lokr both"] = new LokrConfig(R: 1, DecomposeBoth: true, InitWeights: LokrInit.Lycoris),
        ["vera"] = new VeraConfig(R: 8, TargetModules: ModuleNames.AllLinear),
        ["vera unsaved"] = new VeraConfig(R: 8, SaveProjection: false, ProjectionPrngKey: 7),
        ["adalora"] = new AdaLoraConfig(TargetR: 2, InitR: 4),
        ["miss"] = new MissConfig(R: 5),
        ["miss mini"] = new MissConfig(R: 4, MiniR: 4, InitWeights: MissForm.Mini),
        ["bat"] = new MissConfig(R: 4, InitWeights: MissForm.Bat),
        ["oft"] = new OftConfig(OftBlockSize: 4),
        ["oft exact shared"] = new OftConfig(R: 2, OftBlockSize: 0, BlockShare: true, UseCayleyNeumann: false),
        ["oft dropout"] = new OftConfig(OftBlockSize: 4, ModuleDropout: 0.3f),
        ["ln tuning"] = new LnTuningConfig(),
        ["trainable tokens"] = new TrainableTokensConfig([1, 5, 9]),
        ["bottleneck"] = new BottleneckConfig(MhAdapter: true, ReductionFactor: 4, NonLinearity: "swish", OriginalLnBefore: false),
        ["bottleneck parallel"] = new BottleneckConfig(ReductionFactor: 4, IsParallel: true, Scaling: 4, InitWeights: "mam_adapter", Dropout: 0.1f),
        ["prompt"] = new PromptTuningConfig(3),
        ["prompt text"] = new PromptTuningConfig(3, PromptInit.Text) { InitTokens = [1, 2] },
        ["p-tuning"] = new PTuningConfig(3, EncoderHiddenSize: 12),
        ["prefix"] = new PrefixTuningConfig(3),
        ["prefix projected"] = new PrefixTuningConfig(3, PrefixProjection: true, EncoderHiddenSize: 12),
        ["multitask prompt"] = new MultitaskPromptTuningConfig(3, NumTasks: 2, NumRanks: 2),
    };

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (string name in Configs.Keys)
        {
            cases.Add(name, "llama");
            cases.Add(name, "gpt2");
        }
        return cases;
    }

    [Fact]
    public void EveryMethodIsAmongTheCases() =>
        Assert.Equal(PeftConfig.PeftTypes, Configs.Values.Select(c => c.PeftType).Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public void BeginsAsTheBaseModel(string config, string type)
    {
        // Virtual tokens are something from the start, and bottlenecks of the usual start too.
        if (Configs[config] is PromptConfig or BottleneckConfig { InitWeights: "bert" })
            return;
        using DecoderModel model = Model(type);
        float[] before = AdapterFixture.Logits(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, Configs[config], 1);
        AdapterFixture.Close(before, AdapterFixture.Logits(model), 2e-5);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void OnlyTheAdapterIsTrained(string config, string type)
    {
        using DecoderModel model = Model(type);
        Dictionary<string, float[]> before = AdapterFixture.Values(model);
        float[] logits = AdapterFixture.Logits(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, Configs[config], 1);
        Assert.Equal(adapter.Parameters.OrderBy(p => p.Name, StringComparer.Ordinal), model.TrainableParameters.OrderBy(p => p.Name, StringComparer.Ordinal));
        float[][] first = [.. adapter.Parameters.Select(AdapterFixture.Values)];
        List<double> losses = AdapterFixture.Train(model, 8);
        Assert.True(losses[^1] < losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
        Assert.All(adapter.Parameters.Zip(first), p => Assert.NotEqual(p.Second, AdapterFixture.Values(p.First)));
        foreach (Parameter p in model.Parameters.Except(adapter.Parameters))
            Assert.Equal(before[p.Name], AdapterFixture.Values(p));
        adapter.Detach();
        foreach (Parameter p in model.Parameters)
            Assert.Equal(before[p.Name], AdapterFixture.Values(p));
        Assert.Equal(logits, AdapterFixture.Logits(model));
        Assert.Empty(model.TrainableParameters);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MergedComputesTheSame(string config, string type)
    {
        using DecoderModel model = Model(type);
        using ModelAdapter adapter = ModelAdapter.Attach(model, Configs[config], 1);
        AdapterFixture.Train(model, 5);
        float[] unmerged = AdapterFixture.Logits(model);
        Assert.Equal(Configs[config] is not (PromptConfig or BottleneckConfig), adapter.CanMerge);
        if (!adapter.CanMerge)
        {
            Assert.Contains(adapter.Config.PeftType, Assert.Throws<NotSupportedException>(adapter.Merge).Message, StringComparison.Ordinal);
            return;
        }
        adapter.Merge();
        Assert.All(model.Parts.Linears, l => Assert.Null(l.Adapter));
        Assert.False(adapter.IsAttached);
        AdapterFixture.Close(unmerged, AdapterFixture.Logits(model), 1e-4);
        Assert.Throws<InvalidOperationException>(adapter.Merge);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void SaveLoadSaveGivesTheSameBytes(string config, string type)
    {
        using AdapterFixture fixture = new();
        using DecoderModel model = Model(type);
        float[] trained;
        using (ModelAdapter adapter = ModelAdapter.Attach(model, Configs[config], 1))
        {
            AdapterFixture.Train(model, 3);
            trained = AdapterFixture.Logits(model);
            PeftFolder.Save(fixture.At("first"), adapter);
        }
        using ModelAdapter loaded = PeftFolder.Load(fixture.At("first"), model);
        Assert.Equal(trained, AdapterFixture.Logits(model));
        PeftFolder.Save(fixture.At("second"), loaded);
        foreach (string file in Directory.GetFiles(fixture.At("first")).Select(f => Path.GetFileName(f)!).Where(f => f[0] != '.'))
            Assert.Equal(File.ReadAllBytes(Path.Combine(fixture.At("first"), file)), File.ReadAllBytes(Path.Combine(fixture.At("second"), file)));
        Assert.True(AtomicFolder.IsComplete(fixture.At("second")));
    }

    [Fact]
    public void DropoutDiffersBetweenStepsAndRepeatsWithTheSeed()
    {
        List<double> Losses(ulong seed, float dropout)
        {
            using DecoderModel model = AdapterFixture.Llama();
            // Without an update B stays random, so only dropout moves the loss.
            using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 4, LoraAlpha: 32, LoraDropout: dropout, InitLoraWeights: LoraInit.Random), 1);
            using Trainer trainer = new(model, AdapterFixture.Objective(), new TrainingOptions(3, Seed: (long)seed) { Optimizer = new Sgd(1e-30) });
            return [.. Enumerable.Range(0, 3).Select(_ => trainer.Step().Loss)];
        }

        List<double> a = Losses(1, 0.5f);
        Assert.Equal(3, a.Distinct().Count());
        Assert.Equal(a, Losses(1, 0.5f));
        Assert.NotEqual(a, Losses(2, 0.5f));
        Assert.Single(Losses(1, 0).Distinct());
    }

    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    [Theory]
    [MemberData(nameof(Devices))]
    public void WorksOnWeightsStoredInBFloat16(string device)
    {
        using AdapterFixture fixture = new();
        using (DecoderModel wide = AdapterFixture.Llama())
        using (AtomicFolder folder = AtomicFolder.Begin(fixture.At("base")))
        {
            Checkpoint.Write(folder, wide, DType.BF16);
            folder.Commit();
        }
        using DecoderModel model = (DecoderModel)Checkpoint.Load(fixture.At("base"), TestDevices.Get(device), keepStoredType: true);
        Assert.All(model.Parts.Linears, l => Assert.Equal(DType.BF16, ((DenseWeight)l.Weight).Parameter.Value.DType));
        Dictionary<string, float[]> before = AdapterFixture.Values(model);
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 4, UseDora: true, TargetModules: ModuleNames.AllLinear, ModulesToSave: ["lm_head"]), 1);
        List<double> losses = AdapterFixture.Train(model, 10);
        Assert.True(losses[^1] < 0.8 * losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
        foreach (Parameter p in model.Parameters)
            Assert.Equal(before[p.Name], AdapterFixture.Values(p));
        float[] unmerged = AdapterFixture.Logits(model);
        adapter.Merge();
        Assert.All(model.Parts.Linears, l => Assert.Equal(DType.BF16, ((DenseWeight)l.Weight).Parameter.Value.DType));
        // What merging rounds away: 8 bits of the weights.
        AdapterFixture.Close(unmerged, AdapterFixture.Logits(model), 0.03 * unmerged.Max(MathF.Abs));
    }

    private static DecoderModel Model(string type) => type == "llama" ? AdapterFixture.Llama() : AdapterFixture.Gpt2();
}
