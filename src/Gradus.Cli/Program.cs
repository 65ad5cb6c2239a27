using Gradus.Cli.Console;
using Gradus.Cli.Stages;

using CommandContext context = new();
return new Application(context,
[
    QuickstartVerb.Create(context),
    PretrainVerb.Create(context),
    FinetuneVerb.Create(context),
    EvaluateVerb.Create(context),
    RunVerb.Create(context),
]).Run(args);
