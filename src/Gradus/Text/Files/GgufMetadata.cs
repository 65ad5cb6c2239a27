// The metadata section of a GGUF file, as far as a tokenizer needs it: the header and the key-value pairs, which come before all tensors.
// Source: the GGUF specification (ggml). Leaves out: the tensors.

using System.Buffers.Binary;
using System.Text;

namespace Gradus.Text;

/// <summary>Reads the key-value pairs of a GGUF file whose keys begin with one of some prefixes.</summary>
internal sealed class GgufMetadata
{
    private const int MaxDepth = 4;

    private readonly Stream _stream;
    private readonly string _place;
    private readonly byte[] _small = new byte[8];
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    private GgufMetadata(Stream stream, string place)
    {
        _stream = stream;
        _place = place;
    }

    public static GgufMetadata Read(Stream stream, string place, params string[] prefixes)
    {
        GgufMetadata metadata = new(stream, place);
        try
        {
            metadata.ReadAll(prefixes);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{place}: the metadata ends in its middle, at byte {stream.Position}; the file is cut off or damaged.", e);
        }
        return metadata;
    }

    public T? Get<T>(string key)
        where T : class
    {
        if (!_values.TryGetValue(key, out object? value))
            return null;
        return value as T ?? throw new InvalidDataException($"{_place}: {key} is a {value.GetType().Name}, not a {typeof(T).Name}.");
    }

    public bool GetFlag(string key, bool whenAbsent) => _values.TryGetValue(key, out object? value) ? value is bool flag ? flag : throw new InvalidDataException($"{_place}: {key} is not true or false.") : whenAbsent;

    public int? GetId(string key)
    {
        if (!_values.TryGetValue(key, out object? value))
            return null;
        return value is long number and >= 0 and <= int.MaxValue ? (int)number : throw new InvalidDataException($"{_place}: {key} is no token id.");
    }

    private void ReadAll(string[] prefixes)
    {
        if (ReadUInt32() != 0x46554747)
            throw new InvalidDataException($"{_place}: it does not begin with GGUF.");
        uint version = ReadUInt32();
        if (version is < 2 or > 3)
            throw new InvalidDataException($"{_place}: GGUF version {version}; 2 and 3 are known.");
        ReadUInt64();
        ulong count = ReadUInt64();
        for (ulong i = 0; i < count; i++)
        {
            string key = ReadString();
            uint type = ReadUInt32();
            bool wanted = prefixes.Any(p => key.StartsWith(p, StringComparison.Ordinal));
            object value = ReadValue(type, key, 0);
            if (wanted)
                _values[key] = value;
        }
    }

    private object ReadValue(uint type, string key, int depth)
    {
        return type switch
        {
            0 => (long)ReadSmall(1)[0],
            1 => (long)(sbyte)ReadSmall(1)[0],
            2 => (long)BinaryPrimitives.ReadUInt16LittleEndian(ReadSmall(2)),
            3 => (long)BinaryPrimitives.ReadInt16LittleEndian(ReadSmall(2)),
            4 => (long)ReadUInt32(),
            5 => (long)(int)ReadUInt32(),
            6 => (double)BinaryPrimitives.ReadSingleLittleEndian(ReadSmall(4)),
            7 => ReadSmall(1)[0] != 0,
            8 => ReadString(),
            9 => ReadArray(key, depth),
            10 or 11 => (long)ReadUInt64(),
            12 => BinaryPrimitives.ReadDoubleLittleEndian(ReadSmall(8)),
            _ => throw new InvalidDataException($"{_place}: {key} has the type {type}, which is not known."),
        };
    }

    private object ReadArray(string key, int depth)
    {
        if (depth >= MaxDepth)
            throw new InvalidDataException($"{_place}: {key} is a list within lists, {depth} deep.");
        uint type = ReadUInt32();
        ulong count = ReadUInt64();
        // Every element takes a byte at least, so that no more can be true.
        if (count > (ulong)(_stream.Length - _stream.Position))
            throw new InvalidDataException($"{_place}: {key} says that it has {count} elements, more than the file has bytes left; it is cut off or damaged.");
        switch (type)
        {
            case 8:
                List<string> strings = [];
                for (ulong i = 0; i < count; i++)
                    strings.Add(ReadString());
                return strings;
            case 6:
                List<float> floats = [];
                for (ulong i = 0; i < count; i++)
                    floats.Add(BinaryPrimitives.ReadSingleLittleEndian(ReadSmall(4)));
                return floats;
            case 0 or 1 or 7:
                byte[] bytes = new byte[count];
                _stream.ReadExactly(bytes);
                return bytes;
            default:
                List<object> values = [];
                for (ulong i = 0; i < count; i++)
                    values.Add(ReadValue(type, key, depth + 1));
                return values;
        }
    }

    private string ReadString()
    {
        ulong length = ReadUInt64();
        if (length > (ulong)(_stream.Length - _stream.Position))
            throw new InvalidDataException($"{_place}: a text at byte {_stream.Position} says that it has {length} bytes, more than the file has left; it is cut off or damaged.");
        byte[] bytes = new byte[length];
        _stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(ReadSmall(4));

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(ReadSmall(8));

    private ReadOnlySpan<byte> ReadSmall(int count)
    {
        _stream.ReadExactly(_small, 0, count);
        return _small.AsSpan(0, count);
    }
}
