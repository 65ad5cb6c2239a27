using System.Text.Json;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// The checked JSON header of a safetensors file: every tensor's type, shape and place. The data of all tensors together must
/// fill the rest of the file without overlap or hole, which also bounds what a lying header can ask for.
/// </summary>
internal sealed class SafetensorsHeader
{
    private readonly string _path;
    private readonly long _dataStart;
    private readonly List<TensorEntry> _entries = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);

    private SafetensorsHeader(string path, long dataStart)
    {
        _path = path;
        _dataStart = dataStart;
    }

    /// <summary>The tensors in the order of their data.</summary>
    public IReadOnlyList<TensorEntry> Entries => _entries;

    /// <summary>The <c>__metadata__</c> object.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Parses and checks a header.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataStart">Where the data begins in the file.</param>
    /// <param name="fileLength">The file's length.</param>
    /// <exception cref="InvalidDataException">The header is not valid, or does not fit the file.</exception>
    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> json, long dataStart, long fileLength)
    {
        SafetensorsHeader header = new(path, dataStart);
        try
        {
            // The format nests three deep; the margin is for keys that later versions may add.
            Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 16 });
            header.ReadAll(ref reader);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8.
            throw Malformed.File(path, $"has a header that is not valid JSON ({Malformed.FirstLine(e.Message)}); it is damaged or not a safetensors file, get it again.");
        }
        header.CheckLayout(fileLength);
        return header;
    }

    /// <summary>The stored name of a type, or null for one that safetensors lacks.</summary>
    public static string TypeName(DType type) => type == DType.Bool ? "BOOL" : type.ToString();

    private static DType? ParseType(string name) => name switch
    {
        "F32" => DType.F32,
        "BF16" => DType.BF16,
        "F16" => DType.F16,
        "F64" => DType.F64,
        "I8" => DType.I8,
        "U8" => DType.U8,
        "I16" => DType.I16,
        "U16" => DType.U16,
        "I32" => DType.I32,
        "U32" => DType.U32,
        "I64" => DType.I64,
        "U64" => DType.U64,
        "BOOL" => DType.Bool,
        _ => null,
    };

    // Types whose values are not read: bits of a value, or values and bytes of the smallest whole group.
    private static UndecodedFormat? ParseUndecoded(string name) => name switch
    {
        "F8_E4M3" or "F8_E5M2" or "F8_E8M0" or "F8_E4M3FNUZ" or "F8_E5M2FNUZ" => new UndecodedFormat(name, 1, 1),
        "F6_E2M3" or "F6_E3M2" => new UndecodedFormat(name, 4, 3),
        "F4" => new UndecodedFormat(name, 2, 1),
        "C64" => new UndecodedFormat(name, 1, 8),
        _ => null,
    };

    private void ReadAll(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Malformed.File(_path, "has a header that is not a JSON object; it is not a safetensors file.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!_names.Add(name))
                throw Malformed.File(_path, $"has the key {Malformed.Quote(name)} twice in its header; it is damaged, get it again.");
            reader.Read();
            if (name == "__metadata__")
                ReadMetadata(ref reader);
            else
                ReadTensor(ref reader, name);
        }
        // Nothing but white space may follow; the reader throws otherwise.
        while (reader.Read()) { }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Malformed.File(_path, "has a __metadata__ that is not an object of strings; it is damaged, get it again.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Malformed.File(_path, $"has metadata {Malformed.Quote(key)} that is not a string; it is damaged, get it again.");
            if (!_metadata.TryAdd(key, reader.GetString()!))
                throw Malformed.File(_path, $"has metadata {Malformed.Quote(key)} twice; it is damaged, get it again.");
        }
    }

    private void ReadTensor(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Malformed.Tensor(_path, name, "is not described by an object; the file is damaged, get it again.");
        string? type = null;
        Shape? shape = null;
        (long Begin, long End)? place = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            bool repeated = key switch { "dtype" => type is not null, "shape" => shape is not null, "data_offsets" => place is not null, _ => false };
            if (repeated)
                throw Malformed.Tensor(_path, name, $"has {key} twice; the file is damaged, get it again.");
            switch (key)
            {
                case "dtype": type = ReadType(ref reader); break;
                case "shape": shape = ReadShape(ref reader, name); break;
                case "data_offsets": place = ReadOffsets(ref reader, name); break;
                default: reader.Skip(); break;
            }
        }
        if (type is null || shape is null || place is null)
            throw Malformed.Tensor(_path, name, "lacks dtype, shape or data_offsets; the file is damaged, get it again.");
        Add(name, type, shape.Value, place.Value.Begin, place.Value.End);
    }

    private void Add(string name, string type, Shape shape, long begin, long end)
    {
        TensorEntry? entry = null;
        try
        {
            long offset = unchecked(_dataStart + begin);
            entry = ParseType(type) is { } plain
                ? new TensorEntry(name, plain, shape) { Offset = offset }
                : new TensorEntry(name, ParseUndecoded(type) ?? throw Unknown(name, type), shape) { Offset = offset };
        }
        catch (ArgumentException)
        {
            // More bytes than a long counts, or groups of values cut by a row: neither matches its offsets.
        }
        if (entry?.ByteLength != end - begin)
            throw Malformed.Tensor(_path, name, $"has shape {shape} and type {type}, which do not take the {end - begin} bytes of its data_offsets; the file is damaged, get it again.");
        if (begin > long.MaxValue - _dataStart)
            throw Malformed.Tensor(_path, name, $"begins at byte {begin} of the data, beyond the end of the file; it is truncated, get it again.");
        _entries.Add(entry);
    }

    private InvalidDataException Unknown(string name, string type) =>
        Malformed.Tensor(_path, name, $"has the type {Malformed.Quote(type)}, which safetensors files do not have; the file is damaged or newer than this program, get it again in another type.");

    private static string ReadType(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";

    private Shape ReadShape(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Malformed.Tensor(_path, name, "has a shape that is not a list of sizes; the file is damaged, get it again.");
        Span<int> axes = stackalloc int[Shape.MaxRank];
        int rank = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int size) || size < 0)
                throw Malformed.Tensor(_path, name, $"has an axis whose size is not an integer from 0 to {int.MaxValue}; the file is damaged or too large.");
            if (rank == Shape.MaxRank)
                throw Malformed.Tensor(_path, name, $"has more than {Shape.MaxRank} axes, which is not supported.");
            axes[rank++] = size;
        }
        try
        {
            return new Shape(axes[..rank]);
        }
        catch (ArgumentException)
        {
            throw Malformed.Tensor(_path, name, "has a shape of more than 2^62 elements; the file is damaged, get it again.");
        }
    }

    private (long Begin, long End) ReadOffsets(ref Utf8JsonReader reader, string name)
    {
        Span<long> offsets = stackalloc long[2];
        int count = 0;
        bool valid = reader.TokenType == JsonTokenType.StartArray;
        while (valid && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            valid = count < 2 && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out offsets[count]) && offsets[count] >= 0;
            count++;
        }
        return valid && count == 2 && offsets[0] <= offsets[1]
            ? (offsets[0], offsets[1])
            : throw Malformed.Tensor(_path, name, "has data_offsets that are not [begin, end] with 0 ≤ begin ≤ end; the file is damaged, get it again.");
    }

    /// <summary>Sorts the tensors by place and checks that they fill the data exactly.</summary>
    private void CheckLayout(long fileLength)
    {
        // Empty tensors first where several begin at one byte; a stable order keeps the header's order among them.
        List<TensorEntry> sorted = [.. _entries.OrderBy(e => e.Offset).ThenBy(e => e.ByteLength)];
        long end = _dataStart;
        string last = "the header";
        foreach (TensorEntry entry in sorted)
        {
            if (entry.Offset < end)
                throw Malformed.Tensor(_path, entry.Name, $"overlaps {Malformed.Quote(last)}; the file is damaged, get it again.");
            if (entry.Offset > end)
                throw Malformed.Tensor(_path, entry.Name, $"leaves a hole of {entry.Offset - end} bytes before it; the file is damaged, get it again.");
            if (entry.ByteLength > fileLength - entry.Offset)
                throw Malformed.Tensor(_path, entry.Name, $"ends {entry.ByteLength - (fileLength - entry.Offset)} bytes after the end of the file; it is truncated, get it again.");
            end = entry.Offset + entry.ByteLength;
            last = entry.Name;
        }
        if (end != fileLength)
            throw Malformed.File(_path, $"has {fileLength - end} bytes after its last tensor; it is damaged, get it again.");
        _entries.Clear();
        _entries.AddRange(sorted);
    }
}
