using System.Numerics;
using System.Text;

namespace Gradus.Applications.Python;

/// <summary>The methods of the builtin classes but str.</summary>
internal static class TypeMethods
{
    public static void Fill()
    {
        Lists();
        Dicts();
        Sets();
        Numbers();
        Others();
        TextMethods.Fill();
    }

    /// <summary>Adds a method; the first argument is the object.</summary>
    public static void Add(PyClass to, string name, Native call, int least = 0, int most = int.MaxValue) =>
        to.Attributes[name] = Value.Of(new NativeFunction(name, call, least + 1, most == int.MaxValue ? most : most + 1));

    private static ListObject List(Value value) => Operations.Unwrapped(value).Ref as ListObject ?? throw Errors.Type($"descriptor requires a 'list' object but received '{value.Class.Name}'");

    private static DictObject Dict(Value value) => Operations.Unwrapped(value).Ref as DictObject ?? throw Errors.Type($"descriptor requires a 'dict' object but received '{value.Class.Name}'");

    private static SetObject Set(Value value) => Operations.Unwrapped(value).Ref as SetObject ?? throw Errors.Type($"descriptor requires a 'set' object but received '{value.Class.Name}'");

    private static Value None(Action action)
    {
        action();
        return Value.None;
    }

    private static void Lists()
    {
        PyClass t = Types.List;
        Add(t, "append", (_, a, _) => None(() => List(a[0]).Add(a[1])), 1, 1);
        Add(t, "extend", (it, a, _) => None(() => List(a[0]).AddRange(Operations.ToArray(it, a[1]))), 1, 1);
        Add(t, "insert", (_, a, _) => None(() =>
        {
            ListObject list = List(a[0]);
            long at = Operations.ToIndexClamped(a[1]);
            list.Insert((int)Math.Clamp(at < 0 ? at + list.Count : at, 0, list.Count), a[2]);
        }), 2, 2);
        Add(t, "pop", (_, a, _) => Pop(List(a[0]), a.Length > 1 ? Operations.ToIndex(a[1]) : -1), 0, 1);
        Add(t, "remove", (it, a, _) => None(() => List(a[0]).RemoveAt(Index(List(a[0]).Span, a[1], 0, int.MaxValue) is >= 0 and var at ? at : throw Errors.Value("list.remove(x): x not in list"))), 1, 1);
        Add(t, "clear", (_, a, _) => None(List(a[0]).Clear), 0, 0);
        Add(t, "copy", (_, a, _) => Value.Of(new ListObject(List(a[0]).ToArray())), 0, 0);
        Add(t, "reverse", (_, a, _) => None(() => List(a[0]).Span.Reverse()), 0, 0);
        Add(t, "sort", Sort, 0, 0);
        Add(t, "__init__", (it, a, _) => None(() =>
        {
            if (a.Length > 1 && a[0].Ref is InstanceObject instance)
                instance.Base = Value.Of(new ListObject([.. Operations.ToArray(it, a[1])]));
        }), 0, 1);
        foreach (PyClass c in new[] { Types.List, Types.Tuple })
        {
            Add(c, "index", (it, a, _) => Value.Of((long)(Index(Items(a[0]), a[1], a.Length > 2 ? Operations.ToIndexClamped(a[2]) : 0, a.Length > 3 ? Operations.ToIndexClamped(a[3]) : int.MaxValue)
                is >= 0 and var at ? at : throw Errors.Value($"{Operations.Repr(it, a[1])} is not in {c.Name}"))), 1, 3);
            Add(c, "count", (_, a, _) => Value.Of((long)Items(a[0]).ToArray().Count(v => v.Is(a[1]) || Operations.Equal(v, a[1]))), 1, 1);
        }
    }

    private static ReadOnlySpan<Value> Items(Value value) => Operations.Sequence(Operations.Unwrapped(value), out ReadOnlySpan<Value> items) ? items : throw Errors.Type("a list or tuple is required");

    private static int Index(ReadOnlySpan<Value> items, Value value, long from, long to)
    {
        int start = (int)Math.Clamp(from < 0 ? from + items.Length : from, 0, items.Length), stop = (int)Math.Clamp(to < 0 ? to + items.Length : to, 0, items.Length);
        for (int i = start; i < stop; i++)
        {
            if (items[i].Is(value) || Operations.Equal(items[i], value))
                return i;
        }
        return -1;
    }

    private static Value Pop(ListObject list, long at)
    {
        if (list.Count == 0)
            throw Errors.Index("pop from empty list");
        if (at < 0)
            at += list.Count;
        if ((ulong)at >= (ulong)list.Count)
            throw Errors.Index("pop index out of range");
        Value value = list.Items[at];
        list.RemoveAt((int)at);
        return value;
    }

    private static Value Sort(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value key = Keywords.Take(keywords, "key"), reverse = Keywords.Take(keywords, "reverse", Value.False);
        Keywords.CheckAllTaken(keywords, "sort");
        ListObject list = List(args[0]);
        Value[] sorted = Operations.Sort(it, list.ToArray(), key, Operations.Truth(it, reverse));
        (list.Items, list.Count) = (sorted, sorted.Length);
        return Value.None;
    }

    private static void Dicts()
    {
        PyClass t = Types.Dict;
        Add(t, "keys", (_, a, _) => Value.Of(new DictView(Dict(a[0]).Table, DictPart.Keys)), 0, 0);
        Add(t, "values", (_, a, _) => Value.Of(new DictView(Dict(a[0]).Table, DictPart.Values)), 0, 0);
        Add(t, "items", (_, a, _) => Value.Of(new DictView(Dict(a[0]).Table, DictPart.Items)), 0, 0);
        Add(t, "get", (_, a, _) => Dict(a[0]).Table.TryGet(a[1], out Value found) ? found : a.Length > 2 ? a[2] : Value.None, 1, 2);
        Add(t, "pop", (_, a, _) => Dict(a[0]).Table.Remove(a[1], out Value found) ? found : a.Length > 2 ? a[2] : throw Errors.Key(a[1]), 1, 2);
        Add(t, "popitem", (_, a, k) =>
        {
            Table table = Dict(a[0]).Table;
            bool last = !Keywords.Take(k, "last", Value.True).Is(Value.False) && !(a.Length > 1 && a[1].Is(Value.False));
            int place = 0;
            if (!(last ? table.Last(out Value key, out Value value) : table.Next(ref place, out key, out value)))
                throw Errors.Make("KeyError", "popitem(): dictionary is empty");
            table.Remove(key, out Value _);
            return Value.Of(new TupleObject([key, value]));
        }, 0, 1);
        Add(t, "setdefault", (_, a, _) =>
        {
            Table table = Dict(a[0]).Table;
            if (table.TryGet(a[1], out Value found))
                return found;
            Value value = a.Length > 2 ? a[2] : Value.None;
            table.Set(a[1], value);
            return value;
        }, 1, 2);
        Add(t, "update", (it, a, k) => None(() => Constructors.Dict(it, Dict(a[0]), a[1..], k)), 0, 1);
        Add(t, "clear", (_, a, _) => None(Dict(a[0]).Table.Clear), 0, 0);
        Add(t, "copy", (_, a, _) => Dict(a[0]) is var d ? Value.Of(new DictObject(d.Table.Copy()) { Of = d.Of, Factory = d.Factory }) : default, 0, 0);
        Add(t, "__init__", (it, a, k) => None(() =>
        {
            if (a[0].Ref is InstanceObject)
                Constructors.Dict(it, Dict(a[0]), a[1..], k);
        }), 0, 1);
        t.Attributes["fromkeys"] = Value.Of(new WrappedMethod(Value.Of(new NativeFunction("fromkeys", (it, a, _) =>
        {
            DictObject dict = new();
            foreach (Value key in Operations.ToArray(it, a[1]))
                dict.Table.Set(key, a.Length > 2 ? a[2] : Value.None);
            return Value.Of(dict);
        }, 2, 3)), ofClass: true));
        foreach (PyClass view in new[] { Types.DictKeys, Types.DictItems })
            Add(view, "isdisjoint", (it, a, _) => Value.Of(!Array.Exists(Operations.ToArray(it, a[1]), v => Operations.SetOf(a[0])!.Contains(v))), 1, 1);
    }

    private static void Sets()
    {
        foreach (PyClass t in new[] { Types.Set, Types.FrozenSet })
        {
            Add(t, "copy", (_, a, _) => Value.Of(new SetObject(Set(a[0]).Table.Copy(), Set(a[0]).Frozen)), 0, 0);
            Combine(t, "union", BinaryOperator.Or);
            Combine(t, "intersection", BinaryOperator.And);
            Combine(t, "difference", BinaryOperator.Subtract);
            Combine(t, "symmetric_difference", BinaryOperator.Xor);
            Add(t, "issubset", (it, a, _) => Operations.Compare(it, Comparison.LessEqual, Operations.Unwrapped(a[0]), AsSet(it, a[1])), 1, 1);
            Add(t, "issuperset", (it, a, _) => Operations.Compare(it, Comparison.GreaterEqual, Operations.Unwrapped(a[0]), AsSet(it, a[1])), 1, 1);
            Add(t, "isdisjoint", (it, a, _) => Value.Of(!Array.Exists(Operations.ToArray(it, a[1]), Set(a[0]).Table.Contains)), 1, 1);
        }
        PyClass s = Types.Set;
        Add(s, "add", (_, a, _) => None(() => Set(a[0]).Table.Add(a[1])), 1, 1);
        Add(s, "remove", (_, a, _) => None(() =>
        {
            if (!Set(a[0]).Table.Remove(a[1], out _))
                throw Errors.Key(a[1]);
        }), 1, 1);
        Add(s, "discard", (_, a, _) => None(() => Set(a[0]).Table.Remove(a[1], out _)), 1, 1);
        Add(s, "pop", (_, a, _) =>
        {
            int place = 0;
            if (!Set(a[0]).Table.Next(ref place, out Value key, out _))
                throw Errors.Make("KeyError", "pop from an empty set");
            Set(a[0]).Table.Remove(key, out _);
            return key;
        }, 0, 0);
        Add(s, "clear", (_, a, _) => None(Set(a[0]).Table.Clear), 0, 0);
        Update("update", BinaryOperator.Or);
        Update("intersection_update", BinaryOperator.And);
        Update("difference_update", BinaryOperator.Subtract);
        Update("symmetric_difference_update", BinaryOperator.Xor);

        static void Combine(PyClass t, string name, BinaryOperator op) => Add(t, name, (it, a, _) =>
        {
            Value result = Value.Of(new SetObject(Set(a[0]).Table.Copy(), Set(a[0]).Frozen));
            foreach (Value other in a[1..])
                result = Operations.Binary(it, op, result, AsSet(it, other));
            return result;
        });

        static void Update(string name, BinaryOperator op) => Add(Types.Set, name, (it, a, _) => None(() =>
        {
            foreach (Value other in a[1..])
                Operations.InPlace(it, op, Value.Of(Set(a[0])), AsSet(it, other));
        }));
    }

    private static Value AsSet(Interpreter it, Value value) => Operations.Unwrapped(value).Ref is SetObject ? Operations.Unwrapped(value) : Types.Set.Construct!(it, [value], null);

    private static void Numbers()
    {
        PyClass i = Types.Int, f = Types.Float;
        Add(i, "bit_length", (_, a, _) => Value.Of((long)BigInteger.Abs(Big(a[0])).GetBitLength()), 0, 0);
        Add(i, "bit_count", (_, a, _) => Value.Of(BigInteger.Abs(Big(a[0])).ToByteArray().Sum(b => (long)BitOperations.PopCount(b))), 0, 0);
        Add(i, "conjugate", (_, a, _) => a[0], 0, 0);
        Add(i, "is_integer", (_, _, _) => Value.True, 0, 0);
        Add(i, "as_integer_ratio", (_, a, _) => Value.Of(new TupleObject([a[0], Value.Of(1L)])), 0, 0);
        Add(i, "to_bytes", (_, a, k) =>
        {
            bool big = (a.Length > 2 ? a[2] : Keywords.Take(k, "byteorder", Value.Of("big"))).Text == "big";
            byte[] bytes = Big(a[0]).ToByteArray(isUnsigned: true, isBigEndian: big);
            int length = a.Length > 1 ? (int)Operations.ToIndex(a[1]) : 1;
            if (bytes.Length > length)
                throw Errors.Overflow("int too big to convert");
            byte[] padded = new byte[length];
            bytes.CopyTo(padded, big ? length - bytes.Length : 0);
            return Value.Of(new BytesObject(padded));
        }, 0, 2);
        i.Attributes["from_bytes"] = Value.Of(new WrappedMethod(Value.Of(new NativeFunction("from_bytes", (it, a, k) =>
            Value.Of(new BigInteger(((BytesObject)a[1].Ref!).Data, isUnsigned: true, isBigEndian: (a.Length > 2 ? a[2] : Keywords.Take(k, "byteorder", Value.Of("big"))).Text == "big")), 2, 3)), ofClass: true));
        Add(f, "is_integer", (_, a, _) => Value.Of(Math.Floor(Real(a[0])) == Real(a[0]) && double.IsFinite(Real(a[0]))), 0, 0);
        Add(f, "conjugate", (_, a, _) => a[0], 0, 0);
        Add(f, "hex", (_, a, _) => Value.Of(Hexadecimal(Real(a[0]))), 0, 0);
        Add(f, "as_integer_ratio", (_, a, _) => Ratio(Real(a[0])), 0, 0);
        foreach (PyClass c in new[] { i, f })
        {
            c.Attributes["real"] = Value.Of(new PropertyObject(Value.Of(new NativeFunction("real", (_, a, _) => a[0])), default, default));
            c.Attributes["imag"] = Value.Of(new PropertyObject(Value.Of(new NativeFunction("imag", (_, _, _) => Value.Of(0L))), default, default));
        }
        i.Attributes["numerator"] = i.Attributes["real"];
        i.Attributes["denominator"] = Value.Of(new PropertyObject(Value.Of(new NativeFunction("denominator", (_, _, _) => Value.Of(1L))), default, default));
    }

    private static BigInteger Big(Value value) => Operations.Unwrapped(value).Big;

    private static double Real(Value value) => Operations.Unwrapped(value).ToDouble();

    private static string Hexadecimal(double d)
    {
        if (!double.IsFinite(d))
            return Representation.OfFloat(d);
        long bits = BitConverter.DoubleToInt64Bits(d), mantissa = bits & 0xFFFFFFFFFFFFF;
        int exponent = (int)((bits >> 52) & 0x7FF);
        string sign = bits < 0 ? "-" : "";
        return d == 0 ? $"{sign}0x0.0p+0" : $"{sign}0x{(exponent == 0 ? 0 : 1)}.{mantissa:x13}p{(exponent == 0 ? -1022 : exponent - 1023):+0;-0;+0}";
    }

    /// <summary>A float as a fraction of whole numbers.</summary>
    public static Value Ratio(double d)
    {
        if (!double.IsFinite(d))
            throw Errors.Overflow("cannot convert Infinity or NaN to integer ratio");
        long bits = BitConverter.DoubleToInt64Bits(d);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger mantissa = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0)
            exponent++;
        else
            mantissa |= 1L << 52;
        exponent -= 1075;
        BigInteger numerator = exponent > 0 ? mantissa << exponent : mantissa, denominator = exponent < 0 ? BigInteger.One << -exponent : 1;
        BigInteger divisor = BigInteger.GreatestCommonDivisor(numerator, denominator);
        return Value.Of(new TupleObject([Value.Of((d < 0 ? -1 : 1) * numerator / divisor), Value.Of(denominator / divisor)]));
    }

    private static void Others()
    {
        Add(Types.Generator, "send", (_, a, _) => Generator(a[0]).Send(a[1], out Value value) ? value : throw Errors.StopIteration(Generator(a[0]).Result), 1, 1);
        Add(Types.Generator, "throw", (it, a, _) => Generator(a[0]).Throw(Operations.ToError(it, a[1]), out Value value) ? value : throw Errors.StopIteration(Generator(a[0]).Result), 1, 3);
        Add(Types.Generator, "close", (_, a, _) => None(() => (a[0].Ref as GeneratorObject)?.Close()), 0, 0);
        foreach (PyClass c in new[] { Types.Generator, Types.Iterator })
        {
            Add(c, "__iter__", (_, a, _) => a[0], 0, 0);
            Add(c, "__next__", (_, a, _) => ((IIterator)a[0].Ref!).Next(out Value value) ? value : throw Errors.StopIteration(a[0].Ref is GeneratorObject g ? g.Result : default), 0, 0);
        }
        Add(Types.Property, "getter", (_, a, _) => Changed(a, 0), 1, 1);
        Add(Types.Property, "setter", (_, a, _) => Changed(a, 1), 1, 1);
        Add(Types.Property, "deleter", (_, a, _) => Changed(a, 2), 1, 1);
        foreach (PyClass c in new[] { Types.List, Types.Tuple, Types.Str, Types.Dict, Types.Set, Types.FrozenSet, Types.Range, Types.Bytes })
        {
            Add(c, "__len__", (it, a, _) => Value.Of(Operations.Length(it, Operations.Unwrapped(a[0]))), 0, 0);
            Add(c, "__iter__", (it, a, _) => Builtins.Lazy(Builtins.Each(it, Operations.Unwrapped(a[0]))), 0, 0);
            Add(c, "__contains__", (it, a, _) => Value.Of(Operations.Contains(it, Operations.Unwrapped(a[0]), a[1])), 1, 1);
            if (c != Types.Set && c != Types.FrozenSet)
                Add(c, "__getitem__", (it, a, _) => Operations.GetItem(it, Operations.Unwrapped(a[0]), a[1]), 1, 1);
        }
        foreach (PyClass c in new[] { Types.List, Types.Dict })
        {
            Add(c, "__setitem__", (it, a, _) => None(() => Operations.SetItem(it, Operations.Unwrapped(a[0]), a[1], a[2])), 2, 2);
            Add(c, "__delitem__", (it, a, _) => None(() => Operations.DeleteItem(it, Operations.Unwrapped(a[0]), a[1])), 1, 1);
        }
        foreach ((string name, BinaryOperator op) in new[] { ("__add__", BinaryOperator.Add), ("__sub__", BinaryOperator.Subtract), ("__mul__", BinaryOperator.Multiply), ("__mod__", BinaryOperator.Modulo), ("__truediv__", BinaryOperator.Divide), ("__floordiv__", BinaryOperator.FloorDivide), ("__pow__", BinaryOperator.Power) })
        {
            foreach (PyClass c in new[] { Types.Int, Types.Float })
                Add(c, name, (it, a, _) => Operations.Binary(it, op, Operations.Unwrapped(a[0]), Operations.Unwrapped(a[1])), 1, 1);
        }
        foreach (PyClass c in new[] { Types.List, Types.Tuple, Types.Str })
        {
            Add(c, "__add__", (it, a, _) => Operations.Binary(it, BinaryOperator.Add, Operations.Unwrapped(a[0]), Operations.Unwrapped(a[1])), 1, 1);
            Add(c, "__mul__", (it, a, _) => Operations.Binary(it, BinaryOperator.Multiply, Operations.Unwrapped(a[0]), a[1]), 1, 1);
        }
        Add(Types.Bytes, "decode", (_, a, _) => Value.Of(Decode(((BytesObject)a[0].Ref!).Data, a.Length > 1 ? a[1].Text ?? "utf-8" : "utf-8")), 0, 2);
        Add(Types.Bytes, "hex", (_, a, _) => Value.Of(Convert.ToHexStringLower(((BytesObject)a[0].Ref!).Data)), 0, 0);
        Add(Types.Range, "index", (_, a, _) => a[0].Ref is RangeObject r && a[1].HasBits && r.Contains(a[1].Bits) ? Value.Of((a[1].Bits - r.Start) / r.Step) : throw Errors.Value("value is not in range"), 1, 1);
        Add(Types.Range, "count", (_, a, _) => Value.Of(a[0].Ref is RangeObject r && a[1].HasBits && r.Contains(a[1].Bits) ? 1L : 0L), 1, 1);
        foreach (string name in new[] { "start", "stop", "step" })
        {
            Types.Range.Attributes[name] = Value.Of(new PropertyObject(Value.Of(new NativeFunction(name, (_, a, _) => a[0].Ref is RangeObject r ? Value.Of(name == "start" ? r.Start : name == "stop" ? r.Stop : r.Step) : default)), default, default));
            Types.Slice.Attributes[name] = Value.Of(new PropertyObject(Value.Of(new NativeFunction(name, (_, a, _) => a[0].Ref is SliceObject s ? name == "start" ? s.Start : name == "stop" ? s.Stop : s.Step : default)), default, default));
        }
    }

    private static GeneratorObject Generator(Value value) => value.Ref as GeneratorObject ?? throw Errors.Type("a generator expression takes nothing");

    private static Value Changed(Value[] args, int part)
    {
        PropertyObject p = (PropertyObject)args[0].Ref!;
        return Value.Of(new PropertyObject(part == 0 ? args[1] : p.Getter, part == 1 ? args[1] : p.Setter, part == 2 ? args[1] : p.Deleter));
    }

    public static byte[] Encode(string text, string encoding) => encoding.ToLowerInvariant().Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal) switch
    {
        "utf8" => Encoding.UTF8.GetBytes(text),
        "ascii" => Array.TrueForAll(text.ToCharArray(), char.IsAscii) ? Encoding.ASCII.GetBytes(text) : throw Errors.Make("UnicodeError", "'ascii' codec can't encode characters: ordinal not in range(128)"),
        "latin1" or "iso88591" => Encoding.Latin1.GetBytes(text),
        "utf16" => [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(text)],
        _ => throw Errors.Make("LookupError", $"unknown encoding: {encoding}"),
    };

    public static string Decode(byte[] data, string encoding)
    {
        try
        {
            return encoding.ToLowerInvariant().Replace("-", "", StringComparison.Ordinal) switch
            {
                "utf8" => new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(data),
                "latin1" or "iso88591" => Encoding.Latin1.GetString(data),
                "ascii" => Array.TrueForAll(data, b => b < 128) ? Encoding.ASCII.GetString(data) : throw Errors.Make("UnicodeError", "'ascii' codec can't decode: ordinal not in range(128)"),
                _ => throw Errors.Make("LookupError", $"unknown encoding: {encoding}"),
            };
        }
        catch (DecoderFallbackException)
        {
            throw Errors.Make("UnicodeError", "'utf-8' codec can't decode: invalid byte");
        }
    }
}
