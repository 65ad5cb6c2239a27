using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;

namespace Gradus.Cli.Verbs;

/// <summary>The verbs of <c>gradus</c>, in the order of its help. A new verb is a line here.</summary>
internal static class AllVerbs
{
    /// <summary>Makes all verbs.</summary>
    public static Command[] Create(CommandContext context) =>
    [
        QuickstartVerb.Create(context),
        DataVerb.Create(context),
        TokenizerVerb.Create(context),
        RagVerb.Create(context),
        McpVerb.Create(context),
        .. StageRecipe.All.Select(stage => stage.CreateVerb(context)).OfType<Command>(),
        CompareVerb.Create(context),
        Pipeline.CreateVerb(context),
        InitVerb.Create(context),
        InspectVerb.Create(context),
        ConvertVerb.Create(context),
        MergeVerb.Create(context),
        ImatrixVerb.Create(context),
        QuantizeVerb.Create(context),
        PruneVerb.Create(context),
        PullVerb.Create(context),
        GenerateVerb.Create(context),
        ChatVerb.Create(context),
        ServeVerb.Create(context),
        AgentVerb.Create(context),
        PlanVerb.Create(context),
        BenchVerb.Create(context),
        DocsVerb.Create(context),
        SchemaVerb.Create(context),
    ];
}
