using System.Numerics;
using System.Text;

namespace Gradus.Applications.Python;

/// <summary>What can be done with any value: truth, equality, hash, order, text. Arithmetic and containers are in the other parts.</summary>
internal static partial class Operations
{
    public static bool Truth(Interpreter it, Value value)
    {
        if (ReferenceEquals(value.Ref, BoolObject.True))
            return true;
        if (ReferenceEquals(value.Ref, BoolObject.False) || value.IsNone)
            return false;
        if (value.IsSmall)
            return value.Bits != 0;
        if (value.IsFloat)
            return value.Float != 0;
        switch (value.Ref)
        {
            case StrObject s: return s.Text.Length > 0;
            case ListObject l: return l.Count > 0;
            case TupleObject t: return t.Items.Length > 0;
            case DictObject d: return d.Table.Count > 0;
            case SetObject s: return s.Table.Count > 0;
            case RangeObject r: return r.Length > 0;
            case BytesObject b: return b.Data.Length > 0;
            case DictView v: return v.Table.Count > 0;
            case BigObject: return true;
        }
        Value method = value.Class.Find("__bool__");
        if (!method.IsUnbound)
            return Truth(it, it.Call(method, value));
        method = value.Class.Find("__len__");
        if (!method.IsUnbound)
            return ToIndex(it.Call(method, value)) != 0;
        return value.Ref is not InstanceObject { Base: { IsUnbound: false } inner } || Truth(it, inner);
    }

    /// <summary>Equality as keys of dicts know it; objects with an __eq__ of their own are asked.</summary>
    public static bool Equal(Value a, Value b)
    {
        if (a.IsSmall && b.IsSmall)
            return a.Bits == b.Bits;
        if (a.Ref is StrObject s && b.Ref is StrObject t)
            return s.Text == t.Text;
        if (a.IsNumber && b.IsNumber)
            return NumbersEqual(a, b);
        switch (a.Ref)
        {
            case TupleObject x when b.Ref is TupleObject y: return ItemsEqual(x.Items, y.Items);
            case ListObject x when b.Ref is ListObject y: return ItemsEqual(x.Span, y.Span);
            case DictObject x when b.Ref is DictObject y: return DictsEqual(x, y);
            case SetObject x when b.Ref is SetObject y: return x.Table.Count == y.Table.Count && Array.TrueForAll(x.Table.Keys(), y.Table.Contains);
            case BytesObject x when b.Ref is BytesObject y: return x.Data.AsSpan().SequenceEqual(y.Data);
            case RangeObject x when b.Ref is RangeObject y: return x.Length == y.Length && (x.Length == 0 || (x.Start == y.Start && (x.Length == 1 || x.Step == y.Step)));
            case DictView { Part: not DictPart.Values } x when SetOf(b) is { } y: return x.Table.Count == y.Count && Array.TrueForAll(SetOf(a)!.Keys(), y.Contains);
            case BoundMethod x when b.Ref is BoundMethod y: return x.Self.Is(y.Self) && x.Function.Is(y.Function);
        }
        return a.Ref is InstanceObject or IIterable || b.Ref is InstanceObject ? InstancesEqual(a, b) : a.Is(b);
    }

    private static bool InstancesEqual(Value a, Value b)
    {
        Interpreter it = Interpreter.Current;
        foreach ((Value self, Value other) in new[] { (a, b), (b, a) })
        {
            Value method = self.Ref is InstanceObject or IIterable ? self.Class.Find("__eq__") : default;
            if (!method.IsUnbound && it.Call(method, self, other) is var result && !result.Is(Value.NotImplemented))
                return Truth(it, result);
        }
        if (a.Is(b))
            return true;
        Value left = Unwrapped(a), right = Unwrapped(b);
        return (!left.Is(a) || !right.Is(b)) && Equal(left, right);
    }

    /// <summary>The builtin value of an object whose class derives from a builtin one.</summary>
    public static Value Unwrapped(Value value) => value.Ref is InstanceObject { Base: { IsUnbound: false } inner } ? inner : value;

    private static bool ItemsEqual(ReadOnlySpan<Value> a, ReadOnlySpan<Value> b)
    {
        if (a.Length != b.Length)
            return false;
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        for (int i = 0; i < a.Length; i++)
        {
            if (!a[i].Is(b[i]) && !Equal(a[i], b[i]))
                return false;
        }
        return true;
    }

    private static bool DictsEqual(DictObject a, DictObject b)
    {
        if (a.Table.Count != b.Table.Count)
            return false;
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        int place = 0;
        while (a.Table.Next(ref place, out Value key, out Value value))
        {
            if (!b.Table.TryGet(key, out Value other) || !Equal(value, other))
                return false;
        }
        return true;
    }

    private static bool NumbersEqual(Value a, Value b)
    {
        if (a.IsFloat && b.IsFloat)
            return a.Float == b.Float;
        if (a.IsFloat || b.IsFloat)
            return CompareNumbers(a, b) == 0;
        return a.Big == b.Big;
    }

    public static int Hash(Value value)
    {
        if (value.HasBits)
            return value.Bits.GetHashCode();
        switch (value.Ref)
        {
            case StrObject s: return s.Hash;
            case BigObject b: return b.Value.GetHashCode();
            case NoneObject: return 0x1234;
            case TupleObject t:
                System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
                HashCode hash = default;
                foreach (Value item in t.Items)
                    hash.Add(Hash(item));
                return hash.ToHashCode();
            case SetObject { Frozen: true } s:
                int all = 1927868237;
                foreach (Value item in s.Table.Keys())
                    all ^= unchecked(Hash(item) * 0x5bd1e995);
                return all;
            case BytesObject b:
                HashCode bytes = default;
                bytes.AddBytes(b.Data);
                return bytes.ToHashCode();
            case ListObject or DictObject or SetObject or SliceObject: throw Errors.Type($"unhashable type: '{value.Class.Name}'");
            case InstanceObject instance:
                Value method = instance.Of.Find("__hash__");
                if (method.IsNone)
                    throw Errors.Type($"unhashable type: '{instance.Of.Name}'");
                if (method.Ref is FunctionObject or NativeFunction)
                    return Interpreter.Current.Call(method, value) is var h && h.HasBits ? h.Bits.GetHashCode() : h.Big.GetHashCode();
                return instance.Base.IsUnbound ? System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(instance) : Hash(instance.Base);
        }
        if (value.IsFloat)
        {
            double d = value.Float;
            return d == Math.Floor(d) && Math.Abs(d) < 9e18 ? ((long)d).GetHashCode() : double.IsFinite(d) && d == Math.Floor(d) ? new BigInteger(d).GetHashCode() : d.GetHashCode();
        }
        return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value.Ref);
    }

    private static readonly string[] CompareMethods = ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"];
    private static readonly string[] Reflected = ["__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__"];
    private static readonly string[] Symbols = ["<", "<=", ">", ">=", "==", "!="];

    public static Value Compare(Interpreter it, Comparison op, Value a, Value b)
    {
        switch (op)
        {
            case Comparison.Is: return Value.Of(a.Is(b));
            case Comparison.IsNot: return Value.Of(!a.Is(b));
            case Comparison.In: return Value.Of(Contains(it, b, a));
            case Comparison.NotIn: return Value.Of(!Contains(it, b, a));
        }
        if (a.Ref is InstanceObject or PyClass || b.Ref is InstanceObject or PyClass)
        {
            Value result = CompareObjects(it, op, a, b);
            if (!result.IsUnbound)
                return result;
        }
        if (op == Comparison.Equal)
            return Value.Of(Equal(a, b));
        if (op == Comparison.NotEqual)
            return Value.Of(!Equal(a, b));
        return Value.Of(Ordered(it, op, Unwrapped(a), Unwrapped(b)));
    }

    private static Value CompareObjects(Interpreter it, Comparison op, Value a, Value b)
    {
        // The object of a derived class is asked first.
        bool second = b.Ref is InstanceObject && a.Ref is InstanceObject && b.Class != a.Class && b.Class.Is(a.Class);
        for (int turn = 0; turn < 2; turn++)
        {
            bool right = (turn == 0) == second;
            (Value self, Value other) = right ? (b, a) : (a, b);
            Value method = self.Ref is InstanceObject ? self.Class.Find((right ? Reflected : CompareMethods)[(int)op]) : default;
            if (method.IsUnbound && op == Comparison.NotEqual && self.Ref is InstanceObject && self.Class.Find("__eq__") is { IsUnbound: false } equal)
            {
                Value same = it.Call(equal, self, other);
                if (!same.Is(Value.NotImplemented))
                    return Value.Of(!Truth(it, same));
            }
            if (method.IsUnbound)
                continue;
            Value result = it.Call(method, self, other);
            if (!result.Is(Value.NotImplemented))
                return result;
        }
        return default;
    }

    private static bool Ordered(Interpreter it, Comparison op, Value a, Value b)
    {
        if (a.IsNumber && b.IsNumber)
        {
            if ((a.IsFloat && double.IsNaN(a.Float)) || (b.IsFloat && double.IsNaN(b.Float)))
                return false;
            return Holds(op, CompareNumbers(a, b));
        }
        if (a.Ref is StrObject s && b.Ref is StrObject t)
            return Holds(op, CompareTexts(s, t));
        if (Sequence(a, out ReadOnlySpan<Value> x) && Sequence(b, out ReadOnlySpan<Value> y) && a.Ref is ListObject == b.Ref is ListObject)
        {
            for (int i = 0; i < x.Length && i < y.Length; i++)
            {
                if (!x[i].Is(y[i]) && !Equal(x[i], y[i]))
                    return Truth(it, Compare(it, op, x[i], y[i]));
            }
            return Holds(op, x.Length.CompareTo(y.Length));
        }
        if (a.Ref is BytesObject p && b.Ref is BytesObject q)
            return Holds(op, p.Data.AsSpan().SequenceCompareTo(q.Data));
        if (SetOf(a) is { } left && SetOf(b) is { } right)
        {
            return op switch
            {
                Comparison.LessEqual => Subset(left, right),
                Comparison.Less => left.Count < right.Count && Subset(left, right),
                Comparison.GreaterEqual => Subset(right, left),
                _ => right.Count < left.Count && Subset(right, left),
            };
        }
        throw Errors.Type($"'{Symbols[(int)op]}' not supported between instances of '{a.Class.Name}' and '{b.Class.Name}'");
    }

    private static bool Subset(Table a, Table b) => a.Count <= b.Count && Array.TrueForAll(a.Keys(), b.Contains);

    private static bool Holds(Comparison op, int order) => op switch { Comparison.Less => order < 0, Comparison.LessEqual => order <= 0, Comparison.Greater => order > 0, _ => order >= 0 };

    // By code points: surrogates come behind the rest of the first plane.
    private static int CompareTexts(StrObject a, StrObject b) => a.Codes is null && b.Codes is null
        ? string.CompareOrdinal(a.Text, b.Text)
        : (a.Codes ?? [.. a.Text.Select(c => (int)c)]).AsSpan().SequenceCompareTo(b.Codes ?? [.. b.Text.Select(c => (int)c)]);

    private static int CompareNumbers(Value a, Value b)
    {
        if (a.IsFloat && b.IsFloat)
            return a.Float.CompareTo(b.Float);
        if (a.IsFloat)
            return -CompareNumbers(b, a);
        if (!b.IsFloat)
            return a.HasBits && b.HasBits ? a.Bits.CompareTo(b.Bits) : a.Big.CompareTo(b.Big);
        double d = b.Float;
        if (double.IsInfinity(d) || double.IsNaN(d))
            return d > 0 ? -1 : 1;
        if (a.HasBits && Math.Abs(a.Bits) < 1L << 53)
            return ((double)a.Bits).CompareTo(d);
        double floor = Math.Floor(d);
        int order = a.Big.CompareTo(new BigInteger(floor));
        return order == 0 && floor < d ? -1 : order;
    }

    /// <summary>Less, for sorting.</summary>
    public static bool Less(Interpreter it, Value a, Value b)
    {
        if (a.IsSmall && b.IsSmall)
            return a.Bits < b.Bits;
        return Truth(it, Compare(it, Comparison.Less, a, b));
    }

    public static string Str(Interpreter it, Value value)
    {
        switch (value.Ref)
        {
            case StrObject s:
                return s.Text;
            case InstanceObject instance:
                Value method = instance.Of.Find("__str__");
                if (method.Ref is FunctionObject or NativeFunction)
                    return it.Call(method, value).Text ?? throw Errors.Type("__str__ returned non-string");
                if (instance.Of.Is(Types.BaseException))
                    return instance.Of.Find("__repr__").Ref is FunctionObject ? Repr(it, value) : ErrorText(instance);
                return instance.Base.Ref is StrObject inner && instance.Of.Find("__repr__").IsUnbound ? inner.Text : Repr(it, value);
            default:
                return Repr(it, value);
        }
    }

    /// <summary>What an exception says.</summary>
    public static string ErrorText(InstanceObject error)
    {
        if (!error.Attributes.TryGetValue("args", out Value args) || args.Ref is not TupleObject { Items: var items })
            return "";
        Interpreter it = Interpreter.Current;
        return items.Length switch
        {
            0 => "",
            1 => error.Of.Is(Types.Exceptions["KeyError"]) ? Repr(it, items[0]) : Str(it, items[0]),
            _ => Repr(it, args),
        };
    }

    public static string Repr(Interpreter it, Value value)
    {
        StringBuilder text = new();
        Representation.Append(it, text, value, 0);
        return text.ToString();
    }

    public static PyError ToError(Interpreter it, Value value)
    {
        if (value.Ref is PyClass c && c.Is(Types.BaseException))
            value = it.Call(value);
        return value.Ref is InstanceObject instance && instance.Of.Is(Types.BaseException) ? new PyError(instance) : throw Errors.Type("exceptions must derive from BaseException");
    }
}
