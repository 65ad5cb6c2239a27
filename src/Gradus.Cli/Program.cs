using Gradus.Cli.Console;
using Gradus.Cli.Verbs;

// The sandbox starts this program again: as a launcher that becomes another program, or as the interpreter inside.
if (SandboxProcesses.Run(args) is { } code)
    return code;
using CommandContext context = new();
return new Application(context, AllVerbs.Create(context)).Run(args);
