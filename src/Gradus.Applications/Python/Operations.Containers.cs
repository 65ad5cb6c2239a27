namespace Gradus.Applications.Python;

internal static partial class Operations
{
    public static IIterator Iterate(Interpreter it, Value value)
    {
        switch (value.Ref)
        {
            case ListObject list: return new ListIterator(list);
            case TupleObject tuple: return new ArrayIterator(tuple.Items);
            case RangeObject range: return new RangeIterator(range);
            case StrObject text: return new TextIterator(text);
            case DictObject dict: return new TableIterator(dict.Table, DictPart.Keys, "dictionary");
            case SetObject set: return new TableIterator(set.Table, DictPart.Keys, "Set");
            case DictView view: return new TableIterator(view.Table, view.Part, "dictionary");
            case IIterator iterator: return iterator;
            case IIterable iterable: return new EnumerableIterator(iterable.Values);
            case BytesObject bytes: return new ArrayIterator([.. bytes.Data.Select(b => Value.Of((long)b))]);
            case InstanceObject:
                Value method = value.Class.Find("__iter__");
                if (!method.IsUnbound && !method.IsNone)
                {
                    Value iterator = it.Call(method, value);
                    return iterator.Ref is IIterator known ? known : iterator.Class.Find("__next__").IsUnbound ? throw Errors.Type($"iter() returned non-iterator of type '{iterator.Class.Name}'") : new ObjectIterator(it, iterator);
                }
                if (!Unwrapped(value).Is(value))
                    return Iterate(it, Unwrapped(value));
                if (!value.Class.Find("__getitem__").IsUnbound)
                    return new IndexIterator(it, value);
                break;
            case PyClass { IsBuiltin: false } c when c.Find("__members__").Ref is DictObject members:
                return new TableIterator(members.Table, DictPart.Values, "enum");
        }
        throw Errors.Type($"'{value.Class.Name}' object is not iterable");
    }

    /// <summary>All values that a container or an iterator gives.</summary>
    public static Value[] ToArray(Interpreter it, Value value)
    {
        switch (value.Ref)
        {
            case ListObject list: return list.ToArray();
            case TupleObject tuple: return tuple.Items;
            case SetObject set: return set.Table.Keys();
            case DictObject dict: return dict.Table.Keys();
        }
        IIterator iterator = Iterate(it, value);
        ListObject all = new();
        while (iterator.Next(out Value next))
        {
            it.Burn();
            all.Add(next);
        }
        return all.ToArray();
    }

    /// <summary>The values of a list or tuple, as they lie.</summary>
    public static bool Sequence(Value value, out ReadOnlySpan<Value> items)
    {
        items = value.Ref switch { ListObject list => list.Span, TupleObject tuple => tuple.Items, _ => default };
        return value.Ref is ListObject or TupleObject;
    }

    /// <summary>The table of a set or of the keys of a dict; null for anything else.</summary>
    public static Table? SetOf(Value value)
    {
        switch (Unwrapped(value).Ref)
        {
            case SetObject set: return set.Table;
            case DictView { Part: DictPart.Keys } view: return view.Table;
            case DictView { Part: DictPart.Items } view:
                Table items = new();
                TableIterator pairs = new(view.Table, DictPart.Items, "dictionary");
                while (pairs.Next(out Value pair))
                    items.Add(pair);
                return items;
            default: return null;
        }
    }

    public static Table? TableOf(Value value) => Unwrapped(value).Ref is DictObject dict ? dict.Table : null;

    public static void UpdateDict(Interpreter it, Table table, Value from)
    {
        bool ownKeys = from.Ref is InstanceObject && from.Class.Find("keys").Ref is FunctionObject;
        if (!ownKeys && TableOf(from) is { } other)
        {
            table.Update(other);
            return;
        }
        if (ownKeys)
        {
            foreach (Value key in ToArray(it, it.CallMethod(from, "keys")))
                table.Set(key, GetItem(it, from, key));
            return;
        }
        foreach (Value pair in ToArray(it, from))
        {
            Value[] two = ToArray(it, pair);
            if (two.Length != 2)
                throw Errors.Value($"dictionary update sequence element has length {two.Length}; 2 is required");
            table.Set(two[0], two[1]);
        }
    }

    public static long Length(Interpreter it, Value value)
    {
        switch (value.Ref)
        {
            case StrObject s: return s.Length;
            case ListObject l: return l.Count;
            case TupleObject t: return t.Items.Length;
            case DictObject d: return d.Table.Count;
            case SetObject s: return s.Table.Count;
            case RangeObject r: return r.Length;
            case BytesObject b: return b.Data.Length;
            case DictView v: return v.Table.Count;
            case PyClass c when c.Find("__members__").Ref is DictObject members: return members.Table.Count;
        }
        Value method = value.Class.Find("__len__");
        if (!method.IsUnbound)
            return ToIndex(it.Call(method, value));
        return Unwrapped(value).Is(value) ? throw Errors.Type($"object of type '{value.Class.Name}' has no len()") : Length(it, Unwrapped(value));
    }

    public static bool Contains(Interpreter it, Value container, Value value)
    {
        switch (container.Ref)
        {
            case StrObject text: return text.Text.Contains(value.Text ?? throw Errors.Type($"'in <string>' requires string as left operand, not {value.Class.Name}"), StringComparison.Ordinal);
            case DictObject dict: return dict.Table.Contains(value);
            case SetObject set: return set.Table.Contains(value.Ref is SetObject { Frozen: false } inner ? Value.Of(new SetObject(inner.Table, frozen: true)) : value);
            case RangeObject range when value.HasBits: return range.Contains(value.Bits);
            case DictView { Part: DictPart.Keys } view: return view.Table.Contains(value);
            case BytesObject bytes: return value.HasBits ? bytes.Data.AsSpan().Contains((byte)value.Bits) : value.Ref is BytesObject part && bytes.Data.AsSpan().IndexOf(part.Data) >= 0;
        }
        if (Sequence(container, out ReadOnlySpan<Value> items))
        {
            foreach (Value item in items)
            {
                if (item.Is(value) || Equal(item, value))
                    return true;
            }
            return false;
        }
        Value method = container.Class.Find("__contains__");
        if (!method.IsUnbound)
            return Truth(it, it.Call(method, container, value));
        if (container.Ref is InstanceObject && container.Class.Find("__iter__").IsUnbound && !Unwrapped(container).Is(container))
            return Contains(it, Unwrapped(container), value);
        IIterator iterator = Iterate(it, container);
        while (iterator.Next(out Value next))
        {
            it.Burn();
            if (next.Is(value) || Equal(next, value))
                return true;
        }
        return false;
    }

    /// <summary>A whole number that an index may be.</summary>
    public static long ToIndex(Value value)
    {
        if (value.HasBits)
            return value.Bits;
        if (value.Ref is BigObject)
            throw Errors.Index("cannot fit 'int' into an index-sized integer");
        Value method = value.Class.Find("__index__");
        if (!method.IsUnbound)
            return ToIndex(Interpreter.Current.Call(method, value));
        return Unwrapped(value) is var inner && !inner.Is(value) ? ToIndex(inner) : throw Errors.Type($"'{value.Class.Name}' object cannot be interpreted as an integer");
    }

    /// <summary>The same for slices, where too large means the end.</summary>
    public static long ToIndexClamped(Value value) => value.Ref is BigObject big ? (big.Value.Sign < 0 ? int.MinValue : int.MaxValue) : Math.Clamp(ToIndex(value), int.MinValue, int.MaxValue);

    private static int At(Value index, long length, string what)
    {
        long i = ToIndex(index);
        if (i < 0)
            i += length;
        return (ulong)i < (ulong)length ? (int)i : throw Errors.Index($"{what} index out of range");
    }

    public static Value GetItem(Interpreter it, Value container, Value key)
    {
        switch (container.Ref)
        {
            case DictObject dict:
                return dict.Table.TryGet(key, out Value found) ? found : Missing(it, dict, container, key);
            case ListObject list:
                return key.Ref is SliceObject slice ? Value.Of(new ListObject(Cut(list.Span, slice))) : list.Items[At(IndexOf(key, "list"), list.Count, "list")];
            case TupleObject tuple:
                return key.Ref is SliceObject part ? Value.Of(new TupleObject(Cut(tuple.Items, part))) : tuple.Items[At(IndexOf(key, "tuple"), tuple.Items.Length, "tuple")];
            case StrObject text:
                return Value.Of(key.Ref is SliceObject piece ? CutText(text, piece) : text.At(At(IndexOf(key, "string"), text.Length, "string")));
            case RangeObject range:
                return OfRange(range, key);
            case BytesObject bytes:
                if (key.Ref is not SliceObject cut)
                    return Value.Of((long)bytes.Data[At(key, bytes.Data.Length, "index")]);
                (int start, int count, int step) = cut.Indices(bytes.Data.Length);
                return Value.Of(new BytesObject([.. Enumerable.Range(0, count).Select(i => bytes.Data[start + (i * step)])]));
            case PyClass c:
                if (c.Find("__members__").Ref is DictObject members)
                    return members.Table.TryGet(key, out Value member) ? member : throw Errors.Key(key);
                return c.Find("__class_getitem__").Ref is WrappedMethod own ? it.Call(own.Function, container, key) : container;
        }
        Value method = container.Class.Find("__getitem__");
        if (!method.IsUnbound)
            return it.Call(method, container, key);
        if (Unwrapped(container) is var inner && !inner.Is(container))
        {
            if (inner.Ref is DictObject of && !of.Table.Contains(key) && container.Class.Find("__missing__") is { IsUnbound: false } missing)
                return it.Call(missing, container, key);
            return GetItem(it, inner, key);
        }
        throw Errors.Type($"'{container.Class.Name}' object is not subscriptable");
    }

    private static Value IndexOf(Value key, string what) =>
        key.HasBits || key.Ref is BigObject || key.Ref is InstanceObject ? key : throw Errors.Type($"{what} indices must be integers or slices, not {key.Class.Name}");

    private static Value Missing(Interpreter it, DictObject dict, Value container, Value key)
    {
        if (dict.Of == Collections.Counter)
            return Value.Of(0L);
        if (dict.Factory.IsUnbound || dict.Factory.IsNone)
            throw Errors.Key(key);
        Value made = it.Call(dict.Factory);
        dict.Table.Set(key, made);
        return made;
    }

    private static Value[] Cut(ReadOnlySpan<Value> items, SliceObject slice)
    {
        (int start, int count, int step) = slice.Indices(items.Length);
        if (step == 1)
            return items.Slice(Math.Max(0, start), count).ToArray();
        Value[] cut = new Value[count];
        for (int i = 0; i < count; i++)
            cut[i] = items[start + (i * step)];
        return cut;
    }

    private static string CutText(StrObject text, SliceObject slice)
    {
        (int start, int count, int step) = slice.Indices(text.Length);
        if (step == 1)
            return text.Slice(Math.Max(0, start), count);
        System.Text.StringBuilder cut = new(count);
        for (int i = 0; i < count; i++)
            cut.Append(text.At(start + (i * step)));
        return cut.ToString();
    }

    private static Value OfRange(RangeObject range, Value key)
    {
        if (key.Ref is SliceObject slice)
        {
            (int start, int count, int step) = slice.Indices((int)Math.Min(range.Length, int.MaxValue));
            long from = range.Start + (start * range.Step), by = range.Step * step;
            return Value.Of(new RangeObject(from, from + (count * by), by));
        }
        return Value.Of(range.Start + (At(key, range.Length, "range object") * range.Step));
    }

    public static void SetItem(Interpreter it, Value container, Value key, Value value)
    {
        switch (container.Ref)
        {
            case DictObject dict:
                dict.Table.Set(key, value);
                return;
            case ListObject list when key.Ref is SliceObject slice:
                AssignSlice(list, slice, ToArray(it, value));
                return;
            case ListObject list:
                list.Items[At(IndexOf(key, "list"), list.Count, "list assignment")] = value;
                return;
        }
        Value method = container.Class.Find("__setitem__");
        if (!method.IsUnbound)
            it.Call(method, container, key, value);
        else if (Unwrapped(container) is var inner && !inner.Is(container))
            SetItem(it, inner, key, value);
        else
            throw Errors.Type($"'{container.Class.Name}' object does not support item assignment");
    }

    private static void AssignSlice(ListObject list, SliceObject slice, Value[] values)
    {
        (int start, int count, int step) = slice.Indices(list.Count);
        if (step == 1)
        {
            list.Replace(Math.Max(0, start), count, values);
            return;
        }
        if (values.Length != count)
            throw Errors.Value($"attempt to assign sequence of size {values.Length} to extended slice of size {count}");
        for (int i = 0; i < count; i++)
            list.Items[start + (i * step)] = values[i];
    }

    public static void DeleteItem(Interpreter it, Value container, Value key)
    {
        switch (container.Ref)
        {
            case DictObject dict:
                if (!dict.Table.Remove(key, out _))
                    throw Errors.Key(key);
                return;
            case ListObject list when key.Ref is SliceObject slice:
                (int start, int count, int step) = slice.Indices(list.Count);
                foreach (int at in Enumerable.Range(0, count).Select(i => start + (i * step)).OrderDescending().ToArray())
                    list.RemoveAt(at);
                return;
            case ListObject list:
                list.RemoveAt(At(IndexOf(key, "list"), list.Count, "list assignment"));
                return;
        }
        Value method = container.Class.Find("__delitem__");
        if (!method.IsUnbound)
            it.Call(method, container, key);
        else if (Unwrapped(container) is var inner && !inner.Is(container))
            DeleteItem(it, inner, key);
        else
            throw Errors.Type($"'{container.Class.Name}' object doesn't support item deletion");
    }

    /// <summary>Sorts as Python does: stably, by "less" alone.</summary>
    public static Value[] Sort(Interpreter it, Value[] items, Value key, bool reverse)
    {
        Value[] keys = key.IsUnbound || key.IsNone ? [.. items] : [.. items.Select(i => it.Call(key, i))];
        int[] order = [.. Enumerable.Range(0, items.Length)];
        it.Burn(items.Length);
        MergeSort(order, new int[order.Length], 0, order.Length, (a, b) => reverse ? Less(it, keys[a], keys[b]) : Less(it, keys[b], keys[a]));
        return [.. order.Select(i => items[i])];
    }

    // "after" says whether the second must come before the first.
    private static void MergeSort(int[] order, int[] spare, int from, int to, Func<int, int, bool> after)
    {
        if (to - from < 2)
            return;
        int middle = (from + to) / 2;
        MergeSort(order, spare, from, middle, after);
        MergeSort(order, spare, middle, to, after);
        if (!after(order[middle - 1], order[middle]))
            return;
        int left = from, right = middle, at = from;
        while (left < middle && right < to)
            spare[at++] = after(order[left], order[right]) ? order[right++] : order[left++];
        while (left < middle)
            spare[at++] = order[left++];
        while (right < to)
            spare[at++] = order[right++];
        Array.Copy(spare, from, order, from, to - from);
    }
}
