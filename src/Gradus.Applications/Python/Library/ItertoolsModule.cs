namespace Gradus.Applications.Python;

/// <summary>itertools.</summary>
internal static class ItertoolsModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        m.Add("count", (i, a, k) => Builtins.Lazy(Count(i, a.Length > 0 ? a[0] : Keywords.Take(k, "start", Value.Of(0L)), a.Length > 1 ? a[1] : Keywords.Take(k, "step", Value.Of(1L)))), 0, 2);
        m.Add("cycle", (i, a, _) => Builtins.Lazy(Cycle(i, a[0])), 1, 1);
        m.Add("repeat", (i, a, k) => Builtins.Lazy(Repeat(i, a[0], a.Length > 1 ? a[1] : Keywords.Take(k, "times"))), 1, 2);
        m.Add("accumulate", (i, a, k) => Builtins.Lazy(Accumulate(i, a[0], a.Length > 1 ? a[1] : Keywords.Take(k, "func", Value.None), Keywords.Take(k, "initial", Value.None))), 1, 2);
        Value chain = Value.Of(new NativeFunction("chain", (i, a, _) => Builtins.Lazy(a.SelectMany(s => Builtins.Each(i, s)))));
        PyClass chains = new("chain", [Types.Object], builtin: true) { Construct = ((NativeFunction)chain.Ref!).Call };
        chains.Attributes["from_iterable"] = Value.Of(new NativeFunction("from_iterable", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[0]).SelectMany(s => Builtins.Each(i, s))), 1, 1));
        m["chain"] = Value.Of(chains);
        m.Add("compress", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[0]).Zip(Builtins.Each(i, a[1])).Where(p => Operations.Truth(i, p.Second)).Select(p => p.First)), 2, 2);
        m.Add("dropwhile", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[1]).SkipWhile(v => Operations.Truth(i, i.Call(a[0], v)))), 2, 2);
        m.Add("takewhile", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[1]).TakeWhile(v => Operations.Truth(i, i.Call(a[0], v)))), 2, 2);
        m.Add("filterfalse", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[1]).Where(v => !Operations.Truth(i, a[0].IsNone ? v : i.Call(a[0], v)))), 2, 2);
        m.Add("starmap", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[1]).Select(v => i.Call(a[0], Operations.ToArray(i, v), null))), 2, 2);
        m.Add("islice", (i, a, _) => Builtins.Lazy(Slice(i, a)), 2, 4);
        m.Add("pairwise", (i, a, _) => Builtins.Lazy(Pairwise(i, a[0])), 1, 1);
        m.Add("batched", (i, a, _) => Builtins.Lazy(Builtins.Each(i, a[0]).Chunk((int)Operations.ToIndex(a[1])).Select(c => Library.Tuple(c))), 2, 2);
        m.Add("zip_longest", (i, a, k) => Builtins.Lazy(Longest(i, a, Keywords.Take(k, "fillvalue", Value.None))));
        m.Add("groupby", (i, a, k) => Builtins.Lazy(Groups(i, a[0], a.Length > 1 ? a[1] : Keywords.Take(k, "key", Value.None))), 1, 2);
        m.Add("tee", (i, a, _) => Tee(i, a[0], a.Length > 1 ? (int)Operations.ToIndex(a[1]) : 2), 1, 2);
        m.Add("product", (i, a, k) => Builtins.Lazy(Product(i, a, (int)Operations.ToIndex(Keywords.Take(k, "repeat", Value.Of(1L))))));
        m.Add("permutations", (i, a, k) => Builtins.Lazy(Choose(i, a, k, ordered: true, repeated: false)), 1, 2);
        m.Add("combinations", (i, a, k) => Builtins.Lazy(Choose(i, a, k, ordered: false, repeated: false)), 1, 2);
        m.Add("combinations_with_replacement", (i, a, k) => Builtins.Lazy(Choose(i, a, k, ordered: false, repeated: true)), 1, 2);
    }

    private static IEnumerable<Value> Count(Interpreter it, Value start, Value step)
    {
        for (Value value = start; ; value = Operations.Binary(it, BinaryOperator.Add, value, step))
        {
            it.Burn();
            yield return value;
        }
    }

    private static IEnumerable<Value> Cycle(Interpreter it, Value source)
    {
        List<Value> seen = [];
        foreach (Value value in Builtins.Each(it, source))
        {
            seen.Add(value);
            yield return value;
        }
        while (seen.Count > 0)
        {
            foreach (Value value in seen)
            {
                it.Burn();
                yield return value;
            }
        }
    }

    private static IEnumerable<Value> Repeat(Interpreter it, Value value, Value times)
    {
        for (long left = times.IsUnbound ? long.MaxValue : Operations.ToIndex(times); left > 0; left--)
        {
            it.Burn();
            yield return value;
        }
    }

    private static IEnumerable<Value> Accumulate(Interpreter it, Value source, Value function, Value initial)
    {
        Value total = initial.IsNone ? default : initial;
        if (!total.IsUnbound)
            yield return total;
        foreach (Value value in Builtins.Each(it, source))
        {
            total = total.IsUnbound ? value : function.IsNone ? Operations.Binary(it, BinaryOperator.Add, total, value) : it.Call(function, total, value);
            yield return total;
        }
    }

    private static IEnumerable<Value> Slice(Interpreter it, Value[] args)
    {
        long start = args.Length > 2 && !args[1].IsNone ? Operations.ToIndex(args[1]) : 0, step = args.Length > 3 && !args[3].IsNone ? Operations.ToIndex(args[3]) : 1;
        Value end = args[args.Length > 2 ? 2 : 1];
        long stop = end.IsNone ? long.MaxValue : Operations.ToIndex(end);
        if (start < 0 || stop < 0 || step < 1)
            throw Errors.Value("Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
        IIterator iterator = Operations.Iterate(it, args[0]);
        long next = start;
        for (long at = 0; at < stop && iterator.Next(out Value value); at++)
        {
            it.Burn();
            if (at != next)
                continue;
            next += step;
            yield return value;
        }
    }

    private static IEnumerable<Value> Pairwise(Interpreter it, Value source)
    {
        Value before = default;
        foreach (Value value in Builtins.Each(it, source))
        {
            if (!before.IsUnbound)
                yield return Library.Tuple(before, value);
            before = value;
        }
    }

    private static IEnumerable<Value> Longest(Interpreter it, Value[] sources, Value fill)
    {
        IIterator?[] iterators = [.. sources.Select(s => Operations.Iterate(it, s))];
        while (iterators.Length > 0)
        {
            it.Burn();
            Value[] row = new Value[iterators.Length];
            for (int i = 0; i < row.Length; i++)
            {
                row[i] = fill;
                if (iterators[i]?.Next(out Value value) == true)
                    row[i] = value;
                else
                    iterators[i] = null;
            }
            if (Array.TrueForAll(iterators, i => i is null))
                yield break;
            yield return Library.Tuple(row);
        }
    }

    private static IEnumerable<Value> Groups(Interpreter it, Value source, Value key)
    {
        Value current = default;
        List<Value> group = [];
        foreach (Value value in Builtins.Each(it, source))
        {
            Value of = key.IsNone ? value : it.Call(key, value);
            if (!current.IsUnbound && !Operations.Equal(of, current))
            {
                yield return Library.Tuple(current, Builtins.Lazy(group));
                group = [];
            }
            current = of;
            group.Add(value);
        }
        if (group.Count > 0)
            yield return Library.Tuple(current, Builtins.Lazy(group));
    }

    private static Value Tee(Interpreter it, Value source, int count)
    {
        IEnumerator<Value> shared = Builtins.Each(it, source).GetEnumerator();
        List<Value> seen = [];
        return Library.Tuple([.. Enumerable.Range(0, count).Select(_ => Builtins.Lazy(One()))]);

        IEnumerable<Value> One()
        {
            for (int at = 0; ; at++)
            {
                if (at == seen.Count)
                {
                    if (!shared.MoveNext())
                        yield break;
                    seen.Add(shared.Current);
                }
                yield return seen[at];
            }
        }
    }

    private static IEnumerable<Value> Product(Interpreter it, Value[] sources, int repeat)
    {
        Value[][] once = [.. sources.Select(s => Operations.ToArray(it, s).ToArray())];
        Value[][] pools = [.. Enumerable.Repeat(once, repeat).SelectMany(p => p)];
        int[] at = new int[pools.Length];
        if (Array.Exists(pools, p => p.Length == 0))
            yield break;
        while (true)
        {
            it.Burn();
            yield return Library.Tuple([.. pools.Select((p, i) => p[at[i]])]);
            int digit = pools.Length - 1;
            while (digit >= 0 && ++at[digit] == pools[digit].Length)
                at[digit--] = 0;
            if (digit < 0)
                yield break;
        }
    }

    // All choices of r places in lexicographic order of the places.
    private static IEnumerable<Value> Choose(Interpreter it, Value[] args, Keywords? keywords, bool ordered, bool repeated)
    {
        Value[] pool = [.. Operations.ToArray(it, args[0])];
        Value given = args.Length > 1 ? args[1] : Keywords.Take(keywords, "r", Value.None);
        int r = given.IsNone ? pool.Length : (int)Operations.ToIndex(given);
        if (r < 0)
            throw Errors.Value("r must be non-negative");
        return Rest();

        IEnumerable<Value> Rest()
        {
            int[] at = new int[r];
            bool[] used = new bool[pool.Length];
            int depth = 0;
            Array.Fill(at, -1);
            if (r == 0)
            {
                yield return Library.Tuple();
                yield break;
            }
            while (depth >= 0)
            {
                it.Burn();
                if (at[depth] >= 0)
                    used[at[depth]] = false;
                int next = at[depth] + 1;
                if (at[depth] < 0 && depth > 0 && !ordered)
                    next = at[depth - 1] + (repeated ? 0 : 1);
                while (next < pool.Length && ordered && used[next])
                    next++;
                if (next >= pool.Length)
                {
                    at[depth--] = -1;
                    continue;
                }
                at[depth] = next;
                used[next] = true;
                if (depth + 1 < r)
                    depth++;
                else
                    yield return Library.Tuple([.. at.Select(i => pool[i])]);
            }
        }
    }
}
