namespace Gradus.Text.Chat.Jinja;

/// <summary>A parsed expression. Evaluating one costs a step.</summary>
internal abstract class Expression(Position position)
{
    public Position Position { get; } = position;

    public Value Evaluate(RenderContext context)
    {
        context.Position = Position;
        context.Step();
        return Compute(context);
    }

    protected abstract Value Compute(RenderContext context);

    protected static Value[] EvaluateAll(RenderContext context, Expression[] expressions)
    {
        Value[] values = new Value[expressions.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = expressions[i].Evaluate(context);
        return values;
    }
}

internal sealed class LiteralExpression(Position position, Value value) : Expression(position)
{
    protected override Value Compute(RenderContext context) => value;
}

internal sealed class NameExpression(Position position, string name) : Expression(position)
{
    private readonly string _missing = $"'{name}' is undefined";

    public string Name { get; } = name;

    protected override Value Compute(RenderContext context) => context.Scope.Find(Name) ?? context.Undefined(_missing);
}

internal sealed class TupleExpression(Position position, Expression[] elements) : Expression(position)
{
    protected override Value Compute(RenderContext context) => new TupleValue(EvaluateAll(context, elements));
}

internal sealed class ListExpression(Position position, Expression[] elements) : Expression(position)
{
    protected override Value Compute(RenderContext context) => new ListValue(EvaluateAll(context, elements));
}

internal sealed class DictExpression(Position position, (Expression Key, Expression Value)[] entries) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        DictValue dict = new();
        foreach ((Expression key, Expression value) in entries)
            dict.Set(context, key.Evaluate(context), value.Evaluate(context));
        return dict;
    }
}

/// <summary>then if condition else other; undefined without an else.</summary>
internal sealed class ConditionalExpression(Position position, Expression condition, Expression then, Expression? other) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        if (condition.Evaluate(context).IsTrue)
            return then.Evaluate(context);
        return other?.Evaluate(context) ?? new UndefinedValue("the inline if was false and has no else");
    }
}

/// <summary>and, or: yields the operand that decides, as in Python.</summary>
internal sealed class LogicalExpression(Position position, bool isAnd, Expression left, Expression right) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = left.Evaluate(context);
        return value.IsTrue == isAnd ? right.Evaluate(context) : value;
    }
}

internal sealed class NotExpression(Position position, Expression operand) : Expression(position)
{
    protected override Value Compute(RenderContext context) => Value.Of(!operand.Evaluate(context).IsTrue);
}

internal sealed class SignExpression(Position position, bool negative, Expression operand) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = operand.Evaluate(context);
        context.Position = Position;
        return negative ? Operators.Negate(context, value) : Operators.Plus(context, value);
    }
}

internal sealed class BinaryExpression(Position position, BinaryOperator op, Expression left, Expression right) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value a = left.Evaluate(context), b = right.Evaluate(context);
        context.Position = Position;
        return Operators.Apply(context, op, a, b);
    }
}

/// <summary>a ~ b ~ c: joins values as text.</summary>
internal sealed class ConcatExpression(Position position, Expression[] operands) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value[] values = EvaluateAll(context, operands);
        context.Position = Position;
        MarkedBuilder target = context.NewBuilder();
        foreach (Value value in values)
            target.Append(Printer.ToText(context, value));
        return target.ToValue();
    }
}

/// <summary>a &lt; b &lt;= c: a chain in which every neighbour has to hold.</summary>
internal sealed class CompareExpression(Position position, Expression first, (Comparison Comparison, Expression Operand)[] rest) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value left = first.Evaluate(context);
        foreach ((Comparison comparison, Expression operand) in rest)
        {
            Value right = operand.Evaluate(context);
            context.Position = Position;
            if (!Operators.Compare(context, comparison, left, right))
                return BoolValue.False;
            left = right;
        }
        return BoolValue.True;
    }
}

internal sealed class AttributeExpression(Position position, Expression subject, string name) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = subject.Evaluate(context);
        context.Position = Position;
        return context.GetAttribute(value, name);
    }
}

internal sealed class ItemExpression(Position position, Expression subject, Expression key) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = subject.Evaluate(context), index = key.Evaluate(context);
        context.Position = Position;
        return context.GetItem(value, index);
    }
}

/// <summary>start:stop:step between brackets.</summary>
internal sealed class SliceExpression(Position position, Expression? start, Expression? stop, Expression? step) : Expression(position)
{
    protected override Value Compute(RenderContext context) => new SliceValue(
        start?.Evaluate(context) ?? NoneValue.Instance,
        stop?.Evaluate(context) ?? NoneValue.Instance,
        step?.Evaluate(context) ?? NoneValue.Instance);
}

/// <summary>The arguments of a call as written: by position, by name, *list and **dict.</summary>
internal sealed class ArgumentList(Expression[] positional, (string Name, Expression Value)[] named, Expression? list, Expression? dict)
{
    public static ArgumentList Empty { get; } = new([], [], null, null);

    public Arguments Evaluate(RenderContext context, KeyValuePair<string, Value>? extra = null)
    {
        if (this == Empty && extra is null)
            return Arguments.None;
        List<Value> values = new(positional.Length);
        foreach (Expression expression in positional)
            values.Add(expression.Evaluate(context));
        List<KeyValuePair<string, Value>> names = new(named.Length);
        foreach ((string name, Expression value) in named)
            names.Add(new(name, value.Evaluate(context)));
        if (list is not null)
            values.AddRange(context.ToList(list.Evaluate(context)));
        if (dict is not null)
            AddEntries(context, dict.Evaluate(context), names);
        if (extra is not null)
            names.Add(extra.Value);
        return new Arguments([.. values], [.. names]);
    }

    private static void AddEntries(RenderContext context, Value value, List<KeyValuePair<string, Value>> names)
    {
        if (value is not DictValue entries)
            throw context.Error($"** needs a dict, not {value.TypeName}");
        context.Charge(entries.Entries.Count);
        foreach ((Value key, Value entry) in entries.Entries)
            names.Add(new(key is TextValue text ? text.Text : throw context.Error("** needs a dict with string keys"), entry));
    }
}

internal sealed class CallExpression(Position position, Expression callee, ArgumentList arguments) : Expression(position)
{
    protected override Value Compute(RenderContext context) => Call(context, null);

    /// <summary>Calls with the body of a call block as caller.</summary>
    public Value Call(RenderContext context, Value? caller)
    {
        Value function = callee.Evaluate(context);
        Arguments values = arguments.Evaluate(context, caller is null ? null : new("caller", caller));
        context.Position = Position;
        return function.Call(context, values);
    }
}

/// <summary>subject | name(arguments). An unknown filter inside an if fails only when it is reached, as in the reference.</summary>
internal sealed class FilterExpression(Position position, Expression subject, string name, NativeFunction? filter, ArgumentList arguments) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = subject.Evaluate(context);
        Arguments values = arguments.Evaluate(context);
        context.Position = Position;
        return (filter ?? Filters.Find(Position, name))(context, value, values);
    }
}

/// <summary>The body of a filter block, where its chain of filters begins.</summary>
internal sealed class CapturedExpression(Position position) : Expression(position)
{
    /// <summary>The name under which the block stores its text; no template can write it.</summary>
    public const string Name = " captured";

    protected override Value Compute(RenderContext context) => context.Scope.Find(Name)!;
}

/// <summary>subject is name(arguments).</summary>
internal sealed class TestExpression(Position position, Expression subject, string name, TestFunction? test, ArgumentList arguments, bool negated) : Expression(position)
{
    protected override Value Compute(RenderContext context)
    {
        Value value = subject.Evaluate(context);
        Arguments values = arguments.Evaluate(context);
        context.Position = Position;
        return Value.Of((test ?? Tests.Find(Position, name))(context, value, values) != negated);
    }
}
