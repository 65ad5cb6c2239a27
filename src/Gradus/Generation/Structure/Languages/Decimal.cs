using System.Globalization;
using System.Numerics;

namespace Gradus.Generation.Structure.Languages;

/// <summary>A decimal number exactly as a JSON text writes it: digits · 10^exponent, the digits without zeros at the end.</summary>
/// <param name="Digits">Negative for numbers below 0.</param>
/// <param name="Exponent">A power of ten.</param>
internal readonly record struct Decimal(BigInteger Digits, int Exponent) : IComparable<Decimal>
{
    private const int MostDigits = 400;

    public static Decimal Zero { get; } = new(0, 0);

    public bool IsNegative => Digits.Sign < 0;

    public Decimal Negated => new(-Digits, Exponent);

    /// <summary>The digits before the point, of the magnitude, without zeros in front but for a single one.</summary>
    public string Whole => Exponent >= 0 ? Text + new string('0', Digits.IsZero ? 0 : Exponent) : Text.Length > -Exponent ? Text[..(Text.Length + Exponent)] : "0";

    /// <summary>The digits after the point, of the magnitude, without zeros at the end.</summary>
    public string Fraction => Exponent >= 0 ? "" : Text.Length > -Exponent ? Text[(Text.Length + Exponent)..] : new string('0', -Exponent - Text.Length) + Text;

    /// <summary>The digits of the magnitude.</summary>
    public string Text => BigInteger.Abs(Digits).ToString(CultureInfo.InvariantCulture);

    /// <summary>The power of ten of the first digit.</summary>
    public int Magnitude => Exponent + Text.Length - 1;

    public static bool operator <(Decimal x, Decimal y) => x.CompareTo(y) < 0;

    public static bool operator >(Decimal x, Decimal y) => x.CompareTo(y) > 0;

    /// <summary>Reads a JSON number; false where it is longer than can be enforced.</summary>
    public static bool TryParse(string json, out Decimal value)
    {
        value = Zero;
        int e = json.AsSpan().IndexOfAny('e', 'E');
        int exponent = 0;
        if (e >= 0 && (!int.TryParse(json.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent) || Math.Abs((long)exponent) > MostDigits))
            return false;
        string mantissa = e >= 0 ? json[..e] : json;
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
            exponent -= mantissa.Length - point - 1;
        if (mantissa.Length > MostDigits || !BigInteger.TryParse(mantissa.Replace(".", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger digits))
            return false;
        while (!digits.IsZero && digits % 10 == 0)
            (digits, exponent) = (digits / 10, exponent + 1);
        value = digits.IsZero ? Zero : new Decimal(digits, exponent);
        return Math.Abs(value.Exponent) <= MostDigits;
    }

    public int CompareTo(Decimal other)
    {
        int low = Math.Min(Exponent, other.Exponent);
        return (Digits * BigInteger.Pow(10, Exponent - low)).CompareTo(other.Digits * BigInteger.Pow(10, other.Exponent - low));
    }
}
