// JSON numbers by their values. The ways to write one that are known: digits with an optional fraction, and scientific notation with
// one digit other than zero before the point. Whole numbers may be written with a fraction of zeros, as JSON Schema says. Left out:
// other scientific forms such as 12e3 and 0.5e1, which no program writes, and scientific forms of multiples.

namespace Gradus.Generation.Structure.Languages;

/// <summary>Makes the languages of sets of numbers.</summary>
internal sealed class NumberLanguage
{
    private const int MostFraction = 17;
    private const int MostFactor = 10_000;

    private readonly RegexStore _regex;
    private readonly int _digit;
    private readonly int _nonZero;
    private readonly int _digits;
    private readonly int _fraction;
    private readonly int _zeros;
    private readonly int _exponentMark;
    private readonly int _minus;

    public NumberLanguage(RegexStore regex)
    {
        _regex = regex;
        _digit = regex.Set(ByteSet.Range('0', '9'));
        _nonZero = regex.Set(ByteSet.Range('1', '9'));
        _digits = regex.Repeat(_digit, 0, RegexStore.Unlimited);
        _fraction = regex.Optional(regex.Concat(regex.Byte('.'), regex.Repeat(_digit, 1, RegexStore.Unlimited)));
        _zeros = regex.Repeat(regex.Byte('0'), 0, RegexStore.Unlimited);
        _exponentMark = regex.Set(ByteSet.Of((byte)'e') | ByteSet.Of((byte)'E'));
        _minus = regex.Optional(regex.Byte('-'));
        Magnitudes = regex.Or(
            regex.Concat(Integer, _fraction),
            regex.Concat(_nonZero, _fraction, _exponentMark, Sign(null), regex.Repeat(_digit, 1, RegexStore.Unlimited)));
        All = regex.Concat(_minus, Magnitudes);
    }

    /// <summary>All numbers.</summary>
    public int All { get; }

    private int Magnitudes { get; }

    private int Integer => _regex.Or(_regex.Byte('0'), _regex.Concat(_nonZero, _digits));

    /// <summary>All whole numbers.</summary>
    public int Whole()
    {
        int zeros = _regex.Optional(_regex.Concat(_regex.Byte('.'), _regex.Repeat(_regex.Byte('0'), 1, RegexStore.Unlimited)));
        return _regex.Concat(_minus, _regex.Or(_regex.Concat(Integer, zeros), ScientificFrom(0)));
    }

    /// <summary>Scientific notation whose last digit has at least a given power of ten.</summary>
    private int ScientificFrom(int power)
    {
        int zeros = _regex.Optional(_regex.Concat(_regex.Byte('.'), _regex.Repeat(_regex.Byte('0'), 1, RegexStore.Unlimited)));
        List<int> parts = [_regex.Concat(_nonZero, zeros, _exponentMark, Sign(false), AtLeast(power))];
        for (int n = 1; n <= MostFraction; n++)
            parts.Add(_regex.Concat(_nonZero, _regex.Byte('.'), _regex.Repeat(_digit, n, n), _exponentMark, Sign(false), AtLeast(n + power)));
        return _regex.Or([.. parts]);
    }

    /// <summary>All numbers of one value.</summary>
    public int Equal(Decimal value)
    {
        string fraction = value.Fraction;
        List<int> parts = [_regex.Concat(Text(value.Whole), fraction.Length == 0
            ? _regex.Optional(_regex.Concat(_regex.Byte('.'), _regex.Repeat(_regex.Byte('0'), 1, RegexStore.Unlimited)))
            : _regex.Concat(_regex.Byte('.'), Text(fraction), _zeros))];
        if (value.Digits.IsZero)
            return _regex.Concat(_minus, parts[0]);
        string digits = value.Text;
        int rest = digits.Length == 1
            ? _regex.Optional(_regex.Concat(_regex.Byte('.'), _regex.Repeat(_regex.Byte('0'), 1, RegexStore.Unlimited)))
            : _regex.Concat(_regex.Byte('.'), Text(digits[1..]), _zeros);
        parts.Add(_regex.Concat(_regex.Byte(digits[0]), rest, _exponentMark, ExponentIs(value.Magnitude)));
        int magnitude = _regex.Or([.. parts]);
        return value.IsNegative ? _regex.Concat(_regex.Byte('-'), magnitude) : magnitude;
    }

    /// <summary>All numbers from a value on, or beyond it.</summary>
    public int AtLeast(Decimal value, bool beyond)
    {
        if (value.Digits.Sign > 0)
            return MagnitudeAtLeast(value, beyond);
        int negatives = _regex.Concat(_regex.Byte('-'), value.Digits.IsZero ? Zero() : _regex.Minus(Magnitudes, MagnitudeAtLeast(value.Negated, !beyond)));
        int all = _regex.Or(Magnitudes, negatives);
        return value.Digits.IsZero && beyond ? _regex.Minus(Magnitudes, Zero()) : all;
    }

    /// <summary>All numbers up to a value, or before it.</summary>
    public int AtMost(Decimal value, bool before)
    {
        if (value.IsNegative)
            return _regex.Concat(_regex.Byte('-'), MagnitudeAtLeast(value.Negated, before));
        if (value.Digits.IsZero)
            return before ? _regex.Concat(_regex.Byte('-'), _regex.Minus(Magnitudes, Zero())) : _regex.Or(Zero(), _regex.Concat(_regex.Byte('-'), Magnitudes));
        return _regex.Or(_regex.Concat(_regex.Byte('-'), Magnitudes), _regex.Minus(Magnitudes, MagnitudeAtLeast(value, !before)));
    }

    /// <summary>All multiples of a number above 0; null where it has too many digits.</summary>
    public int? Multiples(Decimal of)
    {
        int digits = Math.Max(0, -of.Exponent);
        System.Numerics.BigInteger factor = of.Digits * System.Numerics.BigInteger.Pow(10, Math.Max(0, of.Exponent));
        if (factor <= 0 || factor > MostFactor || digits > 30)
            return null;
        int plain = _regex.And(_regex.MultipleOf((long)factor, digits), _regex.Concat(Integer, _fraction));
        // Of a product of twos and fives every number with enough zeros is a multiple.
        int zeros = 0;
        int rest = (int)factor;
        for (; rest % 2 == 0 || rest % 5 == 0; zeros++)
            rest /= (rest % 2 == 0 ? 2 : 1) * (rest % 5 == 0 ? 5 : 1);
        return _regex.Concat(_minus, rest == 1 ? _regex.Or(plain, ScientificFrom(Math.Max(0, zeros - digits))) : plain);
    }

    private int Zero() => _regex.Concat(_regex.Byte('0'), _regex.Optional(_regex.Concat(_regex.Byte('.'), _regex.Repeat(_regex.Byte('0'), 1, RegexStore.Unlimited))));

    private int Text(string digits) => _regex.Literal(System.Text.Encoding.ASCII.GetBytes(digits));

    /// <summary>The sign of an exponent: any, none or +, or −.</summary>
    private int Sign(bool? negative) => negative switch
    {
        null => _regex.Optional(_regex.Set(ByteSet.Of((byte)'+') | ByteSet.Of((byte)'-'))),
        false => _regex.Optional(_regex.Byte('+')),
        _ => _regex.Byte('-'),
    };

    private int MagnitudeAtLeast(Decimal value, bool beyond)
    {
        string whole = value.Whole;
        List<int> parts = [];
        // More digits before the point, or the same number of them and a greater one at some place, or all equal and the fraction decides.
        parts.Add(_regex.Concat(_nonZero, _regex.Repeat(_digit, whole.Length, RegexStore.Unlimited), _fraction));
        parts.Add(_regex.Concat(GreaterDigits(whole), _fraction));
        parts.Add(_regex.Concat(Text(whole), FractionAtLeast(value.Fraction, beyond)));
        string digits = value.Text;
        int mantissa = _regex.Or(
            digits[0] == '9' ? RegexStore.Empty : _regex.Concat(_regex.Set(ByteSet.Range(digits[0] + 1, '9')), _fraction),
            _regex.Concat(_regex.Byte(digits[0]), FractionAtLeast(digits[1..], beyond)));
        parts.Add(_regex.Concat(mantissa, _exponentMark, ExponentIs(value.Magnitude)));
        parts.Add(_regex.Concat(_nonZero, _fraction, _exponentMark, ExponentBeyond(value.Magnitude)));
        return _regex.Or([.. parts]);
    }

    /// <summary>As many digits as given, of a greater number, without a zero in front.</summary>
    private int GreaterDigits(string digits)
    {
        List<int> parts = [];
        for (int i = 0; i < digits.Length; i++)
        {
            if (digits[i] < '9')
                parts.Add(_regex.Concat(Text(digits[..i]), _regex.Set(ByteSet.Range(digits[i] + 1, '9')), _regex.Repeat(_digit, digits.Length - i - 1, digits.Length - i - 1)));
        }
        return _regex.Or([.. parts]);
    }

    /// <summary>A point and digits whose value is at least that of the given ones, which do not end with a zero; or nothing where it is 0.</summary>
    private int FractionAtLeast(string digits, bool beyond)
    {
        int some = _regex.Repeat(_digit, 1, RegexStore.Unlimited);
        if (digits.Length == 0)
            return beyond ? _regex.Concat(_regex.Byte('.'), _zeros, _nonZero, _digits) : _regex.Optional(_regex.Concat(_regex.Byte('.'), some));
        List<int> parts = [_regex.Concat(Text(digits), beyond ? _regex.Concat(_zeros, _nonZero, _digits) : _digits)];
        for (int i = 0; i < digits.Length; i++)
        {
            if (digits[i] < '9')
                parts.Add(_regex.Concat(Text(digits[..i]), _regex.Set(ByteSet.Range(digits[i] + 1, '9')), _digits));
        }
        return _regex.Concat(_regex.Byte('.'), _regex.Or([.. parts]));
    }

    private int ExponentIs(int exponent)
    {
        int number = _regex.Concat(_zeros, Text(Math.Abs(exponent).ToString(System.Globalization.CultureInfo.InvariantCulture)));
        return _regex.Concat(exponent == 0 ? Sign(null) : Sign(exponent < 0), number);
    }

    private int ExponentBeyond(int exponent)
    {
        if (exponent >= 0)
            return _regex.Concat(Sign(false), AtLeast(exponent + 1));
        int some = _regex.Repeat(_digit, 1, RegexStore.Unlimited);
        return _regex.Or(_regex.Concat(Sign(false), some), _regex.Concat(Sign(true), _regex.Minus(some, AtLeast(-exponent))));
    }

    /// <summary>Digits, with zeros in front or not, of at least a number.</summary>
    private int AtLeast(int number)
    {
        if (number <= 0)
            return _regex.Repeat(_digit, 1, RegexStore.Unlimited);
        string digits = number.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return _regex.Concat(_zeros, _regex.Or(
            _regex.Concat(_nonZero, _regex.Repeat(_digit, digits.Length, RegexStore.Unlimited)), GreaterDigits(digits), Text(digits)));
    }
}
