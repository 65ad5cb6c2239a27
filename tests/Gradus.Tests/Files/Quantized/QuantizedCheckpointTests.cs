using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Quantized;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;
using Gradus.Testing;
using Gradus.Tests.Goldens;

namespace Gradus.Tests.Files.Quantized;

public sealed class QuantizedCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact("golden", "quantization", "gptq")]
    public void GptqGivesTheWeightsOfTheReference()
    {
        string folder = SharedFolder.Find("golden", "quantization", "gptq")!;
        JsonNode cases = Checkpoint.ReadObject(Path.Combine(folder, "meta.json"))["cases"]!;
        using TensorsOf expected = new(Path.Combine(folder, "tensors.safetensors"));
        string[] packed = Directory.GetFiles(folder, "packed_*.safetensors");
        Assert.NotEmpty(packed);
        foreach (string path in packed)
        {
            string name = Path.GetFileNameWithoutExtension(path)["packed_".Length..];
            JsonObject config = Quantization("gptq", ("bits", (int)cases[name]!["bits"]!), ("group_size", (int)cases[name]!["groupsize"]!));
            using TensorFile file = QuantizedCheckpoint.Open(Renamed(path, n => $"layer.{n}"), config);
            Near(expected.Floats($"{name}.weight_dequant"), Values(file, "layer.weight"), 1e-6f);
        }
    }

    [SharedFact("golden", "quantization", "awq")]
    public void AwqGivesTheWeightsOfTheReference()
    {
        string folder = SharedFolder.Find("golden", "quantization", "awq")!;
        JsonNode block = Checkpoint.ReadObject(Path.Combine(folder, "meta.json"))["block"]!;
        JsonObject config = Quantization("awq", ("bits", (int)block["bits"]!), ("group_size", (int)block["group_size"]!));
        using TensorsOf expected = new(Path.Combine(folder, "tensors.safetensors"));
        using TensorFile file = QuantizedCheckpoint.Open(TensorFile.Open(Path.Combine(folder, "packed_gemm.safetensors")), config);
        Assert.NotEmpty(file.Entries);
        foreach (TensorEntry entry in file.Entries)
            Near(expected.Floats($"packed.{entry.Name[..^".weight".Length]}.dequant"), Values(file, entry.Name), 1e-6f);
    }

    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void FourBitsGiveTheWeightsOfTheReference()
    {
        string folder = SharedFolder.Find("golden", "quantization", "bitsandbytes")!;
        JsonObject cases = Checkpoint.ReadObject(Path.Combine(folder, "meta.json"))["cases"]!.AsObject();
        using TensorFile tensors = TensorFile.Open(Path.Combine(folder, "tensors.safetensors"));
        string[] packed = [.. tensors.Entries.Select(e => e.Name).Where(n => n.EndsWith(".packed", StringComparison.Ordinal)).Select(n => n[..^".packed".Length])];
        Assert.NotEmpty(packed);
        foreach (string name in packed)
        {
            string type = name.Split('.')[1];
            TensorEntry expected = tensors[$"{name}.dequant"];
            JsonObject state = new()
            {
                ["quant_type"] = type,
                ["blocksize"] = (int)cases[name]!["blocksize"]!,
                ["dtype"] = "float32",
                ["shape"] = new JsonArray([.. expected.Shape.ToArray().Select(a => (JsonNode)a)]),
            };
            Dictionary<string, (TensorFile, string)> stored = new()
            {
                ["w.weight"] = (tensors, $"{name}.packed"),
                ["w.weight.quant_map"] = (tensors, $"code.{type}"),
            };
            if (cases[name]!["nested_blocksize"] is { } nested)
            {
                state["nested_blocksize"] = nested.DeepClone();
                state["nested_offset"] = Values(tensors, $"{name}.offset")[0];
                stored["w.weight.absmax"] = (tensors, $"{name}.absmax_q");
                stored["w.weight.nested_absmax"] = (tensors, $"{name}.nested_absmax");
                stored["w.weight.nested_quant_map"] = (tensors, $"{name}.nested_code");
            }
            else
            {
                stored["w.weight.absmax"] = (tensors, $"{name}.absmax");
            }
            string path = Write($"{name}.safetensors", stored, ($"w.weight.quant_state.bitsandbytes__{type}", Encoding.UTF8.GetBytes(state.ToJsonString())));
            using TensorFile file = QuantizedCheckpoint.Open(TensorFile.Open(path), Quantization("bitsandbytes"));
            Assert.Equal("w.weight", Assert.Single(file.Entries).Name);
            Assert.Equal(expected.Shape, file["w.weight"].Shape);
            Near(Values(tensors, expected.Name), Values(file, "w.weight"), 1e-6f);
            using Workspace store = new(CpuDevice.Default);
            PackedMatrix? kept = file.ReadPacked(file["w.weight"], store);
            Assert.Equal(type == "nf4" && (int)cases[name]!["blocksize"]! == 64 && expected.Shape.Columns % 64 == 0, kept is not null);
            if (kept is not null)
            {
                Assert.Equal(Values(tensors, expected.Name), kept.Dense(store).ToArray());
                Assert.Equal(cases[name]!["nested_blocksize"] is not null, kept.DoubleScales is not null);
            }
            Fuzz(path, Quantization("bitsandbytes"), rounds: 60);
        }
    }

    [SharedFact("golden", "quantization", "bitsandbytes")]
    public void EightBitRowsAreScaled()
    {
        using TensorFile tensors = TensorFile.Open(SharedFolder.Find("golden", "quantization", "bitsandbytes", "tensors.safetensors")!);
        string[] cases = [.. tensors.Entries.Select(e => e.Name).Where(n => n.EndsWith(".int8_rowwise.q", StringComparison.Ordinal)).Select(n => n[..^2])];
        Assert.NotEmpty(cases);
        foreach (string name in cases)
        {
            string path = Write($"{name}.safetensors", new() { ["w.weight"] = (tensors, $"{name}.q"), ["w.SCB"] = (tensors, $"{name}.stats") }, ("w.weight_format", [0]));
            using TensorFile file = QuantizedCheckpoint.Open(TensorFile.Open(path), Quantization("bitsandbytes"));
            float[] original = Values(tensors, $"in.{name.Split('.')[0]}"), stats = Values(tensors, $"{name}.stats"), actual = Values(file, "w.weight");
            int columns = original.Length / stats.Length;
            // Half a step of rounding, and the input's cast to half precision.
            for (int i = 0; i < actual.Length; i++)
                Assert.True(Math.Abs(original[i] - actual[i]) <= (stats[i / columns] / 127 * 0.51f) + (Math.Abs(original[i]) * 1e-3f), $"{name}[{i}]");
        }
    }

    [Theory]
    [InlineData(2, "gptq", true)]
    [InlineData(3, "gptq", false)]
    [InlineData(4, "gptq_v2", true)]
    [InlineData(8, "gptq", false)]
    public void AModelInGptqRunsAsItsDequantizedSelf(int bits, string format, bool actOrder)
    {
        LlamaConfig config = new(VocabSize: 50, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 32);
        using LanguageModel model = Checkpoint.Create(config, 7, CpuDevice.Default);
        GptqSample sample = new(bits, groupSize: 32, format == "gptq", actOrder);
        List<(string Name, DType Type, Shape Shape, byte[] Data)> stored = [];
        foreach (Parameter p in model.Parameters)
        {
            if (p.Name.EndsWith("_proj.weight", StringComparison.Ordinal))
                stored.AddRange(sample.Quantize(p.Name[..^".weight".Length], p.Value));
            else
                stored.Add((p.Name, DType.F32, p.Shape, MemoryMarshal.AsBytes<float>(p.Value.ToArray()).ToArray()));
        }
        Write("model.safetensors", stored);
        JsonObject json = Architectures.ToJson(config);
        json[QuantizedCheckpoint.ConfigKey] = Quantization("gptq", ("bits", bits), ("group_size", 32))[QuantizedCheckpoint.ConfigKey]!.DeepClone();
        json[QuantizedCheckpoint.ConfigKey]!["checkpoint_format"] = format;
        File.WriteAllText(_folder["config.json"], json.ToJsonString());
        using LanguageModel loaded = Checkpoint.Load(_folder.Path, CpuDevice.Default);
        // Quantize has put the rounded weights into the model.
        foreach ((Parameter mine, Parameter read) in model.Parameters.Zip(loaded.Parameters))
            Near(mine.Value.ToArray(), read.Value.ToArray(), 1e-6f);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AModelInNf4StaysInBlocksWhereThatIsAskedFor(bool doubleQuantization)
    {
        LlamaConfig config = new(VocabSize: 50, HiddenSize: 64, IntermediateSize: 192, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 32);
        using DecoderModel model = (DecoderModel)Checkpoint.Create(config, 7, CpuDevice.Default);
        ModelQuantization.Apply(model, PackedFormats.Get("NF4"), l => l != model.Head, doubleQuantization);
        List<(string Name, DType Type, Shape Shape, byte[] Data)> stored = [.. model.Parameters.Select(p => (p.Name, DType.F32, p.Shape, Bytes(p.Value.ToArray())))];
        foreach (Linear linear in model.Parts.Linears.Where(l => l.Weight is PackedWeight))
            stored.AddRange(Nf4(linear.Path + ".weight", ((PackedWeight)linear.Weight).Matrix));
        Write("model.safetensors", stored);
        JsonObject json = Architectures.ToJson(config);
        json[QuantizedCheckpoint.ConfigKey] = Quantization("bitsandbytes")[QuantizedCheckpoint.ConfigKey]!.DeepClone();
        File.WriteAllText(_folder["config.json"], json.ToJsonString());
        using LanguageModel kept = Checkpoint.Load(_folder.Path, CpuDevice.Default, keepPacked: true), floats = Checkpoint.Load(_folder.Path, CpuDevice.Default);
        using Workspace scratch = new(CpuDevice.Default);
        foreach ((Linear mine, Linear read) in model.Parts.Linears.Zip(kept.Parts.Linears))
        {
            Assert.Equal(mine.Weight is PackedWeight, read.Weight is PackedWeight);
            Assert.Equal(mine.Weight.Dense(scratch).ToArray(), read.Weight.Dense(scratch).ToArray());
        }
        Assert.Equal(model.Parts.Store.LiveBytes, kept.Parts.Store.LiveBytes);
        Assert.Equal(model.ParameterCount, kept.ParameterCount);
        Assert.All(floats.Parts.Linears, l => Assert.IsType<DenseWeight>(l.Weight));
    }

    // A matrix as bitsandbytes stores it.
    private static IEnumerable<(string, DType, Shape, byte[])> Nf4(string name, PackedMatrix matrix)
    {
        byte[] blocks = new byte[matrix.Rows * matrix.RowBytes];
        matrix.GetRows(0, blocks);
        int count = matrix.Rows * matrix.Columns / NF4.Block;
        byte[] nibbles = new byte[count * NF4.Block / 2];
        float[] scales = new float[count];
        NF4.Export(blocks, nibbles, scales);
        JsonObject state = new() { ["quant_type"] = "nf4", ["blocksize"] = NF4.Block, ["dtype"] = "float32", ["shape"] = new JsonArray(matrix.Rows, matrix.Columns) };
        yield return (name, DType.U8, new Shape(nibbles.Length, 1), nibbles);
        yield return ($"{name}.quant_map", DType.F32, new Shape(16), Bytes(NF4.Levels.ToArray()));
        if (matrix.DoubleScales is { } common)
        {
            (state["nested_blocksize"], state["nested_offset"]) = (DoubleQuantizedScales.Blocks, common.Offset);
            yield return ($"{name}.absmax", DType.U8, new Shape(count), [.. scales.Select((scale, block) => common.Encode(block, scale))]);
            yield return ($"{name}.nested_absmax", DType.F32, new Shape(common.Largest.Length), Bytes(common.Largest.ToArray()));
            yield return ($"{name}.nested_quant_map", DType.F32, new Shape(256), Bytes(DoubleQuantizedScales.Map.ToArray()));
        }
        else
        {
            yield return ($"{name}.absmax", DType.F32, new Shape(count), Bytes(scales));
        }
        byte[] json = Encoding.UTF8.GetBytes(state.ToJsonString());
        yield return ($"{name}.quant_state.bitsandbytes__nf4", DType.U8, new Shape(json.Length), json);
    }

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    [Fact]
    public void WhatIsNotReadIsNamed()
    {
        string path = Write("m.safetensors", [("a.weight", DType.F32, new Shape(1), new byte[4])]);
        Says("'fp8'", Quantization("fp8"));
        Says("bits is 5", Quantization("gptq", ("bits", 5)));
        Says("'marlin'", Quantization("awq", ("bits", 4)), c => c["version"] = "marlin");
        Says("checkpoint_format", Quantization("gptq", ("bits", 4)), c => c["checkpoint_format"] = "marlin");

        void Says(string words, JsonObject config, Action<JsonObject>? change = null)
        {
            change?.Invoke(config[QuantizedCheckpoint.ConfigKey]!.AsObject());
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => QuantizedCheckpoint.Open(TensorFile.Open(path), config));
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    [Fact]
    public void TensorsThatDoNotFitAreRefused()
    {
        (string, DType, Shape, byte[]) weight = ("a.qweight", DType.I32, new Shape(4, 8), new byte[128]);
        (string, DType, Shape, byte[]) zeros = ("a.qzeros", DType.I32, new Shape(1, 1), new byte[4]);
        (string, DType, Shape, byte[]) scales = ("a.scales", DType.F32, new Shape(1, 8), new byte[32]);
        JsonObject config = Quantization("gptq", ("bits", 4), ("group_size", 32));
        Refuse([weight, zeros], "is missing");
        Refuse([weight, zeros, ("a.scales", DType.F32, new Shape(1, 7), new byte[28])], "do not fit");
        Refuse([weight, ("a.qzeros", DType.I32, new Shape(1, 2), new byte[8]), scales], "do not fit");
        Refuse([weight, zeros, scales, ("a.g_idx", DType.I32, new Shape(32), MemoryMarshal.AsBytes<int>(Enumerable.Repeat(1, 32).ToArray()).ToArray())], "groups");
        Refuse([("a.qweight", DType.F32, new Shape(4, 8), new byte[128]), zeros, scales], "I32");

        void Refuse(List<(string, DType, Shape, byte[])> tensors, string words)
        {
            string path = Write($"{words.Length}-{tensors.Count}.safetensors", tensors);
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => QuantizedCheckpoint.Open(TensorFile.Open(path), config));
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
        }
    }

    [SharedFact("golden", "quantization", "awq")]
    public void MutatedAwqFilesGiveValuesOrOneLine() =>
        Fuzz(Path.Combine(SharedFolder.Find("golden", "quantization", "awq")!, "packed_gemm.safetensors"), Quantization("awq", ("bits", 4), ("group_size", 128)));

    [SharedFact("golden", "quantization", "gptq")]
    public void MutatedGptqFilesGiveValuesOrOneLine()
    {
        foreach (string packed in Directory.GetFiles(SharedFolder.Find("golden", "quantization", "gptq")!, "packed_*.safetensors"))
        {
            using (Renamed(packed, n => $"layer.{n}"))
            {
                // Only the file is wanted.
            }
            Fuzz(_folder[Path.GetFileName(packed)], Quantization("gptq", ("bits", 4), ("group_size", 128)));
        }
    }

    // A mutated file gives values, or one line that says what is wrong.
    private void Fuzz(string whole, JsonObject config, int rounds = 300) => HostileFiles.Fuzz(File.ReadAllBytes(whole), rounds, _folder, "mutated.safetensors", path =>
    {
        using TensorFile file = QuantizedCheckpoint.Open(TensorFile.Open(path), (JsonObject)config.DeepClone());
        foreach (TensorEntry entry in file.Entries.Where(e => e.Shape.Count < 1 << 20))
            file.Read(entry, new float[entry.Shape.Count]);
    });

    private static JsonObject Quantization(string method, params (string Key, int Value)[] values)
    {
        JsonObject config = new() { ["quant_method"] = method };
        foreach ((string key, int value) in values)
            config[key] = value;
        return new JsonObject { [QuantizedCheckpoint.ConfigKey] = config };
    }

    private static float[] Values(TensorFile file, string name)
    {
        float[] values = new float[file[name].Shape.Count];
        file.Read(file[name], values);
        // The same in pieces that cut rows.
        float[] part = new float[Math.Min(values.Length, 37)];
        int start = (values.Length - part.Length) / 2;
        file.Read(file[name], start, part);
        Assert.True(values.AsSpan(start, part.Length).SequenceEqual(part));
        return values;
    }

    private static void Near(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])), $"value {i} is {actual[i]}, expected {expected[i]}");
    }

    private TensorFile Renamed(string path, Func<string, string> name)
    {
        using TensorFile file = TensorFile.Open(path);
        return TensorFile.Open(Write(Path.GetFileName(path), [.. file.Entries.Select(e => (name(e.Name), e.DType, e.Shape, file.Bytes(e).Span.ToArray()))]));
    }

    private string Write(string name, Dictionary<string, (TensorFile File, string Name)> tensors, (string Name, byte[] Data) extra) =>
        Write(name, [.. tensors.Select(t => (t.Key, t.Value.File[t.Value.Name].DType, t.Value.File[t.Value.Name].Shape, t.Value.File.Bytes(t.Value.File[t.Value.Name]).Span.ToArray())),
            (extra.Name, DType.U8, new Shape(extra.Data.Length), extra.Data)]);

    private string Write(string name, List<(string Name, DType Type, Shape Shape, byte[] Data)> tensors)
    {
        AtomicFile.Write(_folder[name], stream =>
        {
            using SafetensorsWriter writer = new(stream, tensors.Select(t => new TensorEntry(t.Name, t.Type, t.Shape)), leaveOpen: true);
            writer.WriteAll((entry, to) => to.Write(entry.Name, tensors.Find(t => t.Name == entry.Name).Data));
        });
        return _folder[name];
    }
}
