using System.Collections.Frozen;
using System.Numerics;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// Jinja's built-in filters; this file has the table and those of one value, Filters.Sequences.cs those of many.
/// Auto-escaping is off as in the reference.
/// Left out: filesizeformat, pprint, random, striptags, urlize, wordwrap, xmlattr.
/// </summary>
internal static partial class Filters
{
    public static FrozenDictionary<string, NativeFunction> Table { get; } = new Dictionary<string, NativeFunction>(StringComparer.Ordinal)
    {
        ["abs"] = Abs,
        ["attr"] = Attribute,
        ["batch"] = Batch,
        ["capitalize"] = static (c, v, a) => Mapped(c, v, a, "capitalize", TextMethods.Capitalize),
        ["center"] = Center,
        ["count"] = Length,
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["first"] = First,
        ["float"] = Float,
        ["forceescape"] = static (c, v, a) => String(c, v, a).AsMarkup(false).Escape(c),
        ["format"] = Format,
        ["groupby"] = GroupBy,
        ["indent"] = Indent,
        ["int"] = Int,
        ["items"] = Items,
        ["join"] = Join,
        ["last"] = Last,
        ["length"] = Length,
        ["list"] = static (c, v, a) => ToList(c, v, a),
        ["lower"] = static (c, v, a) => Mapped(c, v, a, "lower", TextCase.Lower),
        ["map"] = Map,
        ["max"] = static (c, v, a) => Extreme(c, v, a, "max", 1),
        ["min"] = static (c, v, a) => Extreme(c, v, a, "min", -1),
        ["regex_replace"] = RegexReplace,
        ["reject"] = static (c, v, a) => Select(c, v, a, false, false),
        ["rejectattr"] = static (c, v, a) => Select(c, v, a, false, true),
        ["replace"] = Replace,
        ["reverse"] = Reverse,
        ["round"] = Round,
        ["safe"] = static (c, v, a) => String(c, v, a).AsMarkup(true),
        ["select"] = static (c, v, a) => Select(c, v, a, true, false),
        ["selectattr"] = static (c, v, a) => Select(c, v, a, true, true),
        ["slice"] = Slice,
        ["sort"] = Sort,
        ["string"] = String,
        ["sum"] = Sum,
        ["title"] = static (c, v, a) => Mapped(c, v, a, "title", Title).AsMarkup(false),
        ["tojson"] = JsonPrinter.Filter,
        ["trim"] = static (c, v, a) => TextMethods.Strip(c, Printer.ToText(c, v), a.Bind(c, "trim", 0, "chars")[0]),
        ["truncate"] = Truncate,
        ["unique"] = Unique,
        ["upper"] = static (c, v, a) => Mapped(c, v, a, "upper", TextCase.Upper),
        ["urlencode"] = UrlEncode,
        ["wordcount"] = WordCount,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The filter of a name, or an error that names the nearest one.</summary>
    public static NativeFunction Find(Position position, string name) => Table.TryGetValue(name, out NativeFunction? filter)
        ? filter
        : throw position.Error($"there is no filter '{name}'{Names.Nearest(name, Table.Keys)}");

    private static TextValue Mapped(RenderContext context, Value value, Arguments arguments, string name, Func<string, string> map)
    {
        arguments.Bind(context, name, 0);
        TextValue text = Printer.ToText(context, value);
        return text.Derive(context, map(text.Text));
    }

    private static Value Abs(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "abs", 0);
        if (!Numbers.TryDouble(value, out double number))
            throw context.Error(value is UndefinedValue undefined ? undefined.Reason : $"abs needs a number, not {value.TypeName}");
        return number < 0 ? Numbers.Negate(value) : Operators.Plus(context, value);
    }

    private static Value Attribute(RenderContext context, Value value, Arguments arguments)
    {
        string name = Printer.Text(context, arguments.Bind(context, "attr", 1, "name")[0]!);
        return value.Attribute(context, name) ?? context.Undefined($"'{value.TypeName} object' has no attribute '{name}'");
    }

    private static TextValue Center(RenderContext context, Value value, Arguments arguments)
    {
        int width = WholeNumber(context, arguments.Bind(context, "center", 0, "width")[0], 80, "center");
        return TextMethods.Pad(context, Printer.ToText(context, value), width, " ", "center");
    }

    private static Value Default(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "default", 0, "default_value", "boolean");
        bool replace = value is UndefinedValue || ((bound[1]?.IsTrue ?? false) && !value.IsTrue);
        return replace ? bound[0] ?? TextValue.Empty : value;
    }

    private static TextValue Escape(RenderContext context, Value value, Arguments arguments) =>
        String(context, value, arguments).Escape(context);

    private static Value Float(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "float", 0, "default");
        if (value is UndefinedValue undefined)
            throw context.Error(undefined.Reason);
        if (Numbers.TryDouble(value, out double number) || (value is TextValue text && Numbers.TryParseFloat(text.Text, out number)))
            return new FloatValue(number);
        return bound[0] ?? new FloatValue(0);
    }

    private static Value Int(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "int", 0, "default", "base");
        int radix = WholeNumber(context, bound[1], 10, "int");
        if (radix is not (0 or (>= 2 and <= 36)))
            throw context.Error("int: the base is 0 or from 2 to 36");
        if (value is UndefinedValue undefined)
            throw context.Error(undefined.Reason);
        if (Numbers.TryInteger(value, out BigInteger integer))
            return new IntValue(integer);
        TextValue? text = value as TextValue;
        if (text is not null && Numbers.TryParseInteger(text.Text, radix, out integer))
            return Numbers.Integer(context, integer);
        bool isNumber = Numbers.TryDouble(value, out double number) || (text is not null && Numbers.TryParseFloat(text.Text, out number));
        return isNumber && double.IsFinite(number) ? new IntValue(new BigInteger(number)) : bound[0] ?? new IntValue(0);
    }

    private static TextValue Format(RenderContext context, Value value, Arguments arguments)
    {
        if (arguments.Positional.Length > 0 && arguments.Named.Length > 0)
            throw context.Error("format takes arguments by position or by name, not both");
        Value values = new TupleValue(arguments.Positional);
        if (arguments.Named.Length > 0)
        {
            DictValue dict = new();
            foreach ((string name, Value named) in arguments.Named)
                dict.Set(context, Value.Of(name), named);
            values = dict;
        }
        return PythonFormat.Printf(context, Printer.ToText(context, value), values);
    }

    private static TextValue Indent(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "indent", 0, "width", "first", "blank");
        string indent = bound[0] is TextValue given ? given.Text : new string(' ', Math.Clamp(WholeNumber(context, bound[0], 4, "indent"), 0, 10_000));
        bool first = bound[1]?.IsTrue ?? false, blank = bound[2]?.IsTrue ?? false;
        if (value is not TextValue)
            throw context.Error(value is UndefinedValue undefined ? undefined.Reason : $"indent needs a string, not {value.TypeName}");
        TextValue text = TextValue.Add(context, (TextValue)value, Value.Of("\n"));
        MarkedBuilder target = context.NewBuilder();
        bool isFirst = true;
        foreach (TextValue line in TextMethods.SplitLines(context, text, false))
        {
            if (!isFirst)
                target.Append("\n");
            if (isFirst ? first : blank || line.Text.Length > 0)
                target.Append(indent);
            isFirst = false;
            target.Append(line);
        }
        return target.ToValue().AsMarkup(text.IsMarkup);
    }

    private static TextValue RegexReplace(RenderContext context, Value value, Arguments arguments)
    {
        if (!context.Settings.RegexReplace)
            throw context.Error("there is no filter 'regex_replace'");
        Value?[] bound = arguments.Bind(context, "regex_replace", 2, "pattern", "repl", "count");
        string text = Printer.Text(context, value);
        context.Charge(text.Length);
        string replaced = new PythonRegex(Printer.Text(context, bound[0]!)).Replace(text, Printer.Text(context, bound[1]!), WholeNumber(context, bound[2], 0, "regex_replace"));
        context.ChargeCharacters(replaced.Length);
        return Value.Of(replaced);
    }

    private static TextValue Replace(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "replace", 2, "old", "new", "count");
        bound[0] = Printer.ToText(context, bound[0]!);
        bound[1] = Printer.ToText(context, bound[1]!);
        return TextMethods.Replace(context, Printer.ToText(context, value).AsMarkup(false), bound);
    }

    private static Value Round(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "round", 0, "precision", "method");
        int precision = WholeNumber(context, bound[0], 0, "round");
        string method = bound[1] is null ? "common" : Printer.Text(context, bound[1]!);
        if (!Numbers.TryDouble(value, out double number))
            throw context.Error(value is UndefinedValue undefined ? undefined.Reason : $"round needs a number, not {value.TypeName}");
        if (Math.Abs(precision) > 300)
            throw context.Error("round: the precision is from -300 to 300");
        double scale = Math.Pow(10, precision);
        switch (method)
        {
            case "ceil":
                return new FloatValue(Math.Ceiling(number * scale) / scale);
            case "floor":
                return new FloatValue(Math.Floor(number * scale) / scale);
            case "common" when precision >= 0 && value is not FloatValue:
                return Operators.Plus(context, value);
            case "common" when !double.IsFinite(number):
                return value;
            case "common" when precision >= 0:
                return new FloatValue(double.Parse(PythonText.Fixed(number, precision), System.Globalization.CultureInfo.InvariantCulture));
            case "common":
                double rounded = Math.Round(number * scale, MidpointRounding.ToEven) / scale;
                return value is FloatValue ? new FloatValue(rounded) : new IntValue(new BigInteger(rounded));
            default:
                throw context.Error("round: the method is common, ceil or floor");
        }
    }

    private static TextValue String(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "string", 0);
        return Printer.ToText(context, value);
    }

    /// <summary>Upper case after the start, white space (kept), hyphens and opening brackets; the rest in lower case.</summary>
    private static string Title(string text)
    {
        StringBuilder target = new(text.Length);
        bool start = true;
        foreach (Rune rune in text.EnumerateRunes())
        {
            target.Append(start ? TextCase.Upper(rune.ToString()) : Rune.ToLowerInvariant(rune).ToString());
            start = rune.IsBmp && ((char)rune.Value is '-' or '(' or '{' or '[' or '<' || PythonText.IsSpace((char)rune.Value));
        }
        return target.ToString();
    }

    private static Value Truncate(RenderContext context, Value value, Arguments arguments)
    {
        Value?[] bound = arguments.Bind(context, "truncate", 0, "length", "killwords", "end", "leeway");
        TextValue end = bound[2] is null ? Value.Of("...") : Printer.ToText(context, bound[2]!);
        int length = WholeNumber(context, bound[0], 255, "truncate"), leeway = WholeNumber(context, bound[3], 5, "truncate");
        if (length < end.CodePoints || leeway < 0)
            throw context.Error($"truncate: the length is at least that of the end ({end.CodePoints}), the leeway at least 0");
        if (value.Count is int count && count <= (long)length + leeway)
            return value;
        if (value is not TextValue text)
            throw context.Error($"truncate needs a string, not {value.TypeName}");
        TextValue kept = text.Part(context, 0, text.Utf16Position(length - end.CodePoints));
        int space = bound[1]?.IsTrue ?? false ? -1 : kept.Text.LastIndexOf(' ');
        return TextValue.Concat(context, space < 0 ? kept : kept.Part(context, 0, space), end);
    }

    private static TextValue UrlEncode(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "urlencode", 0);
        if (value is TextValue || value.Iterate(context) is null)
            return Value.Of(Quote(context, value, true));
        List<string> pairs = [];
        foreach (Value pair in value is DictValue dict ? new DictViewValue(dict, "items").Iterate(context) : context.Iterate(value))
        {
            if (context.ToList(pair) is not [Value key, Value item])
                throw context.Error("urlencode needs a string, a dict or pairs");
            pairs.Add(Quote(context, key, false) + "=" + Quote(context, item, false));
        }
        string joined = string.Join('&', pairs);
        context.ChargeCharacters(joined.Length);
        return Value.Of(joined);
    }

    private static string Quote(RenderContext context, Value value, bool keepSlash)
    {
        StringBuilder target = new();
        foreach (byte b in Encoding.UTF8.GetBytes(Printer.Text(context, value)))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && keepSlash))
                target.Append(c);
            else
                target.Append(c == ' ' && !keepSlash ? "+" : $"%{b:X2}");
        }
        context.ChargeCharacters(target.Length);
        return target.ToString();
    }

    private static IntValue WordCount(RenderContext context, Value value, Arguments arguments)
    {
        arguments.Bind(context, "wordcount", 0);
        string text = Printer.Text(context, value);
        context.Charge(text.Length / 16);
        int words = 0;
        for (int i = 0; i < text.Length; i++)
            words += PythonText.IsWord(text[i]) && (i == 0 || !PythonText.IsWord(text[i - 1])) ? 1 : 0;
        return new IntValue(words);
    }

    private static int WholeNumber(RenderContext context, Value? value, int missing, string filter)
    {
        if (value is null or NoneValue)
            return missing;
        return Numbers.TryInteger(value, out BigInteger number)
            ? (int)BigInteger.Max(int.MinValue / 2, BigInteger.Min(number, int.MaxValue / 2))
            : throw context.Error($"{filter} needs a whole number, not {value.TypeName}");
    }
}
