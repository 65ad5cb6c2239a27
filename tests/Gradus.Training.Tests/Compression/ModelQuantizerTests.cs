using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;
using Gradus.Tests.Generation;
using Gradus.Training.Compression;
using Gradus.Training.Data.Tokens;

namespace Gradus.Training.Tests.Compression;

/// <summary>Every method over every kind of model, and what calibration promises.</summary>
public sealed class ModelQuantizerTests
{
    public static TheoryData<string, QuantizationMethod> Cases
    {
        get
        {
            TheoryData<string, QuantizationMethod> cases = [];
            foreach (string name in TinyModels.Names)
            {
                foreach (QuantizationMethod method in Enum.GetValues<QuantizationMethod>().Where(m => m != QuantizationMethod.Hqq))
                    cases.Add(name, method);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryMethodQuantizesEveryArchitecture(string name, QuantizationMethod method)
    {
        using GenerativeModel model = TinyModels.Make(name, CpuDevice.Default), before = TinyModels.Make(name, CpuDevice.Default);
        List<LayerLoss> told = [];
        WeightGrid? Grid(Linear l) => l == model.Head ? null : new IntegerGrid(l.Weight.Outputs, l.Weight.Inputs, 8, 16, IntegerRule.MinMax);
        QuantizedLayers quantized = new ModelQuantizer(model, Grid, new QuantizationOptions(method)) { Progress = told.Add }.Run(Text(model));
        Assert.Equal(told, quantized.Layers);
        Assert.All(quantized.Layers, l => Assert.InRange(l.Error, 0, 1e-3));
        if (model is not RnnLm)
            Assert.NotEmpty(quantized.Layers);
        foreach (Linear linear in model.Parts.Linears.Where(l => l != model.Head && l.Weight is DenseWeight && quantized.Grids.ContainsKey(LayerWeights.NameOf(l))))
            Assert.Equal(quantized.Grids[LayerWeights.NameOf(linear)].Values(), LayerWeights.Read(linear));
        CompressionLoss loss = CompressionLoss.Measure(before, model, Tokens(200));
        Assert.InRange(loss.Divergence.Value, -1e-9, 0.05);
        Assert.Equal(199, loss.Tokens);
    }

    [Fact]
    public void HqqTakesAMinimumWithFewLargeErrors()
    {
        using GenerativeModel model = Make("llama");
        QuantizedLayers quantized = new ModelQuantizer(model, Grids(model, PackedFormats.Get("Q4_1"), QuantizationMethod.Hqq), new QuantizationOptions(QuantizationMethod.Hqq)).Run(null);
        Assert.All(quantized.Layers, l => Assert.InRange(l.Error, 0, 0.02));
        Assert.Throws<ArgumentException>(() => new BlockGrid(PackedFormats.Get("Q4_0"), 1, 32, halfQuadratic: true));
        double hqq = 0, plain = 0;
        for (ulong block = 0; block < 50; block++)
        {
            float[] values = [.. Enumerable.Range(0, 32).Select(i => (float)CounterRandom.Normal(block, i))];
            (float scale, float min) = Hqq.Fit(values, 15);
            hqq += Off(values, scale, min);
            plain += Off(values, (values.Max() - values.Min()) / 15, values.Min());
        }
        Assert.True(hqq < plain, $"{hqq} and {plain}");

        static double Off(float[] values, float d, float m) => values.Sum(v => Math.Abs((double)v - ((d * Math.Clamp(MathF.Round((v - m) / d), 0, 15)) + m)));
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("t5", true)]
    public void GptqIsNeverWorseThanRoundingOnTheCalibrationText(string kind, bool sequential)
    {
        using GenerativeModel model = Make(kind);
        QuantizationOptions options = new(QuantizationMethod.Gptq, new GptqOptions(TrueSequential: sequential, ActOrder: sequential));
        QuantizedLayers quantized = new ModelQuantizer(model, Grids(model, PackedFormats.Get("Q4_0"), options.Method), options).Run(Text(model));
        using GenerativeModel rounded = Make(kind);
        QuantizedLayers plain = new ModelQuantizer(rounded, Grids(rounded, PackedFormats.Get("Q4_0"), QuantizationMethod.Rtn), new QuantizationOptions()).Run(Text(rounded));
        Assert.Equal(plain.Layers.Select(l => l.Layer).Order(), quantized.Layers.Select(l => l.Layer).Order());
        // The first layer has the same inputs in both.
        LayerLoss first = quantized.Layers[0];
        Assert.True(first.Error <= plain.Layers.Single(l => l.Layer == first.Layer).Error * 1.0001, $"{first}");
    }

    [Fact]
    public void TheWalkGivesWhatTheModelGives()
    {
        foreach (string kind in new[] { "gpt2", "llama", "t5", "mixtral" })
        {
            using GenerativeModel model = Make(kind);
            CalibrationText text = Text(model);
            Inputs expected = new(), actual = new();
            using (Workspace w = model.Parts.Store.NewScratch())
            {
                Pass pass = new(text.Batches[0], w) { Observer = expected };
                if (pass.Source is { } source)
                    source.Observer = expected;
                model.Hidden(pass);
            }
            using BlockWalk walk = new(model, text);
            while (walk.Current < walk.Count)
            {
                walk.Observe(actual, batches: 1);
                walk.Advance();
            }
            Assert.Equal(expected.Sums.Where(s => actual.Sums.ContainsKey(s.Key)), actual.Sums);
            Assert.True(actual.Sums.Count >= expected.Sums.Count - 1, $"{kind}: {actual.Sums.Count} layers of {expected.Sums.Count}");
        }
    }

    [Fact]
    public void ScalingChangesNothingThatTheModelComputes()
    {
        foreach (string name in TinyModels.Names)
        {
            using GenerativeModel model = TinyModels.Make(name, CpuDevice.Default), before = TinyModels.Make(name, CpuDevice.Default);
            SmoothQuant.Apply(model, InputMoments.Of(model, Text(model)));
            CompressionLoss loss = CompressionLoss.Measure(before, model, Tokens(100));
            Assert.True(Math.Abs(loss.Divergence.Value) < 1e-6, $"{name}: {loss.Divergence.Value}");
        }
    }

    [Theory]
    [InlineData("matrix.gguf")]
    [InlineData("matrix.dat")]
    public void AnImportanceMatrixIsReadAsItWasWritten(string name)
    {
        using TestFolder folder = new();
        ImportanceMatrix matrix = new() { DataSets = ["text.txt"], Chunks = 4, ChunkSize = 16 };
        matrix.Set("blk.0.attn_q.weight", new ImportanceEntry(3, [64, 128, 0], [64]));
        matrix.Set("blk.0.ffn_down_exps.weight", new ImportanceEntry(2, [8, 16, 32, 64], [8, 16]));
        ImportanceMatrixFile.Write(folder[name], matrix);
        ImportanceMatrix read = ImportanceMatrixFile.Read(folder[name]);
        Assert.Equal(matrix.Entries.Keys, read.Entries.Keys);
        Assert.Equal([1, 2, 0], read.Entries["blk.0.attn_q.weight"].Mean()!);
        Assert.Equal(["text.txt"], read.DataSets);
        Assert.Equal(4, read.Chunks);
        if (name.EndsWith("gguf", StringComparison.Ordinal))
            Assert.Equal([2, 4], read.Entries["blk.0.ffn_down_exps.weight"].Mean(1)!);
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("a file that is long enough but no matrix at all, whatever it says")]
    public void AFileThatIsNoImportanceMatrixIsRefusedInOneLine(string content)
    {
        using TestFolder folder = new();
        string message = Assert.Throws<InvalidDataException>(() => ImportanceMatrixFile.Read(folder.Write("m.dat", content))).Message;
        Assert.Contains("matrix", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void BadCalibrationTextIsRefusedInOneLine()
    {
        using GenerativeModel model = Make("llama");
        Assert.Contains("16 at least", Assert.Throws<InvalidDataException>(() => CalibrationText.Of(TokenSequence.Of(Tokens(15)), model)).Message, StringComparison.Ordinal);
        Assert.Contains("outside the model's", Assert.Throws<InvalidDataException>(() => CalibrationText.Of(TokenSequence.Of([.. Enumerable.Repeat(TinyTraining.Vocabulary, 30)]), model)).Message, StringComparison.Ordinal);
        model.Parts.Find("model.layers.1.input_layernorm.weight")!.Value.Span()[0] = float.NaN;
        foreach (QuantizationMethod method in new[] { QuantizationMethod.Imatrix, QuantizationMethod.Gptq, QuantizationMethod.Awq })
        {
            string message = Assert.Throws<InvalidDataException>(() => new ModelQuantizer(model, Grids(model, PackedFormats.Get("Q4_0"), method), new QuantizationOptions(method)).Run(Text(model))).Message;
            Assert.Contains("model.layers.1.", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AModelThatIsUnchangedHasNoLoss()
    {
        using GenerativeModel model = Make("llama"), same = Make("llama");
        CompressionLoss loss = CompressionLoss.Measure(model, same, Tokens(150), block: 20);
        Assert.Equal(0, loss.Difference.Value);
        Assert.Equal(0, loss.Divergence.Value, 1e-12);
        Assert.Equal(1, loss.SameTop.Value);
        Assert.Equal(loss.Original, loss.Compressed);
        Assert.NotNull(loss.Original.Error);
    }

    [Fact]
    public void QuantizedRowsAreWrittenAsTheyAre()
    {
        using TestFolder folder = new();
        foreach (ModelConfig config in new ModelConfig[]
        {
            new LlamaConfig(61, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 24),
            new Gpt2Config(61, 24, NEmbd: 64, NLayer: 2, NHead: 4),
        })
        {
            using GenerativeModel model = (GenerativeModel)Checkpoint.Create(config, 4, CpuDevice.Default);
            QuantizationOptions options = new(QuantizationMethod.Gptq);
            QuantizedLayers quantized = new ModelQuantizer(model, Grids(model, PackedFormats.Get("Q4_0"), options.Method), options).Run(Text(model));
            Dictionary<string, PackedRows> rows = quantized.Grids.ToDictionary(g => g.Key, g => (BlockGrid)g.Value is var grid ? new PackedRows(grid.Format, grid.Rows, grid.Columns, grid.Packed) : null!);
            string path = folder[$"{config.ArchitectureClass}.gguf"];
            using (GgufExport export = GgufExport.Plan(Architectures.ToJson(config), new ParameterFile("model", model, rows, keepsModel: true), null, new GgufExportOptions(GgufStorage.Get("f32"), KeepsBlocks: true)))
                export.Write(path, long.MaxValue);
            using GenerativeModel read = (GenerativeModel)Checkpoint.Load(path, CpuDevice.Default);
            CompressionLoss loss = CompressionLoss.Measure(model, read, Tokens(100));
            Assert.Equal(0, loss.Difference.Value);
            Assert.Equal(1, loss.SameTop.Value);
            using TensorFile file = TensorFile.Open(path);
            Assert.Equal(quantized.Grids.Count, file.Entries.Count(e => e.Packed?.Name == "Q4_0"));
        }
    }

    private static GenerativeModel Make(string kind)
    {
        ModelConfig config = kind switch
        {
            "gpt2" => new Gpt2Config(TinyTraining.Vocabulary, TinyTraining.Context, NEmbd: 64, NLayer: 2, NHead: 4),
            "llama" => new LlamaConfig(TinyTraining.Vocabulary, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: TinyTraining.Context),
            "t5" => new T5Config(TinyTraining.Vocabulary, DModel: 64, DKv: 16, DFf: 64, NumLayers: 2, NumHeads: 4, DropoutRate: 0),
            "mixtral" => TinyTraining.Mixtral(outputRouterLogits: false) with { IntermediateSize = 64 },
            _ => new RnnLmConfig(TinyTraining.Vocabulary, EmbeddingSize: 32, HiddenSize: 64, Rnn: kind),
        };
        return (GenerativeModel)Checkpoint.Create(config, 3, CpuDevice.Default);
    }

    private static Func<Linear, WeightGrid?> Grids(GenerativeModel model, PackedFormat format, QuantizationMethod method) => l =>
        l == model.Head || l.Weight.Inputs % format.BlockSize != 0 || l.Name == "gate" ? null : new BlockGrid(format, l.Weight.Outputs, l.Weight.Inputs, method == QuantizationMethod.Hqq);

    private static int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(i => CounterRandom.Below(77, i, TinyTraining.Vocabulary))];

    private static CalibrationText Text(GenerativeModel model) => CalibrationText.Of(TokenSequence.Of(Tokens(3000)), model, samples: 12, length: 32);

    private sealed class Inputs : Observer
    {
        public SortedDictionary<string, double> Sums { get; } = [];

        public override void LinearInput(Linear linear, Tensor x) => Sums[linear.Path] = Sums.GetValueOrDefault(linear.Path) + x.ToArray().Sum(v => (double)v);
    }
}
