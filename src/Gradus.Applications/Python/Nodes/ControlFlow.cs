namespace Gradus.Applications.Python;

internal sealed class IfStatement(Expression condition, Statement then, Statement? otherwise, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        f.At = At;
        if (Operations.Truth(f.It, condition.Evaluate(f)))
            return then.Execute(f);
        return otherwise is null ? Completion.Normal : otherwise.Execute(f);
    }

    public override IEnumerable<Value> Run(Frame f)
    {
        Statement? chosen = Operations.Truth(f.It, condition.Evaluate(f)) ? then : otherwise;
        f.Completed = Completion.Normal;
        if (chosen is not null)
        {
            foreach (Value value in chosen.Run(f))
                yield return value;
        }
    }
}

/// <summary>A loop.</summary>
internal abstract class LoopStatement(Statement body, Statement? otherwise, Position at) : Statement(at)
{
    protected Statement Body { get; } = body;

    /// <summary>What runs after a loop that was not left by break, or null.</summary>
    protected Statement? Otherwise { get; } = otherwise;

    /// <summary>What a generator's loop yields.</summary>
    /// <param name="f">The frame.</param>
    /// <param name="next">Begins the next round; false at the end.</param>
    protected IEnumerable<Value> Run(Frame f, Func<bool> next)
    {
        while (next())
        {
            f.It.Burn();
            foreach (Value value in Body.Run(f))
                yield return value;
            if (f.Completed == Completion.Return)
                yield break;
            if (f.Completed == Completion.Break)
            {
                f.Completed = Completion.Normal;
                yield break;
            }
        }
        f.Completed = Completion.Normal;
        if (Otherwise is not null)
        {
            foreach (Value value in Otherwise.Run(f))
                yield return value;
        }
    }
}

internal sealed class WhileStatement(Expression condition, Statement body, Statement? otherwise, Position at) : LoopStatement(body, otherwise, at)
{
    public override Completion Execute(Frame f)
    {
        while (Operations.Truth(f.It, condition.Evaluate(f)))
        {
            f.It.Burn();
            Completion completion = Body.Execute(f);
            if (completion == Completion.Break)
                return Completion.Normal;
            if (completion == Completion.Return)
                return completion;
        }
        return Otherwise?.Execute(f) ?? Completion.Normal;
    }

    public override IEnumerable<Value> Run(Frame f) => Run(f, () => Operations.Truth(f.It, condition.Evaluate(f)));
}

internal sealed class ForStatement(Expression target, Expression source, Statement body, Statement? otherwise, Position at) : LoopStatement(body, otherwise, at)
{
    public override Completion Execute(Frame f)
    {
        Value over = source.Evaluate(f);
        f.At = At;
        if (over.Ref is RangeObject range && target is NameExpression { LocalSlot: >= 0 and var slot })
            return OverRange(f, range, slot);
        IIterator iterator = Operations.Iterate(f.It, over);
        while (iterator.Next(out Value value))
        {
            f.It.Burn();
            target.Assign(f, value);
            Completion completion = Body.Execute(f);
            if (completion == Completion.Break)
                return Completion.Normal;
            if (completion == Completion.Return)
                return completion;
        }
        return Otherwise?.Execute(f) ?? Completion.Normal;
    }

    private Completion OverRange(Frame f, RangeObject range, int slot)
    {
        long value = range.Start, step = range.Step;
        for (long left = range.Length; left > 0; left--)
        {
            f.It.Burn();
            f.Slots[slot] = Value.Of(value);
            value += step;
            Completion completion = Body.Execute(f);
            if (completion == Completion.Break)
                return Completion.Normal;
            if (completion == Completion.Return)
                return completion;
        }
        return Otherwise?.Execute(f) ?? Completion.Normal;
    }

    public override IEnumerable<Value> Run(Frame f)
    {
        IIterator iterator = Operations.Iterate(f.It, source.Evaluate(f));
        return Run(f, () =>
        {
            if (!iterator.Next(out Value item))
                return false;
            target.Assign(f, item);
            return true;
        });
    }
}

internal sealed record Handler(Expression? Type, Expression? Target, Statement Body);

internal sealed class TryStatement(Statement body, Handler[] handlers, Statement? otherwise, Statement? final, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        if (final is null)
            return Handled(f);
        Completion completion;
        Value result;
        try
        {
            completion = Handled(f);
            result = f.Result;
        }
        catch (PyError)
        {
            if (final.Execute(f) is var end and not Completion.Normal)
                return end;
            throw;
        }
        Completion last = final.Execute(f);
        if (last != Completion.Normal)
            return last;
        f.Result = result;
        return completion;
    }

    private Completion Handled(Frame f)
    {
        Completion completion;
        try
        {
            completion = body.Execute(f);
        }
        catch (PyError error)
        {
            f.It.Leave(f);
            if (Find(f, error) is not { } handler)
                throw;
            PyError? before = f.Handling;
            f.Handling = error;
            handler.Target?.Assign(f, Value.Of(error.Error));
            try
            {
                return handler.Body.Execute(f);
            }
            finally
            {
                f.Handling = before;
                handler.Target?.Assign(f, default);
            }
        }
        return completion == Completion.Normal && otherwise is not null ? otherwise.Execute(f) : completion;
    }

    private Handler? Find(Frame f, PyError error)
    {
        foreach (Handler handler in handlers)
        {
            if (handler.Type is null || Classes.IsInstance(f.It, Value.Of(error.Error), handler.Type.Evaluate(f)))
                return handler;
        }
        return null;
    }

    // C# forbids to yield inside of try, so every part is driven from outside of it.
    public override IEnumerable<Value> Run(Frame f)
    {
        PyError? error = null;
        foreach (Value value in Guard.Drive(body, f, e => error = e))
            yield return value;
        if (error is not null)
        {
            Handler? handler = null;
            PyError thrown = error;
            try
            {
                handler = Find(f, thrown);
            }
            catch (PyError other)
            {
                error = other;
            }
            if (handler is not null)
            {
                PyError? before = f.Handling;
                f.Handling = thrown;
                error = null;
                handler.Target?.Assign(f, Value.Of(thrown.Error));
                foreach (Value value in Guard.Drive(handler.Body, f, e => error = e))
                    yield return value;
                f.Handling = before;
                handler.Target?.Assign(f, default);
            }
        }
        else if (f.Completed == Completion.Normal && otherwise is not null)
        {
            foreach (Value value in Guard.Drive(otherwise, f, e => error = e))
                yield return value;
        }
        if (final is not null)
        {
            (Completion completed, Value result) = (f.Completed, f.Result);
            f.Completed = Completion.Normal;
            foreach (Value value in final.Run(f))
                yield return value;
            if (f.Completed != Completion.Normal)
                yield break;
            (f.Completed, f.Result) = (completed, result);
        }
        if (error is not null)
            throw error;
    }
}

/// <summary>Runs a statement of a generator and catches what it raises.</summary>
internal static class Guard
{
    public static IEnumerable<Value> Drive(Statement statement, Frame f, Action<PyError> caught)
    {
        using IEnumerator<Value> run = statement.Run(f).GetEnumerator();
        while (true)
        {
            bool more;
            try
            {
                more = run.MoveNext();
            }
            catch (PyError error)
            {
                f.It.Leave(f);
                f.Completed = Completion.Normal;
                caught(error);
                yield break;
            }
            if (!more)
                yield break;
            yield return run.Current;
        }
    }
}

internal sealed class WithStatement(Expression context, Expression? target, Statement body, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        Value manager = Enter(f);
        Completion completion;
        try
        {
            completion = body.Execute(f);
        }
        catch (PyError error)
        {
            f.It.Leave(f);
            if (Exit(f, manager, error))
                return Completion.Normal;
            throw;
        }
        Value result = f.Result;
        Exit(f, manager, null);
        f.Result = result;
        return completion;
    }

    public override IEnumerable<Value> Run(Frame f)
    {
        Value manager = Enter(f);
        PyError? error = null;
        foreach (Value value in Guard.Drive(body, f, e => error = e))
            yield return value;
        (Completion completed, Value result) = (f.Completed, f.Result);
        bool swallowed = Exit(f, manager, error);
        (f.Completed, f.Result) = (completed, result);
        if (error is not null && !swallowed)
            throw error;
    }

    private Value Enter(Frame f)
    {
        Value manager = context.Evaluate(f);
        f.At = At;
        Value entered = f.It.CallMethod(manager, "__enter__");
        target?.Assign(f, entered);
        return manager;
    }

    private static bool Exit(Frame f, Value manager, PyError? error)
    {
        Value[] what = error is null ? [Value.None, Value.None, Value.None] : [Value.Of(error.Error.Of), Value.Of(error.Error), Value.None];
        return Operations.Truth(f.It, f.It.CallMethod(manager, "__exit__", what)) && error is not null;
    }
}
