using System.Collections.Concurrent;
using System.Globalization;

namespace Gradus.Generation.Structure.Languages;

/// <summary>A set of Unicode characters, surrogates not among them, as sorted ranges that do not touch.</summary>
internal sealed class CodePoints
{
    private const int Last = 0x10FFFF;
    private static readonly ConcurrentDictionary<string, CodePoints?> Categories = new(StringComparer.Ordinal);

    private CodePoints((int From, int To)[] ranges) => Ranges = ranges;

    public static CodePoints All { get; } = Of((0, Last));

    public static CodePoints Digits { get; } = Of(('0', '9'));

    public static CodePoints Word { get; } = Of(('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_'));

    /// <summary>ECMAScript's white space and line ends.</summary>
    public static CodePoints Space { get; } = Of((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF));

    /// <summary>What a dot is in ECMAScript: no line end.</summary>
    public static CodePoints Dot { get; } = Of((10, 10), (13, 13), (0x2028, 0x2029)).Complement();

    public IReadOnlyList<(int From, int To)> Ranges { get; }

    public bool IsEmpty => Ranges.Count == 0;

    public static CodePoints Of(params ReadOnlySpan<(int From, int To)> ranges)
    {
        List<(int From, int To)> parts = [];
        foreach ((int from, int to) in ranges)
        {
            // Surrogates are no characters.
            if (from <= Math.Min(to, 0xD7FF))
                parts.Add((from, Math.Min(to, 0xD7FF)));
            if (Math.Max(from, 0xE000) <= to)
                parts.Add((Math.Max(from, 0xE000), to));
        }
        parts.Sort();
        List<(int From, int To)> merged = [];
        foreach ((int from, int to) in parts)
        {
            if (merged.Count > 0 && from <= merged[^1].To + 1)
                merged[^1] = (merged[^1].From, Math.Max(merged[^1].To, to));
            else
                merged.Add((from, to));
        }
        return new CodePoints([.. merged]);
    }

    public CodePoints Complement()
    {
        List<(int, int)> gaps = [];
        int next = 0;
        foreach ((int from, int to) in Ranges)
        {
            if (from > next)
                gaps.Add((next, from - 1));
            next = to + 1;
        }
        if (next <= Last)
            gaps.Add((next, Last));
        return Of([.. gaps]);
    }

    public CodePoints Union(CodePoints other) => Of([.. Ranges, .. other.Ranges]);

    public CodePoints Intersect(CodePoints other) => Complement().Union(other.Complement()).Complement();

    /// <summary>A general category by its short or long name, such as L, Lu or Letter; null where there is none of that name.</summary>
    public static CodePoints? Category(string name) => Categories.GetOrAdd(name, static n => MakeCategory(n));

    private static CodePoints? MakeCategory(string name)
    {
        UnicodeCategory[] wanted = name switch
        {
            "L" or "Letter" => [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter, UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter],
            "Lu" or "Uppercase_Letter" => [UnicodeCategory.UppercaseLetter],
            "Ll" or "Lowercase_Letter" => [UnicodeCategory.LowercaseLetter],
            "Lt" or "Titlecase_Letter" => [UnicodeCategory.TitlecaseLetter],
            "Lm" or "Modifier_Letter" => [UnicodeCategory.ModifierLetter],
            "Lo" or "Other_Letter" => [UnicodeCategory.OtherLetter],
            "M" or "Mark" => [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark],
            "Mn" or "Nonspacing_Mark" => [UnicodeCategory.NonSpacingMark],
            "N" or "Number" => [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber],
            "Nd" or "Decimal_Number" or "digit" => [UnicodeCategory.DecimalDigitNumber],
            "Nl" => [UnicodeCategory.LetterNumber],
            "No" => [UnicodeCategory.OtherNumber],
            "P" or "Punctuation" => [UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation],
            "S" or "Symbol" => [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol],
            "Sc" or "Currency_Symbol" => [UnicodeCategory.CurrencySymbol],
            "Sm" or "Math_Symbol" => [UnicodeCategory.MathSymbol],
            "Z" or "Separator" => [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator],
            "Zs" or "Space_Separator" => [UnicodeCategory.SpaceSeparator],
            "Cc" or "Control" => [UnicodeCategory.Control],
            _ => [],
        };
        if (wanted.Length == 0)
            return null;
        List<(int, int)> ranges = [];
        int start = -1;
        for (int c = 0; c <= Last + 1; c++)
        {
            bool inside = c <= Last && wanted.Contains(CharUnicodeInfo.GetUnicodeCategory(c));
            if (inside && start < 0)
                start = c;
            if (!inside && start >= 0)
            {
                ranges.Add((start, c - 1));
                start = -1;
            }
        }
        return Of([.. ranges]);
    }
}
