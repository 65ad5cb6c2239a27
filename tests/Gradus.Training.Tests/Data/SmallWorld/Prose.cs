using System.Text.RegularExpressions;

namespace Gradus.Training.Tests.Data.SmallWorld;

/// <summary>What any generated text must satisfy.</summary>
internal static partial class Prose
{
    public static void Check(string text)
    {
        Assert.DoesNotMatch(UnfilledOrDoubled(), text);
        Assert.DoesNotMatch(WrongArticle(), text);
        Assert.DoesNotMatch(LowerCaseStart(), text);
        Assert.Matches(Ending(), text);
    }

    [GeneratedRegex(@"[{}]|  |\s$|^\s|\b([a-z]+) \1\b")]
    private static partial Regex UnfilledOrDoubled();

    [GeneratedRegex(@"\b[Aa] [aeiou]|\b[Aa]n [^aeiou ]")]
    private static partial Regex WrongArticle();

    // A question or an exclamation in quotation marks may go on in lower case: "Help!" someone cried.
    [GeneratedRegex("^[a-z]|[.!?] [a-z]|, \"[a-z]")]
    private static partial Regex LowerCaseStart();

    [GeneratedRegex("[.!?]\"?$")]
    private static partial Regex Ending();
}
