namespace Gradus.Applications.Python;

/// <summary>collections: Counter, defaultdict, OrderedDict, deque, namedtuple, ChainMap.</summary>
internal static class Collections
{
    public static readonly PyClass Counter = new("Counter", [Types.Dict], builtin: true);
    public static readonly PyClass DefaultDict = new("defaultdict", [Types.Dict], builtin: true);
    public static readonly PyClass OrderedDict = new("OrderedDict", [Types.Dict], builtin: true);
    public static readonly PyClass Deque = new("deque", [Types.Object], builtin: true);

    static Collections()
    {
        Counter.Construct = (it, a, k) => Value.Of(Count(it, new DictObject { Of = Counter }, a, k, 1));
        DefaultDict.Construct = (it, a, k) => Value.Of(Constructors.Dict(it, new DictObject { Of = DefaultDict, Factory = a.Length > 0 ? a[0] : default }, a.Length > 1 ? a[1..] : [], k));
        OrderedDict.Construct = (it, a, k) => Value.Of(Constructors.Dict(it, new DictObject { Of = OrderedDict }, a, k));
        TypeMethods.Add(Counter, "most_common", (it, a, _) => Value.Of(new ListObject([.. MostCommon(it, Dict(a[0]), a.Length > 1 && !a[1].IsNone ? (int)Operations.ToIndexClamped(a[1]) : int.MaxValue).Select(p => Library.Tuple(p.Key, p.Value))])), 0, 1);
        TypeMethods.Add(Counter, "elements", (it, a, _) => Builtins.Lazy(Pairs(Dict(a[0])).SelectMany(p => Enumerable.Repeat(p.Key, (int)Math.Max(0, Operations.ToIndex(p.Value))))), 0, 0);
        TypeMethods.Add(Counter, "total", (it, a, _) => Pairs(Dict(a[0])).Aggregate(Value.Of(0L), (t, p) => Operations.Binary(it, BinaryOperator.Add, t, p.Value)), 0, 0);
        TypeMethods.Add(Counter, "update", (it, a, k) => Done(() => Count(it, Dict(a[0]), a[1..], k, 1)), 0, 1);
        TypeMethods.Add(Counter, "subtract", (it, a, k) => Done(() => Count(it, Dict(a[0]), a[1..], k, -1)), 0, 1);
        TypeMethods.Add(OrderedDict, "move_to_end", (it, a, k) =>
        {
            DictObject dict = Dict(a[0]);
            if (!dict.Table.Remove(a[1], out Value value))
                throw Errors.Key(a[1]);
            bool last = Operations.Truth(it, a.Length > 2 ? a[2] : Keywords.Take(k, "last", Value.True));
            (Value, Value)[] others = last ? [] : [.. Pairs(dict)];
            if (!last)
                dict.Table.Clear();
            dict.Table.Set(a[1], value);
            foreach ((Value key, Value of) in others)
                dict.Table.Set(key, of);
            return Value.None;
        }, 1, 2);
        DequeMethods();
    }

    public static void Fill(Interpreter it, ModuleObject m)
    {
        m["Counter"] = Value.Of(Counter);
        m["defaultdict"] = Value.Of(DefaultDict);
        m["OrderedDict"] = Value.Of(OrderedDict);
        m["deque"] = Value.Of(Deque);
        m["abc"] = Value.Of(it.Import("collections.abc"));
        m.Add("namedtuple", NamedTuple, 2);
        it.RunText("""
            class ChainMap(dict):
                def __init__(self, *maps):
                    self.maps = list(maps) or [{}]
                def __getitem__(self, key):
                    for one in self.maps:
                        if key in one:
                            return one[key]
                    raise KeyError(key)
                def get(self, key, default=None):
                    return self[key] if key in self else default
                def __setitem__(self, key, value):
                    self.maps[0][key] = value
                def __contains__(self, key):
                    return any(key in one for one in self.maps)
                def __iter__(self):
                    seen = {}
                    for one in reversed(self.maps):
                        seen.update(dict.fromkeys(one))
                    return iter(seen)
                def __len__(self):
                    return len(set().union(*self.maps))
                def keys(self):
                    return list(self)
                def values(self):
                    return [self[k] for k in self]
                def items(self):
                    return [(k, self[k]) for k in self]
                def new_child(self, m=None):
                    return ChainMap(m if m is not None else {}, *self.maps)
            UserDict = dict
            UserList = list
            """, m);
    }

    private static Value Done(Action action)
    {
        action();
        return Value.None;
    }

    private static DictObject Dict(Value value) => (DictObject)Operations.Unwrapped(value).Ref!;

    private static IEnumerable<(Value Key, Value Value)> Pairs(DictObject dict)
    {
        int place = 0;
        while (dict.Table.Next(ref place, out Value key, out Value value))
            yield return (key, value);
    }

    private static DictObject Count(Interpreter it, DictObject counter, Value[] args, Keywords? keywords, int sign)
    {
        if (args.Length > 0 && !args[0].IsNone && Operations.TableOf(args[0]) is { } table)
        {
            int place = 0;
            while (table.Next(ref place, out Value key, out Value value))
                Change(key, value);
        }
        else if (args.Length > 0 && !args[0].IsNone)
        {
            foreach (Value key in Builtins.Each(it, args[0]))
                Change(key, Value.Of(1L));
        }
        for (int i = 0; i < (keywords?.Names.Length ?? 0); i++)
            Change(Value.Of(keywords!.Names[i]), keywords.Values[i]);
        return counter;

        void Change(Value key, Value by) =>
            counter.Table.Set(key, Operations.Binary(it, sign > 0 ? BinaryOperator.Add : BinaryOperator.Subtract, counter.Table.TryGet(key, out Value n) ? n : Value.Of(0L), by));
    }

    public static List<(Value Key, Value Value)> MostCommon(Interpreter it, DictObject counter, int count)
    {
        Value[] pairs = [.. Pairs(counter).Select(p => Library.Tuple(p.Key, p.Value))];
        Value second = Value.Of(new NativeFunction("count", (_, a, _) => ((TupleObject)a[0].Ref!).Items[1]));
        return [.. Operations.Sort(it, pairs, second, reverse: true).Take(count).Select(p => (((TupleObject)p.Ref!).Items[0], ((TupleObject)p.Ref!).Items[1]))];
    }

    /// <summary>a + b, a − b, a &amp; b, a | b of counters: only what stays above zero.</summary>
    public static Value Combine(Interpreter it, BinaryOperator op, DictObject a, DictObject b)
    {
        if (op is not (BinaryOperator.Add or BinaryOperator.Subtract or BinaryOperator.And or BinaryOperator.Or))
            return default;
        DictObject result = new() { Of = Counter };
        foreach (Value key in a.Table.Keys().Concat(b.Table.Keys().Where(k => !a.Table.Contains(k))))
        {
            Value x = a.Table.TryGet(key, out Value n) ? n : Value.Of(0L), y = b.Table.TryGet(key, out n) ? n : Value.Of(0L);
            Value value = op switch
            {
                BinaryOperator.Add or BinaryOperator.Subtract => Operations.Binary(it, op, x, y),
                BinaryOperator.And => Operations.Less(it, x, y) ? x : y,
                _ => Operations.Less(it, x, y) ? y : x,
            };
            if (Operations.Less(it, Value.Of(0L), value))
                result.Table.Set(key, value);
        }
        return Value.Of(result);
    }

    public static Value Signed(Interpreter it, DictObject counter, bool negative) =>
        negative ? Combine(it, BinaryOperator.Subtract, new DictObject { Of = Counter }, counter) : Combine(it, BinaryOperator.Add, counter, new DictObject { Of = Counter });

    private static Value NamedTuple(Interpreter it, Value[] args, Keywords? keywords)
    {
        string name = args[0].Text ?? throw Errors.Type("a named tuple needs a name");
        string[] fields = args[1].Text is { } text ? text.Replace(',', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries) : [.. Operations.ToArray(it, args[1]).Select(v => v.Text!)];
        Value[] defaults = Keywords.Take(keywords, "defaults", Value.None) is { IsNone: false } given ? Operations.ToArray(it, given) : [];
        PyClass made = new(name, [Types.Tuple], builtin: true);
        made.Attributes["_fields"] = Library.Tuple([.. fields.Select(Value.Of)]);
        for (int i = 0; i < fields.Length; i++)
        {
            int at = i;
            made.Attributes[fields[i]] = Value.Of(new PropertyObject(Value.Of(new NativeFunction(fields[i], (_, a, _) => ((TupleObject)a[0].Ref!).Items[at])), default, default));
        }
        made.Construct = (_, a, k) => Value.Of(new TupleObject(Bind(a, k)) { Named = made });
        made.Attributes["_make"] = Value.Of(new WrappedMethod(Value.Of(new NativeFunction("_make", (i, a, _) => Value.Of(new TupleObject(Bind(Operations.ToArray(i, a[1]), null)) { Named = made }), 2, 2)), ofClass: true));
        TypeMethods.Add(made, "_asdict", (_, a, _) => Value.Of(AsDict((TupleObject)a[0].Ref!)), 0, 0);
        TypeMethods.Add(made, "_replace", (_, a, k) =>
        {
            Value[] items = (Value[])((TupleObject)a[0].Ref!).Items.Clone();
            for (int i = 0; i < (k?.Names.Length ?? 0); i++)
                items[Array.IndexOf(fields, k!.Names[i]) is >= 0 and var at ? at : throw Errors.Value($"Got unexpected field names: ['{k.Names[i]}']")] = k.Values[i];
            return Value.Of(new TupleObject(items) { Named = made });
        }, 0, 0);
        return Value.Of(made);

        Value[] Bind(Value[] a, Keywords? k)
        {
            Value[] items = new Value[fields.Length];
            if (a.Length > fields.Length)
                throw Errors.Type($"{name}.__new__() takes {fields.Length + 1} positional arguments but {a.Length + 1} were given");
            a.CopyTo(items, 0);
            for (int i = 0; i < (k?.Names.Length ?? 0); i++)
                items[Array.IndexOf(fields, k!.Names[i]) is >= 0 and var at ? at : throw Errors.Type($"{name}.__new__() got an unexpected keyword argument '{k.Names[i]}'")] = k.Values[i];
            for (int i = 0; i < items.Length; i++)
            {
                if (items[i].IsUnbound)
                    items[i] = i >= fields.Length - defaults.Length ? defaults[i - (fields.Length - defaults.Length)] : throw Errors.Type($"{name}.__new__() missing 1 required positional argument: '{fields[i]}'");
            }
            return items;
        }

        DictObject AsDict(TupleObject tuple)
        {
            DictObject dict = new();
            for (int i = 0; i < fields.Length; i++)
                dict.Table.Set(Value.Of(fields[i]), tuple.Items[i]);
            return dict;
        }
    }

    /// <summary>A queue with two ends.</summary>
    private sealed class DequeObject(int most) : PyObject, IIterable
    {
        public LinkedList<Value> Items { get; } = new();

        public int Most { get; } = most;

        public override PyClass ClassOf => Deque;

        public IEnumerable<Value> Values => Items;

        public void AddLast(Value value)
        {
            Items.AddLast(value);
            if (Items.Count > Most)
                Items.RemoveFirst();
        }

        public void AddFirst(Value value)
        {
            Items.AddFirst(value);
            if (Items.Count > Most)
                Items.RemoveLast();
        }
    }

    private static void DequeMethods()
    {
        Deque.Construct = (it, a, k) =>
        {
            Value most = a.Length > 1 ? a[1] : Keywords.Take(k, "maxlen", Value.None);
            DequeObject made = new(most.IsNone ? int.MaxValue : (int)Operations.ToIndex(most));
            foreach (Value value in a.Length > 0 ? Builtins.Each(it, a[0]) : [])
                made.AddLast(value);
            return Value.Of(made);
        };
        Method("append", (_, d, a) => Done(() => d.AddLast(a[0])), 1);
        Method("appendleft", (_, d, a) => Done(() => d.AddFirst(a[0])), 1);
        Method("pop", (_, d, _) => Take(d, last: true), 0);
        Method("popleft", (_, d, _) => Take(d, last: false), 0);
        Method("extend", (it, d, a) => Done(() => Array.ForEach(Operations.ToArray(it, a[0]), d.AddLast)), 1);
        Method("extendleft", (it, d, a) => Done(() => Array.ForEach(Operations.ToArray(it, a[0]), d.AddFirst)), 1);
        Method("clear", (_, d, _) => Done(d.Items.Clear), 0);
        Method("copy", (_, d, _) => Copy(d), 0);
        Method("__copy__", (_, d, _) => Copy(d), 0);
        Method("count", (_, d, a) => Value.Of((long)d.Items.Count(v => Operations.Equal(v, a[0]))), 1);
        Method("index", (it, d, a) => Value.Of((long)Array.FindIndex([.. d.Items], v => Operations.Equal(v, a[0])) is >= 0 and var at ? at : throw Errors.Value($"{Operations.Repr(it, a[0])} is not in deque")), 1);
        Method("remove", (it, d, a) => Done(() =>
        {
            LinkedListNode<Value>? node = d.Items.First;
            while (node is not null && !Operations.Equal(node.Value, a[0]))
                node = node.Next;
            d.Items.Remove(node ?? throw Errors.Value("deque.remove(x): x not in deque"));
        }), 1);
        Method("reverse", (_, d, _) => Done(() => Refill(d, [.. d.Items.Reverse()])), 0);
        Method("rotate", (_, d, a) => Done(() =>
        {
            long n = d.Items.Count == 0 ? 0 : (a.Length > 0 ? Operations.ToIndex(a[0]) : 1) % d.Items.Count;
            Value[] all = [.. d.Items];
            int shift = (int)((n + all.Length) % Math.Max(1, all.Length));
            Refill(d, [.. all[(all.Length - shift)..], .. all[..(all.Length - shift)]]);
        }), 0);
        Method("__len__", (_, d, _) => Value.Of((long)d.Items.Count), 0);
        Method("__bool__", (_, d, _) => Value.Of(d.Items.Count > 0), 0);
        Method("__iter__", (_, d, _) => Builtins.Lazy(d.Items.ToArray()), 0);
        Method("__reversed__", (_, d, _) => Builtins.Lazy(d.Items.Reverse().ToArray()), 0);
        Method("__contains__", (_, d, a) => Value.Of(d.Items.Any(v => Operations.Equal(v, a[0]))), 1);
        Method("__getitem__", (_, d, a) => d.Items.ElementAt(At(d, a[0])), 1);
        Method("__setitem__", (_, d, a) => Done(() =>
        {
            Value[] all = [.. d.Items];
            all[At(d, a[0])] = a[1];
            Refill(d, all);
        }), 2);
        Method("__eq__", (_, d, a) => Value.Of(a[0].Ref is DequeObject other && d.Items.Count == other.Items.Count && d.Items.Zip(other.Items).All(p => Operations.Equal(p.First, p.Second))), 1);
        Method("__repr__", (it, d, _) => Value.Of($"deque({Operations.Repr(it, Value.Of(new ListObject([.. d.Items])))}{(d.Most < int.MaxValue ? $", maxlen={d.Most}" : "")})"), 0);
        Deque.Attributes["maxlen"] = Value.Of(new PropertyObject(Value.Of(new NativeFunction("maxlen", (_, a, _) => ((DequeObject)a[0].Ref!).Most is var most && most < int.MaxValue ? Value.Of((long)most) : Value.None)), default, default));
    }

    private static void Method(string name, Func<Interpreter, DequeObject, Value[], Value> call, int least) =>
        TypeMethods.Add(Deque, name, (it, a, _) => call(it, (DequeObject)a[0].Ref!, a[1..]), least);

    private static Value Take(DequeObject d, bool last)
    {
        if ((last ? d.Items.Last : d.Items.First) is not { } node)
            throw Errors.Index("pop from an empty deque");
        d.Items.Remove(node);
        return node.Value;
    }

    private static Value Copy(DequeObject d)
    {
        DequeObject copy = new(d.Most);
        Refill(copy, [.. d.Items]);
        return Value.Of(copy);
    }

    private static void Refill(DequeObject d, Value[] items)
    {
        d.Items.Clear();
        Array.ForEach(items, v => d.Items.AddLast(v));
    }

    private static int At(DequeObject d, Value index)
    {
        long at = Operations.ToIndex(index);
        if (at < 0)
            at += d.Items.Count;
        return (ulong)at < (ulong)d.Items.Count ? (int)at : throw Errors.Index("deque index out of range");
    }
}

/// <summary>An object of the library that has values.</summary>
internal interface IIterable
{
    IEnumerable<Value> Values { get; }
}
