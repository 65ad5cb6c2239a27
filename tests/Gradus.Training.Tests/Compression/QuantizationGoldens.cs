using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;
using Gradus.Testing;
using Gradus.Tests.Goldens;
using Gradus.Training.Compression;

namespace Gradus.Training.Tests.Compression;

/// <summary>Importance matrices against llama.cpp, GPTQ against IST-DASLab/gptq, AWQ against mit-han-lab/llm-awq.</summary>
public sealed class QuantizationGoldens
{
    public static TheoryData<string> GptqCases() => CasesOf("gptq", "cases");

    public static TheoryData<string> ImportanceTypes() => CasesOf("gguf_imatrix", "types");

    public static TheoryData<string> AwqRounding() => CasesOf("awq", "pseudo_quantize");

    [SharedTheory("golden", "quantization", "gguf_imatrix")]
    [MemberData(nameof(ImportanceTypes))]
    public void BlocksWithAnImportanceMatrixAreAtLeastAsGoodAsTheReferences(string type)
    {
        using TensorsOf tensors = Tensors("gguf_imatrix", "blocks.safetensors");
        PackedFormat format = PackedFormats.Get(type);
        float[] x = tensors.Floats("x");
        int columns = tensors.ShapeOf("x").Columns;
        foreach ((string name, JsonNode? expected) in Meta("gguf_imatrix")["types"]![type]!.AsObject())
        {
            double[] errors = [.. expected!["weighted_error"]!.AsArray().Select(e => (double)e!)];
            float[] importance = name == "none" ? [] : tensors.Floats($"imatrix.{name}");
            BlockGrid grid = new(format, x.Length / columns, columns);
            grid.RoundAll(x, importance);
            float[] stored = grid.Values();
            for (int row = 0; row < errors.Length; row++)
            {
                double error = 0;
                for (int c = 0; c < columns; c++)
                {
                    double off = (double)x[(row * columns) + c] - stored[(row * columns) + c];
                    error += (importance.Length == 0 ? 1 : importance[c]) * off * off;
                }
                Assert.True(error <= (1.02 * errors[row]) + 1e-12, $"{type}.{name}, row {row}: {error}, the reference {errors[row]}");
            }
        }
    }

    [SharedTheory("golden", "quantization", "gptq")]
    [MemberData(nameof(GptqCases))]
    public void GptqRoundsAsTheReference(string name)
    {
        JsonNode about = Meta("gptq")["cases"]![name]!;
        using TensorsOf tensors = Tensors("gptq", "tensors.safetensors");
        float[] weight = tensors.Floats("weight"), hessian = tensors.Floats("hessian"), expected = tensors.Floats($"{name}.weight_dequant");
        (int rows, int columns) = (tensors.ShapeOf("weight")[0], tensors.ShapeOf("weight")[1]);
        IntegerGrid Make() => new(rows, columns, (int)about["bits"]!, (int)about["groupsize"]!, (bool)about["sym"]! ? IntegerRule.Symmetric : IntegerRule.Asymmetric);
        IntegerGrid nearest = Make(), grid = Make();
        nearest.RoundAll(weight, []);
        Same(tensors.Floats($"{name}.rtn_dequant"), nearest.Values(), 1, 1e-6);
        GptqOptions options = new((double)about["percdamp"]!, ActOrder: about["actorder"] is { } order && (bool)order!);
        Assert.Null(Gptq.Round(grid, weight, hessian, Gptq.Diagonal(hessian, columns), options));
        Same(expected, grid.Values(), 0.99, 1e-5);
        double mse = OutputError(tensors, weight, grid.Values(), columns);
        Assert.InRange(mse, 0.99 * (double)about["output_mse"]!, 1.01 * (double)about["output_mse"]!);
        Assert.Equal((double)about["rtn_output_mse"]!, OutputError(tensors, weight, nearest.Values(), columns), 1e-2 * (double)about["rtn_output_mse"]!);
        RoundedMatrix chosen = Gptq.Quantize(Make, weight, hessian, options);
        Assert.Null(chosen.Note);
        Assert.True(chosen.Error < chosen.RoundedError);
    }

    [SharedTheory("golden", "quantization", "awq")]
    [MemberData(nameof(AwqRounding))]
    public void AwqsIntegersAreTheReferences(string name)
    {
        JsonNode about = Meta("awq")["pseudo_quantize"]![name]!;
        using TensorsOf tensors = Tensors("awq", "tensors.safetensors");
        float[] weight = tensors.Floats("weight");
        (int rows, int columns) = (tensors.ShapeOf("weight")[0], tensors.ShapeOf("weight")[1]);
        IntegerGrid grid = new(rows, columns, (int)about["bits"]!, (int)about["group_size"]!, IntegerRule.MinMax);
        grid.RoundAll(weight, []);
        Same(tensors.Floats($"{name}.scales"), grid.Scales, 1, 1e-6);
        Same(tensors.Floats($"{name}.zeros"), grid.Zeros, 1, 0);
        Same(tensors.Floats($"{name}.dequant"), grid.Values(), 1, 1e-6);
    }

    [SharedFact("golden", "quantization", "awq")]
    public void AwqFindsTheScalesAndMaximaOfTheReference()
    {
        JsonNode block = Meta("awq")["block"]!;
        using TensorsOf tensors = Tensors("awq", "tensors.safetensors"), layer = Tensors("awq", "layer.safetensors"), scaled = Tensors("awq", "layer_scaled.safetensors");
        using DecoderModel model = Layer(block["config"]!, layer);
        float[] input = tensors.Floats("block.in");
        (int sequences, int length) = ((int)block["tokens"]![0]!, (int)block["tokens"]![1]!);
        CalibrationText text = CalibrationText.Of([TokenBatch.Of([.. Enumerable.Range(0, sequences).Select(_ => new int[length])])]);
        WeightGrid? Grid(Linear l) => l == model.Head ? null : new IntegerGrid(l.Weight.Outputs, l.Weight.Inputs, (int)block["bits"]!, (int)block["group_size"]!, IntegerRule.MinMax);
        using BlockWalk walk = new(model, text, [input]);
        Close("block", tensors.Floats("block.out"), walk.Outputs()[0], 3e-4);
        Awq awq = new(model, walk, Grid, new AwqOptions(Clip: false));
        awq.Block();
        Assert.Equal(block["scales"]!.AsArray().Count, awq.Scales.Count);
        foreach ((JsonNode? expected, AwqScale found) in block["scales"]!.AsArray().Zip(awq.Scales))
        {
            Assert.Contains((string)expected!["prev_op"]!, found.Before, StringComparison.Ordinal);
            Assert.Equal((double)expected["best_ratio"]!, found.Ratio, 1e-9);
            Close($"{found.Before}: losses", [.. expected["losses"]!.AsArray().Select(l => (float)l!)], [.. found.Losses.Select(l => (float)l)], 1e-3);
        }
        foreach (string name in scaled.Names)
            Close(name, scaled.Floats(name), model.Parts.Find($"model.layers.0.{name}")!.Value.ToArray(), 1e-5);
        ClipsAsTheReference(model, walk, Grid, tensors, input);
    }

    // The scales have been applied: what is left is the search for maxima, and the rounding.
    private static void ClipsAsTheReference(DecoderModel model, BlockWalk walk, Func<Linear, WeightGrid?> grids, TensorsOf tensors, float[] input)
    {
        Awq awq = new(model, walk, grids, new AwqOptions(Scale: false));
        awq.Block();
        string[] clipped = [.. tensors.Names.Where(n => n.StartsWith("clip.", StringComparison.Ordinal)).Select(n => n["clip.".Length..])];
        Assert.Equal(clipped.Order(), awq.Maxima.Keys.Select(l => l.Path["model.layers.0.".Length..]).Order());
        foreach ((Linear linear, float[] maxima) in awq.Maxima)
            Same(tensors.Floats($"clip.{linear.Path["model.layers.0.".Length..]}"), maxima, 0.99, 1e-5);
        foreach (Linear linear in model.Parts.Linears.Where(l => l != model.Head))
        {
            WeightGrid grid = grids(linear)!;
            grid.RoundAll(LayerWeights.Read(linear), []);
            Same(tensors.Floats($"quant.{linear.Path["model.layers.0.".Length..]}.dequant"), grid.Values(), 0.98, 1e-4);
            LayerWeights.Write(linear, grid.Values());
        }
        float[] outputs = walk.Outputs()[0], original = tensors.Floats("block.out"), expected = tensors.Floats("block.out_quantized");
        Assert.InRange(Rms(outputs, original), 0.9 * Rms(expected, original), 1.1 * Rms(expected, original));
        Assert.Equal(input.Length, outputs.Length);
    }

    private static DecoderModel Layer(JsonNode config, TensorsOf layer)
    {
        LlamaConfig shape = new(
            VocabSize: 8, HiddenSize: (int)config["hidden_size"]!, IntermediateSize: (int)config["intermediate_size"]!, NumHiddenLayers: 1,
            NumAttentionHeads: (int)config["num_attention_heads"]!, NumKeyValueHeads: (int)config["num_key_value_heads"]!, HeadDim: (int)config["head_dim"]!,
            MaxPositionEmbeddings: 256, RmsNormEps: (float)config["rms_norm_eps"]!, RopeTheta: (double)config["rope_theta"]!);
        DecoderModel model = (DecoderModel)Checkpoint.Create(shape, 1, CpuDevice.Default);
        foreach (string name in layer.Names)
            layer.Floats(name).CopyTo(model.Parts.Find($"model.layers.0.{name}")!.Value.Span());
        return model;
    }

    private static double OutputError(TensorsOf tensors, float[] weight, float[] stored, int columns)
    {
        using Workspace w = new(CpuDevice.Default);
        float[] off = [.. weight.Zip(stored, (a, b) => a - b)], x = [.. Enumerable.Range(0, 3).SelectMany(i => tensors.Floats($"calibration.{i}"))];
        float[] y = w.From(x, new Shape(x.Length / columns, columns)).Linear(w.From(off, new Shape(off.Length / columns, columns))).ToArray();
        return y.Average(v => (double)v * v);
    }

    private static double Rms(float[] a, float[] b) => Math.Sqrt(a.Zip(b, (p, q) => Math.Pow((double)p - q, 2)).Average());

    private static void Same(float[] expected, float[] actual, double share, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double size = expected.Max(Math.Abs);
        double same = expected.Zip(actual, (e, a) => Math.Abs(e - a) <= tolerance * size ? 1.0 : 0).Average();
        Assert.True(same >= share, $"{same:P2} of the values are the same");
    }

    private static void Close(string what, float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Max(Math.Abs(expected[i]), 0.1), $"{what}[{i}]: {expected[i]} and {actual[i]}");
    }

    private static TensorsOf Tensors(string area, string file) => new(SharedFolder.Find("golden", "quantization", area, file)!);

    private static JsonObject Meta(string area) => Checkpoint.ReadObject(SharedFolder.Find("golden", "quantization", area, "meta.json")!);

    private static TheoryData<string> CasesOf(string area, string key) =>
        SharedFolder.Find("golden", "quantization", area, "meta.json") is null ? [] : [.. Meta(area)[key]!.AsObject().Select(c => c.Key)];
}
