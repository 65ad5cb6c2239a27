using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// Python's two ways to format: <c>'%s: %05.2f' % (a, b)</c> and <c>'{0}: {x:&gt;8}'.format(a, x=b)</c>.
/// Left out: nested fields in a format specification.
/// </summary>
internal static class PythonFormat
{
    private const int MaxWidth = 10_000;

    /// <summary>One conversion: flags, width, precision and type, shared by both ways.</summary>
    private record struct Specification(char Fill, char Align, char Sign, bool Alternate, char Group, int Width, int Precision, char Type);

    public static TextValue Printf(RenderContext context, TextValue format, Value arguments)
    {
        string text = format.Text;
        MarkedBuilder target = context.NewBuilder();
        Value[] values = arguments is TupleValue tuple ? tuple.Elements : [arguments];
        int next = 0, plain = 0;
        for (int i = text.IndexOf('%'); i >= 0; i = i >= text.Length ? -1 : text.IndexOf('%', i))
        {
            target.Append(format.Part(context, plain, i - plain));
            i++;
            Value? named = null;
            if (i < text.Length && text[i] == '(')
            {
                int close = text.IndexOf(')', i);
                if (close < 0 || arguments is not DictValue dict)
                    throw context.Error("%: a named conversion needs ')' and a dict on the right");
                named = dict.Item(context, Value.Of(text[(i + 1)..close])) ?? throw context.Error($"%: the dict has no '{text[(i + 1)..close]}'");
                i = close + 1;
            }
            Specification specification = ReadPrintf(context, text, ref i, Next);
            plain = i;
            if (specification.Type == '%')
                target.Append("%");
            else
                target.Append(PrintfValue(context, named ?? Next(), specification));
        }
        target.Append(format.Part(context, plain, text.Length - plain));
        bool hasItems = arguments is ListValue or RangeValue or DictValue or UndefinedValue;
        if (next < values.Length && !hasItems)
            throw context.Error("%: not all arguments are used by the format");
        return target.ToValue();

        Value Next() => next < values.Length ? values[next++] : throw context.Error("%: not enough arguments for the format");
    }

    public static Value Format(RenderContext context, Value self, Arguments arguments)
    {
        string text = ((TextValue)self).Text;
        MarkedBuilder target = context.NewBuilder();
        int automatic = 0;
        for (int i = 0; i < text.Length;)
        {
            int brace = text.AsSpan(i).IndexOfAny('{', '}');
            int stop = brace < 0 ? text.Length : i + brace;
            target.Append(((TextValue)self).Part(context, i, stop - i));
            i = stop;
            if (i >= text.Length)
                break;
            if (i + 1 < text.Length && text[i + 1] == text[i])
            {
                target.Append(text[i].ToString());
                i += 2;
                continue;
            }
            int close = text.IndexOf('}', i);
            if (text[i] == '}' || close < 0)
                throw context.Error("format: a single brace; write {{ or }} for one in the text");
            target.Append(Field(context, text[(i + 1)..close], arguments, ref automatic));
            i = close + 1;
        }
        return target.ToValue();
    }

    private static TextValue Field(RenderContext context, string field, Arguments arguments, ref int automatic)
    {
        if (field.Contains('{'))
            throw context.Error("format: fields inside a format specification are not supported");
        int colon = field.IndexOf(':');
        string format = colon < 0 ? "" : field[(colon + 1)..];
        string name = colon < 0 ? field : field[..colon];
        int bang = name.IndexOf('!');
        string conversion = bang < 0 ? "" : name[(bang + 1)..];
        name = bang < 0 ? name : name[..bang];
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        Value value = Root(context, first.Length == 0 ? (automatic++).ToString(CultureInfo.InvariantCulture) : first, arguments);
        if (end >= 0)
            value = Path(context, value, name[end..]);
        if (conversion.Length > 0)
            value = conversion == "r" ? Value.Of(Repr(context, value)) : Printer.ToText(context, value);
        return format.Length == 0 ? Printer.ToText(context, value) : FormatValue(context, value, ReadFormat(context, format));
    }

    private static Value Root(RenderContext context, string name, Arguments arguments)
    {
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            return index < arguments.Positional.Length ? arguments.Positional[index] : throw context.Error($"format: there is no argument {index}");
        foreach ((string given, Value value) in arguments.Named)
        {
            if (given == name)
                return value;
        }
        throw context.Error($"format: there is no argument '{name}'");
    }

    private static Value Path(RenderContext context, Value value, string path)
    {
        foreach (string step in path.Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            value = int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
                ? context.GetItem(value, new IntValue(index))
                : context.GetAttribute(value, step);
        }
        return value;
    }

    private static Specification ReadPrintf(RenderContext context, string text, ref int i, Func<Value> next)
    {
        Specification result = new('\0', '\0', '\0', false, '\0', 0, -1, '\0');
        for (; i < text.Length && text[i] is '-' or '+' or ' ' or '0' or '#'; i++)
        {
            switch (text[i])
            {
                case '-': result.Align = '<'; break;
                case '0': result.Fill = '0'; break;
                case '#': result.Alternate = true; break;
                default: result.Sign = result.Sign == '+' ? '+' : text[i]; break;
            }
        }
        result.Width = ReadNumber(context, text, ref i, next);
        if (i < text.Length && text[i] == '.')
        {
            i++;
            result.Precision = ReadNumber(context, text, ref i, next);
        }
        while (i < text.Length && text[i] is 'l' or 'h' or 'L')
            i++;
        result.Type = i < text.Length ? text[i++] : throw context.Error("%: the format ends inside a conversion");
        return result;
    }

    private static int ReadNumber(RenderContext context, string text, ref int i, Func<Value>? next)
    {
        if (next is not null && i < text.Length && text[i] == '*')
        {
            i++;
            return Numbers.TryInteger(next(), out BigInteger given) && given >= 0 && given <= MaxWidth
                ? (int)given
                : throw context.Error($"%: * needs a number from 0 to {MaxWidth}");
        }
        int number = 0;
        for (; i < text.Length && char.IsAsciiDigit(text[i]); i++)
        {
            number = (number * 10) + (text[i] - '0');
            if (number > MaxWidth)
                throw context.Error($"a width or precision passes {MaxWidth}");
        }
        return number;
    }

    private static Specification ReadFormat(RenderContext context, string text)
    {
        Specification result = new('\0', '\0', '\0', false, '\0', 0, -1, '\0');
        int i = 0;
        if (text.Length > 1 && text[1] is '<' or '>' or '^' or '=')
            (result.Fill, result.Align, i) = (text[0], text[1], 2);
        else if (text[0] is '<' or '>' or '^' or '=')
            (result.Align, i) = (text[0], 1);
        if (i < text.Length && text[i] is '+' or '-' or ' ')
            result.Sign = text[i++];
        if (i < text.Length && text[i] == '#')
            (result.Alternate, i) = (true, i + 1);
        if (i < text.Length && text[i] == '0' && result.Align == '\0')
            (result.Fill, result.Align) = ('0', '=');
        result.Width = ReadNumber(context, text, ref i, null);
        if (i < text.Length && text[i] is ',' or '_')
            result.Group = text[i++];
        if (i < text.Length && text[i] == '.')
        {
            i++;
            result.Precision = ReadNumber(context, text, ref i, null);
        }
        if (i < text.Length)
            result.Type = text[i++];
        return i == text.Length ? result : throw context.Error($"format: '{text}' is not a format specification");
    }

    private static TextValue PrintfValue(RenderContext context, Value value, Specification specification)
    {
        bool isText = specification.Type is 's' or 'r' or 'c' or 'a';
        if (isText)
        {
            TextValue text = specification.Type switch
            {
                'r' or 'a' => Value.Of(Repr(context, value)),
                'c' when Numbers.TryInteger(value, out BigInteger code) => Value.Of(Character(context, code)),
                _ => Printer.ToText(context, value),
            };
            if (specification.Align == '\0')
                specification.Align = '>';
            return Pad(context, Cut(context, text, specification.Precision), specification with { Fill = ' ' });
        }
        if (!Numbers.IsNumber(value))
            throw context.Error($"%{specification.Type} needs a number, not {value.TypeName}");
        if (specification.Type is 'd' or 'i' or 'u')
        {
            value = value is FloatValue real ? new IntValue(Truncated(context, real.Number)) : value;
            specification.Type = 'd';
        }
        else if (value is FloatValue && specification.Type is 'x' or 'X' or 'o')
        {
            throw context.Error($"%{specification.Type} needs an integer, not float");
        }
        if (specification.Fill == '0' && specification.Align == '\0')
            specification.Align = '=';
        if (specification.Align == '<')
            specification.Fill = ' ';
        return FormatValue(context, value, specification);
    }

    private static TextValue FormatValue(RenderContext context, Value value, Specification specification)
    {
        if (!Numbers.IsNumber(value))
        {
            if (value is not TextValue text || specification.Type is not ('\0' or 's'))
                throw context.Error($"format: this specification does not fit a {value.TypeName}");
            if (specification.Align is '\0' or '=')
                specification.Align = '<';
            return Pad(context, Cut(context, text, specification.Precision), specification);
        }
        string digits = Digits(context, value, specification, out bool negative);
        string sign = negative ? "-" : specification.Sign is '+' or ' ' ? specification.Sign.ToString() : "";
        if (specification.Alternate && specification.Type is 'x' or 'X' or 'o' or 'b')
            sign += "0" + specification.Type;
        if (specification.Align == '=')
            digits = digits.PadLeft(Math.Max(0, specification.Width - sign.Length), specification.Fill == '\0' ? ' ' : specification.Fill);
        if (specification.Align == '\0')
            specification.Align = '>';
        return Pad(context, Value.Of(sign + digits), specification);
    }

    private static string Digits(RenderContext context, Value value, Specification specification, out bool negative)
    {
        char type = specification.Type == '\0' ? (value is FloatValue ? 'r' : 'd') : specification.Type;
        if (type is 'd' or 'x' or 'X' or 'o' or 'b' or 'n')
        {
            if (!Numbers.TryInteger(value, out BigInteger integer))
                throw context.Error($"format: the type '{type}' needs an integer");
            negative = integer.Sign < 0;
            integer = BigInteger.Abs(integer);
            string digits = type switch
            {
                'x' => Hexadecimal(integer),
                'X' => Hexadecimal(integer).ToUpperInvariant(),
                'o' or 'b' => InRadix(integer, type == 'o' ? 8 : 2),
                _ => integer.ToString(CultureInfo.InvariantCulture),
            };
            return Grouped(digits.PadLeft(Math.Max(specification.Precision, 1), '0'), specification.Group);
        }
        Numbers.TryDouble(value, out double number);
        negative = double.IsNegative(number);
        number = Math.Abs(number);
        if (!double.IsFinite(number))
            return double.IsNaN(number) ? "nan" : "inf";
        int precision = Math.Min(specification.Precision < 0 ? 6 : specification.Precision, 1000);
        return type switch
        {
            'r' when specification.Precision < 0 => Grouped(PythonText.Repr(number), specification.Group),
            'f' or 'F' => Grouped(PythonText.Fixed(number, precision), specification.Group),
            '%' => Grouped(PythonText.Fixed(number * 100, precision), specification.Group) + "%",
            'e' or 'E' => Exponent(number, precision, type),
            'g' or 'G' or 'r' => General(number, Math.Max(precision, 1), type),
            _ => throw context.Error($"format: '{type}' is not a type of number"),
        };
    }

    private static string Exponent(double number, int precision, char type)
    {
        string text = number.ToString((type == 'E' ? "E" : "e") + precision, CultureInfo.InvariantCulture);
        // .NET writes three exponent digits at least, Python two.
        int digits = text.LastIndexOfAny(['+', '-']) + 1;
        string exponent = text[digits..].TrimStart('0').PadLeft(2, '0');
        return text[..digits] + exponent;
    }

    private static string General(double number, int precision, char type)
    {
        string scientific = Exponent(number, precision - 1, 'e');
        int e = scientific.IndexOf('e');
        int exponent = int.Parse(scientific.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        bool plain = exponent >= -4 && exponent < (type == 'r' ? Math.Max(precision - 1, 1) : precision);
        string digits = plain ? PythonText.Fixed(number, Math.Max(0, precision - 1 - exponent)) : scientific[..e];
        if (digits.Contains('.'))
            digits = digits.TrimEnd('0').TrimEnd('.');
        if (plain)
            return type == 'r' && !digits.Contains('.') ? digits + ".0" : digits;
        return type == 'G' ? digits + scientific[e..].ToUpperInvariant() : digits + scientific[e..];
    }

    private static string Grouped(string digits, char group)
    {
        if (group == '\0')
            return digits;
        int end = digits.AsSpan().IndexOfAny('.', 'e');
        StringBuilder target = new(digits);
        for (int i = (end < 0 ? digits.Length : end) - 3; i > 0; i -= 3)
            target.Insert(i, group);
        return target.ToString();
    }

    private static string Hexadecimal(BigInteger number)
    {
        string digits = number.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
        return digits.Length == 0 ? "0" : digits;
    }

    private static string InRadix(BigInteger number, int radix)
    {
        StringBuilder digits = new();
        do
        {
            digits.Insert(0, (int)(number % radix));
            number /= radix;
        }
        while (!number.IsZero);
        return digits.ToString();
    }

    private static TextValue Cut(RenderContext context, TextValue text, int codePoints) =>
        codePoints < 0 || text.CodePoints <= codePoints ? text : text.Part(context, 0, text.Utf16Position(codePoints));

    private static TextValue Pad(RenderContext context, TextValue text, Specification specification)
    {
        int missing = specification.Width - text.CodePoints;
        if (missing <= 0)
            return text;
        int left = specification.Align switch { '>' => missing, '^' => missing / 2, _ => 0 };
        char fill = specification.Fill == '\0' ? ' ' : specification.Fill;
        TextValue padded = TextValue.Concat(context, Value.Of(new string(fill, left)), text);
        return TextValue.Concat(context, padded, Value.Of(new string(fill, missing - left)));
    }

    private static string Repr(RenderContext context, Value value)
    {
        StringBuilder target = new();
        Printer.AppendRepr(context, target, value);
        return target.ToString();
    }

    private static string Character(RenderContext context, BigInteger code) => code >= 0 && code <= 0x10FFFF && Rune.IsValid((int)code)
        ? new Rune((int)code).ToString()
        : throw context.Error("%c needs a code point");

    private static BigInteger Truncated(RenderContext context, double number) =>
        double.IsFinite(number) ? new BigInteger(number) : throw context.Error("%d needs a finite number");
}
