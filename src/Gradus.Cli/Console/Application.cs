using System.CommandLine;
using System.CommandLine.Help;

namespace Gradus.Cli.Console;

/// <summary>The <c>gradus</c> command around its verbs: parses, runs, and turns what goes wrong into one line and an exit code.</summary>
internal sealed class Application
{
    private readonly CommandContext _context;
    private readonly RootCommand _root;
    private readonly Option<bool> _verbose = new("--verbose")
    {
        Description = "Print the stack trace of an error.",
        Recursive = true,
    };

    /// <summary>Puts the verbs together.</summary>
    public Application(CommandContext context, IEnumerable<Command> verbs)
    {
        _context = context;
        _root = new RootCommand("Takes a language model through its whole life: text, tokenizer, pre-training, fine-tuning, evaluation, chat.");
        _root.Directives.Clear();
        foreach (HelpOption help in _root.Options.OfType<HelpOption>())
            help.Action = new HelpWithExamples((HelpAction)help.Action!);
        _root.Options.Add(_verbose);
        foreach (Command verb in verbs)
            _root.Add(verb);
    }

    /// <summary>Runs one command line to its end.</summary>
    /// <returns>The exit code; see <see cref="ExitCode"/>.</returns>
    public int Run(string[] arguments)
    {
        _context.Verbose = arguments.Contains("--verbose");
        try
        {
            int code = Invoke(arguments);
            if (!_context.OutputIsGone)
                _context.Out.Flush();
            return code == ExitCode.Done ? _context.Interrupts.ExitCode ?? code : code;
        }
        catch (BrokenPipeException)
        {
            return _context.Interrupts.ExitCode ?? ExitCode.Done;
        }
        catch (Exception e)
        {
            return Report(e);
        }
    }

    /// <summary>Reads a command line without running it.</summary>
    /// <returns>What it says; <see cref="CommandLineErrors.Find"/> tells what is wrong with it.</returns>
    internal ParseResult Parse(string[] arguments) =>
        // @file and [directive] would take prompts that begin so for something else.
        _root.Parse(
            arguments.Length == 0 ? ["--help"] : arguments,
            new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });

    private int Invoke(string[] arguments)
    {
        ParseResult parse = Parse(arguments);
        if (parse.Action is not { ClearsParseErrors: true } && CommandLineErrors.Find(parse) is { } problem)
        {
            _context.Note(Failures.OneLine(problem));
            return ExitCode.Usage;
        }
        return parse.Invoke(new InvocationConfiguration
        {
            Output = _context.Out,
            Error = _context.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    private int Report(Exception e)
    {
        (int code, string message) = Failures.Describe(e);
        if (e is OperationCanceledException && _context.Interrupts.ExitCode is { } asked)
            code = asked;
        try
        {
            // What the verb wrote before it failed comes first.
            _context.Out.Flush();
        }
        catch (IOException)
        {
            // The output fails as well; the error is what counts.
        }
        // Who interrupted knows it, and was told so.
        foreach (string line in message.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            _context.Note(line);
        if (_context.Verbose)
            _context.Error.WriteLine(e);
        return code;
    }
}
