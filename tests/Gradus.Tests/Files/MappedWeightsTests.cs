using System.Buffers.Binary;
using System.Security.Cryptography;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;

namespace Gradus.Tests.Files;

/// <summary>Weights that are used where they lie in a memory-mapped file.</summary>
public sealed class MappedWeightsTests : IDisposable
{
    private static readonly LlamaConfig Config = new(
        VocabSize: 101, HiddenSize: 256, IntermediateSize: 512, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 64, InitializerRange: 0.1f);

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<DType> Types => [DType.F32, DType.BF16, DType.F16];

    public static TheoryData<string> PackedTypes => ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k", "q2_k", "q3_k", "iq4_nl", "iq4_xs"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Types))]
    public void StoredWeightsAreViewsOfTheFileAndComputeTheSameAsCopies(DType type)
    {
        string folder = Write(Config, type);
        using DecoderModel mapped = Load(folder), copied = Load(folder);
        Parameter[] views = [.. mapped.Parameters.Where(p => p.Value.DType == type && p.Shape.Rank == 2)];
        Assert.Equal(2 + (7 * Config.NumHiddenLayers), views.Length);
        Assert.All(views, v => Assert.True(v.Value.IsReadOnly, v.Name));
        foreach (Parameter parameter in copied.Parameters)
            parameter.Value.MakeWritable();
        Assert.All(copied.Parameters, p => Assert.False(p.Value.IsReadOnly));
        Assert.Equal(Logits(copied), Logits(mapped));
        Assert.All(views, v => Assert.True(v.Value.IsReadOnly, $"{v.Name} was copied by running the model."));
        Assert.True(mapped.Parts.Store.LiveBytes < 64 * 1024, $"{mapped.Parts.Store.LiveBytes} bytes of weights in memory");
    }

    [Fact]
    public void TheFileStaysMappedAsLongAsAModelLooksAtIt()
    {
        string folder = Write(Config, DType.BF16), file = Path.Combine(folder, Checkpoint.WeightsFile);
        float[] expected;
        using (DecoderModel model = Load(folder))
        {
            expected = Logits(model);
            if (OperatingSystem.IsLinux())
            {
                Assert.Contains(file, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);
                Assert.Throws<IOException>(() => File.OpenWrite(file));
                // A file that is replaced stays what it was for those who look at it.
                File.Move(Write(Config, DType.BF16, seed: 2, "other") + "/" + Checkpoint.WeightsFile, file, overwrite: true);
                Assert.Equal(expected, Logits(model));
            }
        }
        if (OperatingSystem.IsLinux())
            Assert.DoesNotContain(_folder.Path, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);
        using DecoderModel after = Load(folder);
        Assert.Equal(OperatingSystem.IsLinux(), !expected.SequenceEqual(Logits(after)));
    }

    [Fact]
    public void WhatIsTrainedIsCopiedFirst()
    {
        string folder = Write(Config, DType.F32);
        byte[] before = Hash(folder);
        using DecoderModel model = Load(folder);
        Parameter norm = model.Parts.Find("model.norm.weight")!, head = model.Parts.Find("lm_head.weight")!;
        Assert.True(norm.Value.IsReadOnly);
        norm.Trainable = true;
        Assert.False(norm.Value.IsReadOnly);
        Assert.True(head.Value.IsReadOnly);
        norm.Value.Span().Fill(2);
        float first = head.Value.Values()[0];
        head.Value.Span()[0] = first + 1;
        Assert.False(head.Value.IsReadOnly);
        Assert.Equal(before, Hash(folder));
        using DecoderModel again = Load(folder);
        Assert.Equal(1, again.Parts.Find("model.norm.weight")!.Value.Values()[0]);
        Assert.Equal(first, again.Parts.Find("lm_head.weight")!.Value.Values()[0]);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void AnAdapterOnAMappedBaseIsMergedIntoCopies(DType type)
    {
        string folder = Write(Config, type);
        byte[] before = Hash(folder);
        using DecoderModel model = Load(folder);
        using ModelAdapter adapter = ModelAdapter.Attach(model, new LoraConfig(R: 2) { TargetModules = ModuleNames.Of("q_proj"), InitLoraWeights = LoraInit.Random }, seed: 1);
        foreach (Parameter parameter in adapter.Parameters)
            parameter.Value.Span().Fill(0.05f);
        float[] with = Logits(model);
        adapter.Merge();
        Assert.False(model.Parts.Find("model.layers.0.self_attn.q_proj.weight")!.Value.IsReadOnly);
        Assert.True(model.Parts.Find("model.layers.0.self_attn.k_proj.weight")!.Value.IsReadOnly);
        float[] merged = Logits(model);
        Assert.All(with.Zip(merged), p => Assert.Equal(p.First, p.Second, type == DType.F32 ? 1e-4f : 0.05f));
        Assert.Equal(before, Hash(folder));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void TensorsAtOddPlacesAreCopied(int extra)
    {
        string folder = Write(Config, DType.BF16), file = Path.Combine(folder, Checkpoint.WeightsFile);
        using DecoderModel aligned = Load(folder);
        float[] expected = Logits(aligned);
        aligned.Dispose();
        byte[] bytes = File.ReadAllBytes(file);
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header + extra);
        File.WriteAllBytes(file, [.. bytes[..(int)(8 + header)], .. Enumerable.Repeat((byte)' ', extra), .. bytes[(int)(8 + header)..]]);
        using DecoderModel moved = Load(folder);
        Assert.Equal(extra % 2 == 0, moved.Parts.Find("lm_head.weight")!.Value.IsReadOnly);
        Assert.Equal(expected, Logits(moved));
    }

    [Theory]
    [MemberData(nameof(PackedTypes))]
    public void BlocksOfAFileComputeTheSameAtFirstAndLater(string type)
    {
        foreach (bool tied in new[] { false, true })
        {
            string file = WriteGguf(Config with { TieWordEmbeddings = tied }, type);
            using DecoderModel model = Assert.IsAssignableFrom<DecoderModel>(Checkpoint.Load(file, CpuDevice.Default, keepStoredType: true, keepPacked: true));
            Assert.NotNull(Assert.Single(model.Parts.Embeddings).Packed);
            Assert.Equal(tied, model.Head.Weight is PackedWeight head && head.Matrix == model.Parts.Embeddings[0].Packed);
            long atFirst = model.Parts.Store.LiveBytes, blocks = model.Parts.Linears.Sum(l => (long)((PackedWeight)l.Weight).Matrix.RowBytes * l.Weight.Outputs);
            // The first product takes the blocks from the file, the second brings them into the order of the device, the third uses that.
            float[] first = Logits(model);
            Assert.InRange(model.Parts.Store.LiveBytes, atFirst, atFirst + (blocks / 8));
            float[] second = Logits(model), third = Logits(model);
            Assert.Equal(first, second);
            Assert.Equal(first, third);
            using DecoderModel dense = Assert.IsAssignableFrom<DecoderModel>(Checkpoint.Load(file, ReferenceDevice.Instance));
            Assert.Equal(dense.ParameterCount, model.ParameterCount);
            float[] expected = Logits(dense);
            float largest = expected.Max(Math.Abs);
            Assert.All(expected.Zip(first), p => Assert.Equal(p.First, p.Second, 2e-3f * largest));
        }
    }

    [Fact]
    public void BlocksCanBeReadAndUnpackedBeforeTheyAreUsed()
    {
        string file = WriteGguf(Config, "q4_0");
        using LanguageModel model = Checkpoint.Load(file, CpuDevice.Default, keepStoredType: true, keepPacked: true);
        using GgufModel gguf = GgufModel.Open(file);
        using Workspace scratch = new(CpuDevice.Default);
        foreach (Linear linear in model.Parts.Linears)
        {
            PackedMatrix matrix = Assert.IsType<PackedWeight>(linear.Weight).Matrix;
            byte[] blocks = new byte[matrix.Rows * matrix.RowBytes], stored = gguf.Tensors.Bytes(gguf.Tensors[$"{linear.Path}.weight"]).Span.ToArray();
            matrix.GetRows(0, blocks);
            Assert.Equal(stored, blocks);
            float[] values = new float[matrix.Rows * matrix.Columns];
            gguf.Tensors.Read(gguf.Tensors[$"{linear.Path}.weight"], values);
            Assert.Equal(values, matrix.Dense(scratch).ToArray());
            matrix.GetRows(0, blocks);
            Assert.Equal(stored, blocks);
            // Writing rows changes the model, not the file.
            matrix.PutRows(0, new byte[matrix.RowBytes]);
            Assert.All(matrix.Dense(scratch).ToArray()[..matrix.Columns], v => Assert.Equal(0, v));
        }
        Assert.Contains(gguf.Tensors.Bytes(gguf.Tensors["lm_head.weight"]).Span[..18].ToArray(), b => b != 0);
    }

    [Fact]
    public void AQuantizedTableCanBeAdaptedAndTrainedAsACopy()
    {
        string file = WriteGguf(Config, "q8_0");
        using LanguageModel model = Checkpoint.Load(file, CpuDevice.Default, keepStoredType: true, keepPacked: true);
        LoraConfig table = new(R: 2) { TargetModules = ModuleNames.Of("embed_tokens"), InitLoraWeights = LoraInit.Random };
        using (ModelAdapter adapter = ModelAdapter.Attach(model, table, seed: 1))
        {
            Assert.Equal([new Shape(2, Config.VocabSize), new Shape(Config.HiddenSize, 2)], adapter.Parameters.Select(p => p.Shape));
            Assert.NotEmpty(Logits((DecoderModel)model));
            Assert.Contains("quantized", Assert.Throws<InvalidDataException>(adapter.Merge).Message, StringComparison.Ordinal);
        }
        LoraConfig saved = new(R: 2) { TargetModules = ModuleNames.Of("q_proj"), ModulesToSave = ["embed_tokens"] };
        float[] before = Logits((DecoderModel)model);
        using (ModelAdapter copied = ModelAdapter.Attach(model, saved, seed: 1))
        {
            Assert.Contains(copied.Parameters, p => p.Shape == new Shape(Config.VocabSize, Config.HiddenSize));
            Assert.Equal(before, Logits((DecoderModel)model));
        }
        using AtomicFolder folder = AtomicFolder.Begin(_folder["back"]);
        Assert.Contains("quantized", Assert.Throws<InvalidOperationException>(() => Checkpoint.Write(folder, model)).Message, StringComparison.Ordinal);
    }

    private static DecoderModel Load(string folder) => Assert.IsAssignableFrom<DecoderModel>(Checkpoint.Load(folder, CpuDevice.Default, keepStoredType: true));

    private static float[] Logits(DecoderModel model)
    {
        using Workspace step = new(model.Device);
        return model.Logits(new Pass(new TokenBatch([1, 5, 9, 100, 3]), step)).ToArray();
    }

    private static byte[] Hash(string folder) => SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, Checkpoint.WeightsFile)));

    private string Write(ModelConfig config, DType type, ulong seed = 1, string name = "model")
    {
        using LanguageModel model = Checkpoint.Create(config, seed, CpuDevice.Default);
        using AtomicFolder folder = AtomicFolder.Begin(_folder[name]);
        Checkpoint.Write(folder, model, type);
        folder.Commit();
        return _folder[name];
    }

    private string WriteGguf(ModelConfig config, string type)
    {
        string folder = Write(config, DType.F32), file = _folder["model.gguf"];
        using GgufExport export = GgufExport.Plan(
            Checkpoint.ReadObject(Path.Combine(folder, Checkpoint.ConfigFile)), TensorFile.Open(folder), null, new GgufExportOptions(GgufStorage.Get(type)));
        AtomicFile.Write(file, export.Write);
        return file;
    }
}
