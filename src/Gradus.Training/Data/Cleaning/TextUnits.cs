// Words, sentences, lines and paragraphs, by rules that need no model: the ones that the cleaning goldens were made with. Lengths are code points.

using System.Globalization;

namespace Gradus.Training.Data.Cleaning;

/// <summary>A part of a text, in UTF-16 units.</summary>
/// <param name="Start">Its first unit.</param>
/// <param name="End">The one behind its last.</param>
public readonly record struct TextPart(int Start, int End);

/// <summary>Cuts texts into words, sentences, lines and paragraphs.</summary>
public static class TextUnits
{
    internal static readonly char[] SpaceCharacters =
    [
        .. Enumerable.Range(9, 5).Select(c => (char)c), '\u001C', '\u001D', '\u001E', '\u001F', ' ', '\u0085', '\u00A0', '\u1680',
        .. Enumerable.Range(0x2000, 11).Select(c => (char)c), '\u2028', '\u2029', '\u202F', '\u205F', '\u3000',
    ];

    private const byte Word = 1, Space = 2, LowSurrogate = 4;
    private static readonly byte[] Classes = MakeClasses();

    /// <summary>
    /// The words of a text: longest runs of letters, marks, numbers and underscores; every other character that is no white space is one of its own.
    /// </summary>
    public static void Words(ReadOnlySpan<char> text, List<TextPart> words)
    {
        ArgumentNullException.ThrowIfNull(words);
        words.Clear();
        for (int i = 0; i < text.Length;)
        {
            byte kind = ClassAt(text, i, out int length);
            int start = i;
            i += length;
            if (kind == Space)
                continue;
            while (kind == Word && i < text.Length && ClassAt(text, i, out length) == Word)
                i += length;
            words.Add(new TextPart(start, i));
        }
    }

    /// <summary>
    /// The sentences of a text, without the white space around them: a sentence ends behind a run of end marks and closing quotes or brackets, if
    /// white space or the end follows or the last mark is one of 。！？.
    /// </summary>
    public static List<TextPart> Sentences(ReadOnlySpan<char> text)
    {
        List<TextPart> sentences = [];
        int start = -1;
        for (int i = 0; i < text.Length; i++)
        {
            if (start < 0 && !IsSpace(text[i]))
                start = i;
            if (!IsEndMark(text[i]))
                continue;
            while (i + 1 < text.Length && IsEndMark(text[i + 1]))
                i++;
            char last = text[i];
            while (i + 1 < text.Length && "\"'”’)]」』".Contains(text[i + 1], StringComparison.Ordinal))
                i++;
            if (i + 1 < text.Length && !IsSpace(text[i + 1]) && last is not ('。' or '！' or '？'))
                continue;
            sentences.Add(new TextPart(start, i + 1));
            start = -1;
        }
        if (start >= 0 && text[start..].TrimEnd(SpaceCharacters) is { Length: > 0 } rest)
            sentences.Add(new TextPart(start, start + rest.Length));
        return sentences;
    }

    /// <summary>The text in pieces that end where sentences do; a text without a sentence is one piece.</summary>
    public static List<TextPart> SentencePieces(ReadOnlySpan<char> text)
    {
        List<TextPart> sentences = Sentences(text), pieces = [];
        int start = 0;
        for (int i = 0; i < sentences.Count; i++)
        {
            int end = i + 1 == sentences.Count ? text.Length : sentences[i].End;
            pieces.Add(new TextPart(start, end));
            start = end;
        }
        if (pieces.Count == 0)
            pieces.Add(new TextPart(0, text.Length));
        return pieces;
    }

    /// <summary>The lines of a text, broken where Python's <c>splitlines</c> does; no empty last one.</summary>
    public static List<TextPart> Lines(ReadOnlySpan<char> text)
    {
        List<TextPart> lines = [];
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('\n' or '\r' or '\v' or '\f' or '\u001C' or '\u001D' or '\u001E' or '\u0085' or '\u2028' or '\u2029'))
                continue;
            lines.Add(new TextPart(start, i));
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                i++;
            start = i + 1;
        }
        if (start < text.Length)
            lines.Add(new TextPart(start, text.Length));
        return lines;
    }

    /// <summary>The parts of a text between runs of at least so many line feeds; one part where there is none.</summary>
    public static List<TextPart> BetweenLineFeeds(ReadOnlySpan<char> text, int least)
    {
        List<TextPart> parts = [];
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\n')
                continue;
            int end = i;
            while (i + 1 < text.Length && text[i + 1] == '\n')
                i++;
            if (i + 1 - end < least)
                continue;
            parts.Add(new TextPart(start, end));
            start = i + 1;
        }
        parts.Add(new TextPart(start, text.Length));
        return parts;
    }

    /// <summary>White space: Unicode's, and the four information separators.</summary>
    public static bool IsSpace(char c) => Classes[c] == Space;

    /// <summary>The text without white space at either end.</summary>
    public static ReadOnlySpan<char> Trim(ReadOnlySpan<char> text) => text.Trim(SpaceCharacters);

    /// <summary>How many code points a text has.</summary>
    public static int Length(ReadOnlySpan<char> text)
    {
        int length = text.Length;
        for (int i = text.IndexOfAnyInRange('\uD800', '\uDBFF'); i >= 0 && i + 1 < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && char.IsLowSurrogate(text[i + 1]))
            {
                length--;
                i++;
            }
        }
        return length;
    }

    private static bool IsEndMark(char c) => c is '.' or '!' or '?' or '。' or '！' or '？';

    private static byte ClassAt(ReadOnlySpan<char> text, int i, out int length)
    {
        byte kind = Classes[text[i]];
        length = 1;
        if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1]))
            return kind;
        length = 2;
        return IsWord(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))) ? Word : LowSurrogate;
    }

    private static bool IsWord(UnicodeCategory category) => category is
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter
        or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static byte[] MakeClasses()
    {
        byte[] classes = new byte[0x10000];
        for (int c = 0; c < classes.Length; c++)
            classes[c] = c == '_' || IsWord(CharUnicodeInfo.GetUnicodeCategory((char)c)) ? Word : (byte)0;
        foreach (char c in SpaceCharacters)
            classes[c] = Space;
        return classes;
    }
}
