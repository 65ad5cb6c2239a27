using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Packed;
using Gradus.Testing;
using Gradus.Training.Objectives;
using Gradus.Training.Planning;
using TunedModel = Gradus.Training.Tuning.Tuning;

namespace Gradus.Training.Tests.Planning;

/// <summary>What a plan says is what a training takes.</summary>
public sealed class TrainingPlanTests
{
    private static readonly StepShape Shape = new(Tokens: 40, Length: 16, Accumulation: 2);

    private static readonly Device Cpu = TestDevices.Get(TestDevices.CpuNames.First());

    public static TheoryData<string> Folders => [.. SharedFolder.GoldenCases("models").Where(c => File.Exists(SharedFolder.Find("golden", "models", c, Checkpoint.ConfigFile)))];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheMemoryIsWhatATrainerTakes(bool recompute)
    {
        foreach (string kind in TinyTraining.Kinds)
        {
            if (kind.Contains("lora", StringComparison.Ordinal))
                continue;
            (GenerativeModel model, _) = TinyTraining.Create(kind, Cpu);
            using (model)
                CheckMemory(model.Config, TinyTraining.Options(kind) with { Recompute = recompute });
        }
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Folders))]
    public void TheMemoryOfEveryArchitectureIsWhatATrainerTakes(string folder) =>
        CheckMemory(Checkpoint.ReadConfig(SharedFolder.Find("golden", "models", folder)!), new TrainingOptions(4));

    private static void CheckMemory(ModelConfig config, TrainingOptions options)
    {
        TrainingPlan plan = TrainingPlan.Of(config, Shape, options, Cpu);
        using LanguageModel model = Checkpoint.Create(config, 1, Cpu);
        model.SetTrainable(true);
        using Trainer trainer = new(model, plan.Shape.ObjectiveFor(model), options);
        for (int i = 0; i < 3; i++)
            trainer.Step();
        long taken = model.Parts.Store.ReservedBytes + trainer.Optimizer.StateBytes + trainer.ReservedActivationBytes;
        long counted = plan.Memory.Total - plan.Memory.Panels;
        // Never less; a little more where values decide (which experts read a token, which tokens are masked).
        Assert.True(counted >= taken && counted <= 1.05 * taken, $"{config.Architecture}: {counted:N0} bytes planned, {taken:N0} taken");
        Assert.Equal(model.ParameterCount, plan.Parameters);
    }

    // Forward, and twice backward: 6 a weight and token; attention likewise, but that scores are computed once more.
    [Fact]
    public void TheOperationsAreThoseOfTheFormula()
    {
        LlamaConfig config = new(61, HiddenSize: 48, IntermediateSize: 96, NumHiddenLayers: 3, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 24);
        TrainingPlan plan = TrainingPlan.Of(config, new StepShape(48, 16, Accumulation: 2), new TrainingOptions(4), Cpu);
        const int perLayer = (48 * 48 * 2) + (2 * 48 * 24) + (3 * 48 * 96);
        double products = 6.0 * ((3 * perLayer) + (61 * 48)) * plan.Shape.TokensPerStep;
        double pairs = 6 * (16 * 17 / 2), attention = 3 * pairs * 4 * 12 * 2 * (2 + 5);
        Assert.Equal(products + attention, plan.FlopsPerStep, products * 1e-12);
    }

    [Fact]
    public void WhatIsFrozenHasNoGradient()
    {
        LlamaConfig config = new(61, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 24);
        TrainingPlan full = TrainingPlan.Of(config, Shape, new TrainingOptions(4), Cpu);
        TrainingPlan lora = Lora(new WeightStorage(DType.BF16)), packed = Lora(new WeightStorage(DType.BF16, PackedFormats.Get("Q8_0")));
        Assert.Equal(full.Parameters, full.TrainedParameters);
        Assert.True(lora.TrainedParameters < full.TrainedParameters / 4);
        Assert.Equal(full.Parameters + lora.TrainedParameters, lora.Parameters);
        Assert.Equal(lora.Parameters, packed.Parameters);
        Assert.InRange(lora.Memory.Gradients, 4 * lora.TrainedParameters, 5 * lora.TrainedParameters);
        Assert.InRange(lora.Memory.Optimizer, 8 * lora.TrainedParameters, 10 * lora.TrainedParameters);
        Assert.InRange(lora.Memory.Weights, full.Memory.Weights / 2, 0.8 * full.Memory.Weights);
        Assert.True(packed.Memory.Weights < lora.Memory.Weights);
        Assert.Contains(packed.Operations, o => o.Name == "product of packed weights");

        TrainingPlan Lora(WeightStorage storage) => TrainingPlan.Of(
            config,
            Shape,
            new TrainingOptions(4),
            Cpu,
            model =>
            {
                model.SetTrainable(false);
                return new TunedModel(model, ModelAdapter.Attach(model, new LoraConfig(R: 4, TargetModules: ModuleNames.AllLinear), 1));
            },
            storage);
    }

    [Fact]
    public void QuantizedScalesTakeLess()
    {
        LlamaConfig config = new(61, HiddenSize: 640, IntermediateSize: 1280, NumHiddenLayers: 2, NumAttentionHeads: 8, MaxPositionEmbeddings: 24);
        long[] bytes = [.. new[] { false, true }.Select(twice => TrainingPlan.Of(
            config,
            Shape,
            new TrainingOptions(4),
            Cpu,
            model =>
            {
                model.SetTrainable(false);
                return new TunedModel(model, ModelAdapter.Attach(model, new LoraConfig(R: 4, TargetModules: ModuleNames.AllLinear), 1));
            },
            new WeightStorage(DType.BF16, PackedFormats.Get("NF4"), DoubleQuantization: twice)).Memory.Weights)];
        Assert.True(bytes[1] < 0.97 * bytes[0], $"{bytes[0]:N0} bytes, {bytes[1]:N0} with quantized scales");
    }

    // ELECTRA's generator is trained along.
    [Fact]
    public void ModelsOfTheObjectiveCount()
    {
        ElectraConfig config = Electra("ElectraForPreTraining", 32);
        TrainingPlan alone = TrainingPlan.Of(config, Shape, new TrainingOptions(4), Cpu), together = TrainingPlan.Of(config, Shape, new TrainingOptions(4), Cpu, objective: Replaced);
        Assert.True(together.Memory.Weights > alone.Memory.Weights && together.Memory.Optimizer > alone.Memory.Optimizer);
        Assert.True(together.TrainedParameters > alone.TrainedParameters && together.FlopsPerStep > alone.FlopsPerStep);

        static ReplacedTokens Replaced(LanguageModel model)
        {
            MaskVocabulary vocabulary = new(3, [.. Enumerable.Range(0, 61).Select(i => i < 4)]);
            return new ReplacedTokens(model, Electra("ElectraForMaskedLM", 16), new MaskedLanguage(Shape.Texts(61), new TokenMask(new MaskOptions(), vocabulary, 5)), null, seed: 7, Shape.Accumulation);
        }

        static ElectraConfig Electra(string architecture, int width) => new(61, 16, width, 2, 4, 48, MaxPositionEmbeddings: 32) { Architecture = architecture };
    }

    [Fact]
    public void EveryOperationCanBeMeasured()
    {
        foreach (string kind in TinyTraining.Kinds)
        {
            (GenerativeModel model, _) = TinyTraining.Create(kind, Cpu);
            ModelConfig config = model.Config;
            model.Dispose();
            TrainingPlan plan = TrainingPlan.Of(config, Shape, TinyTraining.Options(kind), Cpu);
            Assert.All(plan.Operations, o => Assert.True(o.Measure(Cpu, 0) >= 0, o.Name));
        }
    }

    [Fact]
    public void AModelLargerThanAnyMemoryIsPlanned()
    {
        LlamaConfig config = new(128_256, HiddenSize: 8192, IntermediateSize: 28_672, NumHiddenLayers: 80, NumAttentionHeads: 64, NumKeyValueHeads: 8, MaxPositionEmbeddings: 4096);
        TrainingPlan plan = TrainingPlan.Of(config, new StepShape(4096, 4096), new TrainingOptions(4), Cpu);
        Assert.Equal(70.55e9, plan.Parameters, 0.01e9);
        Assert.InRange(plan.Memory.Weights + plan.Memory.Gradients + plan.Memory.Optimizer, 16 * plan.Parameters, 16.5 * plan.Parameters);
    }
}
