using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Gradus.Cli.Console;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Command lines to learn from, without the leading <c>gradus</c>, and what each does.</summary>
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; set; } = [];

    /// <summary>A list that the help ends with: its heading, and names with what they mean.</summary>
    public (string Heading, Func<IReadOnlyList<(string Name, string Meaning)>> Lines)? Notes { get; init; }
}

/// <summary>The usual help, followed by the examples of a <see cref="Verb"/>, and at the root by the exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    private const string ExitCodes =
        """
        Exit codes:
          0    done
          1    failed: a full disk, a folder that another run writes, a loss that is no number
          2    wrong usage or bad input
          130  stopped by Ctrl-C (143: by SIGTERM, 129: by SIGHUP), after what can be saved was saved
        """;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int code = usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is RootCommand)
        {
            output.WriteLine(ExitCodes.ReplaceLineEndings("\n"));
            output.WriteLine();
        }
        if (parseResult.CommandResult.Command is Verb { Notes: { } notes })
        {
            IReadOnlyList<(string Name, string Meaning)> lines = notes.Lines();
            int width = Math.Min(40, lines.Max(l => l.Name.Length));
            output.WriteLine(notes.Heading);
            foreach ((string name, string meaning) in lines)
                output.WriteLine($"  {name.PadRight(width)}  {meaning}".TrimEnd());
            output.WriteLine();
        }
        if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
        {
            output.WriteLine("Examples:");
            foreach ((string line, string meaning) in verb.Examples)
                output.WriteLine($"  gradus {line}\n      {meaning}");
            output.WriteLine();
        }
        return code;
    }
}
