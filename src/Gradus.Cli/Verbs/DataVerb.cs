using System.CommandLine;
using Gradus.Cli.Console;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data</c>: its verbs.</summary>
internal static class DataVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context) => new("data", "Data: sets with names, what files hold, cleaning and mixing of corpora.")
    {
        DataListVerb.Create(context),
        DataGetVerb.Create(context),
        DataInspectVerb.Create(context),
        DataPrepareVerb.Create(context),
        DataFilterVerb.Create(context),
        DataDedupVerb.Create(context),
        DataDecontaminateVerb.Create(context),
        DataMixVerb.Create(context),
    };
}
