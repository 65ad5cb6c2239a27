using Gradus.Applications.Sandbox;

namespace Gradus.Applications.Tests;

/// <summary>The entry of this assembly where it is started as a sandbox's launcher or as the interpreter's process; the test host calls no entry.</summary>
public static class Program
{
    public static int Main(string[] arguments) => arguments switch
    {
        [SandboxLauncher.Argument] => SandboxLauncher.Run(),
        [PythonSandbox.Argument] => PythonSandbox.RunInterpreter(Console.OpenStandardInput(), Console.OpenStandardOutput()),
        _ => 2,
    };
}
