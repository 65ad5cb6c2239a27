using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Verbs;

using CommandContext context = new();
return new Application(context,
[
    QuickstartVerb.Create(context),
    TokenizerVerb.Create(context),
    PretrainVerb.Create(context),
    FinetuneVerb.Create(context),
    EvaluateVerb.Create(context),
    RunVerb.Create(context),
    InspectVerb.Create(context),
    ConvertVerb.Create(context),
    GenerateVerb.Create(context),
    ChatVerb.Create(context),
]).Run(args);
