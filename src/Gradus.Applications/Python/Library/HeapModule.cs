namespace Gradus.Applications.Python;

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
