namespace Gradus.Applications.Python;

/// <summary>A variable that functions share.</summary>
internal sealed class Cell : PyObject
{
    public Value Value;

    public override PyClass ClassOf => Types.Object;
}

/// <summary>An object of a class of the program, or of an exception's class.</summary>
internal class InstanceObject(PyClass of) : PyObject
{
    public PyClass Of = of;

    public override PyClass ClassOf => Of;

    public Dictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);

    /// <summary>The value of the builtin type that the class derives from: list, dict, str, int, float, tuple, set.</summary>
    public Value Base { get; set; }
}

/// <summary>A method together with its object.</summary>
internal sealed class BoundMethod(Value self, Value function) : PyObject
{
    public Value Self { get; } = self;

    public Value Function { get; } = function;

    public override PyClass ClassOf => Types.Method;
}

/// <summary>Keyword arguments of a call.</summary>
internal sealed record Keywords(string[] Names, Value[] Values)
{
    private int _used;

    /// <summary>The value of a name, or the default.</summary>
    public static Value Take(Keywords? keywords, string name, Value absent = default)
    {
        int at = keywords is null ? -1 : Array.IndexOf(keywords.Names, name);
        if (at < 0)
            return absent;
        keywords!._used++;
        return keywords.Values[at];
    }

    /// <summary>Refuses names that nobody took.</summary>
    public static void CheckAllTaken(Keywords? keywords, string function)
    {
        if (keywords is not null && keywords._used < keywords.Names.Length)
            throw Errors.Type($"{function}() got an unexpected keyword argument '{keywords.Names[^1]}'");
    }
}

/// <summary>A function of this interpreter.</summary>
internal delegate Value Native(Interpreter it, Value[] args, Keywords? keywords);

internal sealed class NativeFunction(string name, Native call, int least = 0, int most = int.MaxValue) : PyObject
{
    public string Name { get; } = name;

    public override PyClass ClassOf => Types.Builtin;

    public Value Call(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length < least || args.Length > most)
            throw Errors.Type($"{Name}() takes {(least == most ? $"{least}" : args.Length < least ? $"at least {least}" : $"at most {most}")} argument{(least == 1 && most == 1 ? "" : "s")} ({args.Length} given)");
        return Guarded(Name, call, it, args, keywords);
    }

    /// <summary>Calls what is written in C#; what it cannot do with its arguments is an error of the program.</summary>
    public static Value Guarded(string name, Native call, Interpreter it, Value[] args, Keywords? keywords)
    {
        try
        {
            return call(it, args, keywords);
        }
        catch (Exception e) when (e is InvalidCastException or NullReferenceException or IndexOutOfRangeException or ArgumentException or FormatException or OverflowException or KeyNotFoundException)
        {
            throw Errors.Type($"{name}() does not take these arguments");
        }
    }
}
