// Purpose: the tokenizers of sacreBLEU that need no model: none, 13a, intl, zh, char.
// Source: NIST's mteval-v13a.pl and Moses' mteval-v14.pl (international tokenization), and sacrebleu's tokenizers package
// (https://github.com/mjpost/sacrebleu), whose results these equal, oddities included.
// Left out: MeCab for Japanese and Korean and the SentencePiece ones (spm, flores101, flores200), which need files of their own.

using System.Globalization;
using System.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>How BLEU cuts a text into words.</summary>
public sealed class BleuTokenizer
{
    private readonly Func<string, string> tokenize;

    private BleuTokenizer(string name, Func<string, string> tokenize)
    {
        Name = name;
        this.tokenize = tokenize;
    }

    /// <summary>White space only.</summary>
    public static BleuTokenizer None { get; } = new("none", text => text);

    /// <summary>mteval-v13a: ASCII punctuation, numbers kept whole. The one used by WMT.</summary>
    public static BleuTokenizer Mteval13a { get; } = new("13a", TokenizeMteval13a);

    /// <summary>mteval-v14's international tokenization: Unicode punctuation and symbols, numbers kept whole.</summary>
    public static BleuTokenizer International { get; } = new("intl", TokenizeInternational);

    /// <summary>Each Chinese character alone, the rest as mteval-v13a.</summary>
    public static BleuTokenizer Chinese { get; } = new("zh", TokenizeChinese);

    /// <summary>Each code point alone.</summary>
    public static BleuTokenizer Characters { get; } = new("char", TokenizeCharacters);

    /// <summary>All tokenizers.</summary>
    public static IReadOnlyList<BleuTokenizer> All { get; } = [None, Mteval13a, International, Chinese, Characters];

    /// <summary>sacreBLEU's name of the tokenizer.</summary>
    public string Name { get; }

    /// <summary>The tokenizer of a name.</summary>
    /// <param name="name">sacreBLEU's name, such as <c>13a</c>.</param>
    /// <exception cref="ArgumentException">No tokenizer has the name; the message lists those there are.</exception>
    public static BleuTokenizer Get(string name)
        => All.FirstOrDefault(t => t.Name == name)
           ?? throw new ArgumentException($"There is no BLEU tokenizer \"{name}\"; choose one of {string.Join(", ", All.Select(t => t.Name))}.");

    /// <summary>The text with white space between its words.</summary>
    /// <param name="text">The text.</param>
    public string Tokenize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return tokenize(text);
    }

    private static string TokenizeMteval13a(string text)
    {
        StringBuilder line = new(text);
        line.Replace("<skipped>", "").Replace("-\n", "").Replace('\n', ' ');
        line.Replace("&quot;", "\"").Replace("&amp;", "&").Replace("&lt;", "<").Replace("&gt;", ">");
        // The spaces make the first and last characters neighbours of a non-digit.
        return PunctuationSpacing.Words(PunctuationSpacing.Western(PunctuationSpacing.Points($" {line} ")));
    }

    private static string TokenizeInternational(string text)
    {
        List<int> points = PunctuationSpacing.Points(text);
        points = PunctuationSpacing.SplitOffSecond(points, c => !IsNumber(c), IsPunctuation);
        points = PunctuationSpacing.SplitOffFirst(points, IsPunctuation, c => !IsNumber(c));
        return PunctuationSpacing.Words(PunctuationSpacing.Isolate(points, IsSymbol));
    }

    private static string TokenizeChinese(string text)
        => PunctuationSpacing.Words(PunctuationSpacing.Western(PunctuationSpacing.Isolate(PunctuationSpacing.Points(PythonText.Strip(text)), IsChinese)));

    private static string TokenizeCharacters(string text)
    {
        StringBuilder line = new(2 * text.Length);
        foreach (int point in PythonText.CodePoints(text))
        {
            if (line.Length > 0)
                line.Append(' ');
            line.AppendPoint(point);
        }
        return line.ToString();
    }

    private static bool IsNumber(int c) => CharUnicodeInfo.GetUnicodeCategory(c)
        is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static bool IsPunctuation(int c) => CharUnicodeInfo.GetUnicodeCategory(c)
        is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    private static bool IsSymbol(int c) => CharUnicodeInfo.GetUnicodeCategory(c)
        is >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol;

    // The first range is meant for extension B (U+20000 to U+2A6D6), which the reference writes with four-digit escapes and so
    // compares as text: what counts in its scores is U+2001 to U+2A6D, dashes, arrows and zero-width spaces included.
    private static bool IsChinese(int c) => c
        is (>= 0x2001 and <= 0x2A6D)
        or (>= 0x2E80 and <= 0x2FDF) or (>= 0x2FF0 and <= 0x303F) or (>= 0x3100 and <= 0x312F) or (>= 0x31A0 and <= 0x31BF)
        or (>= 0x31C0 and <= 0x31EF) or (>= 0x3200 and <= 0x33FF) or (>= 0x3400 and <= 0x4DB5) or (>= 0x4E00 and <= 0x9FBB)
        or (>= 0xF900 and <= 0xFA2D) or (>= 0xFA30 and <= 0xFA6A) or (>= 0xFA70 and <= 0xFAD9)
        or (>= 0xFE10 and <= 0xFE1F) or (>= 0xFE30 and <= 0xFE4F) or (>= 0xFF00 and <= 0xFFEF);
}
