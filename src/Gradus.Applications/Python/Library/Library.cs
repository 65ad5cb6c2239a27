using System.Reflection;

namespace Gradus.Applications.Python;

/// <summary>The modules that a program may import. Some are written here, some in this Python itself (the .py files beside this one).</summary>
internal static class Library
{
    private static readonly Dictionary<string, Action<Interpreter, ModuleObject>> Natives = new(StringComparer.Ordinal)
    {
        ["math"] = MathModule.Fill,
        ["cmath"] = (_, _) => throw Errors.Make("ModuleNotFoundError", "No module named 'cmath': complex numbers are not part of this Python"),
        ["collections"] = Collections.Fill,
        ["collections.abc"] = AbstractModule.Fill,
        ["itertools"] = ItertoolsModule.Fill,
        ["functools"] = FunctoolsModule.Fill,
        ["operator"] = OperatorModule.Fill,
        ["heapq"] = HeapModule.Fill,
        ["bisect"] = BisectModule.Fill,
        ["random"] = RandomModule.Fill,
        ["re"] = RegexModule.Fill,
        ["json"] = JsonModule.Fill,
        ["string"] = TextModule.Fill,
        ["sys"] = SystemModule.FillSys,
        ["time"] = SystemModule.FillTime,
        ["copy"] = CopyModule.Fill,
        ["typing"] = AbstractModule.FillTyping,
        ["abc"] = AbstractModule.FillAbc,
        ["numbers"] = AbstractModule.FillNumbers,
        ["__future__"] = (_, m) => m["annotations"] = Value.None,
    };

    private static readonly string[] Sources = ["_ordered", "statistics", "fractions", "decimal", "datetime", "enum", "dataclasses", "textwrap", "calendar", "array"];

    /// <summary>Those that a program is told of.</summary>
    public static IEnumerable<string> Names => Natives.Keys.Concat(Sources).Where(n => n is not "cmath" && !n.StartsWith('_')).Order(StringComparer.Ordinal);

    /// <summary>Puts a module's contents into it; false where there is none of its name.</summary>
    public static bool Fill(Interpreter it, ModuleObject module)
    {
        if (Natives.TryGetValue(module.Name, out Action<Interpreter, ModuleObject>? fill))
        {
            fill(it, module);
            return true;
        }
        if (!Sources.Contains(module.Name))
            return false;
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"python/{module.Name}.py")!;
        using StreamReader reader = new(stream);
        it.RunText(reader.ReadToEnd(), module);
        return true;
    }

    /// <summary>Adds a function to a module.</summary>
    public static void Add(this ModuleObject module, string name, Native call, int least = 0, int most = int.MaxValue) => module[name] = Value.Of(new NativeFunction(name, call, least, most));

    public static Value Tuple(params Value[] items) => Value.Of(new TupleObject(items));
}
