namespace Gradus.Applications.Python;

/// <summary>for target in source if conditions.</summary>
internal sealed record ComprehensionClause(Expression Target, Expression Source, Expression[] Conditions);

internal enum ComprehensionKind { List, Set, Dict }

/// <summary>[x for …], {x for …} and {k: v for …}, in the frame around them.</summary>
internal sealed class ComprehensionExpression(ComprehensionKind kind, Expression item, Expression? value, ComprehensionClause[] clauses, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        switch (kind)
        {
            case ComprehensionKind.List:
                ListObject list = new();
                Each(f, 0, list, null);
                return Value.Of(list);
            case ComprehensionKind.Set:
                SetObject set = new();
                Each(f, 0, null, set.Table);
                return Value.Of(set);
            default:
                DictObject dict = new();
                Each(f, 0, null, dict.Table);
                return Value.Of(dict);
        }
    }

    private void Each(Frame f, int clause, ListObject? list, Table? table)
    {
        ComprehensionClause c = clauses[clause];
        Value source = c.Source.Evaluate(f);
        f.At = At;
        IIterator iterator = Operations.Iterate(f.It, source);
        while (iterator.Next(out Value next))
        {
            f.It.Burn();
            c.Target.Assign(f, next);
            if (!Holds(f, c.Conditions))
                continue;
            if (clause + 1 < clauses.Length)
                Each(f, clause + 1, list, table);
            else if (list is not null)
                list.Add(item.Evaluate(f));
            else
                table!.Set(item.Evaluate(f), value?.Evaluate(f) ?? default);
        }
    }

    public static bool Holds(Frame f, Expression[] conditions)
    {
        foreach (Expression condition in conditions)
        {
            if (!Operations.Truth(f.It, condition.Evaluate(f)))
                return false;
        }
        return true;
    }
}

/// <summary>(x for …): a generator whose first source is evaluated at once.</summary>
internal sealed class GeneratorExpression(FunctionCode code, Expression item, ComprehensionClause[] clauses, Expression first, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value source = first.Evaluate(f);
        f.At = At;
        Cell[] free = [.. code.Scope.FreeSymbols.Select(s => code.Scope.Parent!.CellOf(s, f))];
        Frame frame = new(f.It, f.Module, code.Slots) { Free = free };
        foreach (int slot in code.CellSlots)
            frame.Slots[slot] = Value.Of(new Cell());
        return Value.Of(new LazyComprehension(item, clauses, frame, Operations.Iterate(f.It, source)));
    }
}

/// <summary>The values of a generator expression: its loops as a stack, since nothing in them can stop but between two values.</summary>
internal sealed class LazyComprehension(Expression item, ComprehensionClause[] clauses, Frame frame, IIterator first) : PyObject, IIterator
{
    private readonly IIterator[] _sources = [first, .. new IIterator[clauses.Length - 1]];
    private int _depth;

    public override PyClass ClassOf => Types.Generator;

    public bool Next(out Value value)
    {
        Interpreter it = frame.It;
        Frame? back = it.Top;
        it.Enter(frame);
        try
        {
            while (_depth >= 0)
            {
                if (!_sources[_depth].Next(out Value next))
                {
                    _depth--;
                    continue;
                }
                it.Burn();
                ComprehensionClause clause = clauses[_depth];
                clause.Target.Assign(frame, next);
                if (!ComprehensionExpression.Holds(frame, clause.Conditions))
                    continue;
                if (_depth + 1 == clauses.Length)
                {
                    value = item.Evaluate(frame);
                    return true;
                }
                _sources[++_depth] = Operations.Iterate(it, clauses[_depth].Source.Evaluate(frame));
            }
            value = default;
            return false;
        }
        catch (PyError e)
        {
            _depth = -1;
            e.Trace.Add(("<genexpr>", frame.At));
            throw;
        }
        finally
        {
            it.Leave(back);
        }
    }
}

/// <summary>A generator: a function that stops at every yield.</summary>
internal sealed class GeneratorObject(FunctionCode code, Frame frame) : PyObject, IIterator
{
    private IEnumerator<Value>? _run;
    private bool _done;
    private bool _running;

    public string Name => code.Name;

    public Value Result { get; private set; } = Value.None;

    public override PyClass ClassOf => Types.Generator;

    public bool Next(out Value value) => Send(Value.None, out value);

    public bool Send(Value sent, out Value value)
    {
        if (_run is null && !_done && !sent.IsNone)
            throw Errors.Type("can't send non-None value to a just-started generator");
        frame.Sent = sent;
        return Step(out value);
    }

    public bool Throw(PyError error, out Value value)
    {
        if (_run is null || _done)
        {
            _done = true;
            throw error;
        }
        frame.Injected = error;
        return Step(out value);
    }

    public void Close()
    {
        if (_run is null || _done)
        {
            _done = true;
            return;
        }
        try
        {
            if (Throw(Errors.Make("GeneratorExit"), out _))
                throw Errors.Make("RuntimeError", "generator ignored GeneratorExit");
        }
        catch (PyError e) when (e.Error.Of == Types.Exceptions["GeneratorExit"] || e.Error.Of == Types.Exceptions["StopIteration"])
        {
            // It ended, as it was asked to.
        }
    }

    private bool Step(out Value value)
    {
        value = default;
        if (_done)
            return false;
        if (_running)
            throw Errors.Value("generator already executing");
        _run ??= code.Body.Run(frame).GetEnumerator();
        Frame? back = frame.It.Top;
        frame.Back = back;
        _running = true;
        frame.It.Enter(frame);
        try
        {
            if (_run.MoveNext())
            {
                value = _run.Current;
                return true;
            }
            _done = true;
            Result = frame.Completed == Completion.Return ? frame.Result : Value.None;
            return false;
        }
        catch (PyError e)
        {
            _done = true;
            e.Trace.Add((code.Name, frame.At));
            if (e.Error.Of == Types.Exceptions["StopIteration"])
                throw Errors.Make("RuntimeError", "generator raised StopIteration");
            throw;
        }
        finally
        {
            _running = false;
            frame.It.Leave(back);
        }
    }
}
