namespace Gradus.Applications.Python;

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
