using Gradus.Cli.Console;
using Gradus.Cli.Verbs;

using CommandContext context = new();
return new Application(context, [
    TokenizerVerb.Create(context),
    InspectVerb.Create(context),
    ConvertVerb.Create(context),
    GenerateVerb.Create(context),
    ChatVerb.Create(context),
]).Run(args);
