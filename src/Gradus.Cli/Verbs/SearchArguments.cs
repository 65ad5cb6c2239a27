using System.CommandLine;
using System.Text.RegularExpressions;
using Gradus.Cli.Console;

namespace Gradus.Cli.Verbs;

/// <summary>How a text is searched for, rather than drawn token by token.</summary>
/// <param name="Beams">Beams of a beam search; null for none.</param>
/// <param name="Groups">The groups that they are in.</param>
/// <param name="Diversity">What a token loses for each beam of an earlier group that has chosen it.</param>
/// <param name="LengthPenalty">The exponent of the length.</param>
/// <param name="Contrastive">The weight of contrastive search's penalty; null for none.</param>
/// <param name="Candidates">Tokens that contrastive search looks at.</param>
/// <param name="BestOf">Texts to draw of which the most probable is kept; null for all.</param>
/// <param name="Vote">Finds the answer in a text; of the texts drawn one with the most frequent answer is kept. Null for all.</param>
internal sealed record Search(int? Beams, int Groups, float Diversity, float LengthPenalty, float? Contrastive, int Candidates, int? BestOf, Regex? Vote)
{
    /// <summary>Whether the search draws nothing.</summary>
    public bool IsExact => Beams is not null || Contrastive is not null;
}

/// <summary>The options of <see cref="Search"/>; one instance per verb.</summary>
internal sealed class SearchArguments
{
    private readonly Option<int?> _beams = Numeric.Optional("--beams", "Follow so many beginnings at once (beam search).", 1, 1024);
    private readonly Option<int> _groups = Numeric.Option("--beam-groups", "Divide the beams into groups that keep away from each other (diverse beams).", 1, 1024, 1);
    private readonly Option<float> _diversity = Numeric.Option("--diversity", "What a token loses for each beam of an earlier group that has just chosen it.", 0f, 1000f, 1f);
    private readonly Option<float> _length = Numeric.Option("--length-penalty", "Exponent of the length that a beam's score is divided by: above 0 favours long texts.", -100f, 100f, 1f);
    private readonly Option<float?> _contrastive = Numeric.Optional("--contrastive", "Weigh likeness to what was said against probability (contrastive search).", 0f, 1f);
    private readonly Option<int> _candidates = Numeric.Option("--candidates", "Likeliest tokens that --contrastive looks at.", 1, 1024, 4);
    private readonly Option<int?> _bestOf = Numeric.Optional("--best-of", "Draw so many texts and keep the one that is most probable per token.", 1, 4096);
    private readonly Option<string?> _vote = new("--vote") { Description = "Find the answer in each of --n texts by a pattern (its first group, else all of it; the last match), and keep a text with the most frequent one.", HelpName = "PATTERN" };

    /// <summary>Adds the options to a verb.</summary>
    public SearchArguments(Command verb)
    {
        foreach (Option option in (Option[])[_beams, _groups, _diversity, _length, _contrastive, _candidates, _bestOf, _vote])
            verb.Options.Add(option);
    }

    /// <summary>What was asked for.</summary>
    /// <exception cref="UsageException">Options contradict each other.</exception>
    public Search Read(ParseResult parse)
    {
        Option[] ways = [.. ((Option[])[_beams, _contrastive, _bestOf, _vote]).Where(o => parse.GetResult(o) is { Implicit: false })];
        if (ways.Length > 1)
            throw new UsageException($"{ways[0].Name} and {ways[1].Name} are two ways to search; give one.");
        Needs(parse, _beams, _groups, _diversity, _length);
        Needs(parse, _contrastive, _candidates);
        int? beams = parse.GetValue(_beams);
        int groups = parse.GetValue(_groups);
        if (beams is { } all && all % groups != 0)
            throw new UsageException($"--beam-groups {groups} does not divide --beams {all}; give a divisor.");
        return new Search(
            beams, groups, parse.GetValue(_diversity), parse.GetValue(_length), parse.GetValue(_contrastive), parse.GetValue(_candidates), parse.GetValue(_bestOf),
            parse.GetValue(_vote) is { } pattern ? Pattern(pattern) : null);
    }

    private static void Needs(ParseResult parse, Option needed, params Option[] options)
    {
        if (parse.GetResult(needed) is null or { Implicit: true } && options.FirstOrDefault(o => parse.GetResult(o) is { Implicit: false }) is { } alone)
            throw new UsageException($"{alone.Name} has a part with {needed.Name} only; give that too.");
    }

    private static Regex Pattern(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"--vote is no regular expression: {e.Message}");
        }
    }
}
