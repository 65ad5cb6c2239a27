using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

internal enum BinaryOperator
{
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

internal enum Comparison
{
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// <summary>Python's operators. An undefined operand fails with the reason why it is undefined.</summary>
internal static class Operators
{
    public static Value Apply(RenderContext context, BinaryOperator op, Value left, Value right)
    {
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
        {
            return op switch
            {
                BinaryOperator.Add => Numbers.Add(context, left, right),
                BinaryOperator.Subtract => Numbers.Subtract(context, left, right),
                BinaryOperator.Multiply => Numbers.Multiply(context, left, right),
                BinaryOperator.Divide => Numbers.Divide(context, left, right),
                BinaryOperator.FloorDivide => Numbers.FloorDivide(context, left, right),
                BinaryOperator.Modulo => Numbers.Modulo(context, left, right),
                _ => Numbers.Power(context, left, right),
            };
        }
        return (op, left, right) switch
        {
            (_, UndefinedValue undefined, _) => throw context.Error(undefined.Reason),
            (BinaryOperator.Modulo, TextValue format, _) => PythonFormat.Printf(context, format, right),
            (_, _, UndefinedValue undefined) => throw context.Error(undefined.Reason),
            (BinaryOperator.Add, TextValue a, TextValue b) => TextValue.Add(context, a, b),
            (BinaryOperator.Add, ListValue a, ListValue b) => new ListValue(Join(context, a, b), a.Message == b.Message ? a.Message : -1),
            (BinaryOperator.Add, TupleValue a, TupleValue b) => new TupleValue(Join(context, a, b)),
            (BinaryOperator.Multiply, _, _) when Repeat(context, left, right) is Value repeated => repeated,
            _ => throw context.Error(Unsupported(op, left, right)),
        };
    }

    public static bool Compare(RenderContext context, Comparison comparison, Value left, Value right) => comparison switch
    {
        Comparison.Equal => AreEqual(context, left, right),
        Comparison.NotEqual => !AreEqual(context, left, right),
        Comparison.In => Contains(context, right, left),
        Comparison.NotIn => !Contains(context, right, left),
        _ => Order(context, left, right) switch
        {
            Numbers.Unordered => false,
            < 0 => comparison is Comparison.Less or Comparison.LessOrEqual,
            0 => comparison is Comparison.LessOrEqual or Comparison.GreaterOrEqual,
            _ => comparison is Comparison.Greater or Comparison.GreaterOrEqual,
        },
    };

    public static bool AreEqual(RenderContext context, Value left, Value right)
    {
        context.Step();
        if (left is TextValue a && right is TextValue b)
        {
            context.Charge(a.Text.Length / 64);
            return a.Text == b.Text;
        }
        if (Numbers.TryCompare(left, right, out int order))
            return order == 0;
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } missing)
            return missing.Lenient(left is UndefinedValue && right is UndefinedValue);
        if (ReferenceEquals(left, right))
            return true;
        return (left, right) switch
        {
            (ListValue x, ListValue y) => AreEqual(context, x.Elements, y.Elements),
            (TupleValue x, TupleValue y) => AreEqual(context, x.Elements, y.Elements),
            (RangeValue x, RangeValue y) => AreEqual(context, x.Elements, y.Elements),
            (DictValue x, DictValue y) => AreEqual(context, x, y),
            _ => false,
        };
    }

    /// <summary>−1, 0, 1 or unordered; fails where Python has no order for the types.</summary>
    public static int Order(RenderContext context, Value left, Value right)
    {
        context.Step();
        if (left is TextValue a && right is TextValue b)
        {
            context.Charge(Math.Min(a.Text.Length, b.Text.Length) / 16);
            return PythonText.Compare(a.Text, b.Text);
        }
        if (Numbers.TryCompare(left, right, out int order))
            return order;
        if ((left is ListValue && right is ListValue) || (left is TupleValue && right is TupleValue))
        {
            Value[] x = ((SequenceValue)left).Elements, y = ((SequenceValue)right).Elements;
            for (int i = 0; i < Math.Min(x.Length, y.Length); i++)
            {
                if (!AreEqual(context, x[i], y[i]))
                    return Order(context, x[i], y[i]);
            }
            return Math.Sign(x.Length - y.Length);
        }
        if ((left as UndefinedValue ?? right as UndefinedValue) is UndefinedValue undefined)
            throw context.Error(undefined.Reason);
        throw context.Error($"'{left.TypeName}' and '{right.TypeName}' have no order");
    }

    /// <summary>element in container.</summary>
    public static bool Contains(RenderContext context, Value container, Value element)
    {
        switch (container)
        {
            case TextValue text:
                if (element is not TextValue part)
                    throw context.Error($"'in' a string needs a string on its left, not {element.TypeName}");
                context.ChargeSearch(text.Text.Length, part.Text.Length);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case DictValue dict:
                return KeyComparer.IsHashable(element) || element is UndefinedValue
                    ? dict.Item(context, element) is not null
                    : throw context.Error($"a {element.TypeName} cannot be a dict key");
            default:
                foreach (Value candidate in context.Iterate(container))
                {
                    if (AreEqual(context, candidate, element))
                        return true;
                }
                return false;
        }
    }

    public static Value Negate(RenderContext context, Value value) =>
        Numbers.IsNumber(value) ? Numbers.Negate(value) : throw NotANumber(context, "-", value);

    public static Value Plus(RenderContext context, Value value) => value switch
    {
        BoolValue => new IntValue(value.IsTrue ? 1 : 0),
        _ when Numbers.IsNumber(value) => value,
        _ => throw NotANumber(context, "+", value),
    };

    private static ChatTemplateException NotANumber(RenderContext context, string sign, Value value) =>
        context.Error(value is UndefinedValue undefined ? undefined.Reason : $"unary {sign} needs a number, not {value.TypeName}");

    private static bool AreEqual(RenderContext context, Value[] left, Value[] right)
    {
        if (left.Length != right.Length)
            return false;
        for (int i = 0; i < left.Length; i++)
        {
            if (!AreEqual(context, left[i], right[i]))
                return false;
        }
        return true;
    }

    private static bool AreEqual(RenderContext context, DictValue left, DictValue right)
    {
        if (left.Entries.Count != right.Entries.Count)
            return false;
        foreach ((Value key, Value value) in left.Entries)
        {
            if (!right.Entries.TryGetValue(key, out Value? other) || !AreEqual(context, value, other))
                return false;
        }
        return true;
    }

    private static Value[] Join(RenderContext context, SequenceValue left, SequenceValue right)
    {
        context.Charge((long)left.Elements.Length + right.Elements.Length);
        return [.. left.Elements, .. right.Elements];
    }

    private static Value? Repeat(RenderContext context, Value left, Value right)
    {
        if (Numbers.TryInteger(left, out BigInteger count))
            (left, right) = (right, left);
        else if (!Numbers.TryInteger(right, out count))
            return null;
        int length = left switch { TextValue text => text.Text.Length, SequenceValue sequence and not RangeValue => sequence.Elements.Length, _ => -1 };
        if (length < 0)
            return null;
        int times = length == 0 || count.Sign <= 0 ? 0 : (int)BigInteger.Min(count, int.MaxValue);
        if (left is TextValue repeated)
        {
            context.ChargeCharacters((long)length * times);
            return TextValue.FromMessage(string.Concat(Enumerable.Repeat(repeated.Text, times)), repeated.Message).AsMarkup(repeated.IsMarkup);
        }
        context.Charge((long)length * times);
        Value[] elements = [.. Enumerable.Repeat(((SequenceValue)left).Elements, times).SelectMany(e => e)];
        return left is ListValue ? new ListValue(elements, left.Message) : new TupleValue(elements);
    }

    private static string Unsupported(BinaryOperator op, Value left, Value right)
    {
        string sign = op switch
        {
            BinaryOperator.Add => "+",
            BinaryOperator.Subtract => "-",
            BinaryOperator.Multiply => "*",
            BinaryOperator.Divide => "/",
            BinaryOperator.FloorDivide => "//",
            BinaryOperator.Modulo => "%",
            _ => "**",
        };
        string hint = op == BinaryOperator.Add && (left is TextValue || right is TextValue) ? "; ~ joins values of any type as text" : "";
        return $"{sign} does not work on '{left.TypeName}' and '{right.TypeName}'{hint}";
    }
}
