using System.Text;
using System.Text.Json;
using Gradus.Cli.Configuration;
using Gradus.Training;

namespace Gradus.Cli.Console;

/// <summary>Turns an exception into what the person reads and what the process returns: the one place that knows how.</summary>
internal static class Failures
{
    /// <summary>The exit code and the text of a failure; one line, but for the problems of a configuration, which are a line each.</summary>
    public static (int Code, string Message) Describe(Exception exception)
    {
        Exception e = Innermost(exception);
        return e switch
        {
            ConfigurationException => (ExitCode.Usage, e.Message),
            UsageException or InvalidDataException or FormatException or FileNotFoundException or DirectoryNotFoundException or NotSupportedException
                or PathTooLongException => (ExitCode.Usage, OneLine(e.Message)),
            UnauthorizedAccessException => (ExitCode.Usage, OneLine($"{e.Message.TrimEnd('.')}; choose another path, or ask for the permission.")),
            JsonException => (ExitCode.Usage, OneLine($"not valid JSON: {e.Message}")),
            ArgumentNullException => Unforeseen(e),
            ArgumentException argument => (ExitCode.Usage, OneLine(WithoutParameter(argument))),
            OperationCanceledException => (ExitCode.Interrupted, ""),
            TrainingDivergedException => (ExitCode.Failed, OneLine(e.Message)),
            IOException => (ExitCode.Failed, OneLine(e.Message)),
            OutOfMemoryException => (ExitCode.Failed, "out of memory; use a smaller model, batch or context, or a machine with more."),
            _ => Unforeseen(e),
        };
    }

    /// <summary>Keeps a hostile file name or text from breaking the line or steering the terminal.</summary>
    public static string OneLine(string text)
    {
        StringBuilder line = new(text.Length);
        foreach (char c in text.ReplaceLineEndings(" "))
            line.Append(c == '\t' ? ' ' : char.IsControl(c) ? '\uFFFD' : c);
        return line.ToString();
    }

    private static (int Code, string Message) Unforeseen(Exception e) =>
        (ExitCode.Failed, OneLine($"unforeseen failure ({e.GetType().Name}): {e.Message} Run again with --verbose and report the trace."));

    // Lazy, static and parallel code wrap what went wrong.
    private static Exception Innermost(Exception e)
    {
        while (e is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException && e.InnerException is { } inner)
            e = inner;
        return e;
    }

    // The runtime appends the parameter's name, and for ranges the value; neither means anything on a command line.
    private static string WithoutParameter(ArgumentException e)
    {
        int end = e.Message.IndexOf($" (Parameter '{e.ParamName}')", StringComparison.Ordinal);
        return e.ParamName is null || end < 0 ? e.Message : e.Message[..end];
    }
}
