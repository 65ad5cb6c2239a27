namespace Gradus.Applications.Python;

/// <summary>A class: of the program, or one that is built in.</summary>
internal sealed class PyClass : PyObject
{
    public PyClass(string name, PyClass[] bases, bool builtin = false)
    {
        Name = name;
        Bases = bases;
        IsBuiltin = builtin;
        Mro = Linearize(this, bases);
    }

    public string Name { get; set; }

    public PyClass[] Bases { get; }

    /// <summary>The order in which attributes are looked up (C3: Barrett et al., 1996).</summary>
    public PyClass[] Mro { get; }

    public bool IsBuiltin { get; }

    public Dictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);

    /// <summary>What a call of the class does, where it is built in.</summary>
    public Native? Construct { get; set; }

    public override PyClass ClassOf => Types.Type;

    public Value Find(string name)
    {
        foreach (PyClass c in Mro)
        {
            if (c.Attributes.TryGetValue(name, out Value value))
                return value;
        }
        return default;
    }

    public bool Is(PyClass other) => Array.IndexOf(Mro, other) >= 0;

    /// <summary>The builtin class other than object whose values the instances hold, or null.</summary>
    public PyClass? BuiltinBase => Array.Find(Mro, c => c.IsBuiltin && c != Types.Object && !c.Is(Types.BaseException) && c.Construct is not null);

    private static PyClass[] Linearize(PyClass self, PyClass[] bases)
    {
        List<List<PyClass>> lists = [.. bases.Select(b => b.Mro.ToList()), [.. bases]];
        List<PyClass> order = [self];
        while (true)
        {
            lists.RemoveAll(l => l.Count == 0);
            if (lists.Count == 0)
                return [.. order];
            PyClass next = lists.Select(l => l[0]).FirstOrDefault(c => lists.TrueForAll(l => l.IndexOf(c) <= 0))
                ?? throw Errors.Type("Cannot create a consistent method resolution order (MRO) for bases");
            order.Add(next);
            foreach (List<PyClass> list in lists)
                list.Remove(next);
        }
    }
}

/// <summary>The builtin classes. They are shared by all interpreters and never change after the start.</summary>
internal static class Types
{
    public static readonly PyClass Object = new("object", [], builtin: true);
    public static readonly PyClass Type = New("type"), NoneType = New("NoneType"), NotImplementedType = New("NotImplementedType"), EllipsisType = New("ellipsis");
    public static readonly PyClass Int = New("int"), Bool = New("bool", Int), Float = New("float"), Str = New("str"), Bytes = New("bytes");
    public static readonly PyClass List = New("list"), Tuple = New("tuple"), Range = New("range"), Slice = New("slice");
    public static readonly PyClass Dict = New("dict"), Set = New("set"), FrozenSet = New("frozenset"), DictKeys = New("dict_keys"), DictValues = New("dict_values"), DictItems = New("dict_items");
    public static readonly PyClass Function = New("function"), Method = New("method"), Builtin = New("builtin_function_or_method"), Module = New("module");
    public static readonly PyClass Generator = New("generator"), Iterator = New("iterator"), Property = New("property"), StaticMethod = New("staticmethod"), ClassMethod = New("classmethod"), Super = New("super");
    public static readonly PyClass BaseException = New("BaseException"), Exception = New("Exception", BaseException);
    public static readonly IReadOnlyDictionary<string, PyClass> Exceptions = MakeExceptions();

    private static PyClass New(string name, PyClass? of = null) => new(name, [of ?? Object], builtin: true);

    private static Dictionary<string, PyClass> MakeExceptions()
    {
        Dictionary<string, PyClass> all = new() { ["BaseException"] = BaseException, ["Exception"] = Exception };
        foreach (string line in new[]
        {
            "BaseException: SystemExit KeyboardInterrupt GeneratorExit", "Exception: StopIteration ArithmeticError AssertionError AttributeError BufferError EOFError ImportError LookupError MemoryError NameError OSError RuntimeError SyntaxError TypeError ValueError Warning",
            "ArithmeticError: ZeroDivisionError OverflowError FloatingPointError", "LookupError: IndexError KeyError", "NameError: UnboundLocalError",
            "RuntimeError: NotImplementedError RecursionError", "ValueError: UnicodeError", "ImportError: ModuleNotFoundError", "OSError: FileNotFoundError PermissionError TimeoutError",
            "SyntaxError: IndentationError", "Warning: UserWarning DeprecationWarning RuntimeWarning",
        })
        {
            string[] parts = line.Split(": ");
            foreach (string name in parts[1].Split(' '))
                all[name] = New(name, all[parts[0]]);
        }
        return all;
    }
}

/// <summary>A Python exception on its way.</summary>
internal sealed class PyError(InstanceObject value) : Exception
{
    public InstanceObject Error { get; } = value;

    /// <summary>The calls it came through, innermost first: function and place.</summary>
    public List<(string Function, Position At)> Trace { get; } = [];

    public override string Message => Operations.ErrorText(Error);
}

/// <summary>Makes exceptions.</summary>
internal static class Errors
{
    public static PyError Make(string type, params Python.Value[] args) => Make(Types.Exceptions[type], args);

    public static PyError Make(PyClass type, params Python.Value[] args)
    {
        InstanceObject error = new(type);
        error.Attributes["args"] = Python.Value.Of(new TupleObject(args));
        return new PyError(error);
    }

    public static PyError Make(string type, string message) => Make(type, Python.Value.Of(message));

    public static PyError Type(string message) => Make("TypeError", message);

    public static PyError Value(string message) => Make("ValueError", Python.Value.Of(message));

    public static PyError Index(string message) => Make("IndexError", message);

    public static PyError Key(Python.Value key) => Make("KeyError", key);

    public static PyError Attribute(string message) => Make("AttributeError", message);

    public static PyError Name(string name) => Make("NameError", $"name '{name}' is not defined");

    public static PyError Overflow(string message) => Make("OverflowError", message);

    public static PyError ZeroDivision(string message) => Make("ZeroDivisionError", message);

    public static PyError Memory() => Make("MemoryError", "the program holds more memory than it may");

    public static PyError StopIteration(Python.Value value = default) => value.IsUnbound || value.IsNone ? Make("StopIteration") : Make("StopIteration", value);

    public static PyError Operand(string op, Python.Value a, Python.Value b) => Type($"unsupported operand type(s) for {op}: '{a.Class.Name}' and '{b.Class.Name}'");
}

/// <summary>The program used up what it was given; no handler of its own can catch this.</summary>
internal sealed class ExhaustedException(string message) : Exception(message);
