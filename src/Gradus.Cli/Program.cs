using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Verbs;

// The sandbox starts this program again: as a launcher that becomes another program, or as the interpreter inside.
if (SandboxProcesses.Run(args) is { } code)
    return code;
using CommandContext context = new();
return new Application(context,
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
]).Run(args);
