namespace Gradus.Applications.Sandbox;

/// <summary>What a program may use.</summary>
/// <param name="Time">Time on the wall, from its start; more than nothing.</param>
/// <param name="MemoryBytes">Memory of all its processes together, at least 16 MiB.</param>
/// <param name="Processes">Processes at once, at least 1. With 1 it can start none.</param>
/// <param name="Threads">Threads beside the processes' first ones.</param>
/// <param name="OutputBytes">Bytes on standard output and standard error together.</param>
/// <param name="FileBytes">Bytes in its folder.</param>
/// <param name="Files">Files and folders in its folder.</param>
public sealed record SandboxLimits(
    TimeSpan Time, long MemoryBytes = 512L << 20, int Processes = 1, int Threads = 64, long OutputBytes = 1 << 20, long FileBytes = 64L << 20, int Files = 1000)
{
    /// <summary>Ten seconds, 512 MiB, one process.</summary>
    public static SandboxLimits Default { get; } = new(TimeSpan.FromSeconds(10));

    /// <summary>Says what is out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A limit is.</exception>
    public void Validate()
    {
        if (Time <= TimeSpan.Zero || Time > TimeSpan.FromDays(1))
            throw new ArgumentOutOfRangeException(nameof(Time), $"time: {Time}; give more than nothing and at most a day.");
        if (MemoryBytes < 16 << 20)
            throw new ArgumentOutOfRangeException(nameof(MemoryBytes), $"memory: {MemoryBytes} bytes; give at least 16 MiB.");
        ArgumentOutOfRangeException.ThrowIfLessThan(Processes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(OutputBytes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(FileBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(Files);
    }
}

/// <summary>A program to run.</summary>
/// <param name="Program">Its full path, or a name that is looked for in /usr/local/bin, /usr/bin and /bin.</param>
/// <param name="Arguments">Its arguments, without its name.</param>
public sealed record SandboxRequest(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>What it reads on standard input.</summary>
    public ReadOnlyMemory<byte> Input { get; init; }

    /// <summary>Files laid into its folder before it starts: name (without a path) and content.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Files and folders that it may read and execute, beside the system's programs and libraries (/usr, /lib, /bin).</summary>
    public IReadOnlyList<string> ReadPaths { get; init; } = [];

    /// <summary>Its environment, beside PATH, HOME, TMPDIR and LANG.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>What it may use.</summary>
    public SandboxLimits Limits { get; init; } = SandboxLimits.Default;

    /// <summary>
    /// Whether it is a .NET program: it reserves far more addresses than it uses, so its memory is limited by what it writes to, and it may read
    /// /proc of its own process.
    /// </summary>
    public bool IsDotNet { get; init; }
}

/// <summary>How a program came to its end.</summary>
public enum SandboxEnd
{
    /// <summary>By itself, or by a signal that it brought on itself; see the exit code.</summary>
    Exited,

    /// <summary>Its time was up.</summary>
    TimeUsedUp,

    /// <summary>It held more memory than it may.</summary>
    MemoryUsedUp,

    /// <summary>It wrote more than it may.</summary>
    OutputUsedUp,

    /// <summary>Its folder held more bytes or files than it may.</summary>
    FilesUsedUp,

    /// <summary>It had more processes than it may.</summary>
    ProcessesUsedUp,
}

/// <summary>What a program did.</summary>
/// <param name="End">How it ended.</param>
/// <param name="ExitCode">Its exit code; 128 and the signal's number where a signal ended it.</param>
/// <param name="Output">Standard output, up to the limit.</param>
/// <param name="Error">Standard error, up to the limit.</param>
/// <param name="Time">From start to end.</param>
public sealed record SandboxResult(SandboxEnd End, int ExitCode, byte[] Output, byte[] Error, TimeSpan Time)
{
    /// <summary>Standard output as UTF-8 text; what is no UTF-8 becomes U+FFFD.</summary>
    public string OutputText => System.Text.Encoding.UTF8.GetString(Output);

    /// <summary>Standard error as UTF-8 text.</summary>
    public string ErrorText => System.Text.Encoding.UTF8.GetString(Error);
}

/// <summary>The sandbox could not be made as a whole, so the program was not run; the message says what is missing.</summary>
public sealed class SandboxRefusedException(string message) : NotSupportedException(message);
