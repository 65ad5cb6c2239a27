using System.Diagnostics;

namespace Gradus.Applications.Sandbox;

/// <summary>Looks after one running program from outside: feeds it, collects what it writes, and ends it at a limit.</summary>
internal sealed class SandboxWatch(Process process, SandboxLimits limits, SandboxFolder folder)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);
    private const int LooksPerFileCheck = 5;
    private readonly SessionProcesses _processes = new(process.Id);
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _written;
    private volatile bool _outputIsOver;

    /// <summary>Hands over the policy and the input, and waits for the end.</summary>
    public async Task<SandboxResult> RunAsync(byte[] policy, ReadOnlyMemory<byte> input, CancellationToken cancellation)
    {
        Task feed = FeedAsync(policy, input);
        Task<byte[]> output = CollectAsync(process.StandardOutput.BaseStream), error = CollectAsync(process.StandardError.BaseStream);
        Task exit = process.WaitForExitAsync(CancellationToken.None);
        SandboxEnd end = SandboxEnd.Exited;
        for (int look = 1; end == SandboxEnd.Exited && !cancellation.IsCancellationRequested; look++)
        {
            if (await Task.WhenAny(exit, Task.Delay(Look, CancellationToken.None)).ConfigureAwait(false) == exit)
                break;
            end = Check(look % LooksPerFileCheck == 0);
        }
        // Also where the program has ended by itself: what it started ends with it.
        _processes.Kill();
        await exit.ConfigureAwait(false);
        TimeSpan time = Stopwatch.GetElapsedTime(_start);
        byte[] outputBytes = await output.ConfigureAwait(false), errorBytes = await error.ConfigureAwait(false);
        await feed.ConfigureAwait(false);
        return new SandboxResult(end == SandboxEnd.Exited ? EndOf(process.ExitCode) : end, process.ExitCode, outputBytes, errorBytes, time);
    }

    private SandboxEnd EndOf(int exitCode)
    {
        const int ProcessorTime = 128 + 24, FileSize = 128 + 25;
        return _outputIsOver ? SandboxEnd.OutputUsedUp
            : exitCode == ProcessorTime ? SandboxEnd.TimeUsedUp
            : exitCode == FileSize || folder.IsOver(limits.FileBytes, limits.Files, beside: 0) ? SandboxEnd.FilesUsedUp
            : SandboxEnd.Exited;
    }

    private SandboxEnd Check(bool files)
    {
        if (Stopwatch.GetElapsedTime(_start) >= limits.Time)
            return SandboxEnd.TimeUsedUp;
        if (_outputIsOver)
            return SandboxEnd.OutputUsedUp;
        List<int> alive = limits.Processes == 1 ? [process.Id] : _processes.Alive();
        if (alive.Count > limits.Processes)
            return SandboxEnd.ProcessesUsedUp;
        if (alive.Sum(SessionProcesses.MemoryOf) > limits.MemoryBytes)
            return SandboxEnd.MemoryUsedUp;
        return files && folder.IsOver(limits.FileBytes, limits.Files, alive.Sum(SessionProcesses.RemovedFilesOf)) ? SandboxEnd.FilesUsedUp : SandboxEnd.Exited;
    }

    private async Task FeedAsync(byte[] policy, ReadOnlyMemory<byte> input)
    {
        try
        {
            Stream stream = process.StandardInput.BaseStream;
            await stream.WriteAsync(policy).ConfigureAwait(false);
            await stream.WriteAsync(input).ConfigureAwait(false);
            await stream.FlushAsync().ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all.
        }
    }

    private async Task<byte[]> CollectAsync(Stream stream)
    {
        using MemoryStream kept = new();
        byte[] buffer = new byte[16 << 10];
        while (true)
        {
            int read = await stream.ReadAsync(buffer).ConfigureAwait(false);
            if (read == 0)
                return kept.ToArray();
            long before = Interlocked.Add(ref _written, read) - read;
            kept.Write(buffer, 0, (int)Math.Clamp(limits.OutputBytes - before, 0, read));
            _outputIsOver |= before + read > limits.OutputBytes;
        }
    }
}
