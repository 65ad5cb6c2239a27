// Rules that score the text of an answer. Left out: anything that runs a program or asks another process; the caller adds those.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Gradus.Evaluation.Metrics;
using Gradus.Generation.Structure;
using Gradus.Text;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>Scores the text of an answer to a prompt.</summary>
/// <param name="prompt">The prompt, with the expected answer where the data has one.</param>
/// <param name="answer">The text of the answer, without special tokens.</param>
public delegate double TextScore(AnswerPrompt prompt, string answer);

/// <summary>A reward that looks at the texts of answers, one at a time.</summary>
/// <param name="name">Its name in the log.</param>
/// <param name="weight">What it counts in the sum.</param>
/// <param name="prompts">The prompts by their number in the data.</param>
/// <param name="tokenizer">The policy's tokenizer.</param>
/// <param name="score">The score.</param>
public sealed class TextReward(string name, double weight, IReadOnlyList<AnswerPrompt> prompts, Tokenizer tokenizer, TextScore score) : RewardSource(name, weight)
{
    /// <inheritdoc/>
    public override IReadOnlyList<double> Score(IReadOnlyList<Rollout> rollouts) =>
        [.. rollouts.Select(r => score(prompts[r.PromptNumber], tokenizer.Decode(r.Answer, skipSpecialTokens: true).Trim()))];
}

/// <summary>Scores of texts by rules.</summary>
public static partial class TextRules
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>1 where a regular expression matches a part of the answer, else 0.</summary>
    /// <exception cref="InvalidDataException">It is no regular expression.</exception>
    public static TextScore Matches(string pattern)
    {
        try
        {
            // Answers are what a model writes: no pattern may run away on them.
            Regex regex = new(pattern, RegexOptions.CultureInvariant, Longest);
            return (_, answer) => IsMatch(regex, answer) ? 1 : 0;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"pattern: not a regular expression: {e.Message}", e);
        }
    }

    /// <summary>1 where the answer is a JSON text of a schema, else 0.</summary>
    /// <param name="schema">The schema's text.</param>
    /// <exception cref="InvalidDataException">It is no schema, or asks for what is not supported.</exception>
    public static TextScore FitsSchema(string schema)
    {
        Grammar grammar = Grammar.FromJsonSchema(Encoding.UTF8.GetBytes(schema));
        return (_, answer) => grammar.Matches(Encoding.UTF8.GetBytes(answer)) ? 1 : 0;
    }

    /// <summary>1 where the answer has a number of words between two bounds; outside the share of the nearer bound, falling to 0.</summary>
    /// <param name="least">The fewest words.</param>
    /// <param name="most">The most words.</param>
    public static TextScore HasWords(int least, int most) => (_, answer) =>
    {
        int words = answer.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        return words < least ? words / (double)least : words <= most ? 1 : Math.Max(0, 2 - (words / (double)most));
    };

    /// <summary>
    /// 1 where the answer is the expected one: the same text but for case and white space, or, where the expected one is a number, the last number
    /// in it; else 0.
    /// </summary>
    public static double IsExpected(AnswerPrompt prompt, string answer)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(answer);
        if (prompt.Expected is not { } expected)
            return 0;
        if (LastNumber(expected) is { } number && expected.Trim() == Numbers().Match(expected.Trim()).Value)
            return LastNumber(answer) == number ? 1 : 0;
        return string.Equals(Plain(expected), Plain(answer), StringComparison.OrdinalIgnoreCase) ? 1 : 0;
    }

    /// <summary>A metric's score of the answer against the expected one; 0 where there is none.</summary>
    /// <param name="metric">The metric, such as ROUGE-L.</param>
    public static TextScore Scores(Metric metric)
    {
        ArgumentNullException.ThrowIfNull(metric);
        return (prompt, answer) => prompt.Expected is { } expected ? metric.Score(answer, expected) : 0;
    }

    /// <summary>The last number of a text, or null.</summary>
    public static decimal? LastNumber(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Match[] all = [.. Numbers().Matches(text).Cast<Match>()];
        return all.Length > 0 && decimal.TryParse(all[^1].Value.Replace(",", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) ? number : null;
    }

    private static string Plain(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static bool IsMatch(Regex regex, string text)
    {
        try
        {
            return regex.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?", RegexOptions.CultureInvariant)]
    private static partial Regex Numbers();
}
