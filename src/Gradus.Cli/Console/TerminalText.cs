namespace Gradus.Cli.Console;

/// <summary>Text that a model or a file made: exact into a pipe, but unable to steer a terminal.</summary>
internal static class TerminalText
{
    /// <summary>Writes text to standard output.</summary>
    public static void Write(CommandContext context, string text) => context.Out.Write(context.OutputIsTerminal ? Harmless(text) : text);

    /// <summary>The text with control characters other than tabs and line ends replaced.</summary>
    public static string Harmless(string text) =>
        text.Any(IsHarmful) ? string.Concat(text.Select(c => IsHarmful(c) ? '\uFFFD' : c)) : text;

    private static bool IsHarmful(char c) => char.IsControl(c) && c is not ('\n' or '\t');
}
