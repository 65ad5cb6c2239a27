using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>What Python does with text and the text of numbers: white space, code points, repr.</summary>
internal static class PythonText
{
    /// <summary>str.isspace: Unicode's white space and the four separators U+001C to U+001F.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';

    public static string Trim(string text)
    {
        (int start, int end) = TrimRange(text, null, true, true);
        return text[start..end];
    }

    /// <summary>What strip, lstrip and rstrip keep: of white space, or of a set of characters.</summary>
    public static (int Start, int End) TrimRange(string text, string? characters, bool left, bool right)
    {
        HashSet<Rune>? set = characters is null ? null : [.. characters.EnumerateRunes()];
        int start = 0, end = text.Length;
        while (left && start < end && InSet(RuneAt(text, start, out int length)))
            start += length;
        while (right && end > start)
        {
            int last = end - 1;
            if (last > start && char.IsSurrogatePair(text, last - 1))
                last--;
            if (!InSet(RuneAt(text, last, out _)))
                break;
            end = last;
        }
        return (start, end);

        bool InSet(Rune rune) => set is null ? rune.IsBmp && IsSpace((char)rune.Value) : set.Contains(rune);
    }

    public static int CountCodePoints(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
            return text.Length;
        int count = 0;
        for (int i = 0; i < text.Length; i++)
            count += i > 0 && char.IsSurrogatePair(text, i - 1) ? 0 : 1;
        return count;
    }

    public static int Utf16Position(string text, int codePoint)
    {
        int position = 0;
        for (; codePoint > 0; codePoint--)
            position += position + 1 < text.Length && char.IsSurrogatePair(text, position) ? 2 : 1;
        return position;
    }

    public static List<string> SplitCodePoints(string text)
    {
        List<string> points = [];
        for (int i = 0; i < text.Length;)
        {
            int length = i + 1 < text.Length && char.IsSurrogatePair(text, i) ? 2 : 1;
            points.Add(text.Substring(i, length));
            i += length;
        }
        return points;
    }

    /// <summary>Order by code points, which UTF-16 order is not.</summary>
    public static int Compare(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
            return Math.Sign(left.Length - right.Length);
        // Surrogates stand for the points above U+FFFF, so they sort after every other unit.
        return Math.Sign(Rank(left[common]) - Rank(right[common]));

        static int Rank(char c) => char.IsSurrogate(c) ? c + 0x10000 : c;
    }

    /// <summary>repr of a string: single quotes unless only those occur inside; what does not print is escaped.</summary>
    public static void AppendRepr(StringBuilder target, string text)
    {
        char quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        target.Append(quote);
        for (int i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(i), out Rune rune, out int length);
            int point = char.IsSurrogate(text[i]) && length == 1 ? text[i] : rune.Value;
            if (point == quote || point == '\\')
                target.Append('\\').Append((char)point);
            else if (point is '\n' or '\r' or '\t')
                target.Append('\\').Append(point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
            else if ((length == 2 || !char.IsSurrogate(text[i])) && IsPrintable(rune))
                target.Append(text, i, length);
            else
                target.Append(point <= 0xFF ? $"\\x{point:x2}" : point <= 0xFFFF ? $"\\u{point:x4}" : $"\\U{point:x8}");
            i += length;
        }
        target.Append(quote);
    }

    /// <summary>repr of a float: the shortest digits that round-trip, an exponent below 1e-4 and from 1e16.</summary>
    public static string Repr(double number)
    {
        if (!double.IsFinite(number))
            return double.IsNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        string plain = Math.Abs(number).ToString("R", CultureInfo.InvariantCulture);
        string sign = double.IsNegative(number) ? "-" : "";
        (string digits, int exponent) = Digits(plain);
        if (exponent is >= -4 and < 16)
        {
            if (exponent < 0)
                return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
            return digits.Length <= exponent + 1
                ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
                : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
        }
        string mantissa = digits.Length == 1 ? digits : $"{digits[0]}.{digits[1..]}";
        return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    /// <summary>A finite number with a fixed count of decimals, the exact binary value rounded half to even.</summary>
    public static string Fixed(double number, int decimals)
    {
        long bits = BitConverter.DoubleToInt64Bits(number);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger mantissa = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0)
            exponent = 1;
        else
            mantissa += 1L << 52;
        exponent -= 1075;
        BigInteger scaled = mantissa * BigInteger.Pow(10, decimals);
        if (exponent >= 0)
        {
            scaled <<= exponent;
        }
        else
        {
            BigInteger unit = BigInteger.One << -exponent;
            scaled = BigInteger.DivRem(scaled, unit, out BigInteger rest);
            int half = (rest << 1).CompareTo(unit);
            if (half > 0 || (half == 0 && !scaled.IsEven))
                scaled += 1;
        }
        string digits = scaled.ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        string text = decimals == 0 ? digits : $"{digits[..^decimals]}.{digits[^decimals..]}";
        return double.IsNegative(number) ? "-" + text : text;
    }

    /// <summary>Python's notion: everything but controls, separators other than the space, private and unassigned code points.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.SpaceSeparator);

    private static Rune RuneAt(string text, int index, out int length)
    {
        Rune.DecodeFromUtf16(text.AsSpan(index), out Rune rune, out length);
        return rune;
    }

    /// <summary>The significant digits of an invariant number text, and the decimal exponent of the first.</summary>
    private static (string Digits, int Exponent) Digits(string text)
    {
        int e = text.IndexOf('E');
        int exponent = e < 0 ? 0 : int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? text : text[..e];
        int point = mantissa.IndexOf('.');
        exponent += (point < 0 ? mantissa.Length : point) - 1;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        digits = digits.Trim('0');
        return digits.Length == 0 ? ("0", 0) : (digits, exponent - zeros);
    }
}
