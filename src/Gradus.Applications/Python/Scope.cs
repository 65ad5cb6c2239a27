namespace Gradus.Applications.Python;

internal enum ScopeKind { Module, Function, Class, Comprehension }

/// <summary>A variable of a scope.</summary>
internal sealed class Symbol(Scope owner, int slot)
{
    /// <summary>The function, module or class in whose frame it lies.</summary>
    public Scope Owner { get; } = owner;

    public int Slot { get; } = slot;

    /// <summary>Whether a function further inside uses it, so that it must be a cell.</summary>
    public bool Captured { get; set; }
}

/// <summary>Where a name is found.</summary>
internal enum NameKind { Global, Local, Cell, Free, Class }

/// <summary>
/// Which names a module, function, class or comprehension binds, and where every use of a name finds its variable. A comprehension has
/// names of its own, but they lie in the frame around it.
/// </summary>
internal sealed class Scope(ScopeKind kind, Scope? parent)
{
    private readonly Dictionary<string, Symbol> _symbols = new(StringComparer.Ordinal);
    private readonly HashSet<string> _globals = [];
    private readonly HashSet<string> _nonlocals = [];
    private readonly List<NameExpression> _uses = [];
    private readonly List<Scope> _children = [];
    private readonly Dictionary<Symbol, int> _free = [];
    private int _slots;

    public ScopeKind Kind { get; } = kind;

    public Scope? Parent { get; } = parent;

    /// <summary>The scope whose frame holds this one's variables.</summary>
    public Scope Frame => Kind == ScopeKind.Comprehension ? Parent!.Frame : this;

    public int Slots => _slots;

    /// <summary>The variables of enclosing functions that this one uses, in the order of its frame's <see cref="Python.Frame.Free"/>.</summary>
    public IEnumerable<Symbol> FreeSymbols => _free.OrderBy(f => f.Value).Select(f => f.Key);

    /// <summary>The slots that are cells.</summary>
    public int[] CellSlots => [.. Everything().SelectMany(s => s._symbols.Values).Where(s => s.Captured && s.Owner == this).Select(s => s.Slot).Order()];

    public bool HasYield { get; set; }

    public Scope Child(ScopeKind kind)
    {
        Scope child = new(kind, this);
        _children.Add(child);
        return child;
    }

    public void Global(string name) => _globals.Add(name);

    public void Nonlocal(string name) => _nonlocals.Add(name);

    /// <summary>Says that a name is bound here.</summary>
    public void Bind(string name)
    {
        if (Kind == ScopeKind.Class && !_globals.Contains(name) && !_nonlocals.Contains(name))
            ClassNames.Add(name);
        if (Kind is ScopeKind.Module or ScopeKind.Class || _globals.Contains(name) || _nonlocals.Contains(name) || _symbols.ContainsKey(name))
            return;
        _symbols[name] = new Symbol(Frame, Frame._slots++);
    }

    /// <summary>The names that a class body binds are found in its dictionary first.</summary>
    public HashSet<string> ClassNames { get; } = [];

    public int SlotOf(string name) => _symbols[name].Slot;

    public int NewSlot() => Frame._slots++;

    public void Use(NameExpression name) => _uses.Add(name);

    /// <summary>Finds the variables of all uses in this scope and those inside it.</summary>
    public void Resolve(ModuleObject module)
    {
        Scope[] all = [.. Everything()];
        foreach (Scope scope in all)
        {
            foreach (NameExpression use in scope._uses)
                scope.Find(use, module);
        }
        foreach (NameExpression use in all.SelectMany(s => s._uses))
            use.Settle();
    }

    private IEnumerable<Scope> Everything() => _children.SelectMany(c => c.Everything()).Prepend(this);

    private void Find(NameExpression use, ModuleObject module)
    {
        string name = use.Name;
        Scope from = Frame;
        for (Scope? s = this; s is not null; s = s.Parent)
        {
            if (s._globals.Contains(name))
                break;
            if (s.Kind == ScopeKind.Class)
            {
                // A class body's names are seen by its own statements only.
                if (s == from && s.ClassNames.Contains(name))
                    use.InClass = true;
                continue;
            }
            if (!s._nonlocals.Contains(name) && s._symbols.TryGetValue(name, out Symbol? symbol))
            {
                use.Symbol = symbol;
                if (symbol.Owner != from)
                    use.FreeIndex = from.Capture(symbol);
                return;
            }
        }
        use.Global = module.Cell(name);
    }

    // Every function between the variable's and this one hands the cell on.
    private int Capture(Symbol symbol)
    {
        symbol.Captured = true;
        for (Scope s = this; s != symbol.Owner; s = s.Parent!.Frame)
        {
            if (s.Kind != ScopeKind.Comprehension)
                s._free.TryAdd(symbol, s._free.Count);
        }
        return _free[symbol];
    }

    /// <summary>The cell of a variable as a new function inside this scope's frame needs it.</summary>
    public Cell CellOf(Symbol symbol, Frame frame) =>
        symbol.Owner == Frame ? (Cell)frame.Slots[symbol.Slot].Ref! : frame.Free[Frame._free[symbol]];
}
