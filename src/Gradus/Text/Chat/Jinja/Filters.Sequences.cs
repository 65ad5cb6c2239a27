using System.Globalization;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// Filters of many values. As in the reference, map, select, reject, batch, slice, unique and items give generators:
/// read once, without length or index, and true even when empty.
/// </summary>
internal static partial class Filters
{
    private static GeneratorValue Batch(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "batch", 1, "linecount", "fill_with");
        int size = WholeNumber(context, bound[0], 0, "batch");
        return new GeneratorValue(Batches());

        IEnumerable<Value> Batches()
        {
            List<Value> batch = [];
            foreach (Value element in context.Iterate(value))
            {
                context.Charge(1);
                if (batch.Count == size)
                {
                    yield return new ListValue([.. batch]);
                    batch.Clear();
                }
                batch.Add(element);
            }
            if (batch.Count == 0)
                yield break;
            if (bound[1] is not (null or NoneValue) && batch.Count < size)
            {
                context.Charge(size);
                batch.AddRange(Enumerable.Repeat(bound[1]!, size - batch.Count));
            }
            yield return new ListValue([.. batch]);
        }
    }

    private static GeneratorValue Slice(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "slice", 1, "slices", "fill_with");
        int slices = WholeNumber(context, bound[0], 0, "slice");
        if (slices == 0)
            throw context.Error("slice: the number of slices is at least 1");
        return new GeneratorValue(Slices());

        IEnumerable<Value> Slices()
        {
            List<Value> all = context.ToList(value);
            int size = all.Count / slices, extra = all.Count % slices;
            for (int i = 0, start = 0; i < slices; i++)
            {
                context.Step();
                int count = size + (i < extra ? 1 : 0);
                List<Value> slice = all.GetRange(start, count);
                start += count;
                if (bound[1] is not (null or NoneValue) && i >= extra)
                    slice.Add(bound[1]!);
                yield return new ListValue([.. slice]);
            }
        }
    }

    private static ListValue DictSort(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "dictsort", 0, "case_sensitive", "by", "reverse");
        bool keepCase = bound[0]?.IsTrue ?? false;
        int part = (bound[1] is null ? "key" : Printer.Text(context, bound[1]!)) switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw context.Error("dictsort: by is 'key' or 'value'"),
        };
        if (value is not DictValue dict)
            throw context.Error($"dictsort needs a dict, not {value.TypeName}");
        List<Value> pairs = [.. new DictViewValue(dict, "items").Iterate(context)];
        return Sorted(context, pairs, pair => Folded(context, ((TupleValue)pair).Elements[part], keepCase), bound[2]?.IsTrue ?? false);
    }

    private static Value First(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "first", 0);
        foreach (Value element in context.Iterate(value))
            return element;
        return context.Undefined("first: the sequence is empty");
    }

    private static Value Last(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "last", 0);
        if (value is GeneratorValue)
            throw context.Error("last needs a sequence, not a generator; put |list before it");
        List<Value> all = context.ToList(value);
        Value missing = context.Undefined("last: the sequence is empty");
        return all.Count > 0 ? all[^1] : missing;
    }

    private static ListValue GroupBy(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "groupby", 1, "attribute", "default", "case_sensitive");
        bool keepCase = bound[2]?.IsTrue ?? false;
        Func<Value, Value> key = Getter(context, bound[0], bound[1]);
        ListValue sorted = Sorted(context, context.ToList(value), v => Folded(context, key(v), keepCase), false);
        List<Value> groups = [], group = [];
        foreach (Value element in sorted.Elements)
        {
            if (group.Count > 0 && !Operators.AreEqual(context, Folded(context, key(group[0]), keepCase), Folded(context, key(element), keepCase)))
            {
                groups.Add(new GroupValue(key(group[0]), new ListValue([.. group])));
                group.Clear();
            }
            group.Add(element);
        }
        if (group.Count > 0)
            groups.Add(new GroupValue(key(group[0]), new ListValue([.. group])));
        return new ListValue([.. groups]);
    }

    private static GeneratorValue Items(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "items", 0);
        return new GeneratorValue(Pairs());

        IEnumerable<Value> Pairs()
        {
            if (value is UndefinedValue undefined && undefined.Lenient(true))
                yield break;
            if (value is not DictValue dict)
                throw context.Error($"items needs a dict, not {value.TypeName}");
            foreach (Value pair in new DictViewValue(dict, "items").Iterate(context))
                yield return pair;
        }
    }

    private static TextValue Join(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "join", 0, "d", "attribute");
        Func<Value, Value> key = Getter(context, bound[1], null);
        TextValue separator = bound[0] is null ? TextValue.Empty : Printer.ToText(context, bound[0]!);
        return TextMethods.Join(context, separator, new GeneratorValue(context.Iterate(value).Select(v => (Value)Printer.ToText(context, key(v)))));
    }

    private static IntValue Length(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "length", 0);
        string hint = value is GeneratorValue ? "; put |list before it" : "";
        return new IntValue(value.Count ?? throw context.Error($"a {value.TypeName} has no length{hint}"));
    }

    private static ListValue ToList(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "list", 0);
        return new ListValue([.. context.ToList(value)], value is SequenceValue ? value.Message : -1);
    }

    private static GeneratorValue Map(RenderContext context, Value value, Arguments arguments)
    {
        if (arguments.Positional.Length == 0)
        {
            Value?[] bound = arguments.Bind(context, "map", 0, "attribute", "default");
            if (bound[0] is null)
                throw context.Error("map needs the name of a filter or attribute=");
            return new GeneratorValue(IterateIfTrue(context, value).Select(Getter(context, bound[0], bound[1])));
        }
        NativeFunction filter = Find(context.Position, Printer.Text(context, arguments.Positional[0]));
        Arguments rest = arguments.Skip(1);
        return new GeneratorValue(IterateIfTrue(context, value).Select(v => filter(context, v, rest)));
    }

    private static GeneratorValue Select(RenderContext context, Value value, Arguments arguments, bool keep, bool byAttribute)
    {
        int offset = byAttribute ? 1 : 0;
        if (arguments.Positional.Length < offset)
            throw context.Error("selectattr and rejectattr need the name of an attribute");
        Func<Value, Value> key = byAttribute ? Getter(context, arguments.Positional[0], null) : static v => v;
        if (arguments.Positional.Length == offset)
            return new GeneratorValue(IterateIfTrue(context, value).Where(v => key(v).IsTrue == keep));
        TestFunction test = Tests.Find(context.Position, Printer.Text(context, arguments.Positional[offset]));
        Arguments rest = arguments.Skip(offset + 1);
        return new GeneratorValue(IterateIfTrue(context, value).Where(v => test(context, key(v), rest) == keep));
    }

    /// <summary>Smallest (sign −1) or largest (sign 1); the first of equals.</summary>
    private static Value Extreme(RenderContext context, Value value, Arguments arguments, string name, int sign)
    {
        Value?[] bound = arguments.Bind(context, name, 0, "case_sensitive", "attribute");
        bool keepCase = bound[0]?.IsTrue ?? false;
        Func<Value, Value> key = Getter(context, bound[1], null);
        Value? best = null, bestKey = null;
        foreach (Value element in context.Iterate(value))
        {
            Value elementKey = Folded(context, key(element), keepCase);
            if (bestKey is null || Operators.Order(context, elementKey, bestKey) == sign)
                (best, bestKey) = (element, elementKey);
        }
        return best ?? context.Undefined($"{name}: the sequence is empty");
    }

    private static Value Reverse(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "reverse", 0);
        if (value is TextValue text)
        {
            context.Charge(text.Text.Length);
            List<string> points = PythonText.SplitCodePoints(text.Text);
            points.Reverse();
            return text.Derive(context, string.Concat(points));
        }
        List<Value> all = context.ToList(value);
        all.Reverse();
        return value is GeneratorValue ? new ListValue([.. all]) : new GeneratorValue(all);
    }

    private static ListValue Sort(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "sort", 0, "reverse", "case_sensitive", "attribute");
        bool keepCase = bound[1]?.IsTrue ?? false;
        string[]? paths = bound[2] is TextValue text ? text.Text.Split(',') : null;
        Func<Value, Value>[] keys = paths is null
            ? [Getter(context, bound[2], null)]
            : Array.ConvertAll(paths, p => Getter(context, Value.Of(p), null));
        return Sorted(
            context,
            context.ToList(value),
            v => keys.Length == 1 ? Folded(context, keys[0](v), keepCase) : new ListValue(Array.ConvertAll(keys, k => Folded(context, k(v), keepCase))),
            bound[0]?.IsTrue ?? false);
    }

    private static Value Sum(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "sum", 0, "attribute", "start");
        Func<Value, Value> key = Getter(context, bound[0], null);
        Value total = bound[1] ?? new IntValue(0);
        foreach (Value element in Iterate(context, value))
            total = Operators.Apply(context, BinaryOperator.Add, total, key(element));
        return total;
    }

    private static GeneratorValue Unique(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "unique", 0, "case_sensitive", "attribute");
        bool keepCase = bound[0]?.IsTrue ?? false;
        Func<Value, Value> key = Getter(context, bound[1], null);
        HashSet<Value> seen = new(KeyComparer.Instance);
        return new GeneratorValue(Iterate(context, value).Where(v =>
        {
            Value folded = Folded(context, key(v), keepCase);
            if (!KeyComparer.IsHashable(folded))
                throw context.Error($"unique cannot tell apart values of type {folded.TypeName}");
            return seen.Add(folded);
        }));
    }

    /// <summary>Elements with one step charged for each.</summary>
    private static IEnumerable<Value> Iterate(RenderContext context, Value value)
    {
        foreach (Value element in context.Iterate(value))
        {
            context.Step();
            yield return element;
        }
    }

    /// <summary>Nothing for false, none and other false values, as map and select take them.</summary>
    private static IEnumerable<Value> IterateIfTrue(RenderContext context, Value value) => value.IsTrue ? Iterate(context, value) : [];

    private static Value Folded(RenderContext context, Value value, bool keepCase) =>
        keepCase || value is not TextValue text ? value : text.Derive(context, TextCase.Lower(text.Text));

    /// <summary>Follows a path such as "function.name" or "0"; the identity where there is none.</summary>
    private static Func<Value, Value> Getter(RenderContext context, Value? attribute, Value? missing)
    {
        if (attribute is null or NoneValue)
            return static v => v;
        Value[] path = attribute is TextValue text
            ? Array.ConvertAll(text.Text.Split('.'), static part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? new IntValue(index) : (Value)Value.Of(part))
            : [attribute];
        return value =>
        {
            foreach (Value part in path)
            {
                context.Step();
                value = context.GetItem(value, part);
                if (value is UndefinedValue && missing is not null)
                    value = missing;
            }
            return value;
        };
    }

    /// <summary>A stable sort by keys; reversed, equals still keep their order.</summary>
    private static ListValue Sorted(RenderContext context, List<Value> values, Func<Value, Value> key, bool reverse)
    {
        (Value Key, Value Value)[] keyed = new (Value, Value)[values.Count];
        for (int i = 0; i < keyed.Length; i++)
            keyed[i] = (key(values[i]), values[i]);
        int wanted = reverse ? 1 : -1;
        // Elements that both lack the attribute are equal; only against others is what is undefined an error.
        Sorting.Sort(keyed, (a, b) => (a.Key, b.Key) is not (UndefinedValue, UndefinedValue) && Operators.Order(context, b.Key, a.Key) == wanted);
        return new ListValue(Array.ConvertAll(keyed, static k => k.Value));
    }
}
