using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Tests.Files.Gguf;

/// <summary>Encoders of BERT's architecture in GGUF: the body comes back whole, without heads and pooler, and so do pooling and vocabulary.</summary>
public sealed class GgufEncoderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cases() =>
        [.. SharedFolder.GoldenCases("models").Where(n => (string?)Config(n)["model_type"] is "bert" or "roberta")];

    public void Dispose() => _folder.Dispose();

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void TheBodyComputesTheSame(string name)
    {
        string path = Write(name);
        using LanguageModel original = Checkpoint.Load(Folder(name), CpuDevice.Default);
        LanguageModel body = original is TaskModel task ? task.Body : (LanguageModel)original;
        float[] expected = Hidden(body);
        using (LanguageModel read = Assert.IsAssignableFrom<LanguageModel>(Checkpoint.Load(path, CpuDevice.Default)))
        {
            Assert.Equal($"{(read is Roberta ? "Roberta" : "Bert")}Model", read.Config.Architecture);
            Assert.Equal(body.GetType(), read.GetType());
            Assert.Equal(body.Config.ContextLength, read.Config.ContextLength);
            Assert.Equal(expected, Hidden(read));
        }
        // llama.cpp's activation is always the same.
        if ((string?)Config(name)["hidden_act"] != "gelu")
            return;
        // As another program would have written it. llama.cpp has one architecture for both families: without a vocabulary it is BERT.
        using LanguageModel foreign = Assert.IsAssignableFrom<LanguageModel>(Checkpoint.Load(GgufConversionGoldens.WithoutNote(path), CpuDevice.Default));
        Assert.Equal(body.Config.ContextLength, foreign.Config.ContextLength);
        Assert.Equal(expected, Hidden(foreign));
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void EveryTensorOfTheBodyComesBack(string name)
    {
        using TensorFile original = TensorFile.Open(Folder(name));
        using GgufModel read = GgufModel.Open(Write(name));
        string type = (string)Config(name)["model_type"]!;
        foreach (TensorEntry entry in read.Tensors.Entries)
        {
            TensorEntry source = original[original.TryGet(entry.Name, out _) ? entry.Name : $"{type}.{entry.Name}"];
            Assert.Equal(source.Shape, entry.Shape);
            float[] expected = new float[source.Shape.Count], actual = new float[source.Shape.Count];
            original.Read(source, expected);
            read.Tensors.Read(entry, actual);
            // The rows of positions that nobody has, but the padding's, are not kept.
            int skipped = type == "roberta" && entry.Name.Contains("position_embeddings", StringComparison.Ordinal) ? 2 * entry.Shape.Columns : 0;
            Assert.Equal(expected[skipped..], actual[skipped..]);
            Assert.All(actual[..skipped], v => Assert.Equal(0, v));
        }
    }

    [SharedTheory("golden", "models")]
    [MemberData(nameof(Cases))]
    public void TheMetadataIsThatOfLlamaCpp(string name)
    {
        JsonObject config = Config(name);
        using GgufFile file = GgufFile.Open(Write(name, Pooling.First));
        Assert.True(file.Values.TryGet("general.architecture", out string? architecture));
        Assert.Equal("bert", architecture);
        Assert.True(file.Values.TryGet("bert.attention.causal", out bool causal));
        Assert.False(causal);
        Assert.Equal(2, Integer("bert.pooling_type"));
        Assert.Equal((long)config["type_vocab_size"]!, Integer("tokenizer.ggml.token_type_count"));
        Assert.True(file.TryGet("position_embd.weight", out TensorEntry? positions));
        Assert.Equal(positions.Shape.Rows, Integer("bert.context_length"));
        Assert.DoesNotContain(file.Entries, e => e.Name.Contains("cls", StringComparison.Ordinal) || e.Name.Contains("pool", StringComparison.Ordinal));

        long Integer(string key) => file.Values.TryGetInteger(key, out long value) ? value : throw new InvalidDataException(key);
    }

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.First)]
    [InlineData(Pooling.Last)]
    public void APoolingIsWrittenAndFound(Pooling pooling)
    {
        Assert.Null(SentencePooling.Find(_folder["none"]));
        using (AtomicFolder folder = AtomicFolder.Begin(_folder["encoder"]))
        {
            SentencePooling.Write(folder, pooling, 24);
            folder.Commit();
        }
        Assert.Equal(pooling, SentencePooling.Find(_folder["encoder"]));
        string path = Path.Combine(_folder["encoder"], "1_Pooling", "config.json");
        File.WriteAllText(path, """{ "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true }""");
        Assert.Contains("pooling_mode_max_tokens", Assert.Throws<InvalidDataException>(() => SentencePooling.Find(_folder["encoder"])).Message, StringComparison.Ordinal);
        File.WriteAllText(path, """{ "pooling_mode_max_tokens": true }""");
        Assert.Throws<InvalidDataException>(() => SentencePooling.Find(_folder["encoder"]));
    }

    [Fact]
    public void FormerNamesOfNormsAndTheVocabularyAreTaken()
    {
        string[] words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat"];
        BertConfig config = new BertConfig(words.Length, 24, 2, 3, 40, MaxPositionEmbeddings: 32) with { Architecture = "BertModel" };
        using LanguageModel model = Checkpoint.Create(config, 3, CpuDevice.Default);
        Dictionary<string, Tensor> tensors = model.Parameters.ToDictionary(
            p => p.Name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal), p => p.Value);
        Checkpoint.WriteTensors(File.Create(_folder["model.safetensors"]), tensors);
        File.WriteAllLines(_folder["vocab.txt"], words);
        Tokenizer tokenizer = BertVocabulary.Load(_folder["vocab.txt"]);
        using (GgufExport export = GgufExport.Plan(Architectures.ToJson(config), TensorFile.Open(_folder["model.safetensors"]), tokenizer, new GgufExportOptions(GgufStorage.Get("f32"), Pooling: Pooling.Mean)))
            AtomicFile.Write(_folder["m.gguf"], export.Write);
        using GgufModel read = GgufModel.Open(_folder["m.gguf"]);
        Assert.Equal(Pooling.Mean, read.Pooling);
        using LanguageModel loaded = (LanguageModel)Checkpoint.Load(_folder["m.gguf"], CpuDevice.Default);
        Assert.Equal(Hidden((LanguageModel)model), Hidden(loaded));
        Tokenizer again = GgufVocabulary.Load(_folder["m.gguf"]);
        Assert.Equal(tokenizer.Encode("the cats sat"), again.Encode("the cats sat"));
    }

    private static float[] Hidden(LanguageModel body)
    {
        using Workspace step = body.Parts.Store.NewScratch();
        int[] ids = [.. Enumerable.Range(0, 20).Select(i => 4 + (i * 37 % (body.Config.Vocabulary - 4)))];
        return body.Hidden(new Pass(new TokenBatch(ids, [0, 13, 20], tokenTypes: [.. ids.Select((_, i) => i % 13 > 6 ? body.Config is BertConfig { TypeVocabSize: > 1 } ? 1 : 0 : 0)]), step)).ToArray();
    }

    private static string Folder(string name) => SharedFolder.Find("golden", "models", name)!;

    private static JsonObject Config(string name) => Checkpoint.ReadObject(Path.Combine(Folder(name), "config.json"));

    private string Write(string name, Pooling? pooling = null)
    {
        string path = _folder[$"{name}.gguf"];
        using GgufExport export = GgufExport.Plan(Config(name), TensorFile.Open(Folder(name)), null, new GgufExportOptions(GgufStorage.Get("f32"), name, pooling));
        AtomicFile.Write(path, export.Write);
        return path;
    }
}
