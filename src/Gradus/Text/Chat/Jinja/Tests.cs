using System.Collections.Frozen;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>What stands after <c>is</c>.</summary>
internal delegate bool TestFunction(RenderContext context, Value value, Arguments arguments);

/// <summary>Jinja's built-in tests.</summary>
internal static class Tests
{
    public static FrozenDictionary<string, TestFunction> Table { get; } = new Dictionary<string, TestFunction>(StringComparer.Ordinal)
    {
        ["defined"] = static (c, v, a) => None(c, a) && v is not UndefinedValue,
        ["undefined"] = static (c, v, a) => None(c, a) && v is UndefinedValue,
        ["none"] = static (c, v, a) => None(c, a) && v is NoneValue,
        ["boolean"] = static (c, v, a) => None(c, a) && v is BoolValue,
        ["true"] = static (c, v, a) => None(c, a) && v is BoolValue { IsTrue: true },
        ["false"] = static (c, v, a) => None(c, a) && v is BoolValue { IsTrue: false },
        ["integer"] = static (c, v, a) => None(c, a) && v is IntValue,
        ["float"] = static (c, v, a) => None(c, a) && v is FloatValue,
        ["number"] = static (c, v, a) => None(c, a) && Numbers.IsNumber(v),
        ["string"] = static (c, v, a) => None(c, a) && v is TextValue,
        ["mapping"] = static (c, v, a) => None(c, a) && v is DictValue,
        ["sequence"] = static (c, v, a) => None(c, a) && v is TextValue or SequenceValue or DictValue or UndefinedValue,
        ["iterable"] = static (c, v, a) => None(c, a) && v.Iterate(c) is not null,
        ["callable"] = static (c, v, a) => None(c, a) && v is FunctionValue or MacroValue or LoopValue or UndefinedValue,
        ["escaped"] = static (c, v, a) => None(c, a) && v is TextValue { IsMarkup: true },
        ["lower"] = static (c, v, a) => None(c, a) && TextMethods.IsCased(Printer.Text(c, v), Rune.IsLower),
        ["upper"] = static (c, v, a) => None(c, a) && TextMethods.IsCased(Printer.Text(c, v), Rune.IsUpper),
        ["even"] = static (c, v, a) => None(c, a) && IsRemainder(c, v, new IntValue(2), 0),
        ["odd"] = static (c, v, a) => None(c, a) && IsRemainder(c, v, new IntValue(2), 1),
        ["divisibleby"] = static (c, v, a) => IsRemainder(c, v, a.Bind(c, "divisibleby", 1, "num")[0]!, 0),
        ["sameas"] = SameAs,
        ["in"] = static (c, v, a) => Operators.Contains(c, a.Bind(c, "in", 1, "seq")[0]!, v),
        ["filter"] = static (c, v, a) => None(c, a) && Filters.Table.ContainsKey(Printer.Text(c, v)),
        ["test"] = static (c, v, a) => None(c, a) && Table!.ContainsKey(Printer.Text(c, v)),
        ["eq"] = Compares(Comparison.Equal),
        ["equalto"] = Compares(Comparison.Equal),
        ["=="] = Compares(Comparison.Equal),
        ["ne"] = Compares(Comparison.NotEqual),
        ["!="] = Compares(Comparison.NotEqual),
        ["lt"] = Compares(Comparison.Less),
        ["lessthan"] = Compares(Comparison.Less),
        ["<"] = Compares(Comparison.Less),
        ["le"] = Compares(Comparison.LessOrEqual),
        ["<="] = Compares(Comparison.LessOrEqual),
        ["gt"] = Compares(Comparison.Greater),
        ["greaterthan"] = Compares(Comparison.Greater),
        [">"] = Compares(Comparison.Greater),
        ["ge"] = Compares(Comparison.GreaterOrEqual),
        [">="] = Compares(Comparison.GreaterOrEqual),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The test of a name, or an error that names the nearest one.</summary>
    public static TestFunction Find(Position position, string name) => Table.TryGetValue(name, out TestFunction? test)
        ? test
        : throw position.Error($"there is no test '{name}'{Names.Nearest(name, Table.Keys)}");

    private static bool None(RenderContext context, Arguments arguments) => arguments.Bind(context, "this test", 0).Length == 0;

    private static TestFunction Compares(Comparison comparison) =>
        (c, v, a) => Operators.Compare(c, comparison, v, a.Bind(c, "the comparison", 1, "other")[0]!);

    private static bool IsRemainder(RenderContext context, Value value, Value divisor, int wanted) =>
        Operators.AreEqual(context, Operators.Apply(context, BinaryOperator.Modulo, value, divisor), new IntValue(wanted));

    /// <summary>Python's <c>is</c>: one object, or equal scalars of one type.</summary>
    private static bool SameAs(RenderContext context, Value value, Arguments arguments)
    {
        Value other = arguments.Bind(context, "sameas", 1, "other")[0]!;
        return ReferenceEquals(value, other)
            || (value is TextValue or IntValue or FloatValue && value.GetType() == other.GetType() && Operators.AreEqual(context, value, other));
    }
}
