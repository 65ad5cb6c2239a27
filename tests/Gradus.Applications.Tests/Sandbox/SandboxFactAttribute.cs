using Gradus.Applications.Sandbox;

namespace Gradus.Applications.Tests.Sandboxes;

/// <summary>A fact that needs the sandbox, and perhaps a program of the system; skipped with a message where the kernel or the program is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SandboxFactAttribute : FactAttribute
{
    public SandboxFactAttribute(string? program = null)
    {
        if (Sandbox.Sandbox.WhyNot() is { } reason)
            Skip = $"no sandbox here: {reason}";
        else if (program is not null && !File.Exists(program))
            Skip = $"needs {program}";
    }
}

/// <summary>The sandbox of the tests, whose launcher is this test assembly.</summary>
public sealed class TestSandbox : IDisposable
{
    public TestSandbox()
    {
        if (Sandbox.Sandbox.WhyNot() is null)
            Value = new Sandbox.Sandbox(SandboxLauncher.CommandOf(Assembly));
    }

    public Sandbox.Sandbox? Value { get; }

    public PythonSandbox Python => new(Value!, SandboxLauncher.CommandOf(Assembly, PythonSandbox.Argument));

    private static string Assembly => typeof(TestSandbox).Assembly.Location;

    public void Dispose() => Value?.Dispose();
}
