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
