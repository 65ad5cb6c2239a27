using System.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>
/// Rewriting of code points by rules that put spaces around some of them: the form in which mteval-v13a.pl, mteval-v14.pl and
/// Tercom state their tokenizers. Rules run one after another over the whole text; within a rule, matches do not overlap.
/// </summary>
internal static class PunctuationSpacing
{
    /// <summary>Puts a space on either side of each code point of a class.</summary>
    public static List<int> Isolate(List<int> text, Func<int, bool> isMember)
    {
        List<int> result = new(text.Count + 16);
        foreach (int point in text)
        {
            if (isMember(point))
                result.AddRange([' ', point, ' ']);
            else
                result.Add(point);
        }
        return result;
    }

    /// <summary>Puts a space between two neighbours, and one after the second: <c>ab</c> → <c>a b␠</c>.</summary>
    public static List<int> SplitOffSecond(List<int> text, Func<int, bool> first, Func<int, bool> second)
        => SplitPairs(text, first, second, before: false);

    /// <summary>Puts a space before the first of two neighbours, and one between them: <c>ab</c> → <c>␠a b</c>.</summary>
    public static List<int> SplitOffFirst(List<int> text, Func<int, bool> first, Func<int, bool> second)
        => SplitPairs(text, first, second, before: true);

    /// <summary>The rules for Western languages of mteval-v13a.pl.</summary>
    public static List<int> Western(List<int> text) => WesternDigits(Isolate(text, IsWesternSymbol));

    /// <summary>The last three rules of mteval-v13a.pl: full stops and commas outside numbers, and dashes after a digit.</summary>
    public static List<int> WesternDigits(List<int> text)
    {
        text = SplitOffSecond(text, c => !IsDigit(c), IsStopOrComma);
        text = SplitOffFirst(text, IsStopOrComma, c => !IsDigit(c));
        return SplitOffSecond(text, IsDigit, c => c == '-');
    }

    /// <summary>Printable ASCII other than letters, digits, the apostrophe, the comma, the dash and the full stop.</summary>
    public static bool IsWesternSymbol(int c)
        => c is >= ' ' and <= '~' and not ('\'' or ',' or '-' or '.') && !char.IsAsciiLetterOrDigit((char)c);

    /// <summary>The text's code points as a list to rewrite.</summary>
    public static List<int> Points(string text) => [.. PythonText.CodePoints(text)];

    /// <summary>The text of code points with single spaces between words and none at the ends.</summary>
    public static string Words(List<int> text) => string.Join(' ', PythonText.Split(Join(text)));

    /// <summary>The text of code points.</summary>
    public static string Join(List<int> text)
    {
        StringBuilder builder = new(text.Count);
        foreach (int point in text)
            builder.AppendPoint(point);
        return builder.ToString();
    }

    private static bool IsDigit(int c) => c is >= '0' and <= '9';

    private static bool IsStopOrComma(int c) => c is '.' or ',';

    private static List<int> SplitPairs(List<int> text, Func<int, bool> first, Func<int, bool> second, bool before)
    {
        List<int> result = new(text.Count + 16);
        for (int i = 0; i < text.Count; i++)
        {
            if (i + 1 == text.Count || !first(text[i]) || !second(text[i + 1]))
                result.Add(text[i]);
            else if (before)
                result.AddRange([' ', text[i], ' ', text[++i]]);
            else
                result.AddRange([text[i], ' ', text[++i], ' ']);
        }
        return result;
    }
}
