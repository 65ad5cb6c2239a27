using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Tests.Files.Gguf;

public sealed class GgufModelTests : IDisposable
{
    private static readonly LlamaConfig Config = new(
        VocabSize: 40, HiddenSize: 64, IntermediateSize: 96, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 32);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ShardsHoldWhatOneFileHolds()
    {
        using GgufExport whole = Export("q8_0");
        AtomicFile.Write(_folder["whole.gguf"], whole.Write);
        IReadOnlyList<string> names;
        using (GgufExport export = Export("q8_0"))
            names = export.Write(_folder["m.gguf"], maxShardBytes: 20_000);
        Assert.True(names.Count > 2);
        using GgufModel one = GgufModel.Open(_folder["whole.gguf"]);
        // Any shard opens all.
        using GgufModel many = GgufModel.Open(names[1]);
        foreach (TensorEntry entry in one.Tensors.Entries)
            Assert.True(one.Tensors.Bytes(entry).Span.SequenceEqual(many.Tensors.Bytes(many.Tensors[entry.Name]).Span), entry.Name);
    }

    [Fact]
    public void TypesFollowTheRulesOfLlamaCpp()
    {
        // Rows of 64 and 96 are no blocks of 256: the K types fall back.
        Dictionary<string, string> q4 = Types("q4_k"), q6 = Types("q6_k"), half = Types("f16");
        Assert.Equal("Q5_0", q4["blk.0.attn_q.weight"]);
        Assert.Equal("Q8_0", q4["output.weight"]);
        Assert.Equal("F32", q4["blk.0.attn_norm.weight"]);
        Assert.Equal("Q8_0", q6["blk.1.ffn_down.weight"]);
        Assert.Equal("F16", half["token_embd.weight"]);
        Assert.Equal("F32", half["output_norm.weight"]);

        Dictionary<string, string> Types(string type)
        {
            using GgufExport export = Export(type);
            return export.Entries.ToDictionary(e => e.Name, e => e.TypeName);
        }
    }

    [Fact]
    public void MissingAndForeignTensorsAreNamed()
    {
        using LanguageModel model = Checkpoint.Create(Config, 1, CpuDevice.Default);
        Dictionary<string, Tensor> tensors = model.Parameters.ToDictionary(p => p.Name, p => p.Value);
        Tensor table = tensors["model.embed_tokens.weight"];
        tensors.Remove("model.embed_tokens.weight");
        Assert.Contains("token_embd.weight", Refusal().Message, StringComparison.Ordinal);
        tensors["model.embed_tokens.weight"] = table;
        tensors["model.layers.0.extra.weight"] = table;
        Assert.Contains("'model.layers.0.extra.weight'", Refusal().Message, StringComparison.Ordinal);
        tensors.Remove("model.layers.0.extra.weight");
        tensors["model.layers.0.self_attn.q_proj.weight"] = table;
        Assert.Contains("q_proj", Refusal().Message, StringComparison.Ordinal);

        InvalidDataException Refusal()
        {
            Checkpoint.WriteTensors(File.Create(_folder["m.safetensors"]), tensors);
            using TensorFile file = TensorFile.Open(_folder["m.safetensors"]);
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => GgufExport.Plan(Architectures.ToJson(Config), file, null, new GgufExportOptions(GgufStorage.Get("f32"))));
            Assert.DoesNotContain('\n', e.Message);
            return e;
        }
    }

    // Version 5 of transformers gathers what concerns rotary positions in rope_parameters.
    [Fact]
    public void AnyVersionOfTheConfigurationIsUnderstood()
    {
        JsonObject config = Architectures.ToJson(Config);
        config.Remove("rope_theta");
        config.Remove("rope_scaling");
        config["rope_parameters"] = JsonNode.Parse("""{ "rope_type": "yarn", "rope_theta": 500000.0, "original_max_position_embeddings": 8, "mscale": 0.8, "mscale_all_dim": 0.5 }""");
        GgufMetadata metadata = Metadata(config, Config);
        Assert.Equal(500000, Number(metadata, "llama.rope.freq_base"));
        Assert.Equal(4, Number(metadata, "llama.rope.scaling.factor"));
        Assert.Equal(8, Number(metadata, "llama.rope.scaling.original_context_length"));
        double log = 0.1 * Math.Log(4);
        Assert.Equal(((0.8 * log) + 1) / ((0.5 * log) + 1) / (log + 1), Number(metadata, "llama.rope.scaling.attn_factor"), 1e-6);
    }

    [Fact]
    public void ScalingIsWrittenForFamiliesWithOtherKeys()
    {
        foreach (ModelConfig config in new ModelConfig[]
        {
            new GptNeoXConfig(40, 32, 1, 4, 64, MaxPositionEmbeddings: 32, RopeScaling: new RopeScaling("linear", Factor: 3)),
            new FalconConfig(40, 32, 1, 4, MaxPositionEmbeddings: 32, RopeScaling: new RopeScaling("linear", Factor: 3)),
        })
        {
            JsonObject json = Architectures.ToJson(config);
            GgufMetadata metadata = Metadata(json, config);
            Assert.True(metadata.TryGet("general.architecture", out string? architecture));
            Assert.Equal(3, Number(metadata, $"{architecture}.rope.scaling.factor"));
            json["rope_scaling"] = JsonNode.Parse("""{ "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4 }""");
            Assert.Contains("'llama3'", Assert.Throws<InvalidDataException>(() => Metadata(json, config)).Message, StringComparison.Ordinal);
        }
        Assert.Contains("'dynamic'", Assert.Throws<InvalidDataException>(() =>
            Metadata(Architectures.ToJson(Config with { RopeScaling = new RopeScaling("dynamic", Factor: 2) }), Config)).Message, StringComparison.Ordinal);
    }

    private static double Number(GgufMetadata metadata, string key) => metadata.TryGetNumber(key, out double number) ? number
        : metadata.TryGetInteger(key, out long integer) ? integer : throw new InvalidDataException(key);

    private static GgufMetadata Metadata(JsonObject json, ModelConfig config)
    {
        using GgufExport export = GgufExport.Plan(
            json, new ParameterFile("model", Checkpoint.Create(config, 1, CpuDevice.Default)), null, new GgufExportOptions(GgufStorage.Get("f32")));
        return export.Metadata;
    }

    [Fact]
    public void AnUnknownFamilyIsNamed()
    {
        JsonObject config = Architectures.ToJson(Config);
        config["model_type"] = "nothing";
        using LanguageModel model = Checkpoint.Create(Config, 1, CpuDevice.Default);
        using ParameterFile file = new("model", model);
        Assert.Contains("'nothing'", Assert.Throws<InvalidDataException>(() => GgufExport.Plan(config, file, null, new GgufExportOptions(GgufStorage.Get("f32")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SurvivesMutations()
    {
        using GgufExport export = Export("q8_0");
        AtomicFile.Write(_folder["sample.gguf"], export.Write);
        byte[] whole = File.ReadAllBytes(_folder["sample.gguf"]);
        // Names, shapes and metadata are changed most: they take the first part of the file.
        HostileFiles.Fuzz(whole[..8192], 1500, _folder, "head.gguf", path =>
        {
            byte[] head = File.ReadAllBytes(path);
            File.WriteAllBytes(path, [.. head, .. whole.AsSpan(8192)]);
            using GgufModel model = GgufModel.Open(path);
            foreach (TensorEntry entry in model.Tensors.Entries)
                model.Tensors.Read(entry, new float[entry.Shape.Count]);
            // What the model has to say is about a configuration, not about a file.
            Load(path);
        });
    }

    private static void Load(string path)
    {
        try
        {
            using LanguageModel loaded = Checkpoint.Load(path, CpuDevice.Default);
        }
        catch (InvalidDataException e)
        {
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    private static GgufExport Export(string type) => GgufExport.Plan(
        Architectures.ToJson(Config), new ParameterFile("model", Checkpoint.Create(Config, 1, CpuDevice.Default)), null, new GgufExportOptions(GgufStorage.Get(type)));
}
