using System.CommandLine;
using Gradus.Generation;

namespace Gradus.Cli.Verbs;

/// <summary><c>--overflow</c>: what becomes of a prompt that is too long for the model's context.</summary>
internal static class OverflowOption
{
    private static readonly Dictionary<string, OverflowPolicy> Policies = new(StringComparer.Ordinal)
    {
        ["error"] = OverflowPolicy.Error,
        ["truncate-left"] = OverflowPolicy.TruncateLeft,
    };

    /// <summary>Makes the option.</summary>
    /// <param name="usual">What is done without it.</param>
    /// <param name="description">What the help says.</param>
    public static Option<string> Create(OverflowPolicy usual, string description)
    {
        Option<string> option = new("--overflow")
        {
            Description = description,
            HelpName = string.Join('|', Policies.Keys),
            DefaultValueFactory = _ => Policies.First(p => p.Value == usual).Key,
        };
        option.AcceptOnlyFromAmong([.. Policies.Keys]);
        return option;
    }

    /// <summary>Its value.</summary>
    public static OverflowPolicy Read(ParseResult parse, Option<string> option) => Policies[parse.GetValue(option)!];
}
