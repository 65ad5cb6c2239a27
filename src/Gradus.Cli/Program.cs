using Gradus.Cli.Console;

using CommandContext context = new();
return new Application(context, []).Run(args);
