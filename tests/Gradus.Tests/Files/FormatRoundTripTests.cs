using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Files;

/// <summary>Real weights through every format and back: the same logits, or those of the weights as the format rounds them.</summary>
public sealed class FormatRoundTripTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>Every file of tensors among the real ones, and every folder that is a checkpoint.</summary>
    public static TheoryData<string> RealFiles => SharedFolder.Find("data", "weight-file-formats") is { } folder
        ? [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Where(f => Path.GetExtension(f) is ".safetensors" or ".bin" or ".pt").Select(f => Path.GetRelativePath(folder, f)).Order(StringComparer.Ordinal)]
        : [""];

    public void Dispose() => _folder.Dispose();

    [SharedTheory("data", "weight-file-formats")]
    [MemberData(nameof(RealFiles))]
    public void EveryRealFileSurvivesOneFileAndShards(string name)
    {
        using TensorFile original = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", name)!);
        Assert.NotEmpty(original.Entries);
        foreach (long most in new[] { long.MaxValue, Math.Max(1, original.Entries.Max(e => e.ByteLength) / 2) })
        {
            using (AtomicFolder target = AtomicFolder.Begin(_folder["copy"]))
            {
                SafetensorsShards.Write(target, original.Entries, (entry, writer) => writer.Write(entry.Name, original.Bytes(original[entry.Name])), maxShardBytes: most);
                target.Commit();
            }
            using TensorFile copy = TensorFile.Open(_folder["copy"]);
            Assert.Equal(original.Entries.Count > 1 && most != long.MaxValue, copy is ShardedTensorFile);
            Assert.Equal(original.Entries.Select(e => e.ToString()).Order(StringComparer.Ordinal), copy.Entries.Select(e => e.ToString()).Order(StringComparer.Ordinal));
            foreach (TensorEntry entry in original.Entries)
                Assert.True(original.Bytes(entry).Span.SequenceEqual(copy.Bytes(copy[entry.Name]).Span), entry.Name);
        }
    }

    [SharedTheory("data", "stories260k-weights")]
    [InlineData("f32", "f32")]
    [InlineData("f16", "f16")]
    [InlineData("bf16", "bf16")]
    [InlineData("f32", "q8_0")]
    [InlineData("f32", "q4_0")]
    public void AStoryTellerGivesTheSameLogitsInEveryFormat(string folderType, string ggufType)
    {
        DType type = Enum.Parse<DType>(folderType, ignoreCase: true);
        using Llama2cFile original = Llama2cFile.Open(SharedFolder.Find("data", "stories260k-weights", "stories260K.bin")!);
        ModelConfig config = Architectures.Parse(original.Config, original.Path);
        string one = WriteFolder("one", original, config, type, long.MaxValue), shards = WriteFolder("shards", original, config, type, 60_000);
        Assert.False(File.Exists(Path.Combine(shards, Checkpoint.WeightsFile)));
        float[] expected = Logits(one);
        Assert.Equal(expected, Logits(shards));
        if (type == DType.F32)
        {
            using LanguageModel first = Checkpoint.Load(config, original, ReferenceDevice.Instance);
            Assert.Equal(expected, Logits(first));
        }

        string[] files = [.. WriteGguf(shards, ggufType, "model.gguf", long.MaxValue), WriteGguf(one, ggufType, "split.gguf", 40_000)[1]];
        float[] inGguf = Logits(files[0]);
        if (ggufType == folderType)
            Assert.Equal(expected, inGguf);
        else
            Assert.NotEqual(expected, inGguf);
        Assert.Equal(inGguf, Logits(files[1]));

        // And back: what a format rounded stays so.
        using GgufModel gguf = GgufModel.Open(files[1]);
        string back = WriteFolder("back", gguf.Tensors, Architectures.Parse(gguf.Config, files[1]), DType.F32, 60_000);
        Assert.Equal(inGguf, Logits(back));
        using (TensorFile last = TensorFile.Open(back))
            AtomicFile.Write(_folder["back.bin"], stream => Llama2cWriter.Write(stream, config, last));
        using Llama2cFile again = Llama2cFile.Open(_folder["back.bin"]);
        using LanguageModel told = Checkpoint.Load(Architectures.Parse(again.Config, again.Path), again, ReferenceDevice.Instance);
        Assert.Equal(inGguf, Logits(told));
    }

    [SharedFact("data", "stories260k-weights")]
    public void AFileOfLlama2cComesBackByteForByte()
    {
        using Llama2cFile original = Llama2cFile.Open(SharedFolder.Find("data", "stories260k-weights", "stories260K.bin")!);
        AtomicFile.Write(_folder["copy.bin"], stream => Llama2cWriter.Write(stream, Architectures.Parse(original.Config, original.Path), original));
        byte[] expected = File.ReadAllBytes(original.Path), written = File.ReadAllBytes(_folder["copy.bin"]);
        Assert.Equal(expected.Length, written.Length);
        // The tables of the rotation are computed here in double precision, there in single; they end the file where the head is tied.
        int tables = expected.Length - ((int)original.Config["max_position_embeddings"]! * (int)original.Config["head_dim"]! * sizeof(float));
        Assert.True(expected.AsSpan(0, tables).SequenceEqual(written.AsSpan(0, tables)));
        for (int at = tables; at < expected.Length; at += sizeof(float))
            Assert.Equal(BitConverter.ToSingle(expected, at), BitConverter.ToSingle(written, at), 1e-4f);
    }

    [Fact]
    public void Llama2cSaysWhatItHasNoPlaceFor()
    {
        LlamaConfig config = new(VocabSize: 16, HiddenSize: 8, IntermediateSize: 12, NumHiddenLayers: 1, NumAttentionHeads: 2, MaxPositionEmbeddings: 8, RmsNormEps: 1e-5f);
        foreach ((ModelConfig other, string says) in ((ModelConfig, string)[])
        [
            (config with { AttentionBias = true }, "biases"), (config with { RopeTheta = 5e5 }, "rotation"), (config with { RmsNormEps = 1e-6f }, "rms_norm_eps"),
            (config with { HeadDim = 8 }, "heads of 8"), (config with { HiddenAct = "gelu" }, "gelu"), (new Gpt2Config(16, 8, 8, 1, 2), "GPT2"),
        ])
        {
            using ParameterFile tensors = new("model", Checkpoint.Create(config, 1, ReferenceDevice.Instance));
            Assert.Contains(says, Assert.Throws<NotSupportedException>(() => Llama2cWriter.Write(Stream.Null, other, tensors)).Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    private static float[] Logits(string path)
    {
        using LanguageModel model = Checkpoint.Load(path, ReferenceDevice.Instance);
        return Logits(model);
    }

    private static float[] Logits(LanguageModel model)
    {
        using Workspace step = new(model.Device);
        return ((GenerativeModel)model).Logits(new Pass(new TokenBatch([1, 403, 407, 261, 378]), step)).ToArray();
    }

    private string WriteFolder(string name, TensorFile file, ModelConfig config, DType type, long most)
    {
        using AtomicFolder target = AtomicFolder.Begin(_folder[name]);
        Checkpoint.Write(target, Architectures.ToJson(config), file, Checkpoint.Match(config, file), type, most);
        target.Commit();
        return _folder[name];
    }

    private IReadOnlyList<string> WriteGguf(string folder, string type, string name, long most)
    {
        JsonObject config = Checkpoint.ReadObject(Path.Combine(folder, Checkpoint.ConfigFile));
        using GgufExport export = GgufExport.Plan(config, TensorFile.Open(folder), null, new GgufExportOptions(GgufStorage.Get(type)));
        return export.Write(_folder[name], most);
    }
}
