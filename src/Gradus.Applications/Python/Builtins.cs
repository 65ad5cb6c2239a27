using System.Numerics;

namespace Gradus.Applications.Python;

/// <summary>The builtin functions and classes.</summary>
internal static partial class Builtins
{
    private static readonly HashSet<string> Iterables = ["list", "tuple", "str", "dict", "set", "frozenset", "range", "bytes", "generator", "iterator", "dict_keys", "dict_values", "dict_items"];

    static Builtins()
    {
        TypeMethods.Fill();
        Constructors.Fill();
    }

    /// <summary>Whether a builtin class has what a special method stands for.</summary>
    public static bool HasProtocol(PyClass c, string method) => method switch
    {
        "__iter__" => Iterables.Contains(c.Name),
        "__next__" => c.Name is "generator" or "iterator",
        "__len__" or "__contains__" => Iterables.Contains(c.Name) && c.Name is not ("generator" or "iterator"),
        "__getitem__" => c.Name is "list" or "tuple" or "str" or "dict" or "range" or "bytes",
        "keys" => c.Name == "dict",
        "__hash__" => c.Name is not ("list" or "dict" or "set"),
        "__call__" => c.Name is "function" or "builtin_function_or_method" or "method" or "type",
        "__index__" => c.Name is "int" or "bool",
        "__float__" => c.Name is "int" or "bool" or "float",
        "append" => c.Name == "list",
        "add" => c.Name == "set",
        _ => false,
    };

    public static void Add(Interpreter it)
    {
        foreach (PyClass c in new[]
        {
            Types.Object, Types.Type, Types.Int, Types.Bool, Types.Float, Types.Str, Types.Bytes, Types.List, Types.Tuple, Types.Range, Types.Slice, Types.Dict, Types.Set, Types.FrozenSet, Types.Property, Types.StaticMethod, Types.ClassMethod, Types.Super,
        })
            it.Builtins[c.Name] = Value.Of(c);
        foreach ((string name, PyClass c) in Types.Exceptions)
            it.Builtins[name] = Value.Of(c);
        it.Builtins["IOError"] = Value.Of(Types.Exceptions["OSError"]);
        it.Builtins["NotImplemented"] = Value.NotImplemented;
        it.Builtins["Ellipsis"] = Value.Ellipsis;
        it.Builtins["__name__"] = Value.Of("__main__");
        it.Builtins["__debug__"] = Value.True;
        foreach (NativeFunction function in Functions())
            it.Builtins[function.Name] = Value.Of(function);
        foreach (string forbidden in new[] { "open", "input", "compile", "__import__", "breakpoint" })
            it.Builtins[forbidden] = Value.Of(new NativeFunction(forbidden, (_, _, _) => throw Errors.Make("PermissionError", $"{forbidden}() is not available to this program")));
    }

    private static IEnumerable<NativeFunction> Functions() =>
    [
        new("print", Print),
        new("len", (it, a, _) => Value.Of(Operations.Length(it, a[0])), 1, 1),
        new("abs", (it, a, _) => Absolute(it, a[0]), 1, 1),
        new("repr", (it, a, _) => Value.Of(Operations.Repr(it, a[0])), 1, 1),
        new("ascii", (it, a, _) => Value.Of(Ascii(Operations.Repr(it, a[0]))), 1, 1),
        new("hash", (it, a, _) => Value.Of((long)Operations.Hash(a[0])), 1, 1),
        new("id", (it, a, _) => Value.Of(a[0].IsSmall ? a[0].Bits * 32 + 9_000_000 : (long)System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(a[0].Ref) * 16), 1, 1),
        new("callable", (it, a, _) => Value.Of(a[0].Ref is FunctionObject or NativeFunction or BoundMethod or PyClass || !a[0].Class.Find("__call__").IsUnbound), 1, 1),
        new("isinstance", (it, a, _) => Value.Of(Classes.IsInstance(it, a[0], a[1])), 2, 2),
        new("issubclass", (it, a, _) => Value.Of(Classes.IsSubclass(it, a[0].Ref as PyClass ?? throw Errors.Type("issubclass() arg 1 must be a class"), a[1])), 2, 2),
        new("iter", Iter, 1, 2),
        new("next", Next, 1, 2),
        new("enumerate", Enumerate, 1, 2),
        new("zip", Zip),
        new("map", Map, 2),
        new("filter", Filter, 2, 2),
        new("reversed", (it, a, _) => Reversed(it, a[0]), 1, 1),
        new("sorted", Sorted, 1, 1),
        new("sum", Sum, 1, 2),
        new("min", (it, a, k) => Extreme(it, a, k, "min", smallest: true), 1),
        new("max", (it, a, k) => Extreme(it, a, k, "max", smallest: false), 1),
        new("any", (it, a, _) => Value.Of(Some(it, a[0], truth: true)), 1, 1),
        new("all", (it, a, _) => Value.Of(!Some(it, a[0], truth: false)), 1, 1),
        new("round", Round, 1, 2),
        new("pow", Power, 2, 3),
        new("divmod", (it, a, _) => Value.Of(new TupleObject([Operations.Binary(it, BinaryOperator.FloorDivide, a[0], a[1]), Operations.Binary(it, BinaryOperator.Modulo, a[0], a[1])])), 2, 2),
        new("chr", (it, a, _) => Value.Of(Operations.ToIndex(a[0]) is >= 0 and <= 0x10FFFF and var code ? StrObject.OfCode((int)code) : throw Errors.Value("chr() arg not in range(0x110000)")), 1, 1),
        new("ord", (it, a, _) => Ord(a[0]), 1, 1),
        new("bin", (it, a, _) => Prefixed(a[0], 2, "0b"), 1, 1),
        new("oct", (it, a, _) => Prefixed(a[0], 8, "0o"), 1, 1),
        new("hex", (it, a, _) => Prefixed(a[0], 16, "0x"), 1, 1),
        new("format", (it, a, _) => Value.Of(Formatting.Format(it, a[0], a.Length > 1 ? a[1].Text ?? "" : "")), 1, 2),
        new("getattr", GetAttribute, 2, 3),
        new("setattr", (it, a, _) => Done(() => Attributes.Set(it, a[0], Name(a[1]), a[2])), 3, 3),
        new("delattr", (it, a, _) => Done(() => Attributes.Delete(it, a[0], Name(a[1]))), 2, 2),
        new("hasattr", HasAttribute, 2, 2),
        new("vars", (it, a, _) => a.Length == 0 ? Locals(it) : Attributes.Get(it, a[0], "__dict__"), 0, 1),
        new("dir", (it, a, _) => Directory(it, a), 0, 1),
        new("globals", (it, _, _) => Globals(it), 0, 0),
        new("locals", (it, _, _) => Locals(it), 0, 0),
        new("eval", (it, a, _) => it.EvaluateText(a[0].Text ?? throw Errors.Type("eval() arg 1 must be a string"), it.Top?.Module ?? it.Main!), 1, 3),
        new("exec", (it, a, _) => Done(() => it.RunText(a[0].Text ?? throw Errors.Type("exec() arg 1 must be a string"), it.Top?.Module ?? it.Main!)), 1, 3),
    ];

    private static Value Done(Action action)
    {
        action();
        return Value.None;
    }

    private static string Name(Value value) => value.Text ?? throw Errors.Type("attribute name must be string");

    private static Value Print(Interpreter it, Value[] args, Keywords? keywords)
    {
        string separator = Keywords.Take(keywords, "sep", Value.None).Text ?? " ", end = Keywords.Take(keywords, "end", Value.None).Text ?? "\n";
        Keywords.Take(keywords, "flush");
        Keywords.Take(keywords, "file");
        Keywords.CheckAllTaken(keywords, "print");
        it.Print(string.Join(separator, args.Select(a => Operations.Str(it, a))) + end);
        return Value.None;
    }

    private static Value Absolute(Interpreter it, Value value)
    {
        if (value.IsNumber)
            return value.IsFloat ? Value.Of(Math.Abs(value.Float)) : Value.Of(BigInteger.Abs(value.Big));
        Value method = value.Class.Find("__abs__");
        return !method.IsUnbound ? it.Call(method, value) : Operations.Unwrapped(value) is var inner && !inner.Is(value) ? Absolute(it, inner) : throw Errors.Type($"bad operand type for abs(): '{value.Class.Name}'");
    }

    private static string Ascii(string text) => string.Concat(text.EnumerateRunes().Select(r => r.Value < 128 ? r.ToString() : r.Value < 256 ? $"\\x{r.Value:x2}" : r.Value < 65536 ? $"\\u{r.Value:x4}" : $"\\U{r.Value:x8}"));

    private static Value Round(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value digits = args.Length > 1 ? args[1] : Keywords.Take(keywords, "ndigits", Value.None);
        Value value = args[0];
        if (value.IsInteger)
        {
            if (digits.IsNone || Operations.ToIndex(digits) >= 0)
                return Value.Of(value.Big);
            BigInteger unit = BigInteger.Pow(10, (int)Math.Min(10_000, -Operations.ToIndex(digits)));
            (BigInteger quotient, BigInteger rest) = Operations.FloorDivide(value.Big, unit);
            int order = (rest * 2).CompareTo(unit);
            return Value.Of((order > 0 || (order == 0 && !quotient.IsEven) ? quotient + 1 : quotient) * unit);
        }
        if (!value.IsFloat)
        {
            Value method = value.Class.Find("__round__");
            return method.IsUnbound ? throw Errors.Type($"type {value.Class.Name} doesn't define __round__ method") : digits.IsNone ? it.Call(method, value) : it.Call(method, value, digits);
        }
        double d = value.Float;
        if (digits.IsNone)
        {
            if (!double.IsFinite(d))
                throw double.IsNaN(d) ? Errors.Value("cannot convert float NaN to integer") : Errors.Overflow("cannot convert float infinity to integer");
            return Value.Of(new BigInteger(Math.Round(d, MidpointRounding.ToEven)));
        }
        long n = Operations.ToIndex(digits);
        if (!double.IsFinite(d) || n > 320)
            return value;
        if (n >= 0)
            return Value.Of(double.Parse(d.ToString("F" + n, System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture));
        double scale = Math.Pow(10, -n);
        return Value.Of(Math.Round(d / scale, MidpointRounding.ToEven) * scale);
    }

    private static Value Power(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value modulus = args.Length > 2 ? args[2] : Keywords.Take(keywords, "mod", Value.None);
        if (modulus.IsNone)
            return Operations.Binary(it, BinaryOperator.Power, args[0], args[1]);
        BigInteger m = modulus.Big, x = args[0].Big, e = args[1].Big;
        if (m.IsZero)
            throw Errors.Value("pow() 3rd argument cannot be 0");
        if (e.Sign < 0)
        {
            x = Inverse(Operations.FloorDivide(x, m).Remainder, BigInteger.Abs(m)) ?? throw Errors.Value("base is not invertible for the given modulus");
            e = -e;
        }
        return Value.Of(Operations.FloorDivide(BigInteger.ModPow(x, e, m), m).Remainder);
    }

    private static BigInteger? Inverse(BigInteger a, BigInteger m)
    {
        (BigInteger r0, BigInteger r1, BigInteger s0, BigInteger s1) = (a, m, 1, 0);
        while (!r1.IsZero)
        {
            BigInteger q = r0 / r1;
            (r0, r1, s0, s1) = (r1, r0 - (q * r1), s1, s0 - (q * s1));
        }
        return r0.IsOne ? s0 : null;
    }

    private static Value Ord(Value value)
    {
        if (value.Ref is StrObject { Length: 1 } text)
            return Value.Of((long)(text.Codes?[0] ?? text.Text[0]));
        if (value.Ref is BytesObject { Data.Length: 1 } bytes)
            return Value.Of((long)bytes.Data[0]);
        throw Errors.Type(value.Ref is StrObject other ? $"ord() expected a character, but string of length {other.Length} found" : $"ord() expected string of length 1, but {value.Class.Name} found");
    }

    private static Value Prefixed(Value value, int radix, string prefix)
    {
        BigInteger number = value.IsInteger ? value.Big : Operations.ToIndex(value);
        return Value.Of((number.Sign < 0 ? "-" : "") + prefix + Formatting.InBase(BigInteger.Abs(number), radix));
    }

    private static Value GetAttribute(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 2)
            return Attributes.Get(it, args[0], Name(args[1]));
        Frame? top = it.Top;
        try
        {
            return Attributes.Get(it, args[0], Name(args[1]));
        }
        catch (PyError e) when (e.Error.Of.Is(Types.Exceptions["AttributeError"]))
        {
            it.Leave(top);
            return args[2];
        }
    }

    private static Value HasAttribute(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value missing = Value.Of(new Cell());
        return Value.Of(!GetAttribute(it, [args[0], args[1], missing], null).Is(missing));
    }

    private static Value Directory(Interpreter it, Value[] args)
    {
        IEnumerable<string> names = args.Length == 0 ? it.Main!.Cells.Where(c => !c.Value.IsUnbound).Select(c => c.Name) : args[0].Ref switch
        {
            ModuleObject module => module.Cells.Where(c => !c.Value.IsUnbound).Select(c => c.Name),
            PyClass c => c.Mro.SelectMany(m => m.Attributes.Keys),
            InstanceObject instance => instance.Attributes.Keys.Concat(instance.Of.Mro.SelectMany(m => m.Attributes.Keys)),
            _ => args[0].Class.Mro.SelectMany(m => m.Attributes.Keys),
        };
        return Value.Of(new ListObject([.. names.Distinct().Order(StringComparer.Ordinal).Select(Value.Of)]));
    }

    private static Value Globals(Interpreter it)
    {
        DictObject dict = new();
        foreach (GlobalCell cell in (it.Top?.Module ?? it.Main!).Cells.Where(c => !c.Value.IsUnbound))
            dict.Table.Set(Value.Of(cell.Name), cell.Value);
        return Value.Of(dict);
    }

    private static Value Locals(Interpreter it)
    {
        if (it.Top is not { Function: { } function } frame)
            return it.Top?.ClassNames is { } names ? Classes.DictOf(names) : Globals(it);
        DictObject dict = new();
        for (int i = 0; i < function.Code.Parameters.Length; i++)
        {
            Value value = frame.Slots[i].Ref is Cell cell ? cell.Value : frame.Slots[i];
            if (!value.IsUnbound)
                dict.Table.Set(Value.Of(function.Code.Parameters[i]), value);
        }
        return Value.Of(dict);
    }
}
