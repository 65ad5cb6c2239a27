using Gradus.Applications.Sandbox;

namespace Gradus.Cli.Console;

/// <summary>The processes of the sandbox, which are this program again.</summary>
internal static class SandboxProcesses
{
    /// <summary>Runs what the arguments name; null where they name no process of the sandbox.</summary>
    public static int? Run(string[] arguments) => arguments switch
    {
        [SandboxLauncher.Argument] => SandboxLauncher.Run(),
        [PythonSandbox.Argument] => PythonSandbox.RunInterpreter(System.Console.OpenStandardInput(), System.Console.OpenStandardOutput()),
        _ => null,
    };

    /// <summary>A sandbox whose launcher is this program.</summary>
    /// <exception cref="SandboxRefusedException">This system has none.</exception>
    public static Sandbox Open() => new(SandboxLauncher.CommandOf(Assembly));

    /// <summary>The interpreter inside a sandbox.</summary>
    public static PythonSandbox Interpreter(Sandbox sandbox) => new(sandbox, SandboxLauncher.CommandOf(Assembly, PythonSandbox.Argument));

    private static string Assembly => typeof(SandboxProcesses).Assembly.Location;
}
