namespace Gradus.Cli.Console;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    /// <summary>The work is done, or the reader of the output has gone away with what it wanted.</summary>
    public const int Done = 0;

    /// <summary>The work was begun and failed: a full disk, a folder in use, diverged training, a bug.</summary>
    public const int Failed = 1;

    /// <summary>The command or its input is wrong: fix it and run again.</summary>
    public const int Usage = 2;

    /// <summary>Stopped by Ctrl-C (128 + SIGINT), after what can be saved was saved.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped since its terminal went away (128 + SIGHUP; on Windows the window was closed), after what can be saved was saved.</summary>
    public const int HungUp = 129;

    /// <summary>Stopped by SIGTERM (128 + 15), after what can be saved was saved.</summary>
    public const int Terminated = 143;
}
