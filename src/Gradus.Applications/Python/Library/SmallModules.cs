namespace Gradus.Applications.Python;

/// <summary>functools.</summary>
internal static class FunctoolsModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m.Add("reduce", (i, a, _) =>
        {
            Value total = a.Length > 2 ? a[2] : default;
            foreach (Value value in Builtins.Each(i, a[1]))
                total = total.IsUnbound ? value : i.Call(a[0], total, value);
            return total.IsUnbound ? throw Errors.Type("reduce() of empty iterable with no initial value") : total;
        }, 2, 3);
        m.Add("cmp_to_key", (_, a, _) => CompareKey(a[0]), 1, 1);
        m.Add("lru_cache", (_, a, _) => a.Length == 1 && a[0].Ref is FunctionObject ? Cached(a[0]) : Value.Of(new NativeFunction("lru_cache", (_, f, _) => Cached(f[0]), 1, 1)), 0, 2);
        m.Add("cache", (_, a, _) => Cached(a[0]), 1, 1);
        m.Add("wraps", (_, a, _) => Value.Of(new NativeFunction("wraps", (i, f, _) =>
        {
            if (f[0].Ref is FunctionObject wrapper && a[0].Ref is FunctionObject wrapped)
                wrapper.Name = wrapped.Name;
            if (f[0].Ref is FunctionObject)
                Attributes.Set(i, f[0], "__wrapped__", a[0]);
            return f[0];
        }, 1, 1)), 1, 3);
        m.Add("partial", (i, a, k) => Partial(a, k), 1);
        it.RunText("""
            def total_ordering(cls):
                names = cls.__dict__
                if '__lt__' in names:
                    cls.__gt__ = lambda self, other: not (self < other or self == other)
                    cls.__le__ = lambda self, other: self < other or self == other
                    cls.__ge__ = lambda self, other: not self < other
                elif '__gt__' in names:
                    cls.__lt__ = lambda self, other: not (self > other or self == other)
                    cls.__ge__ = lambda self, other: self > other or self == other
                    cls.__le__ = lambda self, other: not self > other
                elif '__le__' in names:
                    cls.__gt__ = lambda self, other: not self <= other
                    cls.__lt__ = lambda self, other: self <= other and not self == other
                    cls.__ge__ = lambda self, other: not self <= other or self == other
                elif '__ge__' in names:
                    cls.__lt__ = lambda self, other: not self >= other
                    cls.__gt__ = lambda self, other: self >= other and not self == other
                    cls.__le__ = lambda self, other: not self >= other or self == other
                else:
                    raise ValueError('must define at least one ordering operation: < > <= >=')
                return cls

            class cached_property:
                def __init__(self, func):
                    self.func = func
                    self.name = func.__name__
                def __set_name__(self, owner, name):
                    self.name = name
                def __get__(self, instance, owner=None):
                    if instance is None:
                        return self
                    value = self.func(instance)
                    setattr(instance, self.name, value)
                    return value

            class singledispatch:
                def __init__(self, func):
                    self.func = func
                    self.kinds = {}
                def register(self, kind, func=None):
                    if func is None:
                        return lambda f: self.register(kind, f)
                    self.kinds[kind] = func
                    return func
                def __call__(self, *args, **kwargs):
                    for kind in type(args[0]).__mro__:
                        if kind in self.kinds:
                            return self.kinds[kind](*args, **kwargs)
                    return self.func(*args, **kwargs)
            """, m);
    }

    private static Value Partial(Value[] args, Keywords? keywords) => Value.Of(new NativeFunction("partial", (it, more, k) =>
    {
        Keywords? all = keywords;
        if (k is not null)
        {
            string[] kept = [.. (keywords?.Names ?? []).Where(n => !k.Names.Contains(n))];
            all = new Keywords([.. kept, .. k.Names], [.. kept.Select(n => keywords!.Values[Array.IndexOf(keywords.Names, n)]), .. k.Values]);
        }
        return it.Call(args[0], [.. args[1..], .. more], all is null ? null : new Keywords(all.Names, all.Values));
    }));

    private static Value Cached(Value function)
    {
        Table known = new();
        long hits = 0;
        NativeFunction cached = new("cached", (it, a, k) =>
        {
            Value key = Library.Tuple([.. a, .. (k?.Names ?? []).Select(Value.Of), .. k?.Values ?? []]);
            if (known.TryGet(key, out Value value))
            {
                hits++;
                return value;
            }
            value = it.Call(function, a, k);
            known.Set(key, value);
            return value;
        });
        InstanceObject callable = new(CachedClass);
        callable.Attributes["__wrapped__"] = function;
        callable.Attributes["__name__"] = Value.Of(function.Ref is FunctionObject f ? f.Name : "cached");
        callable.Attributes["call"] = Value.Of(cached);
        callable.Attributes["cache_clear"] = Value.Of(new NativeFunction("cache_clear", (_, _, _) =>
        {
            known.Clear();
            return Value.None;
        }));
        callable.Attributes["cache_info"] = Value.Of(new NativeFunction("cache_info", (_, _, _) => Library.Tuple(Value.Of(hits), Value.Of((long)known.Count), Value.None, Value.Of((long)known.Count))));
        return Value.Of(callable);
    }

    private static readonly PyClass CachedClass = MakeCachedClass();

    private static PyClass MakeCachedClass()
    {
        PyClass made = new("_lru_cache_wrapper", [Types.Object]);
        made.Attributes["__call__"] = Value.Of(new NativeFunction("__call__", (it, a, k) => it.Call(((InstanceObject)a[0].Ref!).Attributes["call"], a[1..], k), 1));
        made.Attributes["__get__"] = Value.Of(new NativeFunction("__get__", (_, a, _) => a[1].IsNone ? a[0] : Value.Of(new BoundMethod(a[1], a[0])), 2, 3));
        return made;
    }

    private static Value CompareKey(Value compare)
    {
        PyClass key = new("K", [Types.Object]);
        key.Attributes["__init__"] = Value.Of(new NativeFunction("__init__", (_, a, _) =>
        {
            ((InstanceObject)a[0].Ref!).Attributes["obj"] = a[1];
            return Value.None;
        }, 2, 2));
        foreach ((string name, Comparison op) in new[] { ("__lt__", Comparison.Less), ("__gt__", Comparison.Greater), ("__eq__", Comparison.Equal), ("__le__", Comparison.LessEqual), ("__ge__", Comparison.GreaterEqual) })
        {
            key.Attributes[name] = Value.Of(new NativeFunction(name, (it, a, _) =>
                Operations.Compare(it, op, it.Call(compare, ((InstanceObject)a[0].Ref!).Attributes["obj"], ((InstanceObject)a[1].Ref!).Attributes["obj"]), Value.Of(0L)), 2, 2));
        }
        return Value.Of(key);
    }
}

/// <summary>operator.</summary>
internal static class OperatorModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        foreach ((string name, BinaryOperator op) in new[] { ("add", BinaryOperator.Add), ("sub", BinaryOperator.Subtract), ("mul", BinaryOperator.Multiply), ("truediv", BinaryOperator.Divide), ("floordiv", BinaryOperator.FloorDivide), ("mod", BinaryOperator.Modulo), ("pow", BinaryOperator.Power), ("lshift", BinaryOperator.ShiftLeft), ("rshift", BinaryOperator.ShiftRight), ("and_", BinaryOperator.And), ("or_", BinaryOperator.Or), ("xor", BinaryOperator.Xor) })
        {
            m.Add(name, (i, a, _) => Operations.Binary(i, op, a[0], a[1]), 2, 2);
            m.Add("i" + name, (i, a, _) => Operations.InPlace(i, op, a[0], a[1]), 2, 2);
        }
        m["concat"] = m["add"];
        foreach ((string name, Comparison op) in new[] { ("lt", Comparison.Less), ("le", Comparison.LessEqual), ("gt", Comparison.Greater), ("ge", Comparison.GreaterEqual), ("eq", Comparison.Equal), ("ne", Comparison.NotEqual), ("is_", Comparison.Is), ("is_not", Comparison.IsNot) })
            m.Add(name, (i, a, _) => Operations.Compare(i, op, a[0], a[1]), 2, 2);
        m.Add("contains", (i, a, _) => Value.Of(Operations.Contains(i, a[0], a[1])), 2, 2);
        m.Add("neg", (i, a, _) => Operations.Unary(i, UnaryOperator.Negate, a[0]), 1, 1);
        m.Add("pos", (i, a, _) => Operations.Unary(i, UnaryOperator.Plus, a[0]), 1, 1);
        m.Add("invert", (i, a, _) => Operations.Unary(i, UnaryOperator.Invert, a[0]), 1, 1);
        m.Add("not_", (i, a, _) => Value.Of(!Operations.Truth(i, a[0])), 1, 1);
        m.Add("truth", (i, a, _) => Value.Of(Operations.Truth(i, a[0])), 1, 1);
        m["abs"] = it.Builtins["abs"];
        m.Add("index", (_, a, _) => Value.Of(Operations.ToIndex(a[0])), 1, 1);
        m.Add("countOf", (i, a, _) => Value.Of((long)Operations.ToArray(i, a[0]).Count(v => Operations.Equal(v, a[1]))), 2, 2);
        m.Add("getitem", (i, a, _) => Operations.GetItem(i, a[0], a[1]), 2, 2);
        m.Add("setitem", (i, a, _) =>
        {
            Operations.SetItem(i, a[0], a[1], a[2]);
            return Value.None;
        }, 3, 3);
        m.Add("itemgetter", (_, keys, _) => Value.Of(new NativeFunction("itemgetter", (i, a, _) => keys.Length == 1 ? Operations.GetItem(i, a[0], keys[0]) : Library.Tuple([.. keys.Select(k => Operations.GetItem(i, a[0], k))]), 1, 1)), 1);
        m.Add("attrgetter", (_, names, _) => Value.Of(new NativeFunction("attrgetter", (i, a, _) => names.Length == 1 ? Follow(i, a[0], names[0]) : Library.Tuple([.. names.Select(n => Follow(i, a[0], n))]), 1, 1)), 1);
        m.Add("methodcaller", (_, args, k) => Value.Of(new NativeFunction("methodcaller", (i, a, _) => i.Call(Attributes.Get(i, a[0], args[0].Text!), args[1..], k), 1, 1)), 1);
    }

    private static Value Follow(Interpreter it, Value value, Value path) => path.Text!.Split('.').Aggregate(value, (v, name) => Attributes.Get(it, v, name));
}

/// <summary>heapq: a binary heap in a list, the smallest first.</summary>
internal static class HeapModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m.Add("heappush", (i, a, _) => Push(i, List(a[0]), a[1]), 2, 2);
        m.Add("heappop", (i, a, _) => Pop(i, List(a[0])), 1, 1);
        m.Add("heapify", (i, a, _) =>
        {
            ListObject heap = List(a[0]);
            for (int at = (heap.Count / 2) - 1; at >= 0; at--)
                Down(i, heap, at);
            return Value.None;
        }, 1, 1);
        m.Add("heappushpop", (i, a, _) => List(a[0]) is { Count: > 0 } heap && Operations.Less(i, heap.Items[0], a[1]) ? Replace(i, heap, a[1]) : a[1], 2, 2);
        m.Add("heapreplace", (i, a, _) => List(a[0]).Count == 0 ? throw Errors.Index("index out of range") : Replace(i, List(a[0]), a[1]), 2, 2);
        m.Add("nlargest", (i, a, k) => First(i, a, k, reverse: true), 2, 3);
        m.Add("nsmallest", (i, a, k) => First(i, a, k, reverse: false), 2, 3);
        m.Add("merge", (i, a, k) => Builtins.Lazy(Merge(i, a, Keywords.Take(k, "key", Value.None), Operations.Truth(i, Keywords.Take(k, "reverse", Value.False)))));
    }

    private static IEnumerable<Value> Merge(Interpreter it, Value[] sources, Value key, bool reverse)
    {
        List<(IIterator Source, Value First, Value Key)> heads = [];
        foreach (Value source in sources)
            Advance(Operations.Iterate(it, source), heads.Count);
        while (heads.Count > 0)
        {
            int best = 0;
            for (int i = 1; i < heads.Count; i++)
            {
                if (reverse ? Operations.Less(it, heads[best].Key, heads[i].Key) : Operations.Less(it, heads[i].Key, heads[best].Key))
                    best = i;
            }
            (IIterator rest, Value first, _) = heads[best];
            // The source goes on when the next value is asked for, since it may depend on this one.
            yield return first;
            heads.RemoveAt(best);
            Advance(rest, best);
        }

        void Advance(IIterator rest, int at)
        {
            it.Burn();
            if (rest.Next(out Value value))
                heads.Insert(at, (rest, value, key.IsNone ? value : it.Call(key, value)));
        }
    }

    private static ListObject List(Value value) => value.Ref as ListObject ?? throw Errors.Type($"heap argument must be a list, not {value.Class.Name}");

    private static Value First(Interpreter it, Value[] args, Keywords? keywords, bool reverse)
    {
        Value[] sorted = Operations.Sort(it, [.. Operations.ToArray(it, args[1])], args.Length > 2 ? args[2] : Keywords.Take(keywords, "key"), reverse);
        return Value.Of(new ListObject([.. sorted.Take((int)Math.Max(0, Operations.ToIndexClamped(args[0])))]));
    }

    private static Value Push(Interpreter it, ListObject heap, Value value)
    {
        heap.Add(value);
        int at = heap.Count - 1;
        while (at > 0 && Operations.Less(it, heap.Items[at], heap.Items[(at - 1) / 2]))
        {
            (heap.Items[at], heap.Items[(at - 1) / 2]) = (heap.Items[(at - 1) / 2], heap.Items[at]);
            at = (at - 1) / 2;
        }
        return Value.None;
    }

    private static Value Pop(Interpreter it, ListObject heap)
    {
        if (heap.Count == 0)
            throw Errors.Index("index out of range");
        Value smallest = heap.Items[0];
        heap.Items[0] = heap.Items[heap.Count - 1];
        heap.RemoveAt(heap.Count - 1);
        if (heap.Count > 0)
            Down(it, heap, 0);
        return smallest;
    }

    private static Value Replace(Interpreter it, ListObject heap, Value value)
    {
        Value smallest = heap.Items[0];
        heap.Items[0] = value;
        Down(it, heap, 0);
        return smallest;
    }

    private static void Down(Interpreter it, ListObject heap, int at)
    {
        while (true)
        {
            it.Burn();
            int child = (2 * at) + 1;
            if (child >= heap.Count)
                return;
            if (child + 1 < heap.Count && Operations.Less(it, heap.Items[child + 1], heap.Items[child]))
                child++;
            if (!Operations.Less(it, heap.Items[child], heap.Items[at]))
                return;
            (heap.Items[at], heap.Items[child]) = (heap.Items[child], heap.Items[at]);
            at = child;
        }
    }
}

/// <summary>bisect.</summary>
internal static class BisectModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        foreach (string name in new[] { "bisect_left", "bisect_right", "bisect" })
            m.Add(name, (i, a, k) => Value.Of((long)Find(i, a, k, right: name != "bisect_left")), 2, 4);
        foreach (string name in new[] { "insort_left", "insort_right", "insort" })
        {
            m.Add(name, (i, a, k) =>
            {
                ((ListObject)a[0].Ref!).Insert(Find(i, a, k, right: name != "insort_left"), a[1]);
                return Value.None;
            }, 2, 4);
        }
    }

    private static int Find(Interpreter it, Value[] args, Keywords? keywords, bool right)
    {
        Value key = Keywords.Take(keywords, "key", Value.None);
        int low = (int)Operations.ToIndex(args.Length > 2 ? args[2] : Keywords.Take(keywords, "lo", Value.Of(0L)));
        Value end = args.Length > 3 ? args[3] : Keywords.Take(keywords, "hi", Value.None);
        int high = end.IsNone ? (int)Operations.Length(it, args[0]) : (int)Operations.ToIndex(end);
        while (low < high)
        {
            int middle = (low + high) / 2;
            Value item = Operations.GetItem(it, args[0], Value.Of((long)middle));
            if (!key.IsNone)
                item = it.Call(key, item);
            if (right ? !Operations.Less(it, args[1], item) : Operations.Less(it, item, args[1]))
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}

/// <summary>string.</summary>
internal static class TextModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        const string Lower = "abcdefghijklmnopqrstuvwxyz", Digits = "0123456789", Marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", Space = " \t\n\r\v\f";
        foreach ((string name, string text) in new[]
        {
            ("ascii_lowercase", Lower), ("ascii_uppercase", Lower.ToUpperInvariant()), ("ascii_letters", Lower + Lower.ToUpperInvariant()), ("digits", Digits), ("hexdigits", Digits + "abcdefABCDEF"), ("octdigits", "01234567"), ("punctuation", Marks), ("whitespace", Space), ("printable", Digits + Lower + Lower.ToUpperInvariant() + Marks + Space),
        })
            m[name] = Value.Of(text);
        m.Add("capwords", (_, a, _) => Value.Of(string.Join(' ', a[0].Text!.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..].ToLowerInvariant()))), 1, 1);
    }
}

/// <summary>sys and time: what is left of them without a machine.</summary>
internal static class SystemModule
{
    public static void FillSys(Interpreter it, ModuleObject m)
    {
        m["maxsize"] = Value.Of(long.MaxValue);
        m["version"] = Value.Of("3.12 (Gradus)");
        m["version_info"] = Library.Tuple(Value.Of(3L), Value.Of(12L), Value.Of(0L));
        m["argv"] = Value.Of(new ListObject([Value.Of("")]));
        m["float_info"] = Value.None;
        m.Add("setrecursionlimit", (i, a, _) =>
        {
            i.RecursionLimit = (int)Math.Clamp(Operations.ToIndex(a[0]), 1, 100_000);
            return Value.None;
        }, 1, 1);
        m.Add("getrecursionlimit", (i, _, _) => Value.Of((long)i.RecursionLimit), 0, 0);
        m.Add("getsizeof", (_, a, _) => Value.Of(a[0].Text is { } text ? 49L + text.Length : 56L), 1, 2);
        m.Add("exit", (_, a, _) => throw Errors.Make("SystemExit", a), 0, 1);
        m.Add("intern", (_, a, _) => a[0], 1, 1);
    }

    public static void FillTime(Interpreter it, ModuleObject m)
    {
        // The clock stands still but for the program's own steps.
        m.Add("time", (i, _, _) => Value.Of((i.Now - DateTime.UnixEpoch).TotalSeconds), 0, 0);
        foreach (string name in new[] { "perf_counter", "monotonic", "process_time" })
            m.Add(name, (i, _, _) => Value.Of(i.StepsTaken / 1e7), 0, 0);
        m.Add("sleep", (_, _, _) => Value.None, 1, 1);
    }
}

/// <summary>copy.</summary>
internal static class CopyModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m.Add("copy", (i, a, _) => Copy(i, a[0], null), 1, 1);
        m.Add("deepcopy", (i, a, _) => Copy(i, a[0], new Dictionary<PyObject, Value>(ReferenceEqualityComparer.Instance)), 1, 2);
    }

    private static Value Copy(Interpreter it, Value value, Dictionary<PyObject, Value>? known)
    {
        if (known is not null && known.TryGetValue(value.Ref!, out Value seen) && value.Ref is not Tag)
            return seen;
        Value Inner(Value v) => known is null ? v : Copy(it, v, known);
        it.Burn();
        System.Runtime.CompilerServices.RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (value.Ref)
        {
            case ListObject list:
                ListObject items = new();
                Remember(items);
                foreach (Value item in list.ToArray())
                    items.Add(Inner(item));
                return Value.Of(items);
            case TupleObject tuple:
                return known is null ? value : Value.Of(new TupleObject([.. tuple.Items.Select(Inner)]) { Named = tuple.Named });
            case DictObject dict:
                DictObject entries = new() { Of = dict.Of, Factory = dict.Factory };
                Remember(entries);
                foreach (Value key in dict.Table.Keys())
                    entries.Table.Set(Inner(key), dict.Table.TryGet(key, out Value entry) ? Inner(entry) : default);
                return Value.Of(entries);
            case SetObject set:
                return Value.Of(new SetObject(set.Table.Copy(), set.Frozen));
            case InstanceObject instance:
                Value own = instance.Of.Find(known is null ? "__copy__" : "__deepcopy__");
                if (!own.IsUnbound)
                    return known is null ? it.Call(own, value) : it.Call(own, value, Value.Of(new DictObject()));
                InstanceObject made = new(instance.Of);
                Remember(made);
                made.Base = instance.Base.IsUnbound ? default : Copy(it, instance.Base, known);
                foreach ((string name, Value attribute) in instance.Attributes)
                    made.Attributes[name] = Inner(attribute);
                return Value.Of(made);
            case IIterable:
                return it.CallMethod(value, "__copy__");
            default:
                return value;
        }

        void Remember(PyObject made)
        {
            if (known is not null)
                known[value.Ref!] = Value.Of(made);
        }
    }
}
