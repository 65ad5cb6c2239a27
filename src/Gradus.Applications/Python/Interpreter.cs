// Runs programs of a Python subset. A program sees nothing of the machine: no files, no network, no environment, no clock but what the
// options give; it is held to a number of steps, an amount of memory and of output. It is no boundary by itself: a sandbox goes around it.

using System.Text;

namespace Gradus.Applications.Python;

/// <summary>What a program may use.</summary>
/// <param name="Steps">Turns of loops and calls of functions, at least 1.</param>
/// <param name="MemoryBytes">The memory that it may hold at once, in bytes.</param>
/// <param name="OutputCharacters">The characters that it may print.</param>
/// <param name="Seed">What <c>random</c> begins with.</param>
/// <param name="Now">What the clock says, in UTC; the beginning of 1970 where null.</param>
public sealed record PythonOptions(long Steps = 200_000_000, long MemoryBytes = 256L << 20, int OutputCharacters = 1 << 20, long Seed = 0, DateTime? Now = null);

/// <summary>What a program did.</summary>
/// <param name="Output">What it printed.</param>
/// <param name="Result">The value of the variable that was asked for, as Python writes it; null where it is absent or nothing was asked.</param>
/// <param name="Error">Null, or what went wrong: the traceback with its line and caret, as Python would write it.</param>
public sealed record PythonResult(string Output, string? Result, string? Error);

/// <summary>Runs one program.</summary>
public sealed class Interpreter
{
    private const int StackBytes = 512 << 20;
    private readonly Dictionary<string, ModuleObject> _modules = new(StringComparer.Ordinal);
    private readonly StringBuilder _output = new();
    private readonly PythonOptions _options;
    private long _steps;
    private int _untilCheck = CheckEvery;

    private const int CheckEvery = 1 << 14;

    private Interpreter(PythonOptions options)
    {
        _options = options;
        _steps = options.Steps;
        Random = new MersenneTwister(options.Seed);
        Python.Builtins.Add(this);
    }

    [ThreadStatic]
    private static Interpreter? s_current;

    /// <summary>The interpreter of this thread.</summary>
    internal static Interpreter Current => s_current!;

    internal Dictionary<string, Value> Builtins { get; } = new(StringComparer.Ordinal);

    internal MersenneTwister Random { get; }

    internal DateTime Now => _options.Now ?? DateTime.UnixEpoch;

    internal Frame? Top { get; private set; }

    internal ModuleObject? Main { get; private set; }

    internal long StepsTaken => _options.Steps - _steps + (CheckEvery - _untilCheck);

    internal int RecursionLimit { get; set; } = 1000;

    /// <summary>Runs a program to its end.</summary>
    /// <param name="source">The program.</param>
    /// <param name="options">What it may use; the defaults where null.</param>
    /// <param name="resultVariable">The variable whose value is wanted, or a function without parameters, such as PAL's <c>solution</c>; null for none.</param>
    public static PythonResult Run(string source, PythonOptions? options = null, string? resultVariable = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        PythonResult? result = null;
        // Deep recursion of the program is recursion of the interpreter.
        Thread thread = new(() => result = new Interpreter(options ?? new PythonOptions()).Execute(source, resultVariable), StackBytes);
        thread.Start();
        thread.Join();
        return result!;
    }

    private PythonResult Execute(string source, string? resultVariable)
    {
        s_current = this;
        Memory.Limit(_options.MemoryBytes);
        Main = new ModuleObject("__main__", this);
        Main["__name__"] = Value.Of("__main__");
        string? result = null;
        try
        {
            (Block body, Scope scope) = Parser.Program(source, Main);
            RunModule(body, scope, Main);
            if (resultVariable is not null && Main[resultVariable] is { IsUnbound: false } value)
                result = Operations.Repr(this, value.Ref is FunctionObject { Code.Positional: 0 } ? Call(value, [], null) : value);
            return new PythonResult(_output.ToString(), result, null);
        }
        catch (PythonSyntaxException e)
        {
            return new PythonResult(_output.ToString(), null, Tracebacks.Syntax(e, source));
        }
        catch (PyError e) when (e.Error.Of == Types.Exceptions["SystemExit"])
        {
            return new PythonResult(_output.ToString(), null, null);
        }
        catch (PyError e)
        {
            return new PythonResult(_output.ToString(), null, Tracebacks.Of(this, e, source));
        }
        catch (ExhaustedException e)
        {
            return new PythonResult(_output.ToString(), null, e.Message);
        }
        catch (InsufficientExecutionStackException)
        {
            return new PythonResult(_output.ToString(), null, "RecursionError: the values are nested too deeply");
        }
        catch (OutOfMemoryException)
        {
            return new PythonResult(_output.ToString(), null, "MemoryError: the program holds more memory than it may");
        }
        catch (Exception e)
        {
            // A fault of this interpreter ends the program, not the process.
            return new PythonResult(_output.ToString(), null, $"SystemError: a fault of the interpreter ({e.GetType().Name}: {e.Message})");
        }
    }

    private void RunModule(Block body, Scope scope, ModuleObject module) => InFrame(scope, module, frame =>
    {
        try
        {
            return body.Execute(frame);
        }
        catch (PyError e)
        {
            e.Trace.Add(("<module>", frame.At));
            throw;
        }
    });

    // Runs something of a module in a frame of its own.
    private T InFrame<T>(Scope scope, ModuleObject module, Func<Frame, T> run)
    {
        Frame frame = new(this, module, scope.Slots);
        foreach (int slot in scope.CellSlots)
            frame.Slots[slot] = Value.Of(new Cell());
        Frame? back = Top;
        Enter(frame);
        try
        {
            return run(frame);
        }
        finally
        {
            Leave(back);
        }
    }

    /// <summary>Runs text inside a module: exec().</summary>
    internal void RunText(string source, ModuleObject module)
    {
        try
        {
            (Block body, Scope scope) = Parser.Program(source, module);
            RunModule(body, scope, module);
        }
        catch (PythonSyntaxException e)
        {
            throw Errors.Make("SyntaxError", e.Message);
        }
    }

    /// <summary>The value of an expression: eval().</summary>
    internal Value EvaluateText(string source, ModuleObject module)
    {
        try
        {
            (Expression value, Scope scope) = Parser.Single(source, module);
            return InFrame(scope, module, value.Evaluate);
        }
        catch (PythonSyntaxException e)
        {
            throw Errors.Make("SyntaxError", e.Message);
        }
    }

    /// <summary>Counts one step.</summary>
    internal void Burn()
    {
        if (--_untilCheck > 0)
            return;
        _untilCheck = CheckEvery;
        _steps -= CheckEvery;
        if (_steps <= 0)
            throw new ExhaustedException($"TimeoutError: the program took more than {_options.Steps} steps");
        Memory.CheckHeld();
    }

    /// <summary>Counts work that a library function does.</summary>
    internal void Burn(long steps)
    {
        _steps -= steps;
        if (_steps <= 0)
            throw new ExhaustedException($"TimeoutError: the program took more than {_options.Steps} steps");
    }

    internal void Print(string text)
    {
        if (_output.Length + text.Length > _options.OutputCharacters)
            throw new ExhaustedException($"OutputError: the program printed more than {_options.OutputCharacters} characters");
        _output.Append(text);
    }

    internal void Enter(Frame frame)
    {
        frame.Back = Top;
        frame.Depth = (Top?.Depth ?? 0) + 1;
        if (frame.Depth > RecursionLimit)
            throw Errors.Make("RecursionError", "maximum recursion depth exceeded");
        Top = frame;
    }

    internal void Leave(Frame? back) => Top = back;

    /// <summary>Runs a function whose parameters lie in the first slots of the frame.</summary>
    internal Value Run(FunctionObject function, Frame frame)
    {
        FunctionCode code = function.Code;
        frame.Function = function;
        frame.Free = function.Free;
        foreach (int slot in code.CellSlots)
            frame.Slots[slot] = Value.Of(new Cell { Value = frame.Slots[slot] });
        if (code.IsGenerator)
            return Value.Of(new GeneratorObject(code, frame));
        Burn();
        Frame? back = Top;
        Enter(frame);
        try
        {
            if (code.Lambda is { } lambda)
                return lambda.Evaluate(frame);
            return code.Body.Execute(frame) == Completion.Return ? frame.Result : Value.None;
        }
        catch (PyError e)
        {
            e.Trace.Add((function.Name, frame.At));
            throw;
        }
        finally
        {
            Top = back;
        }
    }

    /// <summary>Calls anything that can be called.</summary>
    internal Value Call(Value function, Value[] args, Keywords? keywords)
    {
        switch (function.Ref)
        {
            case FunctionObject f:
                return Run(f, Bind(f, args, keywords));
            case NativeFunction native:
                return native.Call(this, args, keywords);
            case BoundMethod bound:
                return Call(bound.Function, [bound.Self, .. args], keywords);
            case PyClass c:
                return Classes.Construct(this, c, args, keywords);
            default:
                Value call = function.IsUnbound ? default : function.Class.Find("__call__");
                return call.IsUnbound ? throw Errors.Type($"'{function.Class.Name}' object is not callable") : Call(call, [function, .. args], keywords);
        }
    }

    internal Value Call(Value function, params Value[] args) => Call(function, args, null);

    /// <summary>Calls a method by name.</summary>
    internal Value CallMethod(Value self, string name, params Value[] args)
    {
        Value method = self.Class.Find(name);
        return method.IsUnbound ? throw Errors.Attribute($"'{self.Class.Name}' object has no attribute '{name}'") : Call(Attributes.Get(this, self, name), args, null);
    }

    // Arguments go to parameters by place, then by name, then by default.
    private Frame Bind(FunctionObject function, Value[] args, Keywords? keywords)
    {
        FunctionCode code = function.Code;
        Frame frame = new(this, function.Module, code.Slots);
        int given = Math.Min(args.Length, code.Positional);
        Array.Copy(args, frame.Slots, given);
        if (code.ArgsSlot >= 0)
            frame.Slots[code.ArgsSlot] = Value.Of(new TupleObject(args[given..]));
        else if (args.Length > code.Positional)
            throw Errors.Type($"{function.Name}() takes {code.Positional} positional argument{(code.Positional == 1 ? "" : "s")} but {args.Length} {(args.Length == 1 ? "was" : "were")} given");
        DictObject? others = code.KeywordsSlot >= 0 ? new DictObject() : null;
        if (others is not null)
            frame.Slots[code.KeywordsSlot] = Value.Of(others);
        for (int i = 0; i < (keywords?.Names.Length ?? 0); i++)
        {
            string name = keywords!.Names[i];
            int at = Array.IndexOf(code.Parameters, name);
            if (at < code.PositionalOnly)
                at = -1;
            if (at < 0 && others is null)
                throw Errors.Type($"{function.Name}() got an unexpected keyword argument '{name}'");
            if (at < 0)
                others!.Table.Set(Value.Of(name), keywords.Values[i]);
            else if (!frame.Slots[at].IsUnbound)
                throw Errors.Type($"{function.Name}() got multiple values for argument '{name}'");
            else
                frame.Slots[at] = keywords.Values[i];
        }
        FillDefaults(function, frame, given);
        return frame;
    }

    private static void FillDefaults(FunctionObject function, Frame frame, int given)
    {
        FunctionCode code = function.Code;
        List<string> missing = [];
        for (int i = given; i < code.Positional; i++)
        {
            if (!frame.Slots[i].IsUnbound)
                continue;
            int at = i - (code.Positional - function.Defaults.Length);
            if (at < 0)
                missing.Add($"'{code.Parameters[i]}'");
            else
                frame.Slots[i] = function.Defaults[at];
        }
        if (missing.Count > 0)
            throw Errors.Type($"{function.Name}() missing {missing.Count} required positional argument{(missing.Count == 1 ? "" : "s")}: {string.Join(" and ", missing)}");
        for (int i = code.Positional; i < code.Parameters.Length; i++)
        {
            if (frame.Slots[i].IsUnbound)
                frame.Slots[i] = function.KeywordDefaults[i - code.Positional] is { IsUnbound: false } value ? value : throw Errors.Type($"{function.Name}() missing 1 required keyword-only argument: '{code.Parameters[i]}'");
        }
    }

    /// <summary>A module of the library.</summary>
    internal ModuleObject Import(string name)
    {
        if (_modules.TryGetValue(name, out ModuleObject? module))
            return module;
        module = new ModuleObject(name, this);
        if (!Library.Fill(this, module))
            throw Errors.Make("ModuleNotFoundError", $"No module named '{name}'; this Python has {string.Join(", ", Library.Names)}");
        module["__name__"] = Value.Of(name);
        return _modules[name] = module;
    }
}
