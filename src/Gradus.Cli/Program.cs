using Gradus.Cli.Console;

using CommandContext context = new();
return new Application(context, [Gradus.Cli.Stages.PretrainVerb.Create(context)]).Run(args);
