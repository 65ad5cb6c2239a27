using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Applications.Python;

/// <summary>
/// A Python value: whole numbers of 64 bits and floats lie in <see cref="Bits"/> without an object of their own, all else is an object.
/// The default value is no value: an unbound variable.
/// </summary>
internal readonly struct Value
{
    public readonly PyObject? Ref;
    public readonly long Bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Value(PyObject? reference, long bits)
    {
        Ref = reference;
        Bits = bits;
    }

    public static readonly Value None = new(NoneObject.Instance, 0);

    public static readonly Value True = new(BoolObject.True, 1);

    public static readonly Value False = new(BoolObject.False, 0);

    public static readonly Value NotImplemented = new(Sentinel.NotImplemented, 0);

    public static readonly Value Ellipsis = new(Sentinel.Ellipsis, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(long value) => new(Tag.Int, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(double value) => new(Tag.Float, BitConverter.DoubleToInt64Bits(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(bool value) => value ? True : False;

    public static Value Of(string value) => new(new StrObject(value), 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Value Of(PyObject value) => new(value, 0);

    public static Value Of(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? Of((long)value) : new(new BigObject(value), 0);

    public bool IsUnbound => Ref is null;

    public bool IsNone => ReferenceEquals(Ref, NoneObject.Instance);

    /// <summary>A whole number of 64 bits, not a bool.</summary>
    public bool IsSmall
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ReferenceEquals(Ref, Tag.Int);
    }

    public bool IsFloat
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ReferenceEquals(Ref, Tag.Float);
    }

    public bool IsBool => Ref is BoolObject;

    /// <summary>A whole number of 64 bits or a bool: its number is <see cref="Bits"/>.</summary>
    public bool HasBits => ReferenceEquals(Ref, Tag.Int) || Ref is BoolObject;

    /// <summary>Any whole number.</summary>
    public bool IsInteger => HasBits || Ref is BigObject;

    public bool IsNumber => IsFloat || IsInteger;

    public double Float
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => BitConverter.Int64BitsToDouble(Bits);
    }

    public BigInteger Big => Ref is BigObject big ? big.Value : Bits;

    /// <summary>A number as a float.</summary>
    public double ToDouble()
    {
        if (IsFloat)
            return Float;
        if (Ref is BigObject big)
        {
            double d = (double)big.Value;
            return double.IsInfinity(d) ? throw Errors.Overflow("int too large to convert to float") : d;
        }
        return Bits;
    }

    public string? Text => (Ref as StrObject)?.Text;

    public PyClass Class => Ref!.ClassOf;

    /// <summary>Whether two values are the same object.</summary>
    public bool Is(Value other) => ReferenceEquals(Ref, other.Ref) && Bits == other.Bits
        || (Ref is StrObject a && other.Ref is StrObject b && a.Text.Length <= 20 && a.Text == b.Text)
        || (Ref is TupleObject { Items.Length: 0 } && other.Ref is TupleObject { Items.Length: 0 });
}

/// <summary>Anything but the numbers that lie in a <see cref="Value"/>.</summary>
internal abstract class PyObject
{
    public abstract PyClass ClassOf { get; }
}

/// <summary>What marks the numbers that lie in a <see cref="Value"/>.</summary>
internal sealed class Tag : PyObject
{
    public static readonly Tag Int = new(), Float = new();

    public override PyClass ClassOf => ReferenceEquals(this, Int) ? Types.Int : Types.Float;
}

internal sealed class NoneObject : PyObject
{
    public static readonly NoneObject Instance = new();

    public override PyClass ClassOf => Types.NoneType;
}

internal sealed class BoolObject : PyObject
{
    public static readonly BoolObject True = new(), False = new();

    public override PyClass ClassOf => Types.Bool;
}

internal sealed class Sentinel : PyObject
{
    public static readonly Sentinel NotImplemented = new(), Ellipsis = new();

    public override PyClass ClassOf => ReferenceEquals(this, NotImplemented) ? Types.NotImplementedType : Types.EllipsisType;
}

internal sealed class BigObject(BigInteger value) : PyObject
{
    public BigInteger Value { get; } = value;

    public override PyClass ClassOf => Types.Int;
}

/// <summary>A text. Indices count code points; almost all texts have one UTF-16 unit each.</summary>
internal sealed class StrObject(string text) : PyObject
{
    private int[]? _codes;
    private bool _known;
    private int _hash;

    public readonly string Text = text;

    public override PyClass ClassOf => Types.Str;

    /// <summary>The code points, or null where every UTF-16 unit is one.</summary>
    public int[]? Codes
    {
        get
        {
            if (_known)
                return _codes;
            _known = true;
            if (Text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff') >= 0)
            {
                List<int> codes = [];
                for (int i = 0; i < Text.Length; i++)
                    codes.Add(char.IsHighSurrogate(Text[i]) && i + 1 < Text.Length && char.IsLowSurrogate(Text[i + 1]) ? char.ConvertToUtf32(Text[i], Text[++i]) : Text[i]);
                _codes = [.. codes];
            }
            return _codes;
        }
    }

    public int Length => Codes?.Length ?? Text.Length;

    public int Hash => _hash != 0 ? _hash : _hash = string.GetHashCode(Text, StringComparison.Ordinal) | 1;

    /// <summary>The text of one code point.</summary>
    public string At(int index) => Codes is { } codes ? OfCode(codes[index]) : OfCode(Text[index]);

    public string Slice(int start, int count) => Codes is { } codes ? string.Concat(codes.Skip(start).Take(count).Select(OfCode)) : Text.Substring(start, count);

    public static string OfCode(int code) => code < 256 ? Latin[code] : code is >= 0x10000 ? char.ConvertFromUtf32(code) : ((char)code).ToString();

    private static readonly string[] Latin = [.. Enumerable.Range(0, 256).Select(i => ((char)i).ToString())];
}

internal sealed class BytesObject(byte[] data) : PyObject
{
    public byte[] Data { get; } = data;

    public override PyClass ClassOf => Types.Bytes;
}

internal sealed class TupleObject(Value[] items) : PyObject
{
    public static readonly TupleObject Empty = new([]);

    public readonly Value[] Items = items;

    /// <summary>The class of a named tuple.</summary>
    public PyClass? Named { get; init; }

    public override PyClass ClassOf => Named ?? Types.Tuple;
}

internal sealed class ListObject : PyObject
{
    public Value[] Items;
    public int Count;

    public ListObject(int capacity = 4) => Items = new Value[capacity];

    public ListObject(Value[] items)
    {
        Items = items;
        Count = items.Length;
    }

    /// <summary>The class of an instance of a subclass of list.</summary>
    public override PyClass ClassOf => Types.List;

    public Span<Value> Span => Items.AsSpan(0, Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Value value)
    {
        if (Count == Items.Length)
            Grow(Count + 1);
        Items[Count++] = value;
    }

    public void AddRange(ReadOnlySpan<Value> values)
    {
        if (Count + values.Length > Items.Length)
            Grow(Count + values.Length);
        values.CopyTo(Items.AsSpan(Count));
        Count += values.Length;
    }

    public void Insert(int at, Value value)
    {
        Add(value);
        Items.AsSpan(at, Count - 1 - at).CopyTo(Items.AsSpan(at + 1));
        Items[at] = value;
    }

    public void RemoveAt(int at)
    {
        Items.AsSpan(at + 1, Count - at - 1).CopyTo(Items.AsSpan(at));
        Items[--Count] = default;
    }

    /// <summary>Puts values in the place of others.</summary>
    public void Replace(int start, int count, ReadOnlySpan<Value> with)
    {
        Value[] all = new Value[Count - count + with.Length];
        Items.AsSpan(0, start).CopyTo(all);
        with.CopyTo(all.AsSpan(start));
        Items.AsSpan(start + count, Count - start - count).CopyTo(all.AsSpan(start + with.Length));
        (Items, Count) = (all, all.Length);
    }

    public void Clear() => (Items, Count) = (new Value[4], 0);

    public Value[] ToArray() => Span.ToArray();

    private void Grow(int least)
    {
        Memory.Check((long)Math.Max(least, Items.Length * 2L) * 16);
        Array.Resize(ref Items, (int)Math.Min(Array.MaxLength, Math.Max(least, Math.Max(4, Items.Length * 2L))));
    }
}

internal sealed class RangeObject(long start, long stop, long step) : PyObject
{
    public long Start { get; } = start;

    public long Stop { get; } = stop;

    public long Step { get; } = step;

    public long Length { get; } = step > 0
        ? (start < stop ? (long)(((ulong)stop - (ulong)start - 1) / (ulong)step) + 1 : 0)
        : (start > stop ? (long)(((ulong)start - (ulong)stop - 1) / (0UL - (ulong)step)) + 1 : 0);

    public override PyClass ClassOf => Types.Range;

    public bool Contains(long value) => Length > 0 && (Step > 0 ? value >= Start && value < Stop : value <= Start && value > Stop) && (value - Start) % Step == 0;
}

internal sealed class SliceObject(Value start, Value stop, Value step) : PyObject
{
    public Value Start { get; } = start;

    public Value Stop { get; } = stop;

    public Value Step { get; } = step;

    public override PyClass ClassOf => Types.Slice;

    /// <summary>The indices of a sequence that it means.</summary>
    public (int Start, int Count, int Step) Indices(int length)
    {
        long step = Step.IsNone ? 1 : Operations.ToIndex(Step);
        if (step == 0)
            throw Errors.Value("slice step cannot be zero");
        long low = step > 0 ? 0 : -1, high = step > 0 ? length : length - 1;
        long start = Start.IsNone ? (step > 0 ? low : high) : Bound(Operations.ToIndexClamped(Start));
        long stop = Stop.IsNone ? (step > 0 ? high : low) : Bound(Operations.ToIndexClamped(Stop));
        long count = step > 0 ? (stop > start ? (stop - start - 1) / step + 1 : 0) : (start > stop ? (start - stop - 1) / -step + 1 : 0);
        return ((int)start, (int)count, (int)Math.Clamp(step, int.MinValue, int.MaxValue));

        long Bound(long index) => Math.Clamp(index < 0 ? index + length : index, low, high);
    }
}

/// <summary>A variable that functions share.</summary>
internal sealed class Cell : PyObject
{
    public Value Value;

    public override PyClass ClassOf => Types.Object;
}

/// <summary>An object of a class of the program, or of an exception's class.</summary>
internal class InstanceObject(PyClass of) : PyObject
{
    public PyClass Of = of;

    public override PyClass ClassOf => Of;

    public Dictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);

    /// <summary>The value of the builtin type that the class derives from: list, dict, str, int, float, tuple, set.</summary>
    public Value Base { get; set; }
}

/// <summary>A method together with its object.</summary>
internal sealed class BoundMethod(Value self, Value function) : PyObject
{
    public Value Self { get; } = self;

    public Value Function { get; } = function;

    public override PyClass ClassOf => Types.Method;
}

/// <summary>Keyword arguments of a call.</summary>
internal sealed record Keywords(string[] Names, Value[] Values)
{
    private int _used;

    /// <summary>The value of a name, or the default.</summary>
    public static Value Take(Keywords? keywords, string name, Value absent = default)
    {
        int at = keywords is null ? -1 : Array.IndexOf(keywords.Names, name);
        if (at < 0)
            return absent;
        keywords!._used++;
        return keywords.Values[at];
    }

    /// <summary>Refuses names that nobody took.</summary>
    public static void CheckAllTaken(Keywords? keywords, string function)
    {
        if (keywords is not null && keywords._used < keywords.Names.Length)
            throw Errors.Type($"{function}() got an unexpected keyword argument '{keywords.Names[^1]}'");
    }
}

/// <summary>A function of this interpreter.</summary>
internal delegate Value Native(Interpreter it, Value[] args, Keywords? keywords);

internal sealed class NativeFunction(string name, Native call, int least = 0, int most = int.MaxValue) : PyObject
{
    public string Name { get; } = name;

    public override PyClass ClassOf => Types.Builtin;

    public Value Call(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length < least || args.Length > most)
            throw Errors.Type($"{Name}() takes {(least == most ? $"{least}" : args.Length < least ? $"at least {least}" : $"at most {most}")} argument{(least == 1 && most == 1 ? "" : "s")} ({args.Length} given)");
        return Guarded(Name, call, it, args, keywords);
    }

    /// <summary>Calls what is written in C#; what it cannot do with its arguments is an error of the program.</summary>
    public static Value Guarded(string name, Native call, Interpreter it, Value[] args, Keywords? keywords)
    {
        try
        {
            return call(it, args, keywords);
        }
        catch (Exception e) when (e is InvalidCastException or NullReferenceException or IndexOutOfRangeException or ArgumentException or FormatException or OverflowException or KeyNotFoundException)
        {
            throw Errors.Type($"{name}() does not take these arguments");
        }
    }
}
