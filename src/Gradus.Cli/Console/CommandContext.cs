using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Gradus.Cli.Console;

/// <summary>
/// What a verb may touch of the world around it: standard input and output, the terminal, and the wish to stop. Results go to
/// <see cref="Out"/>, and so into pipes and files; what is only for the person watching goes to <see cref="Status"/> or
/// <see cref="Note"/>, on standard error.
/// </summary>
internal sealed class CommandContext : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lazy<IAnsiConsole> _console;
    private readonly Lazy<IAnsiConsole> _status;

    static CommandContext()
    {
        if (!OperatingSystem.IsWindows())
            return;
        try
        {
            // A console of Windows has a code page, which is seldom UTF-8.
            if (!System.Console.IsOutputRedirected || !System.Console.IsErrorRedirected)
                System.Console.OutputEncoding = Utf8;
            // Read as UTF-16, which every version of Windows gives whole; OpenInput makes UTF-8 of it.
            if (!System.Console.IsInputRedirected)
                System.Console.InputEncoding = Encoding.Unicode;
        }
        catch (IOException)
        {
            // A process without a console.
        }
    }

    /// <summary>The context of this process.</summary>
    public CommandContext()
        : this(new StreamWriter(StandardOutput.Open(), Utf8) { AutoFlush = !System.Console.IsOutputRedirected }, OpenError())
    {
        OutputIsTerminal = !System.Console.IsOutputRedirected;
        InputIsTerminal = !System.Console.IsInputRedirected;
        ErrorIsTerminal = !System.Console.IsErrorRedirected;
    }

    /// <summary>A context without a terminal, for tests.</summary>
    internal CommandContext(TextWriter output, TextWriter error)
    {
        Out = output;
        Error = error;
        _console = new(() => Create(Out, OutputIsTerminal));
        _status = new(() => Create(Error, ErrorIsTerminal));
        Interrupts = new Interrupts(Note);
    }

    /// <summary>Standard output, UTF-8. Flushed when the verb ends; a verb that streams flushes itself.</summary>
    public TextWriter Out { get; }

    /// <summary>Standard error, UTF-8, written at once.</summary>
    public TextWriter Error { get; }

    /// <summary>Tables, rules and progress on standard output; plain text where that is no terminal.</summary>
    public IAnsiConsole Console => _console.Value;

    /// <summary>The same on standard error, for verbs whose output is data.</summary>
    public IAnsiConsole Status => _status.Value;

    /// <summary>Whether a person types: questions may be asked and a prompt printed.</summary>
    public bool InputIsTerminal { get; }

    /// <summary>Whether a person reads standard output: colours and progress bars make sense.</summary>
    public bool OutputIsTerminal { get; }

    /// <summary>Whether a person reads standard error.</summary>
    public bool ErrorIsTerminal { get; }

    /// <summary>Whether errors come with their stack trace.</summary>
    public bool Verbose { get; set; }

    /// <summary>Whether <see cref="TryWriteLine"/> has found that nobody can read the output any more.</summary>
    public bool OutputIsGone { get; private set; }

    /// <summary>Ctrl-C, SIGTERM and SIGHUP.</summary>
    public Interrupts Interrupts { get; }

    /// <summary>Cancelled when the work is to stop: save, then return or throw <see cref="OperationCanceledException"/>; both exit with 130 (143, 129).</summary>
    public CancellationToken Cancellation => Interrupts.Token;

    /// <summary>Standard input as bytes. Reading it ends with <see cref="OperationCanceledException"/> when the work is to stop.</summary>
    public Stream OpenInput()
    {
        Stream input = System.Console.OpenStandardInput();
        return new InterruptibleInput(
            OperatingSystem.IsWindows() && InputIsTerminal ? Encoding.CreateTranscodingStream(input, Encoding.Unicode, Utf8) : input, Cancellation);
    }

    /// <summary>Says something to the person watching: one line on standard error; nothing where that is closed.</summary>
    public void Note(string line)
    {
        try
        {
            Error.WriteLine($"gradus: {line}");
        }
        catch (IOException)
        {
            // Nobody is there to be told.
        }
    }

    /// <summary>
    /// Writes a line of progress and flushes. Where the reader has gone away, or the terminal was closed, that is said once on standard error and
    /// the work goes on: hours of it are not given up for a line that nobody reads.
    /// </summary>
    public void TryWriteLine(string line)
    {
        if (OutputIsGone)
            return;
        try
        {
            Out.WriteLine(line);
            Out.Flush();
        }
        catch (IOException)
        {
            OutputIsGone = true;
            Note("the reader of the output has gone away; the run goes on, and its folder holds the log.");
        }
    }

    /// <summary>Writes one JSON value as one line, and flushes: a reader can follow along.</summary>
    public void WriteJsonLine(JsonNode value)
    {
        WriteJson(value, Compact);
        Out.Flush();
    }

    /// <summary>Writes one JSON value, indented.</summary>
    public void WriteJson(JsonNode value) => WriteJson(value, Indented);

    /// <summary>Writes what is left in the buffers and stops listening to signals.</summary>
    public void Dispose()
    {
        Interrupts.Dispose();
        try
        {
            Out.Flush();
        }
        catch (IOException)
        {
            // The application has flushed before, and said what it is about.
        }
    }

    private static StreamWriter OpenError() => new(System.Console.OpenStandardError(), Utf8) { AutoFlush = true };

    private void WriteJson(JsonNode value, JsonWriterOptions options)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, options))
            value.WriteTo(writer);
        Out.WriteLine(Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length));
    }

    private static IAnsiConsole Create(TextWriter writer, bool terminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = terminal ? InteractionSupport.Detect : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!terminal)
            console.Profile.Width = 120;
        return console;
    }
}
