using Gradus.Files;
using Gradus.Tensors;

namespace Gradus.Tests.Files;

public sealed class ShardedTensorFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> BadIndexes => new()
    {
        { """{"metadata":{}}""", "no weight_map" },
        { """[1]""", "not a JSON object" },
        { """{"weight_map":[]}""", "not an object" },
        { """{"weight_map":{"t0":"../model-00001-of-00003.safetensors"}}""", "refused" },
        { """{"weight_map":{"t0":"/etc/passwd"}}""", "refused" },
        { """{"weight_map":{"t0":"..\\x"}}""", "refused" },
        { """{"weight_map":{"t0":"C:x"}}""", "refused" },
        { """{"weight_map":{"t0":".."}}""", "refused" },
        { """{"weight_map":{"t0":""}}""", "refused" },
        { """{"weight_map":{"t0":7}}""", "refused" },
        { """{"weight_map":{"t0":"a\u0000b"}}""", "refused" },
        { """{"weight_map":{"t0":"model-00001-of-00003.safetensors","t0":"model-00001-of-00003.safetensors"}}""", "twice" },
        { """{"weight_map":{},"weight_map":{}}""", "twice" },
        { """{"weight_map":{"ghost":"model-00001-of-00003.safetensors"}}""", "'ghost'" },
        { """{"weight_map":{""", "not valid JSON" },
    };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WritesShardsAsHuggingFaceDoesAndReadsThemBack()
    {
        WriteShards("model", 24);
        Assert.Equal(
            [".complete", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"],
            Directory.GetFiles(_folder["model"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string expected = """
            {
              "metadata": {
                "total_size": 80
              },
              "weight_map": {
                "t0": "model-00001-of-00003.safetensors",
                "t1": "model-00001-of-00003.safetensors",
                "t2": "model-00002-of-00003.safetensors",
                "t3": "model-00003-of-00003.safetensors"
              }
            }

            """;
        Assert.Equal(expected, File.ReadAllText(Path.Combine(_folder["model"], "model.safetensors.index.json")));
        using TensorFile file = TensorFile.Open(_folder["model"]);
        Assert.IsType<ShardedTensorFile>(file);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(4, file.Entries.Count);
        for (int i = 0; i < 4; i++)
        {
            TensorEntry entry = file[$"t{i}"];
            float[] values = new float[entry.Shape.Count];
            file.Read(entry, values);
            Assert.All(values, v => Assert.Equal(i, v));
        }
    }

    [Fact]
    public void ShardsAreReadWithoutTheirIndex()
    {
        WriteShards("model", 24);
        File.Delete(Path.Combine(_folder["model"], "model.safetensors.index.json"));
        // The older form of the same weights beside them is passed over.
        File.WriteAllBytes(Path.Combine(_folder["model"], "pytorch_model-00001-of-00002.bin"), [1]);
        using TensorFile file = TensorFile.Open(_folder["model"]);
        Assert.Equal(["t0", "t1", "t2", "t3"], file.Entries.Select(e => e.Name));
        for (int i = 0; i < 4; i++)
        {
            float[] values = new float[file[$"t{i}"].Shape.Count];
            file.Read(file[$"t{i}"], values);
            Assert.All(values, v => Assert.Equal(i, v));
        }
    }

    [Fact]
    public void ShardsThatAreNotWholeAreRefusedByName()
    {
        WriteShards("model", 24);
        string folder = _folder["model"];
        File.Delete(Path.Combine(folder, "model.safetensors.index.json"));
        File.Move(Path.Combine(folder, "model-00002-of-00003.safetensors"), Path.Combine(folder, "away"));
        FileNotFoundException missing = Assert.Throws<FileNotFoundException>(() => TensorFile.Open(folder));
        Assert.Equal($"{folder}: 1 of 3 shards are missing, first model-00002-of-00003.safetensors; get them from where the others are from.", missing.Message);
        // Two that have a tensor of one name do not belong together.
        File.Copy(Path.Combine(folder, "model-00001-of-00003.safetensors"), Path.Combine(folder, "model-00002-of-00003.safetensors"));
        Assert.Contains("'t0' is in 'model-00001-of-00003.safetensors' too", Assert.Throws<InvalidDataException>(() => TensorFile.Open(folder)).Message, StringComparison.Ordinal);
        File.Copy(Path.Combine(folder, "away"), Path.Combine(folder, "model-00002-of-00003.safetensors"), overwrite: true);
        File.Copy(Path.Combine(folder, "away"), Path.Combine(folder, "other-00001-of-00001.safetensors"));
        Assert.Contains("no index that names", Assert.Throws<InvalidDataException>(() => TensorFile.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneShardIsOneFileAndGivesTheSameBytesTwice()
    {
        WriteShards("one", long.MaxValue);
        WriteShards("two", long.MaxValue);
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["one"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_folder["two"], "model.safetensors")));
        using TensorFile file = TensorFile.Open(_folder["one"]);
        Assert.IsType<SafetensorsFile>(file);
    }

    [Theory]
    [MemberData(nameof(BadIndexes))]
    public void RefusesBadIndexesInOneLine(string index, string says)
    {
        WriteShards("model", 24);
        string path = Path.Combine(_folder["model"], "model.safetensors.index.json");
        File.WriteAllText(path, index);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TensorFile.Open(path));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        HostileFiles.AssertOneLine(e, path);
    }

    [Fact]
    public void NamesTheMissingShard()
    {
        WriteShards("model", 24);
        File.Delete(Path.Combine(_folder["model"], "model-00002-of-00003.safetensors"));
        FileNotFoundException e = Assert.Throws<FileNotFoundException>(() => TensorFile.Open(_folder["model"]));
        Assert.Contains("1 of 3 shards", e.Message, StringComparison.Ordinal);
        Assert.Contains("model-00002-of-00003.safetensors", e.Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => TensorFile.Open(_folder.Path));
        Assert.Throws<FileNotFoundException>(() => TensorFile.Open(_folder["absent"]));
    }

    [Fact]
    public void SurvivesMutationsOfTheIndex()
    {
        WriteShards("model", 24);
        foreach (string shard in Directory.GetFiles(_folder["model"], "*.safetensors"))
            File.Copy(shard, _folder[Path.GetFileName(shard)]);
        byte[] index = File.ReadAllBytes(Path.Combine(_folder["model"], "model.safetensors.index.json"));
        HostileFiles.Fuzz(index, 1500, _folder, "model.safetensors.index.json", path =>
        {
            try
            {
                TensorFile.Open(path).Dispose();
            }
            catch (FileNotFoundException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        });
    }

    private void WriteShards(string name, long max)
    {
        using AtomicFolder folder = AtomicFolder.Begin(_folder[name]);
        TensorEntry[] entries = [new("t0", DType.F32, new Shape(4)), new("t1", DType.BF16, new Shape(2, 2)), new("t2", DType.F32, new Shape(2, 5)), new("t3", DType.F32, new Shape(4))];
        SafetensorsShards.Write(folder, entries, (entry, writer) =>
        {
            float[] values = new float[entry.Shape.Count];
            Array.Fill(values, entry.Name[1] - '0');
            writer.Write(entry.Name, values);
        }, maxShardBytes: max);
        folder.Commit();
    }
}
