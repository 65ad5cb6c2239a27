// The published definitions of ROUGE, BLEU, chrF, TER and SQuAD are Python programs, so they count in code points and mean
// Python's idea of white space and lower case. These are the three places where .NET's idea differs.

using System.Globalization;
using System.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>Strings as Python's <c>str</c> sees them: code points (a lone surrogate is one), white space, lower case.</summary>
internal static class PythonText
{
    /// <summary>The code points of a text; a lone surrogate stands for itself.</summary>
    public static int[] CodePoints(string text)
    {
        var points = new int[text.Length];
        int n = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                points[n++] = char.ConvertToUtf32(text[i], text[++i]);
            else
                points[n++] = text[i];
        }
        return points[..n];
    }

    /// <summary>Appends a code point, which may be a lone surrogate.</summary>
    public static void AppendPoint(this StringBuilder builder, int point)
    {
        if (point < 0x10000)
            builder.Append((char)point);
        else
            builder.Append(char.ConvertFromUtf32(point));
    }

    /// <summary>White space as <c>str.isspace</c> has it: .NET's and the four information separators.</summary>
    public static bool IsSpace(int point) => point < 0x10000 && (char.IsWhiteSpace((char)point) || point is >= 0x1C and <= 0x1F);

    /// <summary>The parts between runs of white space, as <c>str.split()</c>.</summary>
    public static List<string> Split(string text)
    {
        List<string> parts = [];
        int start = -1;
        for (int i = 0; i <= text.Length; i++)
        {
            bool space = i == text.Length || IsSpace(text[i]);
            if (space && start >= 0)
            {
                parts.Add(text[start..i]);
                start = -1;
            }
            else if (!space && start < 0)
            {
                start = i;
            }
        }
        return parts;
    }

    /// <summary>Without white space at either end, as <c>str.strip()</c>.</summary>
    public static string Strip(string text) => StripStart(StripEnd(text));

    /// <summary>Without white space at the beginning, as <c>str.lstrip()</c>.</summary>
    public static string StripStart(string text)
    {
        int start = 0;
        while (start < text.Length && IsSpace(text[start]))
            start++;
        return text[start..];
    }

    /// <summary>Without white space at the end, as <c>str.rstrip()</c>.</summary>
    public static string StripEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>
    /// Full lower-casing as <c>str.lower()</c>: the simple mapping of every code point, and the two special cases of Unicode's
    /// SpecialCasing.txt: İ becomes i with a dot above, and Σ at the end of a word becomes ς.
    /// </summary>
    public static string ToLower(string text)
    {
        string lower = text.ToLowerInvariant();
        if (!text.AsSpan().ContainsAny("\u0130\u03A3\u212A\u212B"))
            return lower;
        StringBuilder builder = new(text.Length + 8);
        for (int i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\u0130': builder.Append("i\u0307"); break;
                case '\u03A3': builder.Append(IsFinal(text, i) ? 'ς' : 'σ'); break;
                case '\u212A': builder.Append('k'); break;
                case '\u212B': builder.Append('å'); break;
                default: builder.Append(lower[i]); break;
            }
        }
        return builder.ToString();
    }

    // Unicode's Final_Sigma: a cased letter before, none after, case-ignorable characters skipped.
    private static bool IsFinal(string text, int sigma)
    {
        int before = sigma - 1, after = sigma + 1;
        while (before >= 0 && IsCaseIgnorable(text, before))
            before--;
        while (after < text.Length && IsCaseIgnorable(text, after))
            after++;
        return before >= 0 && IsCased(text, before) && !(after < text.Length && IsCased(text, after));
    }

    private static bool IsCased(string text, int i)
        => text[i] is 'ª' or 'º' or (>= 'Ⅰ' and <= 'ⅿ') or (>= 'Ⓐ' and <= 'ⓩ')
           || CategoryAt(text, i) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool IsCaseIgnorable(string text, int i)
        => "'.:^`\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A".Contains(text[i])
           || CategoryAt(text, i) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
              or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static UnicodeCategory CategoryAt(string text, int i)
        => CharUnicodeInfo.GetUnicodeCategory(text, char.IsLowSurrogate(text[i]) && i > 0 && char.IsHighSurrogate(text[i - 1]) ? i - 1 : i);
}
