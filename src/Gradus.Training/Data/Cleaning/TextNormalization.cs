using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Gradus.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Makes texts alike that differ in what does not matter, before they are compared (CCNet, Wenzek et al., 2020, as datatrove has it): lower case,
/// numbers as 0, names of days and months, punctuation as spaces, white space as one space, letters without their marks.
/// </summary>
/// <param name="Lowercase">Lower case.</param>
/// <param name="Numbers">Numbers become 0.</param>
/// <param name="Weekdays">English names of days become WEEKDAY; they are looked for in lower case.</param>
/// <param name="MonthNames">English names of months become MONTH, also inside words.</param>
/// <param name="RemovePunctuation">Punctuation becomes spaces.</param>
/// <param name="WhiteSpace">Runs of white space become one space.</param>
/// <param name="Diacritics">Letters lose their marks.</param>
public sealed partial record TextNormalization(
    bool Lowercase = true,
    bool Numbers = true,
    bool Weekdays = false,
    bool MonthNames = false,
    bool RemovePunctuation = true,
    bool WhiteSpace = true,
    bool Diacritics = true)
{
    /// <summary>The normalized text, without white space at its ends.</summary>
    /// <param name="text">The text.</param>
    public string Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (Lowercase)
            text = UnicodeText.ToLower(text);
        if (Numbers)
            text = ReplaceNumbers(text);
        if (Weekdays)
            text = DayNames().Replace(text, "WEEKDAY");
        if (MonthNames)
            text = NamesOfMonths().Replace(text, "MONTH");
        if (RemovePunctuation)
            text = Spaced(text);
        if (WhiteSpace)
            text = OneSpace(text);
        if (Diacritics)
            text = WithoutMarks(text);
        return TextUnits.Trim(text).ToString();
    }

    // Digits of any script, with one decimal separator among them.
    private static string ReplaceNumbers(string text)
    {
        StringBuilder? target = null;
        int copied = 0;
        for (int i = 0; i < text.Length;)
        {
            int end = Digits(text, i);
            if (end == i)
            {
                i++;
                continue;
            }
            if (end < text.Length && text[end] is '.' or ',' or '\u066B' && Digits(text, end + 1) is var fraction && fraction > end + 1)
                end = fraction;
            target ??= new StringBuilder(text.Length);
            target.Append(text, copied, i - copied).Append('0');
            i = copied = end;
        }
        return target is null ? text : target.Append(text, copied, text.Length - copied).ToString();
    }

    private static int Digits(string text, int i)
    {
        while (i < text.Length)
        {
            if (char.IsDigit(text[i]))
                i++;
            else if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) && char.IsDigit(text, i))
                i += 2;
            else
                break;
        }
        return i;
    }

    private static string Spaced(string text) => !text.AsSpan().ContainsAny(Punctuation.Removed) ? text : string.Create(text.Length, text, static (target, source) =>
    {
        source.CopyTo(target);
        for (int at = target.IndexOfAny(Punctuation.Removed); at >= 0;)
        {
            target[at] = ' ';
            int next = target[(at + 1)..].IndexOfAny(Punctuation.Removed);
            at = next < 0 ? -1 : at + 1 + next;
        }
    });

    private static string OneSpace(string text)
    {
        StringBuilder target = new(text.Length);
        bool space = false;
        foreach (char c in text)
        {
            if (!TextUnits.IsSpace(c))
                target.Append(c);
            else if (!space)
                target.Append(' ');
            space = TextUnits.IsSpace(c);
        }
        return target.ToString();
    }

    private static string WithoutMarks(string text)
    {
        if (Ascii.IsValid(text))
            return text;
        string decomposed = UnicodeText.Normalize(text, NormalForm.Nfd);
        StringBuilder target = new(decomposed.Length);
        for (int i = 0; i < decomposed.Length; i++)
        {
            bool pair = char.IsHighSurrogate(decomposed[i]) && i + 1 < decomposed.Length && char.IsLowSurrogate(decomposed[i + 1]);
            if (CharUnicodeInfo.GetUnicodeCategory(decomposed, i) != UnicodeCategory.NonSpacingMark)
                target.Append(decomposed, i, pair ? 2 : 1);
            i += pair ? 1 : 0;
        }
        return target.ToString();
    }

    [GeneratedRegex("monday|tuesday|wednesday|thursday|friday|saturday|sunday", RegexOptions.CultureInvariant)]
    private static partial Regex DayNames();

    [GeneratedRegex("january|february|march|april|may|june|july|august|september|october|november|december", RegexOptions.CultureInvariant)]
    private static partial Regex NamesOfMonths();
}
