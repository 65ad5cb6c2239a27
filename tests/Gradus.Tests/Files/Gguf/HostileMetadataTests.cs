using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors.Cpu;

namespace Gradus.Tests.Files.Gguf;

/// <summary>A GGUF file whose metadata lies about its model: every value of every key, by others that somebody could write there.</summary>
public sealed class HostileMetadataTests : IDisposable
{
    private static readonly ModelConfig[] Configs =
    [
        new LlamaConfig(VocabSize: 40, HiddenSize: 32, IntermediateSize: 64, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 16),
        new MixtralConfig(40, 32, 64, 2, 4, 2, MaxPositionEmbeddings: 16, NumLocalExperts: 3),
        new Gemma2Config(40, 32, 64, 2, 4, NumKeyValueHeads: 2, HeadDim: 8, MaxPositionEmbeddings: 16, QueryPreAttnScalar: 8, SlidingWindow: 4),
        new Gpt2Config(40, NPositions: 16, NEmbd: 32, NLayer: 2, NHead: 4),
        new PhiConfig(40, 32, 64, 2, 4, 4, MaxPositionEmbeddings: 16),
        new FalconConfig(40, HiddenSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4),
    ];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Configs.Length)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void AnyValueGivesAModelOrOneLine(int number)
    {
        using (LanguageModel model = Checkpoint.Create(Configs[number], 1, CpuDevice.Default))
        using (AtomicFolder target = AtomicFolder.Begin(_folder["model"]))
        {
            Checkpoint.Write(target, model);
            target.Commit();
        }
        using GgufExport export = GgufExport.Plan(
            Checkpoint.ReadObject(Path.Combine(_folder["model"], Checkpoint.ConfigFile)), TensorFile.Open(_folder["model"]), null, new GgufExportOptions(GgufStorage.Get("f32")));
        AtomicFile.Write(_folder["whole.gguf"], export.Write);
        using GgufFile whole = GgufFile.Open(_folder["whole.gguf"]);
        // Without the copy of config.json, as in files of others.
        KeyValuePair<string, object>[] pairs = [.. whole.Values.Pairs.Select(p => new KeyValuePair<string, object>(p.Key, p.Value)).Where(p => p.Key != GgufModel.ConfigKeyName)];
        Assert.True(Opens(Write(whole, pairs)));
        foreach (KeyValuePair<string, object> pair in pairs)
        {
            foreach (object lie in Lies(pair.Value))
            {
                string path = Write(whole, [.. pairs.Select(p => p.Key == pair.Key ? new(p.Key, lie) : p)]);
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    Opens(path);
                }
                catch (Exception e) when (e is not Xunit.Sdk.XunitException)
                {
                    Assert.Fail($"{pair.Key}={lie}: {e}");
                }
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated < 64_000_000, $"{pair.Key}={lie}: {allocated} bytes allocated");
            }
        }
    }

    private static object[] Lies(object value) => value switch
    {
        string => ["", "x", new string('x', 5000), 7u, Array.Empty<string>()],
        float or double => [float.NaN, float.PositiveInfinity, -1f, 0f, 1e38f, 1e300, "x"],
        Array => [0u, "x", Array.Empty<int>(), new[] { int.MaxValue, -1 }, new[] { uint.MaxValue }],
        _ => [0u, uint.MaxValue, int.MaxValue, -1, 1u << 30, ulong.MaxValue, long.MinValue, true, "x", 1e30, new[] { 1, 2, 3 }],
    };

    private static bool Opens(string path)
    {
        try
        {
            Checkpoint.Load(path, CpuDevice.Default, keepStoredType: true, keepPacked: true).Dispose();
            return true;
        }
        catch (InvalidDataException e)
        {
            Assert.True(!e.Message.Contains('\n') && e.Message.Length is > 20 and < 900, e.Message);
            return false;
        }
    }

    private string Write(GgufFile file, IReadOnlyList<KeyValuePair<string, object>> pairs)
    {
        GgufMetadata metadata = new();
        foreach ((string key, object value) in pairs)
            metadata.Set(key, value);
        using (GgufWriter writer = new(File.Create(_folder["lie.gguf"]), metadata, [.. file.Entries]))
            writer.WriteAll((entry, to) => to.Write(entry.Name, file.Bytes(file[entry.Name])));
        return _folder["lie.gguf"];
    }
}
