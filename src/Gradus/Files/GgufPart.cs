using System.Globalization;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>The checked header of one GGUF file: its metadata, and type, shape and place of every tensor.</summary>
internal sealed class GgufPart : IDisposable
{
    private const int MostAxes = 4;
    private const uint DefaultAlignment = 32;
    private const int TensorBytes = 8 + 4 + 4 + 8;

    private GgufPart(MappedFile file, GgufMetadata metadata, List<TensorEntry> entries)
    {
        File = file;
        Metadata = metadata;
        Entries = entries;
    }

    /// <summary>The mapped file.</summary>
    public MappedFile File { get; }

    /// <summary>The key-value pairs.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>Opens and checks one file.</summary>
    public static GgufPart Open(string path)
    {
        MappedFile file = new(path);
        try
        {
            GgufCursor cursor = new(file);
            (int tensors, int values) = ReadCounts(ref cursor, file);
            GgufMetadata metadata = ReadMetadata(ref cursor, values);
            uint alignment = Alignment(cursor, metadata);
            List<TensorEntry> entries = ReadTensors(ref cursor, file, tensors, alignment);
            return new GgufPart(file, metadata, CheckLayout(file, entries, Align(cursor.Position, alignment), alignment));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads the key-value pairs of one file; its tensors are not looked at, and may be cut off.</summary>
    /// <exception cref="InvalidDataException">The file is no GGUF file, or damaged where the pairs are.</exception>
    public static GgufMetadata ReadMetadata(string path)
    {
        using MappedFile file = new(path);
        GgufCursor cursor = new(file);
        return ReadMetadata(ref cursor, ReadCounts(ref cursor, file).Values);
    }

    /// <summary>The next multiple of the alignment.</summary>
    public static long Align(long offset, uint alignment) => (offset + alignment - 1) / alignment * alignment;

    /// <summary>The alignment that metadata asks for.</summary>
    /// <exception cref="InvalidDataException">It is not a power of two from 8 to 2²⁰.</exception>
    public static uint Alignment(GgufCursor cursor, GgufMetadata metadata)
    {
        if (!metadata.Contains("general.alignment"))
            return DefaultAlignment;
        return metadata.TryGetInteger("general.alignment", out long alignment) && alignment is >= 8 and <= 1 << 20 && long.IsPow2(alignment)
            ? (uint)alignment
            : throw cursor.Damaged("has a general.alignment that is not a power of two from 8 to 1048576");
    }

    /// <inheritdoc/>
    public void Dispose() => File.Dispose();

    private static (int Tensors, int Values) ReadCounts(ref GgufCursor cursor, MappedFile file)
    {
        if (file.Length < 4 || cursor.Take<uint>() != 0x4655_4747)
            throw ForeignFile.Refuse(file, "does not begin with GGUF; it is not a GGUF file.");
        uint version = cursor.Take<uint>();
        if (version is not (2 or 3))
        {
            throw Malformed.File(file.Path, (version & 0xFFFF) == 0
                ? "is a big-endian GGUF file, which is not supported; get the little-endian one."
                : $"has GGUF version {version}; only 2 and 3 are read, convert it with a current llama.cpp.");
        }
        ulong tensors = cursor.Take<ulong>();
        int values = cursor.TakeCount(8 + 4 + 1);
        return tensors <= (ulong)(file.Length / TensorBytes)
            ? ((int)tensors, values)
            : throw cursor.Damaged($"announces {tensors} tensors, more than the file has room for");
    }

    private static GgufMetadata ReadMetadata(ref GgufCursor cursor, int count)
    {
        GgufMetadata metadata = new();
        for (int i = 0; i < count; i++)
        {
            string key = cursor.TakeString(GgufValue.LongestKey);
            if (key.Length == 0 || metadata.Contains(key))
                throw cursor.Damaged($"has the metadata key {Malformed.Quote(key)} twice or empty");
            object value = GgufValue.Read(ref cursor, cursor.Take<uint>());
            // Hyperparameters are single precision at most.
            if (value is float or double && !float.IsFinite((float)Convert.ToDouble(value, CultureInfo.InvariantCulture)))
                throw cursor.Damaged($"has the metadata key {Malformed.Quote(key)} with a value that is no finite number");
            metadata.Set(key, value);
        }
        return metadata;
    }

    private static List<TensorEntry> ReadTensors(ref GgufCursor cursor, MappedFile file, int count, uint alignment)
    {
        List<TensorEntry> entries = [];
        for (int i = 0; i < count; i++)
            entries.Add(ReadTensor(ref cursor, file.Path, alignment));
        return entries;
    }

    private static TensorEntry ReadTensor(ref GgufCursor cursor, string path, uint alignment)
    {
        string name = cursor.TakeString(GgufValue.LongestKey);
        uint rank = cursor.Take<uint>();
        if (rank > MostAxes)
            throw Malformed.Tensor(path, name, $"has {rank} axes, more than the {MostAxes} of GGUF; the file is damaged, get it again.");
        Span<int> axes = stackalloc int[MostAxes];
        for (int i = (int)rank - 1; i >= 0; i--)
        {
            ulong size = cursor.Take<ulong>();
            axes[i] = size <= int.MaxValue ? (int)size : throw Malformed.Tensor(path, name, $"has an axis of size {size}; the file is damaged, get it again.");
        }
        uint type = cursor.Take<uint>();
        ulong offset = cursor.Take<ulong>();
        if (offset > long.MaxValue / 2 || offset % alignment != 0)
            throw Malformed.Tensor(path, name, $"begins at byte {offset} of the data, which is no multiple of {alignment} in the file; it is damaged, get it again.");
        if (!GgufType.TryGet(type, out DType plain, out PackedFormat? packed))
            throw Malformed.Tensor(path, name, $"has the unknown type {type}; the file is damaged or newer than this program, get it again in another type.");
        try
        {
            Shape shape = new(axes[..(int)rank]);
            return packed is null ? new TensorEntry(name, plain, shape) { Offset = (long)offset } : new TensorEntry(name, packed, shape) { Offset = (long)offset };
        }
        catch (ArgumentException e)
        {
            throw Malformed.Tensor(path, name, $"has an impossible shape ({e.Message.Split('\r', '\n', '(')[0].TrimEnd('.', ' ')}); the file is damaged, get it again.");
        }
    }

    /// <summary>Sorts the tensors by place, checks that each begins where the one before it ends (padded), and makes places absolute.</summary>
    private static List<TensorEntry> CheckLayout(MappedFile file, List<TensorEntry> entries, long dataStart, uint alignment)
    {
        List<TensorEntry> placed = [];
        long expected = 0;
        foreach (TensorEntry entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.ByteLength))
        {
            if (entry.Offset != expected)
                throw Malformed.Tensor(file.Path, entry.Name, $"begins at byte {entry.Offset} of the data instead of {expected}: tensors overlap or leave a hole; the file is damaged, get it again.");
            long end = dataStart + entry.Offset;
            if (end > file.Length || entry.ByteLength > file.Length - end)
                throw Malformed.Tensor(file.Path, entry.Name, $"ends after the end of the file ({file.Length} bytes); it is truncated, get it again.");
            expected = Align(entry.Offset + entry.ByteLength, alignment);
            placed.Add(entry.At(end));
        }
        return placed;
    }
}
