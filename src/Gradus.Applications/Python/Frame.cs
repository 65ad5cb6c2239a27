namespace Gradus.Applications.Python;

/// <summary>How a statement ended.</summary>
internal enum Completion { Normal, Break, Continue, Return }

/// <summary>One run of a function, a class body or a module.</summary>
internal sealed class Frame(Interpreter interpreter, ModuleObject module, int slots)
{
    /// <summary>Variables by slot; a shared one is a <see cref="Cell"/>.</summary>
    public readonly Value[] Slots = slots == 0 ? [] : new Value[slots];

    public readonly Interpreter It = interpreter;

    public readonly ModuleObject Module = module;

    /// <summary>The variables of enclosing functions.</summary>
    public Cell[] Free = [];

    /// <summary>The value that a return statement gave.</summary>
    public Value Result;

    /// <summary>Where it stands.</summary>
    public Position At;

    /// <summary>The function that runs, or null.</summary>
    public FunctionObject? Function;

    /// <summary>The names of a class body.</summary>
    public Dictionary<string, Value>? ClassNames;

    /// <summary>How many frames are below it, itself included.</summary>
    public int Depth;

    /// <summary>The caller.</summary>
    public Frame? Back;

    /// <summary>The exception that is being handled, for a bare raise.</summary>
    public PyError? Handling;

    /// <summary>How the last statement of a generator ended.</summary>
    public Completion Completed;

    /// <summary>What was sent into a generator, and what is to be raised in it.</summary>
    public Value Sent = Value.None;

    public PyError? Injected;
}

/// <summary>A variable of a module.</summary>
internal sealed class GlobalCell(string name)
{
    public string Name { get; } = name;

    public Value Value;

    /// <summary>The builtin of the name, where the module has no such variable.</summary>
    public Value Builtin;
}

/// <summary>A module: the program's, or one of the library.</summary>
internal sealed class ModuleObject(string name, Interpreter interpreter) : PyObject
{
    private readonly Dictionary<string, GlobalCell> _cells = new(StringComparer.Ordinal);

    public string Name { get; } = name;

    public override PyClass ClassOf => Types.Module;

    public IEnumerable<GlobalCell> Cells => _cells.Values;

    public GlobalCell Cell(string name)
    {
        if (!_cells.TryGetValue(name, out GlobalCell? cell))
        {
            _cells[name] = cell = new GlobalCell(name);
            interpreter.Builtins.TryGetValue(name, out cell.Builtin);
        }
        return cell;
    }

    public Value this[string name]
    {
        get => _cells.TryGetValue(name, out GlobalCell? cell) ? cell.Value : default;
        set => Cell(name).Value = value;
    }
}

/// <summary>A function of the program.</summary>
internal sealed class FunctionObject(FunctionCode code, ModuleObject module, Cell[] free, Value[] defaults, Value[] keywordDefaults) : PyObject
{
    public FunctionCode Code { get; } = code;

    public ModuleObject Module { get; } = module;

    public Cell[] Free { get; } = free;

    /// <summary>The defaults of the last positional parameters.</summary>
    public Value[] Defaults { get; } = defaults;

    /// <summary>The defaults of the keyword-only parameters; unbound for none.</summary>
    public Value[] KeywordDefaults { get; } = keywordDefaults;

    /// <summary>The class in whose body it stands, for super().</summary>
    public PyClass? Owner { get; set; }

    public Dictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);

    public string Name { get; set; } = code.Name;

    public override PyClass ClassOf => Types.Function;
}

/// <summary>What all functions of one definition share.</summary>
internal sealed class FunctionCode
{
    public required string Name { get; init; }

    /// <summary>Names of the parameters: positional, then keyword-only.</summary>
    public required string[] Parameters { get; init; }

    public required int Positional { get; init; }

    /// <summary>Those that cannot be given by name.</summary>
    public int PositionalOnly { get; init; }

    /// <summary>Slot of *args, or −1.</summary>
    public int ArgsSlot { get; set; } = -1;

    /// <summary>Slot of **kwargs, or −1.</summary>
    public int KeywordsSlot { get; set; } = -1;

    public required Statement Body { get; init; }

    /// <summary>The value of a lambda's body, or null.</summary>
    public Expression? Lambda { get; init; }

    public bool IsGenerator { get; set; }

    public required Scope Scope { get; init; }

    public int Slots => Scope.Slots;

    /// <summary>The slots that are cells.</summary>
    public int[] CellSlots { get; set; } = [];

    public string? Documentation { get; init; }
}
