namespace Gradus.Cli.Console;

/// <summary>A command that cannot be carried out as it was given. The message says what is wrong and what to do; exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
