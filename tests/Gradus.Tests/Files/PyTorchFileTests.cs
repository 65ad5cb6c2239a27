using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Testing;

namespace Gradus.Tests.Files;

public sealed class PyTorchFileTests : IDisposable
{
    private const string StorageOfSix = "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0006tQ";
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> HostilePickles => new()
    {
        { "cos\nsystem\n(X\u0004\0\0\0exittR.", "'os.system', which is refused" },
        { "cbuiltins\neval\n(X\u0001\0\0\01tR.", "'builtins.eval', which is refused" },
        { "X\u0002\0\0\0osX\u0006\0\0\0system\u0093.", "'os.system', which is refused" },
        { "ctorch._utils\n_rebuild_tensor_v2\n(K\u0001tR.", "arguments of _rebuild_tensor_v2" },
        { "X\u00ff\u00ff\u00ff\u00ffa.", "ends early" },
        { "\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ffa.", "ends early" },
        { "\u008b\u00ff\u00ff\u00ff\u00ff.", "ends early" },
        { "\u008a\u0020" + new string('1', 32) + ".", "too large" },
        { "]", "ends early" },
        { ".", "stack is empty" },
        { "0.", "stack is empty" },
        { "t.", "mark is missing" },
        { "h\u0007.", "memo 7" },
        { "}N", "ends early" },
        { "}(K\u0001u.", "without a value" },
        { "}]Ns.", "no name or number" },
        { "NR.", "stack is empty" },
        { "N)R.", "PickleGlobal was expected" },
        { "N}b.", "not known" },
        { "NQ.", "unknown way" },
        { "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0002\0\0\099X\u0003\0\0\0cpuK\u0006tQ.", "'99' is missing" },
        { "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0007tQ.", "24 bytes instead of 7" },
        { "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuJ\u00ff\u00ff\u00ff\u00fftQ.", "instead of -1" },
        { "\u00f0.", "0xf0" },
        { "].", "holds no tensors" },
        { Tensor("K\u0001", "K\u0002K\u0003\u0086", "K\u0003K\u0001\u0086") + ".", "beyond its storage" },
        { Tensor("K\0", "K\u0002K\u0003\u0086", "J\u00fd\u00ff\u00ff\u00ffK\u0001\u0086") + ".", "negative or too large" },
        { Tensor("K\0", "J\u00ff\u00ff\u00ff\u007fK\u0001\u0086", "K\0K\0\u0086") + ".", "beyond its storage" },
        { Tensor("K\0", "J\u00ff\u00ff\u00ff\u007fJ\u00ff\u00ff\u00ff\u007f\u0086", "K\0K\0\u0086") + ".", "beyond its storage" },
        { Tensor("K\0", "J\u00ff\u00ff\u00ff\u007fJ\u00ff\u00ff\u00ff\u007fK\u0004\u0087", "K\0K\0K\0\u0087") + ".", "2^62" },
        { Tensor("K\0", "K\u0002\u0085", "\u008a\b\0\0\0\0\0\0\0\u0070\u0085") + ".", "beyond its storage" },
        { Tensor("\u008a\b\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f", "K\u0001\u0085", "K\u0001\u0085") + ".", "beyond its storage" },
        { "]q\0h\0a.", "nests deeper" },
        // Each list holds the one before it ten times: 10^12 values of 100 bytes.
        { string.Concat(Enumerable.Range(0, 12).Select(i => $"]q{(char)i}(" + string.Concat(Enumerable.Repeat(i == 0 ? "K\u0001" : $"h{(char)(i - 1)}", 10)) + "e")) + ".", "repeats its contents" },
    };

    public void Dispose() => _folder.Dispose();

    [SharedFact("data", "weight-file-formats")]
    public void ReadsTheSameArchitectureAsItsSafetensors()
    {
        // The two files are of one network after different numbers of training steps: names, types and shapes agree, values do not.
        using TensorFile pickled = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", "mnist.pt")!);
        Assert.IsType<PyTorchFile>(pickled);
        using TensorFile plain = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", "mnist.safetensors")!);
        Assert.Equal(plain.Entries.Select(e => e.ToString()).Order(StringComparer.Ordinal), pickled.Entries.Select(e => e.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal([3752f], Values(pickled, "norm1.num_batches_tracked"));
        Assert.Equal([7504f], Values(plain, "norm1.num_batches_tracked"));
        Assert.All(Values(pickled, "norm1.running_var"), v => Assert.True(v > 0));
    }

    [SharedFact("data", "weight-file-formats")]
    public void BytesSurviveTheWayThroughSafetensors()
    {
        foreach (string name in (string[])["mnist.pt", "roberta_base_lora_mnli.bin", "tiny_fair_checkpoint.pt"])
        {
            using TensorFile pickled = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", name)!);
            using (SafetensorsWriter writer = new(File.Create(_folder["x.safetensors"]), pickled.Entries))
            {
                foreach (TensorEntry entry in writer.Entries)
                    writer.Write(entry.Name, pickled.Bytes(entry));
                writer.Complete();
            }
            using TensorFile plain = TensorFile.Open(_folder["x.safetensors"]);
            Assert.Equal(pickled.Entries.Count, plain.Entries.Count);
            foreach (TensorEntry entry in plain.Entries)
                Assert.Equal(Values(pickled, entry.Name), Values(plain, entry.Name));
        }
    }

    [SharedFact("data", "weight-file-formats")]
    public void ReadsEveryRealFile()
    {
        using TensorFile lora = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", "roberta_base_lora_mnli.bin")!);
        Assert.Equal(new Shape(8, 768), lora["roberta.encoder.layer.0.attention.self.query.lora_A"].Shape);
        Assert.Equal(new Shape(3, 768), lora["classifier.out_proj.weight"].Shape);
        using TensorFile fair = TensorFile.Open(SharedFolder.Find("data", "weight-file-formats", "tiny_fair_checkpoint.pt")!);
        Assert.Contains(fair.Entries, e => e.Name == "tok_embeddings.weight");
        foreach (TensorFile file in (TensorFile[])[lora, fair])
        {
            foreach (TensorEntry entry in file.Entries)
            {
                float[] values = new float[entry.Shape.Count];
                file.Read(entry, values);
                Assert.All(values, v => Assert.True(float.IsFinite(v)));
            }
        }
    }

    [Fact]
    public void ReadsStridedViewsSharedStoragesWrappersAndScalars()
    {
        // {"epoch": 3, "name": "x", "state_dict": OrderedDict(a = 2×3, t = its transpose, p = Parameter(second row), e = empty)}
        string pickle = "\u0080\u0002}(X\u0005\0\0\0epochK\u0003X\u0004\0\0\0nameX\u0001\0\0\0xX\u000a\0\0\0state_dict"
            + "ccollections\nOrderedDict\n)R("
            + "X\u0001\0\0\0a" + Tensor("K\0", "K\u0002K\u0003\u0086", "K\u0003K\u0001\u0086")
            + "X\u0001\0\0\0t" + Tensor("K\0", "K\u0003K\u0002\u0086", "K\u0001K\u0003\u0086")
            + "X\u0001\0\0\0p" + "ctorch._utils\n_rebuild_parameter\n(" + Tensor("K\u0003", "K\u0003\u0085", "K\u0001\u0085") + "\u0088}tR"
            + "X\u0001\0\0\0e" + Tensor("K\0", "K\0K\u0007\u0086", "K\u0007K\u0001\u0086")
            + "u}X\u0009\0\0\0_metadata}sbu.";
        using PyTorchFile file = PyTorchFile.Open(Archive(pickle));
        Assert.Equal(4, file.Entries.Count);
        Assert.Equal([1, 2, 3, 4, 5, 6], Values(file, "a"));
        Assert.Equal([1, 4, 2, 5, 3, 6], Values(file, "t"));
        Assert.Equal([4, 5, 6], Values(file, "p"));
        Assert.Empty(Values(file, "e"));
    }

    [Fact]
    public void NamesNestedTensorsByTheirPathAndKeepsScalars()
    {
        string pickle = "}(X\u0004\0\0\0step\u008a\u0002\u00ff\u00feX\u0001\0\0\0l](" + Tensor("K\0", "K\u0001\u0085", "K\u0001\u0085") + Tensor("K\u0001", ")", ")") + "eu.";
        using PyTorchFile file = PyTorchFile.Open(Archive(pickle));
        Assert.Equal(["l.0", "l.1"], file.Entries.Select(e => e.Name));
        Assert.Equal([2], Values(file, "l.1"));
        Assert.Equal("-257", file.Metadata["step"]);
    }

    [Theory]
    [MemberData(nameof(HostilePickles))]
    public void RefusesHostilePicklesInOneLine(string pickle, string says)
    {
        string path = Archive(pickle);
        long before = GC.GetAllocatedBytesForCurrentThread();
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PyTorchFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        HostileFiles.AssertOneLine(e, path);
    }

    [Fact]
    public void RefusesCompressedArchivesOldFilesAndOtherZips()
    {
        AssertRefused(Archive("].", CompressionLevel.Optimal), "compressed");
        AssertRefused(_folder.Write("old.pt", [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]), "ends early");
        using (ZipArchive zip = new(File.Create(_folder["other.pt"]), ZipArchiveMode.Create))
            zip.CreateEntry("readme.txt", CompressionLevel.NoCompression).Open().Dispose();
        AssertRefused(_folder["other.pt"], "0 data.pkl");
        AssertRefused(Archive("].", byteorder: "big"), "big-endian");
    }

    [Fact]
    public void ReadsZip64AsLargeCheckpointsHaveIt()
    {
        using (BinaryWriter zip = new(File.Create(_folder["large.pt"])))
            WriteZip64(zip, ("x/data.pkl", Encoding.Latin1.GetBytes(Sample)), ("x/data/0", MemoryMarshal.AsBytes((ReadOnlySpan<float>)[1, 2, 3, 4, 5, 6]).ToArray()));
        using PyTorchFile file = PyTorchFile.Open(_folder["large.pt"]);
        Assert.Equal([1, 2, 3, 4, 5, 6], Values(file, "a"));
        HostileFiles.Fuzz(File.ReadAllBytes(_folder["large.pt"]), 500, _folder, "y.pt", path => PyTorchFile.Open(path).Dispose());
    }

    [Fact]
    public void ReadsFilesFromBeforeOneSix()
    {
        string path = _folder.Write("old.pt", Legacy());
        using (PyTorchFile file = PyTorchFile.Open(path))
        {
            Assert.Equal([1, 2, 3, 4, 5, 6], Values(file, "a"));
            Assert.Equal([1, 4, 2, 5, 3, 6], Values(file, "t"));
        }
        AssertRefused(_folder.Write("big.pt", Legacy(littleEndian: false)), "big-endian");
        AssertRefused(_folder.Write("count.pt", Legacy(count: 7)), "7 elements of its storage '0' instead of 6");
        AssertRefused(_folder.Write("evil.pt", Legacy("cos\nsystem\n(X\u0004\0\0\0exittR.")), "'os.system', which is refused");
        HostileFiles.EveryTruncation(Legacy(), _folder, "old.pt", p => PyTorchFile.Open(p).Dispose());
        HostileFiles.Fuzz(Legacy(), 2000, _folder, "old.pt", p =>
        {
            using PyTorchFile file = PyTorchFile.Open(p);
            foreach (TensorEntry entry in file.Entries)
                file.Read(entry, new float[entry.Shape.Count]);
        });
    }

    // What torch.save wrote before 1.6: a magic number, a version, the machine, the object, the keys of its storages; then each storage.
    private static byte[] Legacy(string? pickle = null, bool littleEndian = true, long count = 6) =>
    [
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.',
        .. Encoding.Latin1.GetBytes($"\u0080\u0002M\u00e9\u0003.\u0080\u0002}}X\u000d\0\0\0little_endian{(littleEndian ? '\u0088' : '\u0089')}s."),
        .. Encoding.Latin1.GetBytes((pickle ?? Sample) + "\u0080\u0002]X\u0001\0\0\00a."),
        .. BitConverter.GetBytes(count), .. MemoryMarshal.AsBytes((ReadOnlySpan<float>)[1, 2, 3, 4, 5, 6]),
    ];

    [Fact]
    public void RefusesEveryTruncation() => HostileFiles.EveryTruncation(File.ReadAllBytes(Archive(Sample)), _folder, "x.pt", path => PyTorchFile.Open(path).Dispose());

    [Fact]
    public void SurvivesMutations() => HostileFiles.Fuzz(File.ReadAllBytes(Archive(Sample)), 3000, _folder, "x.pt", path =>
    {
        using PyTorchFile file = PyTorchFile.Open(path);
        foreach (TensorEntry entry in file.Entries)
            file.Read(entry, new float[entry.Shape.Count]);
    });

    private static string Sample => "}(X\u0001\0\0\0a" + Tensor("K\0", "K\u0002K\u0003\u0086", "K\u0003K\u0001\u0086")
        + "X\u0001\0\0\0t" + Tensor("K\0", "K\u0003K\u0002\u0086", "K\u0001K\u0003\u0086") + "u.";

    /// <summary>The instructions that rebuild a tensor of the storage of six floats.</summary>
    private static string Tensor(string offset, string sizes, string strides) =>
        $"ctorch._utils\n_rebuild_tensor_v2\n({StorageOfSix}{offset}{sizes}{strides}\u0089ccollections\nOrderedDict\n)RtR";

    private static float[] Values(TensorFile file, string name)
    {
        float[] values = new float[file[name].Shape.Count];
        file.Read(file[name], values);
        return values;
    }

    private static void AssertRefused(string path, string says)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TensorFile.Open(path));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        HostileFiles.AssertOneLine(e, path);
    }

    private string Archive(string pickle, CompressionLevel level = CompressionLevel.NoCompression, string byteorder = "little")
    {
        string path = _folder["archive.pt"];
        float[] six = [1, 2, 3, 4, 5, 6];
        using ZipArchive zip = new(File.Create(path), ZipArchiveMode.Create);
        foreach ((string name, byte[] content) in ((string, byte[])[])[("data.pkl", Encoding.Latin1.GetBytes(pickle)), ("byteorder", Encoding.ASCII.GetBytes(byteorder)), ("data/0", MemoryMarshal.AsBytes(six.AsSpan()).ToArray())])
        {
            using Stream stream = zip.CreateEntry($"x/{name}", level).Open();
            stream.Write(content);
        }
        return path;
    }

    /// <summary>An archive that keeps every size and place in the 64-bit fields.</summary>
    private static void WriteZip64(BinaryWriter zip, params (string Name, byte[] Content)[] files)
    {
        List<long> places = [];
        foreach ((string name, byte[] content) in files)
        {
            places.Add(zip.BaseStream.Position);
            WriteParts(zip, 0x04034B50u, (ushort)45, (ushort)0, (ushort)0, 0u, 0u, uint.MaxValue, uint.MaxValue, (ushort)name.Length, (ushort)20, Encoding.ASCII.GetBytes(name), (ushort)1, (ushort)16, (long)content.Length, (long)content.Length, content);
        }
        long directory = zip.BaseStream.Position;
        for (int i = 0; i < files.Length; i++)
        {
            long length = files[i].Content.Length;
            WriteParts(zip, 0x02014B50u, (ushort)45, (ushort)45, (ushort)0, (ushort)0, 0u, 0u, uint.MaxValue, uint.MaxValue, (ushort)files[i].Name.Length, (ushort)28, (ushort)0, (ushort)0, (ushort)0, 0u, uint.MaxValue, Encoding.ASCII.GetBytes(files[i].Name), (ushort)1, (ushort)24, length, length, places[i]);
        }
        long end = zip.BaseStream.Position;
        WriteParts(zip, 0x06064B50u, 44L, (ushort)45, (ushort)45, 0u, 0u, (long)files.Length, (long)files.Length, end - directory, directory);
        WriteParts(zip, 0x07064B50u, 0u, end, 1u);
        WriteParts(zip, 0x06054B50u, (ushort)0, (ushort)0, ushort.MaxValue, ushort.MaxValue, uint.MaxValue, uint.MaxValue, (ushort)0);
    }

    private static void WriteParts(BinaryWriter writer, params object[] parts)
    {
        foreach (object part in parts)
        {
            switch (part)
            {
                case ushort v: writer.Write(v); break;
                case uint v: writer.Write(v); break;
                case long v: writer.Write(v); break;
                case byte[] v: writer.Write(v); break;
                default: throw new ArgumentException(part.GetType().Name);
            }
        }
    }
}
