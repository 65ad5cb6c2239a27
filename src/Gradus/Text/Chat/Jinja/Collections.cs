using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>A list, tuple or range: elements by position.</summary>
internal abstract class SequenceValue(Value[] elements, int message = -1) : Value
{
    public Value[] Elements { get; } = elements;
    public override int Message => message;
    public override bool IsTrue => Elements.Length > 0;
    public override int? Count => Elements.Length;
    public override IEnumerable<Value> Iterate(RenderContext context) => Elements;

    public override Value? Item(RenderContext context, Value key)
    {
        if (key is not SliceValue slice)
            return Numbers.TryIndex(key, Elements.Length, out int index) ? Elements[index] : null;
        (int start, int count, int step) = slice.Resolve(context, Elements.Length);
        context.Charge(count);
        Value[] picked = new Value[count];
        for (int i = 0; i < count; i++)
            picked[i] = Elements[start + (i * step)];
        return Of(picked);
    }

    public override Value? Attribute(RenderContext context, string name) => name switch
    {
        "index" => new FunctionValue(name, this, IndexOf),
        "count" => new FunctionValue(name, this, CountOf),
        "append" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" or "clear" when this is ListValue =>
            new UndefinedValue($"'list.{name}' is not allowed: values are immutable in a chat template; build a new list with + or keep one in namespace()"),
        "copy" when this is ListValue => new FunctionValue(name, this, static (_, self, _) => self),
        _ => null,
    };

    /// <summary>A sequence of the same type with other elements.</summary>
    protected abstract Value Of(Value[] elements);

    private static IntValue IndexOf(RenderContext context, Value self, Arguments arguments)
    {
        Value wanted = arguments.Bind(context, "index", 1, "value")[0]!;
        Value[] elements = ((SequenceValue)self).Elements;
        for (int i = 0; i < elements.Length; i++)
        {
            if (Operators.AreEqual(context, elements[i], wanted))
                return new IntValue(i);
        }
        throw context.Error("index: the value is not in the list");
    }

    private static IntValue CountOf(RenderContext context, Value self, Arguments arguments)
    {
        Value wanted = arguments.Bind(context, "count", 1, "value")[0]!;
        int count = 0;
        foreach (Value element in ((SequenceValue)self).Elements)
            count += Operators.AreEqual(context, element, wanted) ? 1 : 0;
        return new IntValue(count);
    }
}

internal sealed class ListValue(Value[] elements, int message = -1) : SequenceValue(elements, message)
{
    public override string TypeName => "list";
    protected override Value Of(Value[] elements) => new ListValue(elements, Message);
}

internal class TupleValue(params Value[] elements) : SequenceValue(elements)
{
    public override string TypeName => "tuple";
    protected override Value Of(Value[] elements) => new TupleValue(elements);
}

/// <summary>What groupby yields: a pair whose parts also have names.</summary>
internal sealed class GroupValue(Value grouper, ListValue list) : TupleValue(grouper, list)
{
    public override Value? Attribute(RenderContext context, string name) => name switch
    {
        "grouper" => Elements[0],
        "list" => Elements[1],
        _ => base.Attribute(context, name),
    };
}

internal sealed class RangeValue(Value[] elements, string text) : SequenceValue(elements)
{
    /// <summary>As Python prints it: range(0, 3).</summary>
    public string Text { get; } = text;
    public override string TypeName => "range";
    protected override Value Of(Value[] elements) => new ListValue(elements);
}

/// <summary>The bounds between brackets; only exists as a key.</summary>
internal sealed class SliceValue(Value start, Value stop, Value step) : Value
{
    public override string TypeName => "slice";

    /// <summary>First index, number of elements and step for a sequence of a length, by Python's rules.</summary>
    public (int Start, int Count, int Step) Resolve(RenderContext context, int length)
    {
        BigInteger by = step is NoneValue ? BigInteger.One : Bound(context, step);
        if (by.IsZero)
            throw context.Error("slice step cannot be zero");
        // A step beyond the length picks at most one element, whatever its size.
        int increment = (int)BigInteger.Max(BigInteger.Min(by, length + 1L), -(length + 1L));
        int low = increment > 0 ? 0 : -1, high = increment > 0 ? length : length - 1;
        int from = start is NoneValue ? (increment > 0 ? low : high) : Clamp(Bound(context, start), length, low, high);
        int to = stop is NoneValue ? (increment > 0 ? high : low) : Clamp(Bound(context, stop), length, low, high);
        long span = increment > 0 ? (long)to - from : (long)from - to;
        int count = span <= 0 ? 0 : (int)(((span - 1) / Math.Abs((long)increment)) + 1);
        return (from, count, increment);
    }

    private static BigInteger Bound(RenderContext context, Value value) => Numbers.TryInteger(value, out BigInteger bound)
        ? bound
        : throw context.Error($"slice indices must be integers or none, not {value.TypeName}");

    private static int Clamp(BigInteger index, int length, int low, int high)
    {
        if (index.Sign < 0)
            index += length;
        return (int)BigInteger.Max(BigInteger.Min(index, high), low);
    }
}

/// <summary>A dict in insertion order.</summary>
internal sealed class DictValue(int message = -1) : Value
{
    public OrderedDictionary<Value, Value> Entries { get; } = new(KeyComparer.Instance);
    public override string TypeName => "dict";
    public override int Message { get; } = message;
    public override bool IsTrue => Entries.Count > 0;
    public override int? Count => Entries.Count;
    public override IEnumerable<Value> Iterate(RenderContext context) => Entries.Keys;

    public void Set(RenderContext context, Value key, Value value)
    {
        if (!KeyComparer.IsHashable(key))
            throw context.Error($"a {key.TypeName} cannot be a dict key");
        Entries[key] = value;
    }

    public override Value? Item(RenderContext context, Value key) =>
        KeyComparer.IsHashable(key) ? Entries.GetValueOrDefault(key) : null;

    public override Value? Attribute(RenderContext context, string name) => name switch
    {
        "items" or "keys" or "values" => new FunctionValue(name, this, (c, self, a) =>
        {
            a.Bind(c, name, 0);
            return new DictViewValue((DictValue)self, name);
        }),
        "get" => new FunctionValue(name, this, Get),
        "copy" => new FunctionValue(name, this, static (_, self, _) => self),
        "clear" or "pop" or "popitem" or "setdefault" or "update" =>
            new UndefinedValue($"'dict.{name}' is not allowed: values are immutable in a chat template"),
        _ => null,
    };

    private static Value Get(RenderContext context, Value self, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "get", 1, "key", "default");
        return self.Item(context, bound[0]!) ?? bound[1] ?? NoneValue.Instance;
    }
}

/// <summary>dict.items(), keys() or values().</summary>
internal sealed class DictViewValue(DictValue dict, string view) : Value
{
    public override string TypeName => "dict_" + view;
    public override int Message => dict.Message;
    public override bool IsTrue => dict.IsTrue;
    public override int? Count => dict.Count;

    public override IEnumerable<Value> Iterate(RenderContext context) => view switch
    {
        "keys" => dict.Entries.Keys,
        "values" => dict.Entries.Values,
        _ => dict.Entries.Select(e => new TupleValue(e.Key, e.Value)),
    };
}

/// <summary>A Python generator: elements once, in order, without length or index, and true even when it is empty.</summary>
internal sealed class GeneratorValue(IEnumerable<Value> source) : Value
{
    private readonly IEnumerator<Value> _source = source.GetEnumerator();
    public override string TypeName => "generator";

    public override IEnumerable<Value> Iterate(RenderContext context)
    {
        while (true)
        {
            context.Step();
            if (!_source.MoveNext())
                yield break;
            yield return _source.Current;
        }
    }
}

/// <summary>Python's equality of dict keys: 1, 1.0 and true are one key. Only scalars and tuples of scalars are keys, so hashing is cheap.</summary>
internal sealed class KeyComparer : IEqualityComparer<Value>
{
    public static KeyComparer Instance { get; } = new();

    public static bool IsHashable(Value key) => IsScalar(key) || key is UndefinedValue || (key is TupleValue tuple && Array.TrueForAll(tuple.Elements, IsScalar));

    public bool Equals(Value? x, Value? y) => (x, y) switch
    {
        (TextValue a, TextValue b) => a.Text == b.Text,
        (UndefinedValue, UndefinedValue) => true,
        (TupleValue a, TupleValue b) => a.Elements.AsSpan().SequenceEqual(b.Elements, this),
        _ => Numbers.TryCompare(x!, y!, out int order) ? order == 0 : ReferenceEquals(x, y),
    };

    public int GetHashCode(Value obj)
    {
        switch (obj)
        {
            case TextValue text:
                return text.Text.GetHashCode(StringComparison.Ordinal);
            case TupleValue tuple:
                HashCode hash = default;
                foreach (Value element in tuple.Elements)
                    hash.Add(GetHashCode(element));
                return hash.ToHashCode();
            case NoneValue or UndefinedValue:
                return 0;
            default:
                return Numbers.TryInteger(obj, out BigInteger integer) ? integer.GetHashCode() : FloatHash(((FloatValue)obj).Number);
        }
    }

    private static int FloatHash(double number) =>
        double.IsInteger(number) ? new BigInteger(number).GetHashCode() : number.GetHashCode();

    private static bool IsScalar(Value key) => key is TextValue or IntValue or FloatValue or BoolValue or NoneValue;
}
