using System.Text;
using System.Text.Json;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Tensors.Packed;
using Gradus.Testing;

namespace Gradus.Tests.Files;

public sealed class GgufFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> GoldenFolders => [.. SharedFolder.GoldenCases("quantization").Where(f => f.StartsWith("gguf_file", StringComparison.Ordinal))];

    public static TheoryData<string> RealFiles
    {
        get
        {
            TheoryData<string> files = [];
            if (SharedFolder.Root is { } root)
                files.AddRange([.. Directory.EnumerateFiles(root, "*.gguf", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal)]);
            return files;
        }
    }

    /// <summary>What is written over the sample at which offset from which text, and what the error then says.</summary>
    public static TheoryData<string, int, byte[], string> Lies => new()
    {
        { "GGUF", 0, "GGML"u8.ToArray(), "not a GGUF file" },
        { "GGUF", 4, U32(1), "version 1" },
        { "GGUF", 4, [0, 0, 0, 3], "big-endian" },
        { "GGUF", 8, U64(ulong.MaxValue), "more than the file has room for" },
        { "GGUF", 8, U64(1UL << 40), "more than the file has room for" },
        { "GGUF", 16, U64(1UL << 63), "more than the file has room for" },
        { "GGUF", 24, U64(1UL << 62), "more than the file has room for" },
        { "GGUF", 24, U64(0), "''" },
        { "a.number", 8, U32(13), "unknown type 13" },
        { "a.number", 8, U32(8), "more than the file has room for" },
        { "a.number", 8, U32(9), "truth value of 97" },
        { "a.flag", 10, [2], "truth value of 2" },
        { "b.flag", 0, "a"u8.ToArray(), "'a.flag' twice" },
        { "a.list", 10, U32(20), "unknown type 20" },
        { "a.list", 14, U64(1UL << 61), "more than the file has room for" },
        { "first", 5, U32(5), "5 axes" },
        { "first", 9, U64(1UL << 31), "axis of size 2147483648" },
        { "first", 9, U64(ulong.MaxValue), "axis of size" },
        { "first", 9, U64(33), "do not fit" },
        { "first", 17, U64(int.MaxValue), "ends after the end" },
        { "first", 25, U32(4), "unknown type 4" },
        { "first", 25, U32(31), "unknown type 31" },
        { "first", 29, U64(1), "no multiple of 32" },
        { "first", 29, U64(32), "instead of" },
        { "first", 29, U64(1UL << 63), "no multiple of 32" },
        { "secon", 21, U64(0), "instead of" },
        { "secon", 0, "first"u8.ToArray(), "twice" },
        { "general.alignment", 21, U32(24), "power of two" },
        { "general.alignment", 21, U32(0), "power of two" },
        { "general.alignment", 21, U32(1u << 31), "power of two" },
    };

    public void Dispose() => _folder.Dispose();

    [SharedTheory]
    [MemberData(nameof(GoldenFolders))]
    public void ReadsTheGoldenFile(string golden)
    {
        string folder = SharedFolder.Find("golden", "quantization", golden)!;
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        using TensorFile dequantized = TensorFile.Open(Path.Combine(folder, "dequantized.safetensors"));
        using GgufFile file = Assert.IsType<GgufFile>(TensorFile.Open(Directory.GetFiles(folder, "*.gguf").Single()));
        foreach (JsonProperty value in expected.RootElement.GetProperty("metadata").EnumerateObject())
            AssertSame(value.Value.GetProperty("kind").GetString()!, value.Value.GetProperty("value"), file.Values.Pairs.Single(p => p.Key == value.Name).Value);
        Assert.Equal(expected.RootElement.GetProperty("tensors").EnumerateObject().Count(), file.Entries.Count);
        foreach (JsonProperty tensor in expected.RootElement.GetProperty("tensors").EnumerateObject())
        {
            TensorEntry entry = file[tensor.Name];
            Assert.Equal(tensor.Value.GetProperty("type").GetString(), entry.TypeName);
            Assert.Equal(tensor.Value.GetProperty("shape_rows_first").EnumerateArray().Select(a => a.GetInt32()), entry.Shape.ToArray());
            float[] values = new float[entry.Shape.Count], same = new float[entry.Shape.Count];
            file.Read(entry, values);
            dequantized.Read(dequantized[tensor.Name], same);
            for (int i = 0; i < values.Length; i++)
                Assert.True(Math.Abs(values[i] - same[i]) <= 1e-6 * Math.Abs(same[i]), $"{tensor.Name} at {i}: {values[i]} instead of {same[i]}");
        }
    }

    [SharedTheory]
    [MemberData(nameof(RealFiles))]
    public void RewritesRealFilesToTheSameBytes(string relative)
    {
        string path = SharedFolder.Find(relative)!;
        byte[] original = File.ReadAllBytes(path);
        using GgufFile file = GgufFile.Open(path);
        using MemoryStream copy = new();
        using (GgufWriter writer = new(copy, file.Values, file.Entries, leaveOpen: true))
        {
            writer.WriteAll((entry, w) => w.Write(entry.Name, file.Bytes(entry)));
            Assert.Equal(copy.Length, writer.Length);
        }
        byte[] written = copy.ToArray();
        // The version may be 2 in the original, and writers differ in whether they pad the end of the file.
        original[4] = 3;
        int common = Math.Min(original.Length, written.Length);
        Assert.InRange(Math.Abs(original.Length - written.Length), 0, 31);
        Assert.True(original.AsSpan(0, common).SequenceEqual(written.AsSpan(0, common)));
    }

    [Fact]
    public void KeepsEveryTypeOfValue()
    {
        GgufMetadata metadata = new();
        object[] values =
        [
            (byte)200, (sbyte)-100, (ushort)60000, (short)-30000, 4000000000u, -2000000000, 0.15625f, true, "héllo\n", ulong.MaxValue, long.MinValue, Math.PI,
            new byte[] { 1 }, new[] { 1, -2 }, new[] { "a", "" }, new[] { true, false }, new[] { 1.5f }, Array.Empty<long>(),
            new Array[] { new[] { 1, 2 }, new[] { "x" }, new Array[] { new double[] { 1 } } },
        ];
        for (int i = 0; i < values.Length; i++)
            metadata.Set($"k{i}", values[i]);
        using (GgufWriter writer = new(File.Create(_folder["x.gguf"]), metadata, []))
            writer.Complete();
        using GgufFile file = GgufFile.Open(_folder["x.gguf"]);
        Assert.Equal(metadata.Pairs, file.Values.Pairs);
        Assert.Equal("4000000000", file.Metadata["k4"]);
        Assert.True(file.Values.TryGetInteger("k0", out long small) && small == 200);
        Assert.False(file.Values.TryGetInteger("k9", out _));
        Assert.True(file.Values.TryGetNumber("k6", out double number) && number == 0.15625);
        Assert.False(file.Values.TryGet<uint>("k5", out _));
        Assert.True(file.Values.TryGet("k8", out string? text) && text == "héllo\n");
        Assert.Throws<ArgumentException>(() => metadata.Set("k", DateTime.Now));
        Assert.Throws<ArgumentException>(() => metadata.Set("k", new[] { 'c' }));
    }

    [Fact]
    public void PacksFloatsIntoBlocksAndWritesShards()
    {
        GgufMetadata metadata = new();
        metadata.Set("general.architecture", "llama");
        metadata.Set("general.alignment", 64u);
        TensorEntry[] entries = [new("a", PackedFormats.Get("Q8_0"), new Shape(3, 64)), new("b", DType.F16, new Shape(5)), new("c", DType.F32, new Shape(0)), new("d", PackedFormats.Get("Q4_K"), new Shape(256))];
        Directory.CreateDirectory(_folder["m"]);
        IReadOnlyList<string> names = GgufShards.Write(Path.Combine(_folder["m"], "m.gguf"), metadata, entries, (entry, writer) => writer.Write(entry.Name, Ramp(entry)), 210);
        Assert.Equal(["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], names.Select(n => Path.GetFileName(n)));
        using GgufFile file = Assert.IsType<GgufFile>(TensorFile.Open(_folder["m"]));
        Assert.Equal(["a", "b", "c", "d"], file.Entries.Select(e => e.Name).Order(StringComparer.Ordinal));
        Assert.Equal("llama", file.Metadata["general.architecture"]);
        foreach (TensorEntry entry in file.Entries)
        {
            float[] values = new float[entry.Shape.Count], ramp = Ramp(entry);
            file.Read(entry, values);
            for (int i = 0; i < values.Length; i++)
                Assert.Equal(ramp[i], values[i], 0.02);
            if (entry.Packed is { } packed && entry.Name == "a")
            {
                float[] part = new float[32];
                file.Read(entry, 64, part);
                Assert.Equal(values[64..96], part);
                Assert.Throws<ArgumentException>(() => file.Read(entry, 16, part));
            }
        }
        using GgufFile fromSecond = GgufFile.Open(Path.Combine(_folder["m"], "m-00002-of-00002.gguf"));
        Assert.Equal(4, fromSecond.Entries.Count);
    }

    [Fact]
    public void RefusesShardsThatDoNotBelongTogether()
    {
        WriteShard("m-00001-of-00002.gguf", 0, 2, "a");
        WriteShard("m-00002-of-00002.gguf", 1, 2, "b");
        GgufFile.Open(_folder["m-00001-of-00002.gguf"]).Dispose();
        WriteShard("m-00002-of-00002.gguf", 0, 2, "b");
        AssertRefused("m-00001-of-00002.gguf", "does not say that it is shard 2");
        WriteShard("m-00002-of-00002.gguf", 1, 2, "a");
        AssertRefused("m-00001-of-00002.gguf", "occurs twice");
        WriteShard("m-00002-of-00002.gguf", 1, 2);
        AssertRefused("m-00001-of-00002.gguf", "1 tensors in its shards instead of 2");
        WriteShard("m-00001-of-00002.gguf", 0, 60000, "a");
        AssertRefused("m-00001-of-00002.gguf", "is not named");
        WriteShard("n.gguf", 0, 2, "a");
        AssertRefused("n.gguf", "is not named");
        WriteShard("o-00001-of-00002.gguf", 0, 2, "a");
        FileNotFoundException e = Assert.Throws<FileNotFoundException>(() => TensorFile.Open(_folder["o-00001-of-00002.gguf"]));
        Assert.Contains("o-00002-of-00002.gguf", e.Message, StringComparison.Ordinal);
        Assert.Contains("choose one", Assert.Throws<InvalidDataException>(() => TensorFile.Open(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Lies))]
    public void RefusesLyingHeadersInOneLine(string anchor, int offset, byte[] lie, string says)
    {
        byte[] bytes = Sample();
        int at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(anchor));
        Assert.True(at >= 0);
        lie.CopyTo(bytes.AsSpan(at + offset));
        _folder.Write("x.gguf", bytes);
        AssertRefused("x.gguf", says, direct: true);
    }

    [Fact]
    public void RefusesEveryTruncation() => HostileFiles.EveryTruncation(Sample(), _folder, "x.gguf", path => GgufFile.Open(path).Dispose());

    [Fact]
    public void SurvivesMutations() => HostileFiles.Fuzz(Sample(), 3000, _folder, "x.gguf", path =>
    {
        using GgufFile file = GgufFile.Open(path);
        foreach (TensorEntry entry in file.Entries)
        {
            try
            {
                file.Read(entry, new float[entry.Shape.Count]);
            }
            catch (NotSupportedException e)
            {
                Assert.Contains("cannot be decoded", e.Message, StringComparison.Ordinal);
            }
        }
    });

    [Fact]
    public void WriterRefusesWhatDoesNotFit()
    {
        GgufMetadata metadata = new();
        TensorEntry a = new("a", DType.F32, new Shape(1));
        Assert.Throws<ArgumentException>(() => new GgufWriter(new MemoryStream(), metadata, [a, a]));
        Assert.Throws<ArgumentException>(() => new GgufWriter(new MemoryStream(), metadata, [new TensorEntry(new string('n', 64), DType.F32, new Shape(1))]));
        Assert.Throws<ArgumentException>(() => new GgufWriter(new MemoryStream(), metadata, [new TensorEntry("b", DType.Bool, new Shape(1))]));
        Assert.Throws<ArgumentException>(() => new GgufWriter(new MemoryStream(), metadata, [new TensorEntry("b", DType.F32, new Shape(1, 1, 1, 1, 1))]));
        Assert.Throws<ArgumentException>(() => new TensorEntry("b", PackedFormats.Get("Q8_0"), new Shape(2, 33)));
        metadata.Set("general.alignment", 3u);
        Assert.Throws<ArgumentException>(() => new GgufWriter(new MemoryStream(), metadata, [a]));
    }

    private static byte[] U32(uint value) => BitConverter.GetBytes(value);

    private static byte[] U64(ulong value) => BitConverter.GetBytes(value);

    private static float[] Ramp(TensorEntry entry) => [.. Enumerable.Range(0, (int)entry.Shape.Count).Select(i => (i % 64 * 0.01f) - 0.2f)];

    private static void AssertSame(string kind, JsonElement expected, object actual)
    {
        Type type = kind switch
        {
            "uint8" => typeof(byte),
            "int8" => typeof(sbyte),
            "uint16" => typeof(ushort),
            "int16" => typeof(short),
            "uint32" => typeof(uint),
            "int32" => typeof(int),
            "uint64" => typeof(ulong),
            "int64" => typeof(long),
            "float32" => typeof(float),
            "float64" => typeof(double),
            "bool" => typeof(bool),
            "string" => typeof(string),
            _ => actual.GetType(),
        };
        Assert.IsType(type, actual);
        if (actual is Array array)
        {
            Assert.Equal("array", kind);
            Assert.Equal(expected.EnumerateArray().Select(e => e.ToString()), array.Cast<object>().Select(o => Convert.ToString(o, System.Globalization.CultureInfo.InvariantCulture)));
        }
        else
        {
            Assert.Equal(expected.ToString(), Convert.ToString(actual, System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    private static byte[] Sample()
    {
        GgufMetadata metadata = new();
        metadata.Set("a.number", 7u);
        metadata.Set("a.flag", true);
        metadata.Set("b.flag", false);
        metadata.Set("a.list", new[] { "x", "y" });
        metadata.Set("general.alignment", 32u);
        using MemoryStream stream = new();
        using (GgufWriter writer = new(stream, metadata, [new("first", PackedFormats.Get("Q4_0"), new Shape(1, 32)), new("secon", DType.F32, new Shape(8))], leaveOpen: true))
        {
            writer.Write("first", new float[32]);
            writer.Write("secon", new float[8]);
            writer.Complete();
        }
        return stream.ToArray();
    }

    private void WriteShard(string name, ushort number, ushort count, params string[] tensors)
    {
        GgufMetadata metadata = new();
        metadata.Set("split.no", number);
        metadata.Set("split.count", count);
        metadata.Set("split.tensors.count", 2);
        using GgufWriter writer = new(File.Create(_folder[name]), metadata, [.. tensors.Select(t => new TensorEntry(t, DType.F32, new Shape(8)))]);
        writer.WriteAll((entry, w) => w.Write(entry.Name, new float[8]));
    }

    private void AssertRefused(string name, string says, bool direct = false)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => direct ? GgufFile.Open(_folder[name]) : TensorFile.Open(_folder[name]));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
    }
}
