using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;
using Gradus.Tests.Files;

namespace Gradus.Tests.Models;

/// <summary>Models with packed weights compute what the same models with the unpacked weights do, forwards and backwards, from memory and from files.</summary>
public sealed class QuantizedModelTests
{
    private static readonly LlamaConfig Llama = new(
        VocabSize: 37, HiddenSize: 256, IntermediateSize: 512, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 32, InitializerRange: 0.06f);

    private static readonly Gpt2Config Gpt2 = new(
        VocabSize: 37, NPositions: 32, NEmbd: 256, NLayer: 2, NHead: 4, ResidPdrop: 0, EmbdPdrop: 0, AttnPdrop: 0, InitializerRange: 0.06f);

    private static readonly TokenBatch Batch = new([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [0, 7, 12]);

    // 16 bits per block of activations, through two blocks of layers.
    private const double IntegerTolerance = 1e-3;

    public static TheoryData<string> Formats => [.. PackedFormats.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void ComputesWhatTheUnpackedWeightsCompute(string format)
    {
        using DecoderModel packed = Make(Llama, CpuDevice.Default), dense = Make(Llama, CpuDevice.Default);
        long count = packed.ParameterCount, bytes = packed.Parts.Store.LiveBytes;
        IReadOnlyList<Linear> quantized = ModelQuantization.Apply(packed, PackedFormats.Get(format));
        Assert.Equal(packed.Parts.Linears, quantized);
        Assert.Equal(count, packed.ParameterCount);
        Assert.True(packed.Parts.Store.LiveBytes < bytes / 2, $"{packed.Parts.Store.LiveBytes} bytes of {bytes}");
        Unpack(packed, dense);
        Close(Logits(dense), Logits(packed), IntegerTolerance);
        Assert.DoesNotContain(packed.Parameters, p => p.Name.EndsWith("q_proj.weight", StringComparison.Ordinal));
        Assert.Empty(ModelQuantization.Apply(packed, PackedFormats.Get(format)));
    }

    [Fact]
    public void ChoosesLayersAndKeepsSharedTables()
    {
        using DecoderModel model = Make(Gpt2, CpuDevice.Default), dense = Make(Gpt2, CpuDevice.Default);
        PackedFormat format = PackedFormats.Get("Q8_0");
        IReadOnlyList<Linear> some = ModelQuantization.Apply(model, format, l => l.Name == "c_fc");
        Assert.Equal(2, some.Count);
        long count = dense.ParameterCount;
        Assert.Equal(count, model.ParameterCount);
        ModelQuantization.Apply(model, format);
        Assert.Equal(count, model.ParameterCount);
        PackedWeight head = Assert.IsType<PackedWeight>(model.Head.Weight);
        Assert.Same(model.Parts.Embeddings[0].Table, head.CopyOf);
        Close(Logits(dense), Logits(model), 0.05);
    }

    [Theory]
    [InlineData("Q4_0")]
    [InlineData("NF4")]
    [InlineData("NF4", true)]
    [InlineData("Q4_K")]
    [InlineData("Q8_0")]
    public void AdaptersGetTheGradientThatTheUnpackedWeightsGive(string format, bool doubleQuantization = false)
    {
        foreach ((Device device, double tolerance) in ((Device, double)[])[(ReferenceDevice.Instance, 1e-6), (CpuDevice.Default, 5 * IntegerTolerance)])
        {
            using DecoderModel packed = Make(Llama, device), dense = Make(Llama, device);
            ModelQuantization.Apply(packed, PackedFormats.Get(format), l => l != packed.Head, doubleQuantization);
            Unpack(packed, dense);
            LoraConfig config = new(R: 4) { TargetModules = ModuleNames.Of("q_proj", "down_proj"), InitLoraWeights = LoraInit.Random };
            using ModelAdapter adapter = ModelAdapter.Attach(packed, config, seed: 3), other = ModelAdapter.Attach(dense, config, seed: 3);
            double loss = Loss(packed), expected = Loss(dense);
            Assert.Equal(expected, loss, tolerance * expected);
            Assert.NotEmpty(adapter.Parameters);
            foreach ((Parameter a, Parameter b) in adapter.Parameters.Zip(other.Parameters))
            {
                Assert.Contains(a.Gradient!.ToArray(), g => g != 0);
                Close(b.Gradient!.ToArray(), a.Gradient!.ToArray(), tolerance);
            }
            Assert.Contains("quantized", Assert.Throws<InvalidDataException>(adapter.Merge).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void PackedTensorsOfAFileStayPackedWhereThatIsAskedFor()
    {
        using TemporaryFolder folder = new();
        string path = folder["model.gguf"];
        using DecoderModel model = Make(Llama, CpuDevice.Default);
        PackedFormat format = PackedFormats.Get("Q4_K");
        Write(path, model, format);
        using TensorFile file = TensorFile.Open(path);
        using LanguageModel packed = Checkpoint.Load(Llama, file, CpuDevice.Default, keepPacked: true), dense = Checkpoint.Load(Llama, file, CpuDevice.Default);
        Assert.All(packed.Parts.Linears, l => Assert.Equal(format, Assert.IsType<PackedWeight>(l.Weight).Matrix.Format));
        Assert.All(dense.Parts.Linears, l => Assert.IsType<DenseWeight>(l.Weight));
        Close(Logits((DecoderModel)dense), Logits((DecoderModel)packed), IntegerTolerance);
        Assert.Equal(dense.ParameterCount, packed.ParameterCount);

        PackedMatrix matrix = ((PackedWeight)packed.Parts.Linears[0].Weight).Matrix;
        byte[] bytes = new byte[matrix.Rows * matrix.RowBytes];
        matrix.GetRows(0, bytes);
        Assert.Equal(file.Bytes(file[packed.Parts.Linears[0].Path + ".weight"]).Span.ToArray(), bytes);

        LlamaConfig wider = Llama with { IntermediateSize = 768 };
        Assert.Contains("gate_proj", Assert.Throws<InvalidDataException>(() => Checkpoint.Load(wider, file, CpuDevice.Default, keepPacked: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AQuantizedModelIsNotWrittenWithoutItsWeights()
    {
        using TemporaryFolder folder = new();
        using DecoderModel model = Make(Llama, CpuDevice.Default);
        ModelQuantization.Apply(model, PackedFormats.Get("Q4_0"), l => l.Name == "v_proj");
        using AtomicFolder target = AtomicFolder.Begin(folder["saved"]);
        Assert.Contains("v_proj is quantized to Q4_0", Assert.Throws<InvalidOperationException>(() => Checkpoint.Write(target, model)).Message, StringComparison.Ordinal);
    }

    private static DecoderModel Make(ModelConfig config, Device device) => (DecoderModel)Checkpoint.Create(config, 5, device);

    // Gives the other model the values that the packed weights have.
    private static void Unpack(DecoderModel packed, DecoderModel dense)
    {
        using Workspace scratch = new(packed.Device);
        foreach ((Linear from, Linear to) in packed.Parts.Linears.Zip(dense.Parts.Linears))
        {
            if (from.Weight is PackedWeight && to.Weight is DenseWeight { Layout: WeightLayout.OutIn } weight)
                from.Weight.Dense(scratch).Span().CopyTo(weight.Parameter.Value.Span());
        }
    }

    private static float[] Logits(DecoderModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(Batch, step)).ToArray();
    }

    private static double Loss(DecoderModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        Tape tape = step.StartTape();
        Tensor losses = model.Losses(new Pass(Batch, step), step.From([1, 4, 1, 5, 9, 2, -100, 5, 3, 5, 8, -100]));
        double sum = losses.ToArray().Sum();
        tape.Backward(losses, step.From([.. Enumerable.Repeat(1f, 12)], losses.Shape));
        return sum;
    }

    private static void Write(string path, DecoderModel model, PackedFormat format)
    {
        Dictionary<string, Tensor> values = model.Parameters.ToDictionary(p => p.Name, p => p.Value);
        bool IsPacked(string name) => model.Parts.Linears.Any(l => l.Path + ".weight" == name);
        TensorEntry[] entries = [.. values.Select(v => IsPacked(v.Key) ? new TensorEntry(v.Key, format, v.Value.Shape) : new TensorEntry(v.Key, DType.F32, v.Value.Shape))];
        using GgufWriter writer = new(File.Create(path), new GgufMetadata(), entries);
        foreach (TensorEntry entry in writer.Entries)
            writer.Write(entry.Name, values[entry.Name].Span());
        writer.Complete();
    }

    private static void Close(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double size = Math.Sqrt(expected.Average(e => (double)e * e)), off = expected.Zip(actual).Max(p => Math.Abs((double)p.First - p.Second));
        Assert.True(off <= tolerance * size, $"off by {off}, with values of the size {size}");
    }
}
