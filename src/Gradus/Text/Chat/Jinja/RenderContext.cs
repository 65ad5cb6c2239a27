using System.Runtime.CompilerServices;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// The state of one rendering: variables, output, the place being run, and the budget.
/// Everything that can loop or grow charges the budget before it does so.
/// </summary>
internal sealed class RenderContext
{
    private long _steps;
    private long _characters;
    private int _depth;

    public RenderContext(ChatTemplateLimits limits, TimeProvider clock, bool tracing, JinjaSettings settings)
    {
        Settings = settings;
        Limits = limits;
        Clock = clock;
        Tracing = tracing;
        Output = NewBuilder();
        Scope = new Scope(null);
    }

    public JinjaSettings Settings { get; }

    public ChatTemplateLimits Limits { get; }

    public TimeProvider Clock { get; }

    /// <summary>Whether marks are wanted: loops over messages then mark the turns they print.</summary>
    public bool Tracing { get; }

    /// <summary>Whether an iteration that belongs to a message is running: what it prints belongs to that turn.</summary>
    public bool InTurn { get; set; }

    public MarkedBuilder Output { get; set; }

    public Scope Scope { get; set; }

    /// <summary>The place of what runs now, for messages.</summary>
    public Position Position { get; set; }

    /// <summary>The steps taken so far.</summary>
    public long Steps => _steps;

    public ChatTemplateException Error(string reason) => Position.Error(reason);

    /// <summary>Counts one step and makes sure that the stack holds one more level of recursion.</summary>
    public void Step()
    {
        Charge(1);
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw Error("values or calls are nested too deeply");
    }

    public void Charge(long work)
    {
        _steps += work;
        if (_steps > Limits.MaxSteps)
            throw Error($"the template runs longer than {Limits.MaxSteps} steps (MaxSteps)");
    }

    /// <summary>Counts a search for a pattern: adversarial text makes it cost their product.</summary>
    public void ChargeSearch(int text, int pattern) => Charge(1 + (text / 16 * (1L + (pattern / 64))));

    /// <summary>Counts characters about to be written to a new string.</summary>
    public void ChargeCharacters(long count)
    {
        _characters += count;
        if (_characters > Limits.MaxCharacters)
            throw Error($"the strings of the template pass {Limits.MaxCharacters} characters together (MaxCharacters)");
    }

    public void EnterCall()
    {
        Step();
        if (++_depth > Limits.MaxDepth)
            throw Error($"calls are nested more than {Limits.MaxDepth} deep (MaxDepth)");
    }

    public void LeaveCall() => _depth--;

    public MarkedBuilder NewBuilder() => new(this, Limits.MaxOutput);

    /// <summary>iter(value), or an error that says what is not iterable.</summary>
    public IEnumerable<Value> Iterate(Value value) =>
        value.Iterate(this) ?? throw Error($"'{value.TypeName}' object is not iterable");

    /// <summary>list(value).</summary>
    public List<Value> ToList(Value value)
    {
        List<Value> list = [];
        foreach (Value element in Iterate(value))
        {
            Charge(1);
            list.Add(element);
        }
        return list;
    }

    /// <summary>The template's value.name: an attribute, else an item, else undefined.</summary>
    public Value GetAttribute(Value value, string name) =>
        value.Attribute(this, name) ?? value.Item(this, Value.Of(name)) ?? Missing(value, $"attribute '{name}'");

    /// <summary>The template's value[key]: an item, else an attribute where the key is a string, else undefined.</summary>
    public Value GetItem(Value value, Value key)
    {
        if (value.Item(this, key) is Value item)
            return item;
        if (key is TextValue name)
            return value.Attribute(this, name.Text) ?? Missing(value, $"attribute '{name.Text}'");
        return Missing(value, key is IntValue ? $"element {Printer.Text(this, key)}" : $"item with a key of type {key.TypeName}");
    }

    private UndefinedValue Missing(Value value, string what) => Undefined($"'{value.TypeName} object' has no {what}");

    /// <summary>What does not exist: strict where the settings say so.</summary>
    public UndefinedValue Undefined(string reason) => new(reason, Settings.Strict ? this : null);
}

/// <summary>Variables by name; a lookup falls through to the scope around it, a write stays.</summary>
internal sealed class Scope(Scope? parent)
{
    private readonly Dictionary<string, Value> _variables = new(StringComparer.Ordinal);

    public Scope? Parent => parent;

    public void Set(string name, Value value) => _variables[name] = value;

    public Value? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._variables.TryGetValue(name, out Value? value))
                return value;
        }
        return null;
    }
}
