using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Applications.Python;

/// <summary>What the calls of builtin classes make.</summary>
internal static class Constructors
{
    public static void Fill()
    {
        Types.Object.Construct = (_, _, _) => Value.Of(new InstanceObject(Types.Object));
        Types.Object.Attributes["__init__"] = Value.Of(new NativeFunction("__init__", (_, _, _) => Value.None));
        Types.Object.Attributes["__new__"] = Value.Of(new WrappedMethod(Value.Of(new NativeFunction("__new__", (it, a, _) => Classes.New(it, (PyClass)a[0].Ref!, a[1..]), 1)), ofClass: false));
        Types.Object.Attributes["__setattr__"] = Value.Of(new NativeFunction("__setattr__", (it, a, _) =>
        {
            ((InstanceObject)a[0].Ref!).Attributes[a[1].Text!] = a[2];
            return Value.None;
        }, 3, 3));
        Types.Type.Construct = MakeType;
        Types.Int.Construct = Int;
        Types.Bool.Construct = (it, a, _) => Value.Of(a.Length > 0 && Operations.Truth(it, a[0]));
        Types.Float.Construct = (it, a, _) => a.Length == 0 ? Value.Of(0.0) : Float(it, a[0]);
        Types.Str.Construct = (it, a, _) => Value.Of(a.Length == 0 ? "" : a.Length > 1 && a[0].Ref is BytesObject b ? TypeMethods.Decode(b.Data, a[1].Text ?? "utf-8") : Operations.Str(it, a[0]));
        Types.Bytes.Construct = Bytes;
        Types.List.Construct = (it, a, _) => Value.Of(a.Length == 0 ? new ListObject() : new ListObject([.. Operations.ToArray(it, a[0])]));
        Types.Tuple.Construct = (it, a, _) => Value.Of(a.Length == 0 ? TupleObject.Empty : a[0].Ref as TupleObject is { Named: null } same ? same : new TupleObject([.. Operations.ToArray(it, a[0])]));
        Types.Range.Construct = Range;
        Types.Slice.Construct = (_, a, _) => Value.Of(a.Length == 1 ? new SliceObject(Value.None, a[0], Value.None) : new SliceObject(a[0], a[1], a.Length > 2 ? a[2] : Value.None));
        Types.Dict.Construct = (it, a, k) => Value.Of(Dict(it, new DictObject(), a, k));
        Types.Set.Construct = (it, a, _) => Value.Of(new SetObject(TableOf(it, a)));
        Types.FrozenSet.Construct = (it, a, _) => Value.Of(new SetObject(TableOf(it, a), frozen: true));
        Types.Property.Construct = (_, a, k) => Value.Of(new PropertyObject(At(a, 0, k, "fget"), At(a, 1, k, "fset"), At(a, 2, k, "fdel")));
        Types.StaticMethod.Construct = (_, a, _) => Value.Of(new WrappedMethod(a[0], ofClass: false));
        Types.ClassMethod.Construct = (_, a, _) => Value.Of(new WrappedMethod(a[0], ofClass: true));
        Types.Super.Construct = Super;
        Types.BaseException.Attributes["__init__"] = Value.Of(new NativeFunction("__init__", (_, a, _) =>
        {
            ((InstanceObject)a[0].Ref!).Attributes["args"] = Value.Of(new TupleObject(a[1..]));
            return Value.None;
        }, 1));
        Types.BaseException.Attributes["with_traceback"] = Value.Of(new NativeFunction("with_traceback", (_, a, _) => a[0], 2, 2));
    }

    private static Value At(Value[] args, int at, Keywords? keywords, string name) => at < args.Length ? (args[at].IsNone ? default : args[at]) : Keywords.Take(keywords, name);

    private static Value MakeType(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 1)
            return Value.Of(args[0].Class);
        if (args.Length != 3)
            throw Errors.Type("type() takes 1 or 3 arguments");
        Dictionary<string, Value> body = new(StringComparer.Ordinal);
        Table table = Operations.TableOf(args[2]) ?? throw Errors.Type("type() argument 3 must be dict");
        int place = 0;
        while (table.Next(ref place, out Value key, out Value value))
            body[key.Text!] = value;
        return Classes.Make(it, args[0].Text!, Operations.ToArray(it, args[1]), body);
    }

    private static Value Int(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 0)
            return Value.Of(0L);
        Value value = args[0], radix = args.Length > 1 ? args[1] : Keywords.Take(keywords, "base");
        if (value.Text is { } text)
            return Value.Of(ParseInt(text, radix.IsUnbound ? 10 : (int)Operations.ToIndex(radix)));
        if (!radix.IsUnbound)
            throw Errors.Type("int() can't convert non-string with explicit base");
        if (value.IsInteger)
            return Value.Of(value.Big);
        if (value.IsFloat)
        {
            double d = value.Float;
            if (double.IsNaN(d))
                throw Errors.Value("cannot convert float NaN to integer");
            return double.IsInfinity(d) ? throw Errors.Overflow("cannot convert float infinity to integer") : Value.Of(new BigInteger(Math.Truncate(d)));
        }
        foreach (string name in new[] { "__int__", "__index__", "__trunc__" })
        {
            Value method = value.Class.Find(name);
            if (!method.IsUnbound)
                return it.Call(method, value);
        }
        if (value.Ref is BytesObject bytes)
            return Value.Of(ParseInt(Encoding.Latin1.GetString(bytes.Data), 10));
        return Operations.Unwrapped(value) is var inner && !inner.Is(value) ? Int(it, [inner], null) : throw Errors.Type($"int() argument must be a string, a bytes-like object or a real number, not '{value.Class.Name}'");
    }

    private static BigInteger ParseInt(string text, int radix)
    {
        string digits = text.Trim();
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
            digits = digits[1..];
        string lower = digits.ToLowerInvariant();
        int marked = lower.StartsWith("0x", StringComparison.Ordinal) ? 16 : lower.StartsWith("0o", StringComparison.Ordinal) ? 8 : lower.StartsWith("0b", StringComparison.Ordinal) ? 2 : 0;
        if (marked > 0 && (radix == marked || radix == 0))
        {
            lower = lower[2..].TrimStart('_');
            radix = marked;
        }
        if (radix == 0)
            radix = 10;
        if (radix is < 2 or > 36)
            throw Errors.Value("int() base must be >= 2 and <= 36, or 0");
        bool wrong = lower.Length == 0 || lower[0] == '_' || lower[^1] == '_' || lower.Contains("__", StringComparison.Ordinal);
        BigInteger value = 0;
        if (!wrong && radix == 10 && lower.All(c => char.IsAsciiDigit(c) || c == '_'))
        {
            if (lower.Length > 60_000)
                throw Errors.Value("Exceeds the limit for integer string conversion");
            value = BigInteger.Parse(lower.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        }
        else if (!wrong)
        {
            foreach (char c in lower)
            {
                int digit = c == '_' ? -2 : char.IsDigit(c) ? (int)char.GetNumericValue(c) : c is >= 'a' and <= 'z' ? c - 'a' + 10 : -1;
                if (digit == -1 || digit >= radix)
                {
                    wrong = true;
                    break;
                }
                if (digit >= 0)
                    value = (value * radix) + digit;
            }
        }
        if (wrong)
            throw Errors.Value($"invalid literal for int() with base {radix}: {Operations.Repr(Interpreter.Current, Value.Of(text))}");
        return negative ? -value : value;
    }

    public static Value Float(Interpreter it, Value value)
    {
        if (value.IsNumber)
            return Value.Of(value.ToDouble());
        if (value.Text is { } text)
        {
            string t = text.Trim().Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();
            if (double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) && t is not ("infinity" or "nan" or "+nan" or "-nan"))
                return Value.Of(d);
            return t.TrimStart('+', '-') switch
            {
                "inf" or "infinity" => Value.Of(t[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity),
                "nan" => Value.Of(double.NaN),
                _ => throw Errors.Value($"could not convert string to float: {Operations.Repr(it, value)}"),
            };
        }
        foreach (string name in new[] { "__float__", "__index__" })
        {
            Value method = value.Class.Find(name);
            if (!method.IsUnbound)
                return Float(it, it.Call(method, value));
        }
        return Operations.Unwrapped(value) is var inner && !inner.Is(value) ? Float(it, inner) : throw Errors.Type($"float() argument must be a string or a real number, not '{value.Class.Name}'");
    }

    private static Value Bytes(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 0)
            return Value.Of(new BytesObject([]));
        if (args[0].Text is { } text)
            return Value.Of(new BytesObject(TypeMethods.Encode(text, args.Length > 1 ? args[1].Text ?? "utf-8" : "utf-8")));
        if (args[0].HasBits)
        {
            Memory.Check(args[0].Bits);
            return Value.Of(new BytesObject(new byte[args[0].Bits]));
        }
        return Value.Of(new BytesObject([.. Operations.ToArray(it, args[0]).Select(v => Operations.ToIndex(v) is >= 0 and < 256 and var b ? (byte)b : throw Errors.Value("bytes must be in range(0, 256)"))]));
    }

    private static Value Range(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length is < 1 or > 3)
            throw Errors.Type($"range expected 1 to 3 arguments, got {args.Length}");
        long[] n = [.. args.Select(Whole)];
        if (n.Length == 3 && n[2] == 0)
            throw Errors.Value("range() arg 3 must not be zero");
        return Value.Of(n.Length == 1 ? new RangeObject(0, n[0], 1) : new RangeObject(n[0], n[1], n.Length > 2 ? n[2] : 1));
    }

    // Ranges end where 64 bits do.
    private static long Whole(Value value)
    {
        if (value.IsFloat)
            throw Errors.Type("'float' object cannot be interpreted as an integer");
        return value.Ref is BigObject big ? (big.Value.Sign < 0 ? long.MinValue / 4 : long.MaxValue / 4) : Operations.ToIndex(value);
    }

    /// <summary>Fills a dict from what dict() takes.</summary>
    public static DictObject Dict(Interpreter it, DictObject dict, Value[] args, Keywords? keywords)
    {
        if (args.Length > 0)
            Operations.UpdateDict(it, dict.Table, args[0]);
        for (int i = 0; i < (keywords?.Names.Length ?? 0); i++)
            dict.Table.Set(Value.Of(keywords!.Names[i]), keywords.Values[i]);
        return dict;
    }

    private static Table TableOf(Interpreter it, Value[] args)
    {
        Table table = new();
        if (args.Length > 0)
        {
            foreach (Value value in Operations.ToArray(it, args[0]))
                table.Add(value);
        }
        return table;
    }

    private static Value Super(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 2)
            return Value.Of(new SuperObject((PyClass)args[0].Ref!, args[1]));
        for (Frame? f = it.Top; f is not null; f = f.Back)
        {
            if (f.Function?.Owner is { } owner && f.Slots.Length > 0)
                return Value.Of(new SuperObject(owner, f.Slots[0].Ref is Cell cell ? cell.Value : f.Slots[0]));
        }
        throw Errors.Make("RuntimeError", "super(): no arguments");
    }
}
