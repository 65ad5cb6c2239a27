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
