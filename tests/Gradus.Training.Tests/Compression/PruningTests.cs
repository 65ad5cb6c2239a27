using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Testing;
using Gradus.Tests.Generation;
using Gradus.Tests.Goldens;
using Gradus.Training.Compression;
using Gradus.Training.Compression.Pruning;
using Gradus.Training.Data.Tokens;

namespace Gradus.Training.Tests.Compression;

/// <summary>Masks against the references of Wanda and SparseGPT; smaller models are the large ones without what was taken out.</summary>
public sealed class PruningTests
{
    public static TheoryData<string> Names => [.. TinyModels.Decoders];

    [SharedFact("golden", "quantization", "pruning")]
    public void MasksAreThoseOfTheReferences()
    {
        using TensorsOf tensors = new(SharedFolder.Find("golden", "quantization", "pruning", "tensors.safetensors")!);
        using TensorFile file = TensorFile.Open(SharedFolder.Find("golden", "quantization", "pruning", "tensors.safetensors")!);
        float[] weight = tensors.Floats("weight"), squares = tensors.Floats("wanda.scaler_row");
        int columns = tensors.ShapeOf("weight")[1];
        string[] masks = [.. tensors.Names.Where(n => n.EndsWith(".pruned_mask", StringComparison.Ordinal)).Select(n => n[..^".pruned_mask".Length])];
        Assert.NotEmpty(masks);
        foreach (string name in masks)
        {
            string amount = name[(name.IndexOf('_') + 1)..];
            Sparsity sparsity = amount.Contains("of", StringComparison.Ordinal)
                ? Sparsity.Parse(amount.Replace("of", ":", StringComparison.Ordinal))
                : new Sparsity(double.Parse(amount, System.Globalization.CultureInfo.InvariantCulture));
            bool[] mask = name.StartsWith("wanda", StringComparison.Ordinal) ? WeightPruning.Wanda(weight, squares, sparsity) : WeightPruning.Magnitude(weight, columns, sparsity);
            bool[] expected = [.. file.Bytes(file[$"{name}.pruned_mask"]).Span.ToArray().Select(b => b != 0)];
            Assert.True(expected.SequenceEqual(mask), name);
        }
    }

    [SharedFact("golden", "quantization", "pruning")]
    public void SparseGptIsTheReferences()
    {
        using TensorsOf tensors = new(SharedFolder.Find("golden", "quantization", "pruning", "tensors.safetensors")!);
        JsonObject cases = Checkpoint.ReadObject(SharedFolder.Find("golden", "quantization", "pruning", "meta.json")!)["cases"]!.AsObject();
        int columns = tensors.ShapeOf("weight")[1];
        float[] x = [.. tensors.Names.Where(n => n.StartsWith("calibration.", StringComparison.Ordinal)).SelectMany(tensors.Floats)], hessian;
        using (Workspace w = new(CpuDevice.Default))
        {
            Tensor rows = w.From(x, new Shape(x.Length / columns, columns));
            hessian = rows.MatMul(rows, transposeA: true).ToArray();
        }
        foreach ((string name, JsonNode? about) in cases.Where(c => c.Key.StartsWith("sparsegpt", StringComparison.Ordinal)))
        {
            float[] weight = tensors.Floats("weight"), expected = tensors.Floats(name);
            Sparsity sparsity = about!["prunem"] is { } of ? new Sparsity(0.5, (int)about["prunen"]!, (int)of!) : new Sparsity((double)about["sparsity"]!);
            Assert.Null(WeightPruning.SparseGpt(weight, hessian, columns, sparsity, blockColumns: (int?)about["blocksize"] ?? WeightPruning.BlockColumns));
            double size = expected.Max(Math.Abs);
            for (int i = 0; i < weight.Length; i++)
            {
                Assert.True(expected[i] == 0 == (weight[i] == 0), $"{name}: {i} is {weight[i]}, {expected[i]} in the reference");
                Assert.True(Math.Abs(expected[i] - weight[i]) <= 1e-4 * size, $"{name}: {i} is {weight[i]}, {expected[i]} in the reference");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryMethodKeepsItsCountInEveryArchitecture(string name)
    {
        foreach (PruningMethod method in Enum.GetValues<PruningMethod>())
        {
            using GenerativeModel model = TinyModels.Make(name, CpuDevice.Default);
            IReadOnlyList<LayerLoss> layers = new ModelPruner(model, method, Sparsity.Parse("2:4")).Run(Text(model));
            Assert.NotEmpty(layers);
            foreach (LayerLoss layer in layers)
            {
                float[] weight = LayerWeights.Read(model.Parts.Linears.Single(l => l.Path == layer.Layer));
                for (int i = 0; i < weight.Length; i += 4)
                    Assert.True(weight.AsSpan(i, 4).Count(0f) >= 2, $"{name} {layer.Layer} by {method}");
            }
        }
    }

    [Fact]
    public void SparseGptLosesLessThanWandaAndThatLessThanMagnitude()
    {
        using GenerativeModel model = TinyModels.Make("llama", CpuDevice.Default);
        // Inputs of different sizes: a small weight may count much.
        Span<float> norm = model.Parts.Find("model.layers.0.input_layernorm.weight")!.Value.Span();
        for (int i = 0; i < norm.Length; i++)
            norm[i] = (float)Math.Exp(0.8 * CounterRandom.Normal(5, i));
        InputHessians hessians = new();
        using BlockWalk walk = new(model, Text(model));
        walk.Observe(hessians);
        Linear layer = hessians.Layers[0];
        int columns = layer.Weight.Inputs;
        float[] weight = LayerWeights.Read(layer), hessian = hessians.Of(layer)!, repaired = [.. weight];
        Sparsity half = new(0.5);
        Assert.Null(WeightPruning.SparseGpt(repaired, hessian, columns, half));
        double[] losses =
        [
            Gptq.Error(weight, repaired, hessian, columns),
            Gptq.Error(weight, Zeroed(WeightPruning.Wanda(weight, Gptq.Diagonal(hessian, columns), half)), hessian, columns),
            Gptq.Error(weight, Zeroed(WeightPruning.Magnitude(weight, columns, half)), hessian, columns),
        ];
        Assert.True(losses[0] <= losses[1] && losses[1] <= losses[2], string.Join(", ", losses));

        float[] Zeroed(bool[] mask) => [.. weight.Zip(mask, (w, zero) => zero ? 0 : w)];
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SmallerModelsLoadAndRun(string name)
    {
        using DecoderModel model = TinyModels.MakeDecoder(name, CpuDevice.Default);
        CalibrationText text = Text(model);
        StructuredPruning pruning = new(model, text);
        JsonObject config = Architectures.ToJson(model.Config);
        string type = Architectures.TypeOf(config)!;
        List<StructuredPlan> plans = [];
        if (PruneSites.FeedForwardOf(type) is not null)
            plans.Add(new StructuredPlan(FeedForward: 40));
        if (PruneSites.HasHeads(type) && model.Config is RotaryDecoderConfig { NumKeyValueHeads: > 1 })
            plans.Add(new StructuredPlan(KeyValueHeads: 1));
        if (type is "llama" or "gpt2" or "qwen2")
            plans.Add(new StructuredPlan(Layers: 1));
        foreach (StructuredPlan plan in plans)
        {
            using LanguageModel smaller = pruning.Prune(plan).Model;
            Assert.True(smaller.ParameterCount < model.ParameterCount);
            using TestFolder folder = new();
            using (AtomicFolder written = AtomicFolder.Begin(folder["model"]))
            {
                Checkpoint.Write(written, smaller);
                written.Commit();
            }
            using GenerativeModel loaded = (GenerativeModel)Checkpoint.Load(folder["model"], CpuDevice.Default);
            CompressionLoss loss = CompressionLoss.Measure(model, loaded, Tokens(100));
            Assert.True(double.IsFinite(loss.Divergence.Value), $"{name}: {plan}");
        }
    }

    [Fact]
    public void UnitsThatAddNothingAreTakenOutWithoutLoss()
    {
        LlamaConfig config = new(TinyTraining.Vocabulary, HiddenSize: 48, IntermediateSize: 96, NumHiddenLayers: 3, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: TinyTraining.Context);
        using DecoderModel model = (DecoderModel)Checkpoint.Create(config, 3, CpuDevice.Default);
        foreach (Linear layer in model.Parts.Linears.Where(l => l.Name is "down_proj" or "o_proj"))
        {
            float[] weight = LayerWeights.Read(layer);
            int columns = layer.Weight.Inputs;
            // The first half of the units, the first key/value head; and all of the middle layer.
            for (int i = 0; i < weight.Length; i++)
                weight[i] = layer.Path.Contains("layers.1.", StringComparison.Ordinal) || i % columns < columns / 2 ? 0 : weight[i];
            LayerWeights.Write(layer, weight);
        }
        PrunedModel pruned = new StructuredPruning(model, Text(model)).Prune(new StructuredPlan(48, 1, 2));
        using GenerativeModel smaller = (GenerativeModel)pruned.Model;
        Assert.Equal([1], pruned.DroppedLayers);
        Assert.Equal(0, pruned.Influence[1], 1e-6);
        CompressionLoss loss = CompressionLoss.Measure(model, smaller, Tokens(100));
        Assert.InRange(Math.Abs(loss.Divergence.Value), 0, 1e-9);
        Assert.Throws<InvalidDataException>(() => new StructuredPruning(model, Text(model)).Prune(new StructuredPlan(96)));
    }

    [Theory]
    [InlineData("2of4")]
    [InlineData("4:4")]
    [InlineData("0:4")]
    [InlineData("2:4:8")]
    public void WhatIsNoPatternIsRefused(string text) => Assert.Throws<FormatException>(() => Sparsity.Parse(text));

    private static int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(i => CounterRandom.Below(77, i, TinyTraining.Vocabulary))];

    private static CalibrationText Text(GenerativeModel model) => CalibrationText.Of(TokenSequence.Of(Tokens(1500)), model, samples: 12, length: 32);
}
