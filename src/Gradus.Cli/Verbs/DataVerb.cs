using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data</c>: its verbs.</summary>
internal static class DataVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context) => new("data", "Data sets: list those with names, fetch them.")
    {
        DataListVerb.Create(context),
        DataGetVerb.Create(context),
    };
}
