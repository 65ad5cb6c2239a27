// The metadata section of a GGUF file, as far as a tokenizer needs it: the header and the key-value pairs, which come before all tensors.
// Source: the GGUF specification (ggml). Leaves out: the tensors.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Text;

/// <summary>Reads the key-value pairs of a GGUF file whose keys begin with one of some prefixes.</summary>
internal sealed class GgufMetadata
{
    private const int MaxDepth = 4;

    /// <summary>The most bytes of a text and the most elements of a list: far more than any tokenizer has.</summary>
    private const int MaxCount = 1 << 28;

    private readonly Stream _stream;
    private readonly string _place;
    // Asked for once: a file answers by a call into the system.
    private readonly long _length;
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    // What has been read ahead, and how much of it has been used.
    private byte[] _buffer = new byte[1 << 18];
    private int _at;
    private int _filled;

    private GgufMetadata(Stream stream, string place)
    {
        _stream = stream;
        _length = stream.Length;
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
            throw new InvalidDataException($"{place}: the metadata ends in its middle, at byte {metadata.Position}; the file is cut off or damaged.", e);
        }
        return metadata;
    }

    private long Position => _stream.Position - (_filled - _at);

    /// <summary>How many bytes the file has after the place that is read.</summary>
    private long Left => _length - Position;

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
        // -1, in whichever width a writer has it, says that there is none.
        if (value is -1L or (long)uint.MaxValue or (long)ushort.MaxValue)
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
            0 => (long)Take(1)[0],
            1 => (long)(sbyte)Take(1)[0],
            2 => (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)),
            3 => (long)BinaryPrimitives.ReadInt16LittleEndian(Take(2)),
            4 => (long)ReadUInt32(),
            5 => (long)(int)ReadUInt32(),
            6 => (double)BinaryPrimitives.ReadSingleLittleEndian(Take(4)),
            7 => Take(1)[0] != 0,
            8 => ReadString(),
            9 => ReadArray(key, depth),
            10 or 11 => (long)ReadUInt64(),
            12 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8)),
            _ => throw new InvalidDataException($"{_place}: {key} has the type {type}, which is not known."),
        };
    }

    /// <summary>A list: texts, bytes (or flags), f32, numbers of 32 bits, or anything else as objects.</summary>
    private object ReadArray(string key, int depth)
    {
        if (depth >= MaxDepth)
            throw new InvalidDataException($"{_place}: {key} is a list within lists, {depth} deep.");
        uint type = ReadUInt32();
        ulong count = ReadUInt64();
        int size = type switch { 0 or 1 or 7 => 1, 2 or 3 => 2, 4 or 5 or 6 => 4, 8 or 10 or 11 or 12 => 8, _ => 1 };
        if (count > (ulong)(Left / size) || count > MaxCount)
            throw new InvalidDataException($"{_place}: {key} says that it has {count} elements, more than the file has room for; it is cut off or damaged.");
        int n = (int)count;
        return type switch
        {
            0 or 1 or 7 => Take(n).ToArray(),
            4 or 5 => ReadNumbers(n, type == 5),
            6 => ReadFloats(n),
            8 => ReadTexts(n),
            _ => ReadObjects(n, type, key, depth),
        };
    }

    private List<object> ReadObjects(int count, uint type, string key, int depth)
    {
        List<object> values = [];
        for (int i = 0; i < count; i++)
            values.Add(ReadValue(type, key, depth + 1));
        return values;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long[] ReadNumbers(int count, bool signed)
    {
        long[] values = new long[count];
        for (int i = 0; i < count; i++)
            values[i] = signed ? (int)ReadUInt32() : ReadUInt32();
        return values;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private float[] ReadFloats(int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(Take(4));
        return values;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private TextList ReadTexts(int count)
    {
        TextList texts = new(count);
        for (int i = 0; i < count; i++)
            texts.Add(Take(ReadLength()));
        return texts;
    }

    private string ReadString() => Encoding.UTF8.GetString(Take(ReadLength()));

    private int ReadLength()
    {
        ulong length = ReadUInt64();
        if (length > (ulong)Left || length > MaxCount)
            throw new InvalidDataException($"{_place}: a text at byte {Position} says that it has {length} bytes, more than the file has left; it is cut off or damaged.");
        return (int)length;
    }

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>The next bytes, which stay as they are until more are taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ReadOnlySpan<byte> Take(int count)
    {
        if (_filled - _at < count)
            Fill(count);
        _at += count;
        return _buffer.AsSpan(_at - count, count);
    }

    private void Fill(int count)
    {
        if (count > Left)
            throw new EndOfStreamException();
        byte[] buffer = count > _buffer.Length ? new byte[count] : _buffer;
        _buffer.AsSpan(_at, _filled - _at).CopyTo(buffer);
        _filled -= _at;
        _at = 0;
        _buffer = buffer;
        _filled += _stream.ReadAtLeast(buffer.AsSpan(_filled), count - _filled);
    }
}
