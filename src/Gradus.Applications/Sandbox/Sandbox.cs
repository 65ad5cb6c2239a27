// Runs a program inside a boundary of the operating system: Linux, without root, packages or containers. The boundary is the kernel's (Landlock, seccomp, limits),
// taken on by the process itself before it executes the program (SandboxLauncher.cs). Where the kernel lacks it, nothing runs.
// What it leaves open: names and sizes of files outside can be asked for (stat); the program uses the machine's processor and caches.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Gradus.Applications.Sandbox;

/// <summary>
/// Runs programs that nobody trusts. One launcher is kept waiting, so that the next program starts at once. Disposing it ends what still runs.
/// May be used by many threads.
/// </summary>
public sealed class Sandbox : IDisposable
{
    private static readonly string[] SystemPaths = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/alternatives"];
    private readonly IReadOnlyList<string> _launcher;
    private readonly BlockingCollection<TaskCompletionSource<Process>> _starts = [];
    private readonly Lock _lock = new();
    private Task<Process> _waiting;

    /// <summary>A sandbox whose launcher is this program itself.</summary>
    /// <param name="launcher">The command that runs <see cref="SandboxLauncher.Run"/>; see <see cref="SandboxLauncher.CommandOf"/>.</param>
    /// <exception cref="SandboxRefusedException">This system cannot make the boundary.</exception>
    public Sandbox(IReadOnlyList<string> launcher)
    {
        ArgumentNullException.ThrowIfNull(launcher);
        if (WhyNot() is { } reason)
            throw new SandboxRefusedException($"there is no sandbox here: {reason} Programs are not run without one.");
        _launcher = launcher;
        // A launched process ends when the thread that started it does, so that nothing outlives this object or its process.
        new Thread(StartProcesses) { IsBackground = true, Name = "sandbox launcher" }.Start();
        _waiting = AskForProcess();
    }

    /// <summary>What this system lacks, as a sentence; null where a sandbox can be made.</summary>
    public static string? WhyNot()
    {
        if (!OperatingSystem.IsLinux())
            return "it needs Linux (Landlock and seccomp); on Windows use WSL 2, on macOS a virtual machine.";
        if (RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            return $"it knows the system calls of x64 and arm64, not of {RuntimeInformation.ProcessArchitecture}.";
        if (SystemCalls.LandlockVersion() < 1)
            return "the kernel has no Landlock (Linux 5.13 and newer have it, where it is enabled at boot: lsm=landlock,…).";
        return SystemCalls.HasSeccompFilters() ? null : "the kernel has no seccomp filters.";
    }

    /// <summary>Runs a program to its end, or to a limit.</summary>
    /// <param name="request">The program and what it may use.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="SandboxRefusedException">The boundary could not be made, or the program could not be executed.</exception>
    public async Task<SandboxResult> RunAsync(SandboxRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Limits.Validate();
        using SandboxFolder folder = new(request.Files);
        SandboxPolicy policy = PolicyOf(request, folder);
        using Process process = await TakeProcess().ConfigureAwait(false);
        SandboxWatch watch = new(process, request.Limits, folder);
        SandboxResult result = await watch.RunAsync(policy.ToBytes(), request.Input, cancellation).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        string status = folder.ReadStatus();
        if (status == SandboxLauncher.Ready)
            return result;
        if (status.StartsWith(SandboxLauncher.Ready, StringComparison.Ordinal))
            throw new SandboxRefusedException(status[SandboxLauncher.Ready.Length..]);
        // The time may be up before the program has begun.
        if (result.End != SandboxEnd.Exited)
            return result;
        throw new SandboxRefusedException(
            $"the sandbox could not be made: {(status.Length > 0 ? status : $"its launcher ended with code {result.ExitCode}. {result.ErrorText.Trim()}")} Nothing was run.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_starts.IsAddingCompleted)
                return;
            _starts.CompleteAdding();
        }
        _ = _waiting.ContinueWith(static waiting => waiting.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    private static SandboxPolicy PolicyOf(SandboxRequest request, SandboxFolder folder)
    {
        string[] environment =
        [
            "PATH=/usr/local/bin:/usr/bin:/bin", $"HOME={folder.Work}", $"TMPDIR={folder.Work}", "LANG=C.UTF-8",
            .. request.Environment.Select(pair => $"{pair.Key}={pair.Value}"),
        ];
        // A number that no account has: it owns nothing, and its limit of processes counts only what comes of this program.
        int user = Environment.IsPrivilegedProcess ? System.Security.Cryptography.RandomNumberGenerator.GetInt32(1_000_000_000, 2_000_000_000) : 0;
        SandboxLimits limits = request.Limits;
        return new SandboxPolicy(
            Find(request.Program), [.. request.Arguments], environment, [.. SystemPaths, .. request.ReadPaths], folder.Work, folder.StatusFile, limits.MemoryBytes,
            limits.FileBytes, limits.Processes, limits.Threads, (int)Math.Ceiling(limits.Time.TotalSeconds) + 1, request.IsDotNet, user);
    }

    private static string Find(string program)
    {
        if (Path.IsPathFullyQualified(program))
            return program;
        if (program.Contains('/', StringComparison.Ordinal))
            throw new SandboxRefusedException($"{program}: give the program's full path, or its name alone.");
        return ((string[])["/usr/local/bin", "/usr/bin", "/bin"]).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
            ?? throw new SandboxRefusedException($"{program} is not installed: it is in none of /usr/local/bin, /usr/bin and /bin.");
    }

    private Task<Process> TakeProcess()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_starts.IsAddingCompleted, this);
            Task<Process> taken = _waiting;
            _waiting = AskForProcess();
            return taken;
        }
    }

    private Task<Process> AskForProcess()
    {
        TaskCompletionSource<Process> source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _starts.Add(source);
        return source.Task;
    }

    private void StartProcesses()
    {
        foreach (TaskCompletionSource<Process> source in _starts.GetConsumingEnumerable())
        {
            try
            {
                source.SetResult(StartLauncher());
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
            {
                source.SetException(new SandboxRefusedException($"the sandbox's launcher {_launcher[0]} did not start: {e.Message}"));
            }
        }
    }

    private Process StartLauncher()
    {
        ProcessStartInfo start = new(_launcher[0], _launcher.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        string[] foreign = [.. start.Environment.Keys.Where(name => !name.StartsWith("DOTNET_ROOT", StringComparison.Ordinal))];
        foreach (string name in foreign)
            start.Environment.Remove(name);
        foreach ((string name, string value) in DotNetSettings)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>A runtime that opens no socket for debuggers, maps no memory twice and starts quickly.</summary>
    internal static IReadOnlyDictionary<string, string> DotNetSettings { get; } = new Dictionary<string, string>
    {
        ["DOTNET_EnableDiagnostics"] = "0",
        ["DOTNET_EnableWriteXorExecute"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1",
    };
}
