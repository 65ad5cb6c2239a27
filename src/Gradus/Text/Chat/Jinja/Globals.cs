using System.Globalization;
using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>The functions every template can call. Left out: lipsum, cycler.</summary>
internal static class Globals
{
    public static void AddTo(Scope scope)
    {
        Add(scope, "range", Range);
        Add(scope, "dict", Dict);
        Add(scope, "namespace", Namespace);
        Add(scope, "joiner", Joiner);
        Add(scope, "raise_exception", Raise);
        Add(scope, "strftime_now", Strftime.Function);
    }

    private static void Add(Scope scope, string name, NativeFunction function) =>
        scope.Set(name, new FunctionValue(name, NoneValue.Instance, function));

    private static RangeValue Range(RenderContext context, Value self, Arguments arguments)
    {
        BigInteger[] numbers = Array.ConvertAll(arguments.Positional, v => Numbers.TryInteger(v, out BigInteger number)
            ? number
            : throw context.Error(v is UndefinedValue undefined ? undefined.Reason : $"range needs whole numbers, not {v.TypeName}"));
        if (numbers.Length is 0 or > 3 || arguments.Named.Length > 0)
            throw context.Error("range takes a stop, or a start, a stop and a step");
        BigInteger start = numbers.Length > 1 ? numbers[0] : 0, stop = numbers.Length > 1 ? numbers[1] : numbers[0];
        BigInteger step = numbers.Length > 2 ? numbers[2] : 1;
        if (step.IsZero)
            throw context.Error("range: the step cannot be zero");
        BigInteger count = step.Sign > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
        if (count > context.Limits.MaxRange)
            throw context.Error($"range has {count} elements, more than {context.Limits.MaxRange} (MaxRange)");
        Value[] elements = new Value[(int)BigInteger.Max(0, count)];
        context.Charge(elements.Length);
        for (int i = 0; i < elements.Length; i++)
            elements[i] = new IntValue(start + (i * step));
        string shown = string.Create(CultureInfo.InvariantCulture, $"range({start}, {stop}{(step.IsOne ? "" : $", {step}")})");
        return new RangeValue(elements, shown);
    }

    private static DictValue Dict(RenderContext context, Value self, Arguments arguments)
    {
        DictValue result = new();
        if (arguments.Positional.Length > 1)
            throw context.Error("dict takes one dict or list of pairs, and names");
        Value? source = arguments.Positional.Length == 1 ? arguments.Positional[0] : null;
        if (source is DictValue dict)
            source = new DictViewValue(dict, "items");
        foreach (Value pair in source is null ? [] : context.Iterate(source))
        {
            if (context.ToList(pair) is not [Value key, Value value])
                throw context.Error("dict needs pairs of a key and a value");
            result.Set(context, key, value);
        }
        foreach ((string name, Value value) in arguments.Named)
            result.Set(context, Value.Of(name), value);
        return result;
    }

    private static NamespaceValue Namespace(RenderContext context, Value self, Arguments arguments)
    {
        NamespaceValue space = new();
        foreach ((Value key, Value value) in Dict(context, self, arguments).Entries)
            space.Fields[Printer.Text(context, key)] = value;
        return space;
    }

    /// <summary>A function that gives nothing the first time and its separator from then on.</summary>
    private static FunctionValue Joiner(RenderContext context, Value self, Arguments arguments)
    {
        Value separator = arguments.Bind(context, "joiner", 0, "sep")[0] ?? Value.Of(", ");
        bool used = false;
        return new FunctionValue("joiner", separator, (_, between, _) =>
        {
            bool first = !used;
            used = true;
            return first ? TextValue.Empty : between;
        });
    }

    private static Value Raise(RenderContext context, Value self, Arguments arguments)
    {
        string message = Printer.Text(context, arguments.Bind(context, "raise_exception", 1, "message")[0]!);
        throw new ChatTemplateRaisedException(message, context.Position.Line, context.Position.Column);
    }
}
