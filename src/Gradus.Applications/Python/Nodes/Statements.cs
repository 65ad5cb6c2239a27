namespace Gradus.Applications.Python;

/// <summary>A part of a program that does something.</summary>
internal abstract class Statement(Position at)
{
    public Position At { get; } = at;

    /// <summary>Whether a generator may stop inside it.</summary>
    public bool Yields { get; set; }

    public abstract Completion Execute(Frame f);

    /// <summary>The same in a generator: gives what it yields; <see cref="Frame.Completed"/> says at the end how it ended.</summary>
    public virtual IEnumerable<Value> Run(Frame f)
    {
        f.Completed = Execute(f);
        yield break;
    }
}

internal sealed class Block(Statement[] statements, Position at) : Statement(at)
{
    public Statement[] Statements { get; } = statements;

    public override Completion Execute(Frame f)
    {
        foreach (Statement statement in Statements)
        {
            Completion completion = statement.Execute(f);
            if (completion != Completion.Normal)
                return completion;
        }
        return Completion.Normal;
    }

    public override IEnumerable<Value> Run(Frame f)
    {
        foreach (Statement statement in Statements)
        {
            if (statement.Yields)
            {
                foreach (Value value in statement.Run(f))
                    yield return value;
            }
            else
            {
                f.Completed = statement.Execute(f);
            }
            if (f.Completed != Completion.Normal)
                yield break;
        }
        f.Completed = Completion.Normal;
    }
}

internal sealed class ExpressionStatement(Expression expression, Position at) : Statement(at)
{
    public Expression Expression { get; } = expression;

    public override Completion Execute(Frame f)
    {
        Expression.Evaluate(f);
        return Completion.Normal;
    }
}

/// <summary>A yield that the rest of its statement waits for.</summary>
internal sealed class YieldStatement(YieldExpression expression) : Statement(expression.At)
{
    public override Completion Execute(Frame f) => throw new InvalidOperationException("A yield outside of a generator.");

    public override IEnumerable<Value> Run(Frame f)
    {
        Value value = expression.Value?.Evaluate(f) ?? Value.None;
        if (expression.From)
        {
            IIterator inner = Operations.Iterate(f.It, value);
            while (true)
            {
                Value next;
                if (inner is GeneratorObject generator)
                {
                    PyError? injected = f.Injected;
                    f.Injected = null;
                    if (!(injected is null ? generator.Send(f.Sent, out next) : generator.Throw(injected, out next)))
                        break;
                }
                else if (!inner.Next(out next))
                {
                    break;
                }
                f.Sent = Value.None;
                yield return next;
                if (f.Injected is not null && inner is not GeneratorObject)
                    Raise(f);
            }
            f.Slots[expression.Slot] = inner is GeneratorObject done ? done.Result : Value.None;
        }
        else
        {
            f.Sent = Value.None;
            yield return value;
            if (f.Injected is not null)
                Raise(f);
            f.Slots[expression.Slot] = f.Sent;
        }
        f.Sent = Value.None;
        f.Completed = Completion.Normal;
    }

    private static void Raise(Frame f)
    {
        PyError error = f.Injected!;
        f.Injected = null;
        throw error;
    }
}

internal sealed class AssignStatement(Expression[] targets, Expression value, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        Value result = value.Evaluate(f);
        foreach (Expression target in targets)
            target.Assign(f, result);
        return Completion.Normal;
    }
}

internal sealed class AugmentedStatement(Expression target, BinaryOperator op, Expression value, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        // The parts of the target are evaluated once.
        if (target is SubscriptExpression subscript)
        {
            Value container = subscript.Target.Evaluate(f), key = subscript.Index.Evaluate(f);
            f.At = At;
            Value result = Operate(f, Operations.GetItem(f.It, container, key));
            Operations.SetItem(f.It, container, key, result);
        }
        else if (target is AttributeExpression attribute)
        {
            Value container = attribute.Target.Evaluate(f);
            f.At = At;
            Value result = Operate(f, Attributes.Get(f.It, container, attribute.Name));
            Attributes.Set(f.It, container, attribute.Name, result);
        }
        else
        {
            target.Assign(f, Operate(f, target.Evaluate(f)));
        }
        return Completion.Normal;
    }

    private Value Operate(Frame f, Value left)
    {
        Value right = value.Evaluate(f);
        if (BinaryExpression.Fast(op, left, right, out Value result))
            return result;
        f.At = At;
        return Operations.InPlace(f.It, op, left, right);
    }
}

/// <summary>name: type = value in a class body, which remembers the name for dataclasses.</summary>
internal sealed class AnnotatedStatement(NameExpression name, Expression? value, Position at) : Statement(at)
{
    private const string Names = "__annotated__";

    public override Completion Execute(Frame f)
    {
        if (!f.ClassNames!.TryGetValue(Names, out Value names))
            f.ClassNames[Names] = names = Value.Of(new ListObject());
        ((ListObject)names.Ref!).Add(Value.Of(name.Name));
        if (value is not null)
            name.Assign(f, value.Evaluate(f));
        return Completion.Normal;
    }
}

internal sealed class PassStatement(Position at) : Statement(at)
{
    public override Completion Execute(Frame f) => Completion.Normal;
}

internal sealed class JumpStatement(Completion how, Position at) : Statement(at)
{
    public override Completion Execute(Frame f) => how;
}

internal sealed class ReturnStatement(Expression? value, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        f.Result = value?.Evaluate(f) ?? Value.None;
        return Completion.Return;
    }
}

internal sealed class DeleteStatement(Expression[] targets, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        foreach (Expression target in targets)
            target.Delete(f);
        return Completion.Normal;
    }
}

internal sealed class AssertStatement(Expression condition, Expression? message, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        if (Operations.Truth(f.It, condition.Evaluate(f)))
            return Completion.Normal;
        Value[] args = message is null ? [] : [message.Evaluate(f)];
        f.At = At;
        throw Errors.Make("AssertionError", args);
    }
}

internal sealed class RaiseStatement(Expression? error, Expression? cause, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        if (error is null)
        {
            for (Frame? g = f; g is not null; g = g.Back)
            {
                if (g.Handling is { } handled)
                    throw new PyError(handled.Error);
            }
            f.At = At;
            throw Errors.Make("RuntimeError", "No active exception to reraise");
        }
        Value value = error.Evaluate(f);
        f.At = At;
        PyError raised = Operations.ToError(f.It, value);
        raised.Error.Attributes["__cause__"] = cause?.Evaluate(f) ?? Value.None;
        if (f.Handling is { } context && context.Error != raised.Error)
            raised.Error.Attributes["__context__"] = Value.Of(context.Error);
        f.At = At;
        throw raised;
    }
}

internal sealed class ImportStatement((string Module, string[]? Names, string[]? Aliases)[] imports, Expression[] targets, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        int at = 0;
        foreach ((string module, string[]? names, _) in imports)
        {
            f.At = At;
            if (names is null)
            {
                targets[at++].Assign(f, Value.Of(f.It.Import(module)));
                continue;
            }
            ModuleObject from = f.It.Import(module);
            if (names is ["*"])
            {
                foreach (GlobalCell cell in from.Cells.ToArray())
                {
                    if (!cell.Value.IsUnbound && !cell.Name.StartsWith('_'))
                        f.Module[cell.Name] = cell.Value;
                }
                continue;
            }
            foreach (string name in names)
            {
                Value value = from[name];
                targets[at++].Assign(f, value.IsUnbound ? throw Errors.Make("ImportError", $"cannot import name '{name}' from '{module}'") : value);
            }
        }
        return Completion.Normal;
    }
}

/// <summary>def: binds a function, through its decorators.</summary>
internal sealed class DefineStatement(Expression target, Expression function, Expression[] decorators, Position at) : Statement(at)
{
    public override Completion Execute(Frame f)
    {
        Value[] by = [.. decorators.Select(d => d.Evaluate(f))];
        Value value = function.Evaluate(f);
        for (int i = by.Length - 1; i >= 0; i--)
        {
            f.At = At;
            value = f.It.Call(by[i], [value], null);
        }
        target.Assign(f, value);
        return Completion.Normal;
    }
}

/// <summary>The class that a class statement makes.</summary>
internal sealed class ClassExpression(string name, Argument[] bases, Block body, Scope scope, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value[] parents = [.. bases.Where(b => b.Name is null).Select(b => b.Value.Evaluate(f))];
        Frame frame = new(f.It, f.Module, scope.Slots) { ClassNames = new Dictionary<string, Value>(StringComparer.Ordinal), Back = f, At = At };
        foreach (int slot in scope.CellSlots)
            frame.Slots[slot] = Value.Of(new Cell());
        frame.Free = [.. scope.FreeSymbols.Select(s => scope.Parent!.CellOf(s, f))];
        frame.ClassNames["__module__"] = Value.Of("__main__");
        frame.ClassNames["__qualname__"] = Value.Of(name);
        f.It.Enter(frame);
        try
        {
            body.Execute(frame);
        }
        finally
        {
            f.It.Leave(f);
        }
        f.At = At;
        return Classes.Make(f.It, name, parents, frame.ClassNames);
    }
}
