using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Files;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> LyingHeaders => new()
    {
        { """[]""", "not a JSON object" },
        { """{"a":1}""", "not described by an object" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", "twice" },
        { """{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "dtype twice" },
        { """{"a":{"dtype":"F32","shape":[2]}}""", "lacks" },
        { """{"a":{"dtype":"F9","shape":[8],"data_offsets":[0,8]}}""", "'F9'" },
        { """{"a":{"dtype":"F4","shape":[2,7],"data_offsets":[0,7]}}""", "do not take the 7 bytes" },
        { """{"a":{"dtype":7,"shape":[8],"data_offsets":[0,8]}}""", "type ''" },
        { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "do not take the 8 bytes" },
        { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "axis" },
        { """{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}""", "axis" },
        { """{"a":{"dtype":"F32","shape":[4294967298],"data_offsets":[0,8]}}""", "axis" },
        { """{"a":{"dtype":"F32","shape":[2147483647,2147483647,4,1],"data_offsets":[0,8]}}""", "2^62" },
        { """{"a":{"dtype":"U64","shape":[2147483647,1073741825],"data_offsets":[0,8]}}""", "do not take" },
        { """{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,2],"data_offsets":[0,8]}}""", "more than 6 axes" },
        { """{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", "not a list" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "data_offsets" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", "data_offsets" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", "data_offsets" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807]}}""", "do not take" },
        { """{"a":{"dtype":"F32","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]}}""", "beyond the end" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "4 bytes after its last tensor" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "hole of 4 bytes" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "overlaps 'a'" },
        { """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", "8 bytes after the end" },
        { """{"__metadata__":{"x":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "not a string" },
        { """{"__metadata__":[],"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "object of strings" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x""", "not valid JSON" },
        { """{"a\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "not valid JSON" },
        { """{"a\nb":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", @"'a\u000ab'" },
        { new string('[', 200_000), "not a JSON object" },
        { """{"a":{"x":""" + new string('[', 200_000), "not valid JSON" },
    };

    public static TheoryData<string> GoldenFiles
    {
        get
        {
            TheoryData<string> files = [];
            if (SharedFolder.Root is { } root)
            {
                foreach (string folder in (string[])["golden/quantization", "golden/training", "golden/models", "golden/peft", "data/weight-file-formats"])
                {
                    string path = Path.Combine(root, folder);
                    if (Directory.Exists(path))
                        files.AddRange([.. Directory.EnumerateFiles(path, "*.safetensors", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal)]);
                }
            }
            return files;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ReadsWhatItWrote()
    {
        float[] values = [0f, 1.5f, -2.25f, float.NaN, float.PositiveInfinity, 65504f];
        (DType Type, string Name)[] types = [(DType.BF16, "b"), (DType.F32, "a"), (DType.F64, "z"), (DType.F16, "h")];
        string path = _folder["x.safetensors"];
        using (SafetensorsWriter writer = new(File.Create(path), types.Select(t => new TensorEntry(t.Name, t.Type, new Shape(2, 3)))))
        {
            foreach (TensorEntry entry in writer.Entries)
            {
                writer.Write(entry.Name, values.AsSpan(0, 2));
                writer.Write(entry.Name, values.AsSpan(2));
            }
            writer.Complete();
            Assert.Equal(new FileInfo(path).Length, writer.Length);
        }
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(["z", "a", "b", "h"], file.Entries.Select(e => e.Name));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(0, file.Entries[0].Offset % 8);
        foreach (TensorEntry entry in file.Entries)
        {
            float[] read = new float[6];
            file.Read(entry, read);
            float[] expected = [.. values];
            if (entry.DType == DType.BF16)
                expected[5] = 65536f;
            Assert.Equal(expected, read);
            float[] part = new float[2];
            file.Read(entry, 1, part);
            Assert.Equal(expected[1..3], part);
            Assert.Equal(entry.Shape.Count * entry.DType.Size(), file.Bytes(entry).Length);
        }
    }

    [Fact]
    public void ReadsIntegersAndBooleansAsFloats()
    {
        TensorEntry[] entries =
        [
            new("i64", DType.I64, new Shape(2)), new("u64", DType.U64, new Shape(2)), new("i32", DType.I32, new Shape(2)),
            new("u32", DType.U32, new Shape(2)), new("i16", DType.I16, new Shape(2)), new("u16", DType.U16, new Shape(2)),
            new("i8", DType.I8, new Shape(2)), new("u8", DType.U8, new Shape(2)), new("bool", DType.Bool, new Shape(2)),
        ];
        using (SafetensorsWriter writer = new(File.Create(_folder["x.safetensors"]), entries))
        {
            foreach (TensorEntry entry in writer.Entries)
            {
                byte[] bytes = new byte[2 * entry.DType.Size()];
                bytes[0] = 1;
                bytes.AsSpan(entry.DType.Size()).Fill(0xFF);
                writer.Write(entry.Name, bytes);
            }
            writer.Complete();
        }
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        Dictionary<string, float> last = new()
        {
            ["i64"] = -1,
            ["u64"] = ulong.MaxValue,
            ["i32"] = -1,
            ["u32"] = uint.MaxValue,
            ["i16"] = -1,
            ["u16"] = 65535,
            ["i8"] = -1,
            ["u8"] = 255,
            ["bool"] = 1,
        };
        foreach (TensorEntry entry in file.Entries)
        {
            float[] read = new float[2];
            file.Read(entry, read);
            Assert.Equal([1f, last[entry.Name]], read);
        }
    }

    [Fact]
    public void RoundsToBFloat16ToNearestEvenAndKeepsNaN()
    {
        uint[] bits = [0x3F80_8000, 0x3F81_8000, 0x3F80_8001, 0x7F80_0001, 0xFFFF_FFFF, 0x7F7F_FFFF, 0xFF80_0000, 0x8000_0000];
        ushort[] expected = [0x3F80, 0x3F82, 0x3F81, 0x7FC0, 0xFFFF, 0x7F80, 0xFF80, 0x8000];
        // Long enough for vectors, odd enough for a rest.
        const int Times = 21;
        float[] values = [.. Enumerable.Range(0, Times).SelectMany(_ => bits).Select(BitConverter.UInt32BitsToSingle), 1.5f];
        using (SafetensorsWriter writer = new(File.Create(_folder["x.safetensors"]), [new TensorEntry("x", DType.BF16, new Shape(values.Length))]))
        {
            writer.Write("x", values);
            writer.Complete();
        }
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        ushort[] stored = MemoryMarshal.Cast<byte, ushort>(file.Bytes(file["x"]).Span).ToArray();
        Assert.Equal<ushort>([.. Enumerable.Range(0, Times).SelectMany(_ => expected), 0x3FC0], stored);
    }

    [Fact]
    public void WidensEveryBFloat16()
    {
        ushort[] all = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i), 0x3F80];
        using (SafetensorsWriter writer = new(File.Create(_folder["x.safetensors"]), [new TensorEntry("x", DType.BF16, new Shape(all.Length))]))
        {
            writer.Write("x", MemoryMarshal.AsBytes(all.AsSpan()));
            writer.Complete();
        }
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        float[] values = new float[all.Length];
        file.Read(file["x"], values);
        Assert.Equal(all.Select(v => (uint)v << 16), values.Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void MapsTensorsBeyondTheReachOfSpans()
    {
        // A sparse file of 6 GB: no byte of it is stored but the header and the last three values.
        string path = _folder.Write("large.safetensors", WithHeader("""{"w":{"dtype":"BF16","shape":[3,1000000000],"data_offsets":[0,6000000000]}}""", 0));
        using (FileStream stream = new(path, FileMode.Open))
        {
            stream.SetLength(stream.Length + 6_000_000_000);
            stream.Seek(-6, SeekOrigin.End);
            stream.Write([0x80, 0x3F, 0x00, 0x40, 0x40, 0x40]);
        }
        using SafetensorsFile file = SafetensorsFile.Open(path);
        TensorEntry entry = file["w"];
        Assert.Equal(6_000_000_000, file.Bytes(entry).Length);
        Assert.Throws<InvalidOperationException>(() => { _ = file.Bytes(entry).Span; });
        float[] last = new float[4];
        file.Read(entry, 2_999_999_996, last);
        Assert.Equal([0f, 1f, 2f, 3f], last);
    }

    [SharedTheory]
    [MemberData(nameof(GoldenFiles))]
    public void RewritesReferenceFilesToTheSameBytes(string relative)
    {
        string path = SharedFolder.Find(relative)!;
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using MemoryStream copy = new();
        using (SafetensorsWriter writer = new(copy, file.Entries.Reverse(), file.Metadata, leaveOpen: true))
        {
            foreach (TensorEntry entry in writer.Entries)
                writer.Write(entry.Name, file.Bytes(file[entry.Name]));
            writer.Complete();
        }
        Assert.Equal(File.ReadAllBytes(path), copy.ToArray());
    }

    [Theory]
    [MemberData(nameof(LyingHeaders))]
    public void RefusesLyingHeadersInOneLine(string header, string says)
    {
        string path = _folder.Write("bad.safetensors", WithHeader(header, 8));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        HostileFiles.AssertOneLine(e, path);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    [InlineData(100_000_001UL)]
    [InlineData(9UL)]
    public void RefusesAHeaderLengthBeyondTheFile(ulong length)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        string path = _folder.Write("bad.safetensors", bytes);
        HostileFiles.AssertOneLine(Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)), path);
    }

    [Fact]
    public void RefusesEveryTruncation() =>
        HostileFiles.EveryTruncation(Sample(), _folder, "x.safetensors", path => SafetensorsFile.Open(path).Dispose());

    [Fact]
    public void SurvivesMutations() => HostileFiles.Fuzz(Sample(), 3000, _folder, "x.safetensors", ReadAll);

    [Fact]
    public void NamesTheMissingTensorAndTheForeignEntry()
    {
        string path = _folder.Write("x.safetensors", Sample());
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Contains("'model.norm.weight'", Assert.Throws<InvalidDataException>(() => file["model.norm.weight"]).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => { file.Bytes(new TensorEntry("w", DType.F32, new Shape(2, 2))); });
        Assert.Throws<ArgumentException>(() => file.Read(file["w"], new float[5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(file["w"], 1, new float[4]));
    }

    [Fact]
    public void RefusesUseAfterDispose()
    {
        SafetensorsFile file = SafetensorsFile.Open(_folder.Write("x.safetensors", Sample()));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { file.Bytes(file["w"]); });
    }

    [Fact]
    public void WriterRefusesWrongOrderTooMuchTooLittleAndDoubles()
    {
        TensorEntry[] two = [new("a", DType.F32, new Shape(2)), new("b", DType.F32, new Shape(1)), new("empty", DType.F32, new Shape(0, 5))];
        using SafetensorsWriter writer = new(new MemoryStream(), two);
        Assert.Throws<InvalidOperationException>(() => writer.Write("b", new float[1]));
        Assert.Throws<InvalidOperationException>(() => writer.Write("a", new float[3]));
        writer.Write("a", new float[2]);
        Assert.Throws<InvalidOperationException>(writer.Complete);
        writer.Write("b", new float[1]);
        writer.Write("empty", ReadOnlySpan<float>.Empty);
        writer.Complete();
        Assert.Throws<InvalidOperationException>(() => writer.Write("b", new float[1]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [two[0], two[0]]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [new TensorEntry("__metadata__", DType.F32, new Shape(1))]));
    }

    internal static byte[] WithHeader(string header, int data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] bytes = new byte[8 + json.Length + data];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        return bytes;
    }

    private static byte[] Sample()
    {
        using MemoryStream stream = new();
        using (SafetensorsWriter writer = new(stream, [new("w", DType.F32, new Shape(2, 2)), new("b", DType.BF16, new Shape(3)), new("e", DType.I8, new Shape(0))], leaveOpen: true))
        {
            writer.Write("w", [1f, 2f, 3f, 4f]);
            writer.Write("b", [5f, 6f, 7f]);
            writer.Complete();
        }
        return stream.ToArray();
    }

    private static void ReadAll(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (TensorEntry entry in file.Entries)
            file.Read(entry, new float[entry.Shape.Count]);
    }
}
