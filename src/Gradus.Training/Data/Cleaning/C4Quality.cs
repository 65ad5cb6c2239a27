using System.Text;
using System.Text.RegularExpressions;
using Gradus.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// The rules of C4 (Raffel et al., 2020), as datatrove has them: lines that are no sentences go, documents with too few sentences or with signs of
/// filler text or code are dropped.
/// </summary>
/// <param name="SplitLines">Judge lines; otherwise sentences.</param>
/// <param name="RemoveCitations">Take out marks such as [1], [edit], [citation needed].</param>
/// <param name="EndMarks">Keep only lines that end with . ? ! or a quote, and not with an ellipsis.</param>
/// <param name="MinSentences">The least sentences of a document; 0 for any.</param>
/// <param name="MinWordsPerLine">The least words of a line.</param>
/// <param name="MaxWordLength">Lines with a longer word go; 0 for any.</param>
/// <param name="LoremIpsum">Drop documents with "lorem ipsum".</param>
/// <param name="JavaScript">Take out lines that speak of JavaScript.</param>
/// <param name="CurlyBrackets">Drop documents with {.</param>
/// <param name="Policies">Take out lines about cookies, terms and privacy.</param>
public sealed partial record C4Quality(
    bool SplitLines = true,
    bool RemoveCitations = true,
    bool EndMarks = true,
    int MinSentences = 5,
    int MinWordsPerLine = 3,
    int MaxWordLength = 1000,
    bool LoremIpsum = true,
    bool JavaScript = true,
    bool CurlyBrackets = true,
    bool Policies = true) : DocumentFilter
{
    private static readonly string[] PolicyPhrases = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

    /// <inheritdoc/>
    public override FilterDecision Apply(string text) => Apply(text, null);

    /// <summary>Decides about a document and counts what became of its lines.</summary>
    /// <param name="text">The text.</param>
    /// <param name="counts">Becomes the number of lines by what became of them, or null.</param>
    internal FilterDecision Apply(string text, Dictionary<string, int>? counts)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder kept = new(text.Length);
        int sentences = 0;
        bool first = true;
        foreach (TextPart part in SplitLines ? TextUnits.Lines(text) : TextUnits.SentencePieces(text))
        {
            string line = TextUnits.Trim(text.AsSpan(part.Start, part.End - part.Start)).ToString();
            Count("line-total");
            (string? drops, string? skips) = Judge(ref line);
            if (drops is not null)
                return new FilterDecision(drops, text);
            Count(skips ?? "line-kept");
            if (skips is not null)
                continue;
            sentences += SplitLines ? TextUnits.SentencePieces(line).Count : 1;
            if (!first)
                kept.Append(SplitLines ? '\n' : ' ');
            kept.Append(line);
            first = false;
        }
        return MinSentences > 0 && sentences < MinSentences
            ? new FilterDecision("too_few_sentences", text)
            : new FilterDecision(null, TextUnits.Trim(kept.ToString()).ToString());

        void Count(string what)
        {
            if (counts is not null)
                counts[what] = counts.GetValueOrDefault(what) + 1;
        }
    }

    // What drops the document, and what skips the line.
    private (string? Drops, string? Skips) Judge(ref string line)
    {
        (int words, int longest) = Words(line);
        if (MaxWordLength > 0 && longest > MaxWordLength)
            return (null, "line-filter-too_long_word");
        if (RemoveCitations)
            line = Citation().Replace(line, "");
        if (EndMarks && (line.Length == 0 || line[^1] is not ('.' or '?' or '!' or '"' or '\'') || line.EndsWith("...", StringComparison.Ordinal)))
            return (null, "line-filter-no_terminal_punc");
        if (words < MinWordsPerLine)
            return (null, "line-filter-too_few_words");
        string lower = UnicodeText.ToLower(line);
        if (LoremIpsum && lower.Contains("lorem ipsum", StringComparison.Ordinal))
            return ("lorem_ipsum", null);
        if (JavaScript && lower.Contains("javascript", StringComparison.Ordinal))
            return (null, "line-filter-javascript");
        if (CurlyBrackets && line.Contains('{', StringComparison.Ordinal))
            return ("curly_bracket", null);
        return Policies && PolicyPhrases.Any(p => lower.Contains(p, StringComparison.Ordinal)) ? (null, "line-filter-policy") : (null, null);
    }

    // Words between white space.
    private static (int Count, int Longest) Words(ReadOnlySpan<char> line)
    {
        int count = 0, longest = 0, start = -1;
        for (int i = 0; i <= line.Length; i++)
        {
            bool space = i == line.Length || TextUnits.IsSpace(line[i]);
            if (space && start >= 0)
            {
                count++;
                longest = Math.Max(longest, TextUnits.Length(line[start..i]));
                start = -1;
            }
            else if (!space && start < 0)
            {
                start = i;
            }
        }
        return (count, longest);
    }

    [GeneratedRegex(@"\[\d*\]|\[edit\]|\[citation needed\]", RegexOptions.CultureInvariant)]
    private static partial Regex Citation();
}

/// <summary>mC4's rule (Xue et al., 2021): a document has several long lines.</summary>
/// <param name="Lines">The least long lines.</param>
/// <param name="Length">Characters of a long line.</param>
public sealed record LongLines(int Lines = 3, int Length = 200) : DocumentFilter
{
    /// <inheritdoc/>
    public override FilterDecision Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int found = 0;
        foreach (Range line in text.AsSpan().Split('\n'))
            found += TextUnits.Length(text.AsSpan()[line]) >= Length ? 1 : 0;
        return new FilterDecision(found < Lines ? "too_few_long_lines" : null, text);
    }
}
