using System.Globalization;
using System.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Numbers that describe a text, as datatrove's statistics blocks have them: of its characters, lines, paragraphs, words and sentences. Lengths are code
/// points. A text without any of a kind has no numbers of it.
/// </summary>
public static class TextStatistics
{
    private static readonly HashSet<string> StopWords = new(StringComparer.Ordinal) { "the", "be", "to", "of", "and", "that", "have", "with" };

    /// <summary>Of the characters: <c>length</c> and the shares of kinds of characters; null for the empty text.</summary>
    public static IReadOnlyDictionary<string, double>? OfCharacters(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        double length = TextUnits.Length(text);
        if (length == 0)
            return null;
        int spaces = 0, others = 0, digits = 0, upper = 0, punctuation = 0;
        foreach (Rune c in text.EnumerateRunes())
        {
            bool digit = IsDigit(c);
            spaces += c.IsBmp && TextUnits.IsSpace((char)c.Value) ? 1 : 0;
            others += Rune.IsLetter(c) || digit ? 0 : 1;
            digits += digit ? 1 : 0;
            upper += IsUpper(c) ? 1 : 0;
            punctuation += c.IsBmp && Punctuation.Removed.Contains((char)c.Value) ? 1 : 0;
        }
        return new Dictionary<string, double>
        {
            ["length"] = length,
            ["white_space_ratio"] = spaces / length,
            ["non_alpha_digit_ratio"] = others / length,
            ["digit_ratio"] = digits / length,
            ["uppercase_ratio"] = upper / length,
            ["elipsis_ratio"] = ((3 * text.AsSpan().Count("...")) + text.AsSpan().Count('…')) / length,
            ["punctuation_ratio"] = punctuation / length,
        };
    }

    /// <summary>Of the lines, broken at line feeds; null where there is nothing to divide by.</summary>
    /// <param name="text">The text.</param>
    /// <param name="withoutBlank">Leave out blank lines, but in <c>n_lines</c>.</param>
    public static IReadOnlyDictionary<string, double>? OfLines(string text, bool withoutBlank)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] all = text.Split('\n'), lines = withoutBlank ? [.. all.Where(l => !TextUnits.Trim(l).IsEmpty)] : all;
        double count = lines.Length, length = lines.Sum(l => (long)TextUnits.Length(l));
        if (length == 0)
            return null;
        (int repeated, int characters) = Repeated(lines);
        return new Dictionary<string, double>
        {
            ["n_lines"] = all.Length,
            ["avg_line_length"] = length / count,
            ["short_line_ratio_chars_10"] = lines.Count(l => TextUnits.Length(l) <= 10) / count,
            ["short_line_ratio_chars_30"] = lines.Count(l => TextUnits.Length(l) <= 30) / count,
            ["long_line_ratio_chars_2000"] = lines.Count(l => TextUnits.Length(l) >= 2000) / count,
            ["long_line_ratio_chars_10000"] = lines.Count(l => TextUnits.Length(l) >= 10_000) / count,
            ["lines_ending_with_terminal_mark_ratio"] = lines.Count(l => l is [.., '.' or '?' or '!' or '"' or '\'']) / count,
            ["bullet_point_lines_ratio"] = lines.Count(l => TextUnits.Trim(l) is ['•' or '‣' or '▶' or '◀' or '◦' or '■' or '□' or '▪' or '▫' or '–' or '-' or '*', ..]) / count,
            ["line_duplicates"] = repeated / count,
            ["line_char_duplicates"] = characters / length,
        };
    }

    /// <summary>Of the paragraphs, broken at two line feeds, blank ones left out; null where there are none.</summary>
    public static IReadOnlyDictionary<string, double>? OfParagraphs(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] paragraphs = [.. text.Split("\n\n").Where(p => !TextUnits.Trim(p).IsEmpty)];
        if (paragraphs.Length == 0)
            return null;
        double count = paragraphs.Length, length = paragraphs.Sum(p => (long)TextUnits.Length(p));
        (int repeated, int characters) = Repeated(paragraphs);
        return new Dictionary<string, double>
        {
            ["n_paragraphs"] = count,
            ["avg_paragraph_length"] = length / count,
            ["short_paragraph_ratio_100"] = paragraphs.Count(p => TextUnits.Length(p) <= 100) / count,
            ["long_paragraph_ratio_1000"] = paragraphs.Count(p => TextUnits.Length(p) >= 1000) / count,
            ["paragraph_duplicates"] = repeated / count,
            ["paragraph_char_duplicates"] = characters / length,
        };
    }

    /// <summary>Of the words; null where there are none.</summary>
    public static IReadOnlyDictionary<string, double>? OfWords(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<TextPart> parts = [];
        TextUnits.Words(text, parts);
        if (parts.Count == 0)
            return null;
        string[] words = [.. parts.Select(w => text[w.Start..w.End])];
        double count = words.Length;
        return new Dictionary<string, double>
        {
            ["n_words"] = count,
            ["avg_word_length"] = words.Sum(w => (long)TextUnits.Length(w)) / count,
            ["avg_words_per_line"] = count / TextUnits.Lines(text).Count,
            ["short_word_ratio_3"] = words.Count(w => TextUnits.Length(w) <= 3) / count,
            ["long_word_ratio_7"] = words.Count(w => TextUnits.Length(w) >= 7) / count,
            ["type_token_ratio"] = words.Distinct().Count() / count,
            ["uppercase_word_ratio"] = words.Count(w => w.EnumerateRunes().Any(IsUpper) && !w.EnumerateRunes().Any(c => IsLower(c) || IsTitle(c))) / count,
            ["capitalized_word_ratio"] = words.Count(IsTitleCase) / count,
            ["stop_word_ratio"] = words.Count(StopWords.Contains) / count,
        };
    }

    /// <summary>Of the sentences, without the white space around them; null where there are none.</summary>
    public static IReadOnlyDictionary<string, double>? OfSentences(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (TextUnits.Trim(text).IsEmpty)
            return null;
        int[] lengths = [.. TextUnits.SentencePieces(text).Select(s => TextUnits.Length(TextUnits.Trim(text.AsSpan(s.Start, s.End - s.Start))))];
        double count = lengths.Length;
        return new Dictionary<string, double>
        {
            ["n_sentences"] = count,
            ["avg_sentence_length"] = lengths.Sum(l => (long)l) / count,
            ["short_sentence_ratio_20"] = lengths.Count(l => l <= 20) / count,
            ["long_sentence_ratio_75"] = lengths.Count(l => l >= 75) / count,
        };
    }

    private static (int Repeated, int Characters) Repeated(string[] parts)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        string[] repeated = [.. parts.Where(p => !seen.Add(p))];
        return (repeated.Length, repeated.Sum(p => TextUnits.Length(p)));
    }

    // Upper case begins what has no case before it, lower case goes on.
    private static bool IsTitleCase(string word)
    {
        bool cased = false, any = false;
        foreach (Rune c in word.EnumerateRunes())
        {
            bool starts = IsUpper(c) || IsTitle(c), goesOn = IsLower(c);
            if ((starts && cased) || (goesOn && !cased))
                return false;
            any |= starts;
            cased = starts || goesOn;
        }
        return any;
    }

    // Superscripts and circled digits are digits, fractions are not.
    private static bool IsDigit(Rune c) => Rune.IsDigit(c) || (Rune.GetUnicodeCategory(c) == UnicodeCategory.OtherNumber && CharUnicodeInfo.GetDigitValue(c.ToString(), 0) >= 0);

    private static bool IsUpper(Rune c) => Rune.IsUpper(c) || c.Value is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF);

    // Letters that modify others are lower case as well (Unicode's Other_Lowercase).
    private static bool IsLower(Rune c) => Rune.IsLower(c) || c.Value is 0xAA or 0xBA or (>= 0x2B0 and <= 0x2B8) or 0x2C0 or 0x2C1 or (>= 0x2E0 and <= 0x2E4) or 0x345 or 0x37A or 0x10FC
        or (>= 0x1D2C and <= 0x1D6A) or 0x1D78 or (>= 0x1D9B and <= 0x1DBF) or 0x2071 or 0x207F or (>= 0x2090 and <= 0x209C) or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9)
        or 0x2C7C or 0x2C7D or 0xA69C or 0xA69D or 0xA770 or (>= 0xA7F2 and <= 0xA7F4) or 0xA7F8 or 0xA7F9 or (>= 0xAB5C and <= 0xAB5F) or 0xAB69;

    private static bool IsTitle(Rune c) => Rune.GetUnicodeCategory(c) == UnicodeCategory.TitlecaseLetter;
}
