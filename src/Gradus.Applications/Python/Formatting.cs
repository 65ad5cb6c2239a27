// Python's format specifications (the mini-language of str.format), %-formatting, and str.format itself.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Applications.Python;

internal static class Formatting
{
    /// <summary>[[fill]align][sign][#][0][width][grouping][.precision][type].</summary>
    private sealed record Specification(char Fill, char Align, char Sign, bool Alternate, int Width, char Grouping, int Precision, char Type);

    public static string Format(Interpreter it, Value value, string specification)
    {
        if (value.Ref is InstanceObject)
        {
            Value method = value.Class.Find("__format__");
            if (!method.IsUnbound)
                return it.Call(method, value, Value.Of(specification)).Text ?? throw Errors.Type("__format__ must return a str");
            Value inner = Operations.Unwrapped(value);
            return inner.Is(value) || specification.Length == 0 ? Padded(Operations.Str(it, value), specification) : Format(it, inner, specification);
        }
        if (specification.Length == 0)
            return Operations.Str(it, value);
        Specification s = Parse(specification);
        if (value.IsInteger && (s.Type is '\0' or 'd' or 'b' or 'o' or 'x' or 'X' or 'c' or 'n'))
            return value.IsBool && s.Type == '\0' ? Pad(Operations.Str(it, value), s, '<') : Integer(value.Big, s);
        if (value.IsNumber)
            return Float(value.ToDouble(), s, value.IsInteger);
        if (value.Ref is not StrObject)
            return s.Type is '\0' or 's' ? Pad(Operations.Str(it, value), s, '<') : throw Errors.Type($"unsupported format string passed to {value.Class.Name}.__format__");
        if (s.Type is not ('\0' or 's'))
            throw Errors.Value($"Unknown format code '{s.Type}' for object of type 'str'");
        string text = value.Text!;
        return Pad(s.Precision >= 0 && s.Precision < text.Length ? text[..s.Precision] : text, s, '<');
    }

    private static string Padded(string text, string specification) => specification.Length == 0 ? text : Pad(text, Parse(specification), '<');

    private static Specification Parse(string text)
    {
        int at = 0;
        char fill = ' ', align = '\0', sign = '-', grouping = '\0', type = '\0';
        if (text.Length > 1 && "<>=^".Contains(text[1], StringComparison.Ordinal))
        {
            (fill, align) = (text[0], text[1]);
            at = 2;
        }
        else if (text.Length > 0 && "<>=^".Contains(text[0], StringComparison.Ordinal))
        {
            align = text[at++];
        }
        if (at < text.Length && text[at] is '+' or '-' or ' ')
            sign = text[at++];
        bool alternate = at < text.Length && text[at] == '#';
        if (alternate)
            at++;
        if (at < text.Length && text[at] == '0')
        {
            at++;
            if (align == '\0')
                (fill, align) = ('0', '=');
        }
        int width = Number(text, ref at), precision = -1;
        if (at < text.Length && text[at] is ',' or '_')
            grouping = text[at++];
        if (at < text.Length && text[at] == '.')
        {
            at++;
            precision = Number(text, ref at);
            if (precision < 0)
                throw Errors.Value("Format specifier missing precision");
        }
        if (at < text.Length)
            type = text[at++];
        if (at < text.Length)
            throw Errors.Value($"Invalid format specifier '{text}'");
        return new Specification(fill, align, sign, alternate, width, grouping, precision, type);
    }

    private static int Number(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
            at++;
        if (start == at)
            return -1;
        if (!int.TryParse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number > 1_000_000)
            throw Errors.Value("Too many decimal digits in format string");
        return number;
    }

    private static string Integer(BigInteger value, Specification s)
    {
        if (s.Type == 'c')
            return Pad(char.ConvertFromUtf32((int)value), s, '<');
        BigInteger magnitude = BigInteger.Abs(value);
        string digits = s.Type switch { 'b' => InBase(magnitude, 2), 'o' => InBase(magnitude, 8), 'x' => InBase(magnitude, 16), 'X' => InBase(magnitude, 16).ToUpperInvariant(), _ => Representation.OfBig(magnitude) };
        string prefix = s.Alternate ? s.Type switch { 'b' => "0b", 'o' => "0o", 'x' => "0x", 'X' => "0X", _ => "" } : "";
        return Signed(value.Sign < 0, prefix, digits, "", s, s.Type is 'b' or 'o' or 'x' or 'X' ? 4 : 3);
    }

    public static string InBase(BigInteger value, int radix)
    {
        if (value.IsZero)
            return "0";
        if (radix == 10)
            return Representation.OfBig(value);
        int bits = radix switch { 2 => 1, 8 => 3, _ => 4 };
        StringBuilder text = new();
        while (!value.IsZero)
        {
            text.Insert(0, "0123456789abcdef"[(int)(value & (radix - 1))]);
            value >>= bits;
        }
        return text.ToString();
    }

    private static string Float(double value, Specification s, bool integer)
    {
        bool negative = double.IsNegative(value) && !double.IsNaN(value);
        double magnitude = Math.Abs(value);
        string suffix = "";
        char type = s.Type;
        if (type == '%')
        {
            magnitude *= 100;
            suffix = "%";
            type = 'f';
        }
        string text;
        if (!double.IsFinite(magnitude))
            text = double.IsNaN(magnitude) ? "nan" : "inf";
        else if (type is 'f' or 'F')
            text = Fixed(magnitude, s.Precision < 0 ? 6 : s.Precision);
        else if (type is 'e' or 'E')
            text = Exponent(magnitude, s.Precision < 0 ? 6 : s.Precision);
        else if (type is 'g' or 'G' or 'n' || (type == '\0' && s.Precision >= 0))
            text = General(magnitude, s.Precision < 0 ? 6 : Math.Max(1, s.Precision), s.Alternate, point: type == '\0');
        else if (type == '\0')
            text = integer ? Fixed(magnitude, 0) : Representation.OfFloat(magnitude);
        else
            throw Errors.Value($"Unknown format code '{type}' for object of type 'float'");
        if (char.IsUpper(type))
            text = text.ToUpperInvariant();
        int point = text.IndexOfAny(['.', 'e', 'E', 'n', 'i', 'N', 'I']);
        (string whole, string rest) = point < 0 ? (text, "") : (text[..point], text[point..]);
        return Signed(negative, "", whole, rest + suffix, s, 3);
    }

    /// <summary>Digits behind the point, rightly rounded.</summary>
    public static string Fixed(double value, int digits) => value.ToString("F" + digits, CultureInfo.InvariantCulture);

    private static string Exponent(double value, int digits)
    {
        string text = value.ToString("E" + digits, CultureInfo.InvariantCulture);
        int e = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = int.Parse(text[(e + 1)..], CultureInfo.InvariantCulture);
        return $"{text[..e]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static string General(double value, int digits, bool keepZeros, bool point)
    {
        if (value == 0)
            return point ? "0.0" : "0";
        string text = Exponent(value, digits - 1);
        int exponent = int.Parse(text[(text.IndexOf('e', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        string shown = exponent < -4 || exponent >= digits ? text : Fixed(value, Math.Max(0, digits - 1 - exponent));
        int e = shown.IndexOf('e', StringComparison.Ordinal);
        (string number, string rest) = e < 0 ? (shown, "") : (shown[..e], shown[e..]);
        if (!keepZeros && number.Contains('.', StringComparison.Ordinal))
            number = number.TrimEnd('0').TrimEnd('.');
        if (point && rest.Length == 0 && !number.Contains('.', StringComparison.Ordinal))
            number += ".0";
        return number + rest;
    }

    private static string Signed(bool negative, string prefix, string whole, string rest, Specification s, int group)
    {
        string sign = negative ? "-" : s.Sign is '+' or ' ' ? s.Sign.ToString() : "";
        if (s.Grouping != '\0')
        {
            // Zeros that fill are grouped as well.
            int least = s is { Fill: '0', Align: '=' } ? s.Width - sign.Length - prefix.Length - rest.Length : 0;
            whole = Grouped(whole, s.Grouping, group);
            while (whole.Length < least)
                whole = Grouped("0" + whole.Replace(s.Grouping.ToString(), "", StringComparison.Ordinal), s.Grouping, group);
        }
        if (s.Align == '=')
        {
            int fill = s.Width - sign.Length - prefix.Length - whole.Length - rest.Length;
            return sign + prefix + (fill > 0 ? new string(s.Fill, fill) : "") + whole + rest;
        }
        return Pad(sign + prefix + whole + rest, s, '>');
    }

    private static string Grouped(string digits, char separator, int group)
    {
        StringBuilder text = new(digits);
        for (int at = digits.Length - group; at > 0; at -= group)
            text.Insert(at, separator);
        return text.ToString();
    }

    private static string Pad(string text, Specification s, char usual)
    {
        int missing = s.Width - new StringInfoLength(text).Value;
        if (missing <= 0)
            return text;
        Memory.Check(missing * 2L);
        return (s.Align == '\0' ? usual : s.Align) switch
        {
            '<' => text + new string(s.Fill, missing),
            '^' => new string(s.Fill, missing / 2) + text + new string(s.Fill, missing - (missing / 2)),
            _ => new string(s.Fill, missing) + text,
        };
    }

    // Code points, as Python counts.
    private readonly record struct StringInfoLength(string Text)
    {
        public int Value => new StrObject(Text).Length;
    }

    /// <summary>text.format(…).</summary>
    public static string Apply(Interpreter it, string format, Value[] args, Keywords? keywords)
    {
        int next = 0;
        return Replace(format, 0);

        string Replace(string text, int depth)
        {
            if (depth > 2)
                throw Errors.Value("Max string recursion exceeded");
            StringBuilder result = new();
            for (int i = 0; i < text.Length; i++)
            {
                if (text[i] is '{' or '}' && i + 1 < text.Length && text[i + 1] == text[i])
                {
                    result.Append(text[i++]);
                }
                else if (text[i] == '{')
                {
                    int end = i + 1, open = 1;
                    while (end < text.Length && (open += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0) > 0)
                        end++;
                    if (end >= text.Length)
                        throw Errors.Value("expected '}' before end of string");
                    result.Append(Field(text[(i + 1)..end], depth));
                    i = end;
                }
                else if (text[i] == '}')
                {
                    throw Errors.Value("Single '}' encountered in format string");
                }
                else
                {
                    result.Append(text[i]);
                }
            }
            return result.ToString();
        }

        string Field(string field, int depth)
        {
            int colon = field.IndexOf(':', StringComparison.Ordinal);
            string specification = colon < 0 ? "" : Replace(field[(colon + 1)..], depth + 1);
            string name = colon < 0 ? field : field[..colon];
            char conversion = '\0';
            if (name.Length > 1 && name[^2] == '!')
            {
                conversion = name[^1];
                name = name[..^2];
            }
            Value value = Lookup(name);
            value = conversion switch { 'r' or 'a' => Value.Of(Operations.Repr(it, value)), 's' => Value.Of(Operations.Str(it, value)), _ => value };
            return Format(it, value, specification);
        }

        Value Lookup(string name)
        {
            int end = name.IndexOfAny(['.', '[']);
            string first = end < 0 ? name : name[..end];
            Value value;
            if (first.Length == 0)
                value = Index(next++);
            else if (int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int at))
                value = Index(at);
            else
                value = Keywords.Take(keywords, first) is { IsUnbound: false } named ? named : throw Errors.Key(Value.Of(first));
            string rest = end < 0 ? "" : name[end..];
            while (rest.Length > 0)
            {
                int stop = rest[0] == '[' ? rest.IndexOf(']', StringComparison.Ordinal) : rest.IndexOfAny(['.', '['], 1);
                if (rest[0] == '[')
                {
                    if (stop < 0)
                        throw Errors.Value("Missing ']' in format string");
                    string key = rest[1..stop];
                    value = Operations.GetItem(it, value, long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? Value.Of(number) : Value.Of(key));
                    rest = rest[(stop + 1)..];
                }
                else
                {
                    string attribute = stop < 0 ? rest[1..] : rest[1..stop];
                    value = Attributes.Get(it, value, attribute);
                    rest = stop < 0 ? "" : rest[stop..];
                }
            }
            return value;
        }

        Value Index(int at) => at < args.Length ? args[at] : throw Errors.Index($"Replacement index {at} out of range for positional args tuple");
    }

    /// <summary>text % values.</summary>
    public static string Percent(Interpreter it, string format, Value values)
    {
        Value[] args = values.Ref is TupleObject tuple ? tuple.Items : [values];
        StringBuilder result = new();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            if (++i >= format.Length)
                throw Errors.Value("incomplete format");
            if (format[i] == '%')
            {
                result.Append('%');
                continue;
            }
            Value? named = null;
            if (format[i] == '(')
            {
                int close = format.IndexOf(')', i);
                if (close < 0)
                    throw Errors.Value("incomplete format key");
                named = Operations.GetItem(it, values, Value.Of(format[(i + 1)..close]));
                i = close + 1;
            }
            string flags = "";
            while (i < format.Length && "-+ #0".Contains(format[i], StringComparison.Ordinal))
                flags += format[i++];
            int width = Star(ref i) ?? Number(format, ref i), precision = -1;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = Star(ref i) ?? Math.Max(0, Number(format, ref i));
            }
            if (i >= format.Length)
                throw Errors.Value("incomplete format");
            Value value = named ?? Take();
            result.Append(One(it, format[i], flags, width, precision, value));
        }
        if (next < args.Length && values.Ref is TupleObject)
            throw Errors.Type("not all arguments converted during string formatting");
        return result.ToString();

        Value Take() => next < args.Length ? args[next++] : throw Errors.Type("not enough arguments for format string");

        int? Star(ref int i)
        {
            if (i >= format.Length || format[i] != '*')
                return null;
            i++;
            return (int)Operations.ToIndex(Take());
        }
    }

    private static string One(Interpreter it, char type, string flags, int width, int precision, Value value)
    {
        bool left = flags.Contains('-', StringComparison.Ordinal), zero = flags.Contains('0', StringComparison.Ordinal) && !left;
        char sign = flags.Contains('+', StringComparison.Ordinal) ? '+' : flags.Contains(' ', StringComparison.Ordinal) ? ' ' : '-';
        bool alternate = flags.Contains('#', StringComparison.Ordinal);
        switch (type)
        {
            case 's' or 'r' or 'a':
                string text = type == 's' ? Operations.Str(it, value) : Operations.Repr(it, value);
                return Pad(precision >= 0 && precision < text.Length ? text[..precision] : text, new Specification(' ', left ? '<' : '>', '-', false, width, '\0', -1, 's'), '>');
            case 'c':
                return Pad(value.Text ?? char.ConvertFromUtf32((int)Operations.ToIndex(value)), new Specification(' ', left ? '<' : '>', '-', false, width, '\0', -1, 's'), '>');
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                if (!value.IsNumber)
                    throw Errors.Type($"%{type} format: a real number is required, not {value.Class.Name}");
                BigInteger number = value.IsFloat ? new BigInteger(Math.Truncate(value.Float)) : value.Big;
                string digits = Integer(BigInteger.Abs(number), new Specification(' ', '\0', '-', alternate, -1, '\0', -1, type is 'i' or 'u' ? 'd' : type)).PadLeft(Math.Max(0, precision), '0');
                return Signed(number.Sign < 0, "", digits, "", new Specification(zero ? '0' : ' ', zero ? '=' : left ? '<' : '>', sign, false, width, '\0', -1, 'd'), 3);
            case 'f' or 'F' or 'e' or 'E' or 'g' or 'G':
                if (!value.IsNumber)
                    throw Errors.Type($"must be real number, not {value.Class.Name}");
                return Float(value.ToDouble(), new Specification(zero ? '0' : ' ', zero ? '=' : left ? '<' : '>', sign, alternate, width, '\0', precision, type), integer: false);
            default:
                throw Errors.Value($"unsupported format character '{type}' (0x{(int)type:x})");
        }
    }
}
