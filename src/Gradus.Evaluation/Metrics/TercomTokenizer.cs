// Purpose: the tokenizer of TER, equal to sacrebleu's re-implementation of Tercom's Normalizer.java
// (https://github.com/jhclark/tercom). Left out: its rules that split runs of kana. They are anchored to the start of a text that
// always starts with a space, so that they never apply.

namespace Gradus.Evaluation.Metrics;

/// <summary>How TER cuts a text into words.</summary>
internal sealed class TercomTokenizer(bool normalize, bool keepPunctuation, bool asian, bool caseSensitive)
{
    /// <summary>The words of a text.</summary>
    public List<string> Words(string text)
    {
        text = PythonText.StripEnd(text);
        if (!caseSensitive)
            text = PythonText.ToLower(text);
        if (normalize)
            text = Normalize(text);
        if (!keepPunctuation)
            text = string.Concat(text.Where(c => !".,?:;!\"()".Contains(c) && !(asian && IsAsianPunctuation(c))));
        return PythonText.Split(text);
    }

    private string Normalize(string text)
    {
        text = text.Replace("\n-", "").Replace('\n', ' ');
        text = text.Replace("&quot;", "\"").Replace("&amp;", "&").Replace("&lt;", "<").Replace("&gt;", ">");
        List<int> points = PunctuationSpacing.Isolate(PunctuationSpacing.Points($" {text} "), PunctuationSpacing.IsWesternSymbol);
        text = PunctuationSpacing.Join(points).Replace("'s ", " 's ");
        points = PunctuationSpacing.WesternDigits(PunctuationSpacing.Points(text));
        return PunctuationSpacing.Join(asian ? PunctuationSpacing.Isolate(points, c => IsIdeograph(c) || IsAsianPunctuation(c)) : points);
    }

    // The range from U+3200 is meant to end at U+32FF; the reference ends it at U+3F22.
    private static bool IsIdeograph(int c) => c
        is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x31C0 and <= 0x31EF) or (>= 0x2E80 and <= 0x2EFF)
        or (>= 0x3200 and <= 0x3F22) or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE4F);

    private static bool IsAsianPunctuation(int c) => c
        is 0x3001 or 0x3002 or (>= 0x3008 and <= 0x3011) or (>= 0x3014 and <= 0x301F) or (>= 0xFF61 and <= 0xFF65) or 0x30FB
        or 0xFF0E or 0xFF0C or 0xFF1F or 0xFF1A or 0xFF1B or 0xFF01 or 0xFF02 or 0xFF08 or 0xFF09;
}
