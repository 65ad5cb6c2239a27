using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace Gradus.Applications.Agents;

/// <summary>Answers as they stand in texts.</summary>
public static partial class AnswerText
{
    /// <summary>What stands behind the last "Answer:" of a text, on its line; null where there is none.</summary>
    public static string? Find(string text)
    {
        Match last = AnswerLine().Matches(text).LastOrDefault() ?? Match.Empty;
        string found = last.Groups[1].Value.Trim().Trim('*').Trim();
        return found.Length > 0 ? found : null;
    }

    /// <summary>
    /// The form in which answers are compared: lower case, without articles, punctuation at the ends, signs of currency and separators of thousands; numbers of equal
    /// value are equal.
    /// </summary>
    public static string Normalize(string answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        string text = Articles().Replace(Spaces().Replace(answer.Normalize(NormalizationForm.FormKC).ToLowerInvariant(), " ").Trim().TrimEnd('.', '!', ' '), "");
        string digits = text.Trim('$', '€', '£', '¥', '%', ' ', '\'', '"').Replace(",", "", StringComparison.Ordinal);
        return decimal.TryParse(digits, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            ? (number / 1.0000000000000000000000000000m).ToString("0.############################", CultureInfo.InvariantCulture)
            : BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger whole) ? whole.ToString(CultureInfo.InvariantCulture)
            : text.Trim('\'', '"', ' ');
    }

    /// <summary>The answer that was given most often, as it was written first, and its share; of equally frequent ones the first.</summary>
    public static (string Answer, int Votes) Majority(IReadOnlyList<string> answers)
    {
        var best = answers.Select((answer, i) => (answer, i)).GroupBy(a => Normalize(a.answer)).OrderByDescending(g => g.Count()).ThenBy(g => g.First().i).First();
        return (best.First().answer, best.Count());
    }

    [GeneratedRegex(@"answer(?:\s+is)?\s*[:：]\s*([^\r\n]+)", RegexOptions.IgnoreCase)]
    private static partial Regex AnswerLine();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^(the|a|an) ")]
    private static partial Regex Articles();
}
