using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>Undoes the tokenization of data sets that put spaces around punctuation. Source: lm-evaluation-harness' wikitext task and general_detokenize.</summary>
public static class Detokenizer
{
    private static readonly (string From, string To)[] Separators =
        [(" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."), (" : ", ": "), (" ; ", "; "), (" . ", ". "), (" ! ", "! "), (" ? ", "? "), (" , ", ", ")];

    private static readonly (PythonRegex Pattern, string To)[] Brackets =
    [
        (new(@"\(\s*([^\)]*?)\s*\)"), @"(\1)"),
        (new(@"\[\s*([^\]]*?)\s*\]"), @"[\1]"),
        (new(@"{\s*([^}]*?)\s*}"), @"{\1}"),
        (new("\"\\s*([^\"]*?)\\s*\""), "\"\\1\""),
        (new(@"'\s*([^']*?)\s*'"), @"'\1'"),
    ];

    private static readonly (string From, string To)[] Rest =
        [("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" \u00b0 ", "\u00b0"), (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s")];

    private static readonly PythonRegex Contraction = new("/' [0-9]/");

    private static readonly PythonRegex SpaceBefore = new(" (['.,])");

    /// <summary>A page of WikiText as people write it.</summary>
    public static string WikiText(string page)
    {
        ArgumentNullException.ThrowIfNull(page);
        string text = Contraction.Replace(page.Replace("s '", "s'", StringComparison.Ordinal), "/'[0-9]/");
        foreach ((string from, string to) in Separators)
            text = text.Replace(from, to, StringComparison.Ordinal);
        foreach ((PythonRegex pattern, string to) in Brackets)
            text = pattern.Replace(text, to);
        foreach ((string from, string to) in Rest)
            text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }

    /// <summary>Spaces before n't, commas, full stops and closing brackets, and inside quotation marks, taken out.</summary>
    public static string General(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach ((string from, string to) in new[] { (" n't", "n't"), (" )", ")"), ("( ", "("), ("\" ", "\""), (" \"", "\"") })
            text = text.Replace(from, to, StringComparison.Ordinal);
        return SpaceBefore.Replace(text, @"\1");
    }
}
