using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Gradus.Files;

/// <summary>
/// Reads a pickle into plain values and executes nothing: the stack machine of Python's <c>pickletools</c> (protocols 0 to 5)
/// where a "call" only records what was to be called with what; <see cref="PyTorchObjects"/> decides which of these mean
/// something. Values: null, bool, long, double, string, byte[], <see cref="PickleList"/> (lists, tuples, sets),
/// <see cref="PickleMap"/>, <see cref="PickleGlobal"/>, and what the given functions return. Every instruction allocates at most in
/// proportion to its own bytes. Left out: out-of-band buffers, extension codes, and integers beyond 64 bits.
/// </summary>
internal ref struct PickleReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly IPickleObjects _objects;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _at;

    private PickleReader(ReadOnlySpan<byte> bytes, IPickleObjects objects)
    {
        _bytes = bytes;
        _objects = objects;
    }

    /// <summary>Reads one pickle.</summary>
    /// <exception cref="FormatException">The pickle is damaged; the message says how.</exception>
    /// <exception cref="InvalidDataException">The pickle wants something that <paramref name="objects"/> refuses.</exception>
    public static object? Read(ReadOnlySpan<byte> bytes, IPickleObjects objects) => Read(bytes, objects, out _);

    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, IPickleObjects)"/>
    /// <param name="bytes">The pickle, which may be followed by other bytes.</param>
    /// <param name="objects">What functions and stored objects mean.</param>
    /// <param name="length">Bytes of the pickle.</param>
    public static object? Read(ReadOnlySpan<byte> bytes, IPickleObjects objects, out int length)
    {
        PickleReader reader = new(bytes, objects);
        while (true)
        {
            byte op = reader.TakeByte();
            if (op == (byte)'.')
            {
                length = reader._at;
                return reader.Pop();
            }
            if (!reader.Constant(op) && !reader.Collection(op) && !reader.Object(op) && !reader.Housekeeping(op))
                throw new FormatException($"instruction 0x{op:x2} at byte {reader._at - 1} is unknown");
        }
    }

    private bool Constant(byte op)
    {
        switch (op)
        {
            case (byte)'N': Push(null); return true;
            case 0x88: Push(true); return true;
            case 0x89: Push(false); return true;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); return true;
            case (byte)'K': Push((long)TakeByte()); return true;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); return true;
            case 0x8a: Push(Integer(Take(TakeByte()))); return true;
            case 0x8b: Push(Integer(Take(TakeLength(4)))); return true;
            case (byte)'I': PushTextInteger(); return true;
            case (byte)'L': Push(ParseLong(TakeLine().TrimEnd('L'))); return true;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); return true;
            case (byte)'F': Push(ParseDouble(TakeLine())); return true;
            case (byte)'X': Push(Utf8(Take(TakeLength(4)))); return true;
            case 0x8c: Push(Utf8(Take(TakeByte()))); return true;
            case 0x8d: Push(Utf8(Take(TakeLength(8)))); return true;
            case (byte)'V': Push(TakeLine()); return true;
            case (byte)'S': Push(TakeLine().Trim('\'', '"')); return true;
            case (byte)'U': Push(Encoding.Latin1.GetString(Take(TakeByte()))); return true;
            case (byte)'T': Push(Encoding.Latin1.GetString(Take(TakeLength(4)))); return true;
            case (byte)'C': Push(Take(TakeByte()).ToArray()); return true;
            case (byte)'B': Push(Take(TakeLength(4)).ToArray()); return true;
            case 0x8e or 0x96: Push(Take(TakeLength(8)).ToArray()); return true;
            default: return false;
        }
    }

    private bool Collection(byte op)
    {
        switch (op)
        {
            case (byte)']' or (byte)')' or 0x8f: Push(new PickleList()); return true;
            case (byte)'}': Push(new PickleMap()); return true;
            case (byte)'l' or (byte)'t' or 0x91: Push(new PickleList(PopToMark())); return true;
            case 0x85: Push(new PickleList(PopMany(1))); return true;
            case 0x86: Push(new PickleList(PopMany(2))); return true;
            case 0x87: Push(new PickleList(PopMany(3))); return true;
            case (byte)'d':
                PickleMap map = new();
                map.AddPairs(PopToMark());
                Push(map);
                return true;
            case (byte)'a':
                object? item = Pop();
                Peek<PickleList>().Items.Add(item);
                return true;
            case (byte)'e' or 0x90:
                List<object?> items = PopToMark();
                Peek<PickleList>().Items.AddRange(items);
                return true;
            case (byte)'s':
                List<object?> pair = PopMany(2);
                Peek<PickleMap>().AddPairs(pair);
                return true;
            case (byte)'u':
                List<object?> pairs = PopToMark();
                Peek<PickleMap>().AddPairs(pairs);
                return true;
            default: return false;
        }
    }

    private bool Object(byte op)
    {
        switch (op)
        {
            case (byte)'c':
                string module = TakeLine();
                Push(_objects.Global(new PickleGlobal(module, TakeLine())));
                return true;
            case 0x93:
                List<object?> names = PopMany(2);
                Push(_objects.Global(new PickleGlobal(Cast<string>(names[0]), Cast<string>(names[1]))));
                return true;
            case (byte)'R' or 0x81:
                List<object?> call = PopMany(2);
                Push(_objects.Call(Cast<PickleGlobal>(call[0]), Cast<PickleList>(call[1])));
                return true;
            case (byte)'b':
                object? state = Pop();
                Push(_objects.Build(Pop(), state));
                return true;
            case (byte)'Q': Push(_objects.Persistent(Pop())); return true;
            default: return false;
        }
    }

    private bool Housekeeping(byte op)
    {
        switch (op)
        {
            case 0x80: Take(1); return true;
            case 0x95: Take(8); return true;
            case (byte)'(': _marks.Add(_stack.Count); return true;
            case (byte)'0': Pop(); return true;
            case (byte)'1': PopToMark(); return true;
            case (byte)'2': Push(Top()); return true;
            case (byte)'q': _memo[TakeByte()] = Top(); return true;
            case (byte)'r': _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Top(); return true;
            case (byte)'p': _memo[ParseLong(TakeLine())] = Top(); return true;
            case 0x94: _memo[_memo.Count] = Top(); return true;
            case (byte)'h': Push(Recall(TakeByte())); return true;
            case (byte)'j': Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); return true;
            case (byte)'g': Push(Recall(ParseLong(TakeLine()))); return true;
            default: return false;
        }
    }

    private static T Cast<T>(object? value) => value is T t ? t : throw new FormatException($"a {typeof(T).Name} was expected, not a {value?.GetType().Name ?? "null"}");

    private static long Integer(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 8)
            throw new FormatException($"an integer of {bytes.Length} bytes is too large");
        long value = bytes.Length > 0 && (bytes[^1] & 0x80) != 0 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            value = (value << 8) | bytes[i];
        return value;
    }

    private static long ParseLong(string text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
        ? value
        : throw new FormatException("an integer is not a number");

    private static double ParseDouble(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
        ? value
        : throw new FormatException("a float is not a number");

    private static string Utf8(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    private void PushTextInteger()
    {
        string text = TakeLine();
        // Protocols 0 and 1 write booleans as 00 and 01.
        if (text is "00" or "01")
            Push(text == "01");
        else
            Push(ParseLong(text));
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _at)
            throw new FormatException($"it ends early, at byte {_bytes.Length}");
        _at += count;
        return _bytes.Slice(_at - count, count);
    }

    private byte TakeByte() => Take(1)[0];

    private int TakeLength(int width)
    {
        ulong length = width == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Take(4)) : BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
        return length <= (ulong)(_bytes.Length - _at) ? (int)length : throw new FormatException($"it ends early, at byte {_bytes.Length}");
    }

    private string TakeLine()
    {
        int length = _bytes[_at..].IndexOf((byte)'\n');
        if (length < 0)
            throw new FormatException($"it ends early, at byte {_bytes.Length}");
        string line = Utf8(Take(length));
        Take(1);
        return line;
    }

    private void Push(object? value) => _stack.Add(value);

    /// <summary>The lowest stack index that belongs to the innermost mark.</summary>
    private int Floor => _marks.Count > 0 ? _marks[^1] : 0;

    private object? Top() => _stack.Count > Floor ? _stack[^1] : throw new FormatException("its stack is empty");

    private T Peek<T>() => Cast<T>(Top());

    private object? Pop()
    {
        object? top = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private List<object?> PopMany(int count)
    {
        if (_stack.Count - Floor < count)
            throw new FormatException("its stack is empty");
        List<object?> items = _stack.GetRange(_stack.Count - count, count);
        _stack.RemoveRange(_stack.Count - count, count);
        return items;
    }

    private List<object?> PopToMark()
    {
        if (_marks.Count == 0)
            throw new FormatException("a mark is missing");
        List<object?> items = PopMany(_stack.Count - Floor);
        _marks.RemoveAt(_marks.Count - 1);
        return items;
    }

    private readonly object? Recall(long index) => _memo.TryGetValue(index, out object? value) ? value : throw new FormatException($"memo {index} is empty");
}
