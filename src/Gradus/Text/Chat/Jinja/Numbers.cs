using System.Globalization;
using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>Python's numbers: unbounded integers (bounded here), doubles, and booleans that count as 0 and 1.</summary>
internal static class Numbers
{
    /// <summary>The order of an unordered pair (NaN).</summary>
    public const int Unordered = 2;

    /// <summary>The largest integer of a rendering, in bits.</summary>
    private const int MaxBits = 4096;

    public static bool TryInteger(Value value, out BigInteger number)
    {
        number = value switch
        {
            IntValue integer => integer.Number,
            BoolValue boolean => boolean.IsTrue ? BigInteger.One : BigInteger.Zero,
            _ => BigInteger.Zero,
        };
        return value is IntValue or BoolValue;
    }

    public static bool TryDouble(Value value, out double number)
    {
        number = 0;
        if (value is FloatValue real)
            number = real.Number;
        else if (TryInteger(value, out BigInteger integer))
            number = (double)integer;
        else
            return false;
        return true;
    }

    /// <summary>An index into a sequence, counted from the end where negative; false where it lies outside.</summary>
    public static bool TryIndex(Value key, int length, out int index)
    {
        index = 0;
        if (!TryInteger(key, out BigInteger wanted))
            return false;
        if (wanted.Sign < 0)
            wanted += length;
        if (wanted.Sign < 0 || wanted >= length)
            return false;
        index = (int)wanted;
        return true;
    }

    /// <summary>−1, 0, 1 or <see cref="Unordered"/>; false where one is not a number.</summary>
    public static bool TryCompare(Value left, Value right, out int order)
    {
        bool leftInteger = TryInteger(left, out BigInteger a), rightInteger = TryInteger(right, out BigInteger b);
        order = 0;
        if (leftInteger && rightInteger)
            order = Math.Sign(a.CompareTo(b));
        else if (leftInteger && right is FloatValue f)
            order = Compare(a, f.Number);
        else if (rightInteger && left is FloatValue g)
            order = Compare(b, g.Number) is var mirrored && mirrored == Unordered ? Unordered : -mirrored;
        else if (left is FloatValue x && right is FloatValue y)
            order = double.IsNaN(x.Number) || double.IsNaN(y.Number) ? Unordered : x.Number.CompareTo(y.Number);
        else
            return false;
        return true;
    }

    public static Value Add(RenderContext context, Value left, Value right) =>
        TryIntegers(left, right, out BigInteger a, out BigInteger b) ? Integer(context, a + b) : new FloatValue(Double(left) + Double(right));

    public static Value Subtract(RenderContext context, Value left, Value right) =>
        TryIntegers(left, right, out BigInteger a, out BigInteger b) ? Integer(context, a - b) : new FloatValue(Double(left) - Double(right));

    public static Value Multiply(RenderContext context, Value left, Value right) =>
        TryIntegers(left, right, out BigInteger a, out BigInteger b) ? Integer(context, a * b) : new FloatValue(Double(left) * Double(right));

    public static FloatValue Divide(RenderContext context, Value left, Value right) =>
        new(Double(left) / NotZero(context, Double(right)));

    /// <summary>Rounds towards minus infinity.</summary>
    public static Value FloorDivide(RenderContext context, Value left, Value right)
    {
        if (!TryIntegers(left, right, out BigInteger a, out BigInteger b))
            return new FloatValue(Math.Floor(Double(left) / NotZero(context, Double(right))));
        NotZero(context, b.IsZero ? 0 : 1);
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger remainder);
        return new IntValue(!remainder.IsZero && remainder.Sign != b.Sign ? quotient - 1 : quotient);
    }

    /// <summary>The remainder has the sign of the divisor.</summary>
    public static Value Modulo(RenderContext context, Value left, Value right)
    {
        if (TryIntegers(left, right, out BigInteger a, out BigInteger b))
        {
            NotZero(context, b.IsZero ? 0 : 1);
            BigInteger remainder = BigInteger.Remainder(a, b);
            return new IntValue(!remainder.IsZero && remainder.Sign != b.Sign ? remainder + b : remainder);
        }
        double divisor = NotZero(context, Double(right));
        double rest = Double(left) % divisor;
        return new FloatValue(rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor : rest);
    }

    public static Value Power(RenderContext context, Value left, Value right)
    {
        if (TryIntegers(left, right, out BigInteger a, out BigInteger b) && b.Sign >= 0)
        {
            if (!a.IsZero && BigInteger.Abs(a) != 1 && b * a.GetBitLength() > 2 * MaxBits)
                throw TooLarge(context);
            return Integer(context, BigInteger.Abs(a) <= 1 && b > 2 ? BigInteger.Pow(a, b.IsEven ? 2 : 1) : BigInteger.Pow(a, (int)b));
        }
        double power = Double(right) < 0 ? NotZero(context, Double(left)) : Double(left);
        double result = Math.Pow(power, Double(right));
        return double.IsNaN(result) && !double.IsNaN(power)
            ? throw context.Error("a negative number has no real power with this exponent")
            : new FloatValue(result);
    }

    public static Value Negate(Value value) =>
        TryInteger(value, out BigInteger integer) ? new IntValue(-integer) : new FloatValue(-Double(value));

    /// <summary>An integer result, refused where it passes 4096 bits.</summary>
    public static IntValue Integer(RenderContext context, BigInteger number) =>
        number.GetBitLength() > MaxBits ? throw TooLarge(context) : new IntValue(number);

    public static bool IsNumber(Value value) => value is IntValue or FloatValue or BoolValue;

    /// <summary>Python's int(text, base): white space around, a sign, underscores between digits, a prefix that fits the base.</summary>
    public static bool TryParseInteger(string text, int radix, out BigInteger number)
    {
        number = BigInteger.Zero;
        string digits = PythonText.Trim(text);
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
            digits = digits[1..];
        int prefixed = digits.Length > 1 && digits[0] == '0'
            ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 }
            : 0;
        if (prefixed != 0 && (radix == prefixed || radix == 0))
        {
            digits = digits[2..].TrimStart('_');
            radix = prefixed;
        }
        else if (radix == 0)
        {
            radix = 10;
        }
        if (digits.Length is 0 or > 1300 || digits.StartsWith('_') || digits.EndsWith('_') || digits.Contains("__", StringComparison.Ordinal))
            return false;
        foreach (char c in digits)
        {
            if (c == '_')
                continue;
            int digit = char.IsDigit(c) ? (int)char.GetNumericValue(c) : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= radix)
                return false;
            number = (number * radix) + digit;
        }
        if (negative)
            number = -number;
        return true;
    }

    /// <summary>Python's float(text).</summary>
    public static bool TryParseFloat(string text, out double number)
    {
        string trimmed = PythonText.Trim(text);
        string word = trimmed.TrimStart('+', '-').ToLowerInvariant();
        if (word is "inf" or "infinity" or "nan" && trimmed.Length - word.Length <= 1)
        {
            number = word == "nan" ? double.NaN : trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        number = 0;
        if (trimmed.StartsWith('_') || trimmed.EndsWith('_') || trimmed.Contains("__", StringComparison.Ordinal))
            return false;
        return double.TryParse(
            trimmed.Replace("_", "", StringComparison.Ordinal),
            NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture,
            out number);
    }

    private static int Compare(BigInteger integer, double real)
    {
        if (double.IsNaN(real))
            return Unordered;
        if (double.IsInfinity(real))
            return real > 0 ? -1 : 1;
        int order = integer.CompareTo(new BigInteger(Math.Floor(real)));
        return order == 0 && !double.IsInteger(real) ? -1 : Math.Sign(order);
    }

    private static bool TryIntegers(Value left, Value right, out BigInteger a, out BigInteger b)
    {
        b = BigInteger.Zero;
        return TryInteger(left, out a) && TryInteger(right, out b);
    }

    private static double Double(Value value) => TryDouble(value, out double number) ? number : double.NaN;

    private static double NotZero(RenderContext context, double divisor) =>
        divisor == 0 ? throw context.Error("division by zero") : divisor;

    private static ChatTemplateException TooLarge(RenderContext context) =>
        context.Error($"the integer passes {MaxBits} bits");
}
