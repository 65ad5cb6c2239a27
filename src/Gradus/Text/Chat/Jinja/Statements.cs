namespace Gradus.Text.Chat.Jinja;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>A parsed statement.</summary>
internal abstract class Statement(Position position)
{
    public Position Position { get; } = position;

    public Flow Execute(RenderContext context)
    {
        context.Position = Position;
        context.Step();
        return Run(context);
    }

    protected abstract Flow Run(RenderContext context);
}

internal sealed class Block(Position position, Statement[] statements) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        foreach (Statement statement in statements)
        {
            Flow flow = statement.Execute(context);
            if (flow != Flow.Next)
                return flow;
        }
        return Flow.Next;
    }

    /// <summary>Runs in a scope of its own and returns what it prints.</summary>
    public TextValue Capture(RenderContext context, Scope scope)
    {
        (MarkedBuilder output, Scope outer) = (context.Output, context.Scope);
        MarkedBuilder captured = context.NewBuilder();
        (context.Output, context.Scope) = (captured, scope);
        Execute(context);
        (context.Output, context.Scope) = (output, outer);
        return captured.ToValue();
    }

    /// <summary>Runs in a new scope.</summary>
    public Flow ExecuteScoped(RenderContext context)
    {
        Scope outer = context.Scope;
        context.Scope = new Scope(outer);
        Flow flow = Execute(context);
        context.Scope = outer;
        return flow;
    }
}

internal sealed class TextStatement(Position position, string text) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        context.Output.Append(text);
        return Flow.Next;
    }
}

internal sealed class PrintStatement(Position position, Expression expression) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        Value value = expression.Evaluate(context);
        context.Output.Append(Printer.ToText(context, value));
        return Flow.Next;
    }
}

/// <summary>Evaluates without printing: the do tag.</summary>
internal sealed class DoStatement(Position position, Expression expression) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        expression.Evaluate(context);
        return Flow.Next;
    }
}

internal sealed class IfStatement(Position position, (Expression Condition, Block Body)[] branches, Block? otherwise) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        foreach ((Expression condition, Block body) in branches)
        {
            if (condition.Evaluate(context).IsTrue)
                return body.Execute(context);
        }
        return otherwise?.Execute(context) ?? Flow.Next;
    }
}

/// <summary>break or continue.</summary>
internal sealed class JumpStatement(Position position, Flow flow) : Statement(position)
{
    protected override Flow Run(RenderContext context) => flow;
}

internal sealed class SetStatement(Position position, Target target, Expression value) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        Value assigned = value.Evaluate(context);
        context.Position = Position;
        target.Assign(context, assigned);
        return Flow.Next;
    }
}

/// <summary>A set with a body, or a filter block (no target): the text of the body, filtered.</summary>
internal sealed class CaptureStatement(Position position, Target? target, Expression? filters, Block body) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        Scope outer = context.Scope;
        Value value = body.Capture(context, new Scope(outer));
        if (filters is not null)
        {
            context.Scope = new Scope(outer);
            context.Scope.Set(CapturedExpression.Name, value);
            value = filters.Evaluate(context);
            context.Scope = outer;
        }
        context.Position = Position;
        if (target is null)
            context.Output.Append(Printer.ToText(context, value));
        else
            target.Assign(context, value);
        return Flow.Next;
    }
}

internal sealed class WithStatement(Position position, (Target Target, Expression Value)[] variables, Block body) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        Scope outer = context.Scope, inner = new(outer);
        foreach ((Target target, Expression expression) in variables)
        {
            Value value = expression.Evaluate(context);
            context.Scope = inner;
            target.Assign(context, value);
            context.Scope = outer;
        }
        context.Scope = inner;
        Flow flow = body.Execute(context);
        context.Scope = outer;
        return flow;
    }
}

/// <summary>
/// A generation block: what the assistant writes. Its scope is its own, as in transformers, where it is a call block.
/// </summary>
internal sealed class GenerationStatement(Position position, Block body) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        int start = context.Output.Length;
        Flow flow = body.ExecuteScoped(context);
        context.Output.Mark(MarkKind.Generation, -1, start);
        return flow;
    }
}

internal sealed class MacroStatement(Position position, MacroDefinition definition) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        context.Scope.Set(definition.Name, new MacroValue(definition, context.Scope));
        return Flow.Next;
    }
}

/// <summary>A call block: calls a macro, which prints the body through caller().</summary>
internal sealed class CallStatement(Position position, CallExpression call, MacroDefinition caller) : Statement(position)
{
    protected override Flow Run(RenderContext context)
    {
        Value value = call.Call(context, new MacroValue(caller, context.Scope));
        context.Output.Append(Printer.ToText(context, value));
        return Flow.Next;
    }
}

/// <summary>What a value can be assigned to.</summary>
internal abstract class Target
{
    public abstract void Assign(RenderContext context, Value value);
}

internal sealed class NameTarget(string name) : Target
{
    public string Name { get; } = name;

    public override void Assign(RenderContext context, Value value) => context.Scope.Set(Name, value);
}

internal sealed class FieldTarget(string name, string field) : Target
{
    public override void Assign(RenderContext context, Value value)
    {
        if (context.Scope.Find(name) is not NamespaceValue space)
            throw context.Error($"cannot set '{name}.{field}': '{name}' is not a namespace(); only those have fields that can be set");
        space.Fields[field] = value;
    }
}

internal sealed class TupleTarget(Target[] targets) : Target
{
    public override void Assign(RenderContext context, Value value)
    {
        List<Value> values = context.ToList(value);
        if (values.Count != targets.Length)
            throw context.Error($"cannot unpack {values.Count} values into {targets.Length} names");
        for (int i = 0; i < targets.Length; i++)
            targets[i].Assign(context, values[i]);
    }
}
