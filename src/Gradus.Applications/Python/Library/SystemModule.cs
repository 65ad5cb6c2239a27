namespace Gradus.Applications.Python;

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
