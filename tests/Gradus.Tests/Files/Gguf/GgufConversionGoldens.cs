using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Testing;

namespace Gradus.Tests.Files.Gguf;

/// <summary>Every golden model of a family that GGUF has: written as GGUF and read back, with and without the note of this program.</summary>
public sealed class GgufConversionGoldens : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    // Heads other than a language model's are not part of a GGUF file.
    public static TheoryData<string> Cases() => [.. SharedFolder.GoldenCases("models").Where(n =>
    {
        JsonObject config = Config(n);
        string type = (string?)config["model_type"] ?? "";
        return GgufFamilies.All.Any(f => f.ModelType == type && f.ModelClass == (string?)config["architectures"]?[0]);
    })];

    public void Dispose() => _folder.Dispose();

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void EveryTensorComesBack(string name)
    {
        foreach (string path in new[] { Write(name), WithoutNote(Write(name)) })
        {
            using GgufModel read = GgufModel.Open(path);
            using TensorFile original = TensorFile.Open(Folder(name));
            string[] names = [.. original.Entries.Select(e => e.Name)];
            Assert.Equal(names.Order(StringComparer.Ordinal), read.Tensors.Entries.Select(e => e.Name).Order(StringComparer.Ordinal));
            foreach (TensorEntry entry in original.Entries)
            {
                TensorEntry back = read.Tensors[entry.Name];
                Assert.Equal(entry.Shape, back.Shape);
                float[] expected = Values(original, entry), actual = Values(read.Tensors, back);
                // Norms that are stored plus one lose what is smaller than the rounding of that sum.
                float tolerance = name.StartsWith("gemma", StringComparison.Ordinal) && entry.Name.Contains("norm", StringComparison.Ordinal) ? 2.4e-7f : 0;
                for (int i = 0; i < expected.Length; i++)
                    Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])), $"{entry.Name}[{i}] is {actual[i]}, was {expected[i]}");
                Assert.True(MemoryMarshal.AsBytes<float>(actual).SequenceEqual(Stored(read.Tensors, back)), $"{entry.Name}: bytes and values differ");
            }
        }
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void TheNoteGivesTheWholeConfiguration(string name)
    {
        using GgufModel read = GgufModel.Open(Write(name));
        Assert.True(JsonNode.DeepEquals(Config(name), read.Config));
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void TheMetadataOfLlamaCppGivesTheConfigurationThatMatters(string name)
    {
        HyperParameters config = new(Config(name), name);
        if (GgufFamilies.OfCheckpoint(config).Deviations(config).Any())
            return;
        using GgufModel read = GgufModel.Open(WithoutNote(Write(name)));
        string[] ours = ["dtype", "transformers_version", "use_cache", "partial_rotary_factor", "rotary_pct", "num_kv_heads", "num_ln_in_parallel_attn", "rope_scaling"];
        foreach ((string key, JsonNode? value) in read.Config)
        {
            if (ours.Contains(key) || config.Json[key] is not { } before)
                continue;
            if (before is JsonValue number && number.GetValueKind() == System.Text.Json.JsonValueKind.Number)
                Assert.Equal((float)before.GetValue<double>(), Convert.ToSingle(value!.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture));
            else if (!(key is "model_type" && (string?)before == "mistral") && !(key is "architectures"))
                Assert.True(JsonNode.DeepEquals(before, value), $"{key}: {before.ToJsonString()} became {value?.ToJsonString()}");
        }
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void ModelsThatCanRunGiveTheSameLogits(string name)
    {
        if (!Architectures.ModelTypes.Contains((string?)Config(name)["model_type"]))
            return;
        float[]? expected = Logits(Folder(name));
        if (expected is null)
            return;
        HyperParameters config = new(Config(name), name);
        List<string> paths = [Write(name)];
        if (!GgufFamilies.OfCheckpoint(config).Deviations(config).Any())
            paths.Add(WithoutNote(paths[0]));
        foreach (string path in paths)
        {
            float[] actual = Logits(path)!;
            double off = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(off <= 1e-4, $"{Path.GetFileName(path)}: logits are off by {off}");
        }
    }

    private static float[]? Logits(string path)
    {
        using LanguageModel model = Checkpoint.Load(path, CpuDevice.Default);
        if (model is not DecoderModel decoder)
            return null;
        int[] ids = [.. Enumerable.Range(0, 24).Select(i => (i * 37) % model.Config.Vocabulary)];
        using Workspace step = model.Parts.Store.NewScratch();
        return decoder.Logits(new Pass(new TokenBatch(ids), step)).ToArray();
    }

    private static string Folder(string name) => SharedFolder.Find("golden", "models", name)!;

    private static JsonObject Config(string name) => Checkpoint.ReadObject(Path.Combine(Folder(name), "config.json"));

    private static float[] Values(TensorFile file, TensorEntry entry)
    {
        float[] values = new float[entry.Shape.Count];
        file.Read(entry, values);
        return values;
    }

    private static ReadOnlySpan<byte> Stored(TensorFile file, TensorEntry entry) => file.Bytes(entry).Span;

    private string Write(string name)
    {
        string path = _folder[$"{name}.gguf"];
        using GgufExport export = GgufExport.Plan(Config(name), TensorFile.Open(Folder(name)), null, new GgufExportOptions(GgufStorage.Get("f32"), name));
        AtomicFile.Write(path, export.Write);
        return path;
    }

    /// <summary>A copy as another program would have written it.</summary>
    internal static string WithoutNote(string path)
    {
        string plain = Path.ChangeExtension(path, ".plain.gguf");
        using GgufFile file = GgufFile.Open(path);
        Assert.True(file.Values.Remove(GgufModel.ConfigKeyName));
        AtomicFile.Write(plain, stream =>
        {
            using GgufWriter writer = new(stream, file.Values, file.Entries, leaveOpen: true);
            writer.WriteAll((entry, to) => to.Write(entry.Name, file.Bytes(entry)));
        });
        return plain;
    }
}
