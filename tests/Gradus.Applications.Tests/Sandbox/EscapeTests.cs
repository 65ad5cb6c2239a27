using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Gradus.Applications.Sandbox;
using Xunit.Abstractions;

namespace Gradus.Applications.Tests.Sandboxes;

/// <summary>Nothing gets out: files, other processes, kernel interfaces, network, limits.</summary>
public sealed class EscapeTests(TestSandbox sandbox, ITestOutputHelper output) : IClassFixture<TestSandbox>
{
    private const string CPython = "/usr/bin/python3";
    private static readonly TimeSpan Plenty = TimeSpan.FromSeconds(60);

    [SandboxFact(CPython)]
    public async Task NoAttemptEscapes()
    {
        string script = Path.Combine(AppContext.BaseDirectory, "Sandbox", "escapes.py"), secret = Path.GetTempFileName();
        File.WriteAllText(secret, "secret");
        // Anyone on the machine may do with it what they like: only the sandbox stands before it.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(secret, (UnixFileMode)0x1B6);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        try
        {
            SandboxResult result = await sandbox.Value!.RunAsync(new SandboxRequest(
                CPython, "-I", "-S", script, secret, ((IPEndPoint)listener.LocalEndpoint).Port.ToString(null, null))
            {
                ReadPaths = [script],
                Limits = new SandboxLimits(Plenty),
            });
            string[] lines = result.OutputText.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            output.WriteLine($"{lines.Length} attempts");
            output.WriteLine(result.OutputText);
            Assert.Equal((SandboxEnd.Exited, 0, ""), (result.End, result.ExitCode, result.ErrorText));
            Assert.DoesNotContain(lines, line => line.Contains("ESCAPED", StringComparison.Ordinal));
            Assert.True(lines.Length >= 150, $"{lines.Length} attempts were made");
            Assert.DoesNotContain(lines, line => line.EndsWith("NameError", StringComparison.Ordinal) || line.EndsWith("TypeError", StringComparison.Ordinal));
            Assert.Equal("secret", File.ReadAllText(secret));
            Assert.False(listener.Pending());
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [SandboxFact(CPython)]
    public async Task CallsOfOtherArchitecturesEndTheProgram()
    {
        // int 0x80 with the number of getpid there (20), and the x32 number of getpid: mov eax, n; int 0x80 or syscall; ret
        foreach (string code in (string[])["b814000000cd80c3", "b8270000400f05c3"])
        {
            SandboxResult result = await RunPython($"""
                import ctypes, mmap
                page = mmap.mmap(-1, 4096, prot=7)
                page.write(bytes.fromhex('{code}'))
                print('before', flush=True)
                ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
                print('after', flush=True)
                """);
            Assert.Equal("before\n", result.OutputText);
            Assert.Equal(128 + 31, result.ExitCode);
        }
    }

    [SandboxFact(CPython)]
    public Task EndlessLoopsEnd() => EndsBy(SandboxEnd.TimeUsedUp, "while True: pass", TimeSpan.FromSeconds(1));

    [SandboxFact(CPython)]
    public Task SleepersEnd() => EndsBy(SandboxEnd.TimeUsedUp, "import time\ntime.sleep(1000)", TimeSpan.FromSeconds(1));

    [SandboxFact(CPython)]
    public Task WhoBlocksSignalsEnds() => EndsBy(
        SandboxEnd.TimeUsedUp,
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(1000)",
        TimeSpan.FromSeconds(1));

    [SandboxFact(CPython)]
    public Task FloodsOfOutputEnd() => EndsBy(SandboxEnd.OutputUsedUp, "import os\nwhile True: os.write(1, b'x' * 65536)", Plenty);

    [SandboxFact(CPython)]
    public Task FloodsOfErrorsEnd() => EndsBy(SandboxEnd.OutputUsedUp, "import os\nwhile True: os.write(2, b'x' * 65536)", Plenty);

    [SandboxFact(CPython)]
    public Task FullFoldersEnd() => EndsBy(
        SandboxEnd.FilesUsedUp, "import itertools\nfor i in itertools.count():\n  with open(f'f{i}', 'wb') as f: f.write(bytes(1 << 20))", Plenty);

    [SandboxFact(CPython)]
    public Task ManyFilesEnd() => EndsBy(SandboxEnd.FilesUsedUp, "import itertools\nfor i in itertools.count(): open(f'f{i}', 'w').close()", Plenty);

    [SandboxFact(CPython)]
    public Task RemovedFilesCount() => EndsBy(
        SandboxEnd.FilesUsedUp,
        "import os, time\nkept = []\nfor i in range(100):\n  f = open('f', 'wb'); os.unlink('f'); f.write(bytes(1 << 20)); f.flush(); kept.append(f)\ntime.sleep(1000)", Plenty);

    [SandboxFact(CPython)]
    public Task FoldersThatHideEnd() => EndsBy(
        SandboxEnd.FilesUsedUp, "import os, time\nos.mkdir('hidden', 0o300)\nwith open('hidden/f', 'wb') as f: f.write(bytes(1 << 25))\ntime.sleep(1000)", Plenty);

    [SandboxFact(CPython)]
    public async Task OneFileCannotGrowBeyondTheLimit()
    {
        SandboxResult result = await RunPython("with open('f', 'wb') as f: f.write(bytes(64 << 20))");
        Assert.True(result.End == SandboxEnd.FilesUsedUp || result.ErrorText.Contains("OSError", StringComparison.Ordinal), result.ErrorText);
    }

    [SandboxFact(CPython)]
    public async Task MemoryBombsFail()
    {
        SandboxResult result = await RunPython("kept = []\nwhile True: kept.append(bytearray(1 << 24))");
        Assert.Contains("MemoryError", result.ErrorText, StringComparison.Ordinal);
    }

    [SandboxFact(CPython)]
    public async Task SharedMemoryCountsAsMemory()
    {
        SandboxResult result = await RunPython("import mmap\nkept = [mmap.mmap(-1, 1 << 28)]\nwhile True:\n  m = mmap.mmap(-1, 1 << 26); m.write(bytes(1 << 26)); kept.append(m)");
        Assert.True(result.End == SandboxEnd.MemoryUsedUp || result.ExitCode != 0);
    }

    [SandboxFact(CPython)]
    public async Task ThreadBombsFail()
    {
        SandboxResult result = await RunPython(
            "import threading, time\nn = 0\ntry:\n  while True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start(); n += 1\nexcept RuntimeError: print('held', n < 200)");
        Assert.Equal("held True\n", result.OutputText);
    }

    [SandboxFact(CPython)]
    public async Task ForkBombsEnd()
    {
        Stopwatch watch = Stopwatch.StartNew();
        SandboxResult result = await sandbox.Value!.RunAsync(new SandboxRequest(
            CPython, "-I", "-S", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass")
        {
            Limits = new SandboxLimits(TimeSpan.FromSeconds(5), Processes: 6, Threads: 0),
        });
        Assert.NotEqual(SandboxEnd.Exited, result.End);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"{watch.Elapsed}");
    }

    [SandboxFact(CPython)]
    public async Task WhatAProgramLeavesBehindEndsWithIt()
    {
        SandboxResult result = await sandbox.Value!.RunAsync(new SandboxRequest(
            CPython, "-I", "-S", "-c", "import os, time\nif os.fork() == 0:\n  os.fork()\n  time.sleep(1000)\nprint('left')")
        {
            Limits = new SandboxLimits(TimeSpan.FromSeconds(20), Processes: 6),
        });
        Assert.Equal((SandboxEnd.Exited, "left\n"), (result.End, result.OutputText));
        Assert.True(result.Time < TimeSpan.FromSeconds(15), $"{result.Time}");
    }

    private async Task EndsBy(SandboxEnd end, string program, TimeSpan time)
    {
        SandboxResult result = await RunPython(program, time);
        Assert.True(end == result.End, $"{result.End}, code {result.ExitCode}: {result.ErrorText}");
        Assert.True(result.Output.Length + result.Error.Length <= 1 << 20);
    }

    private Task<SandboxResult> RunPython(string program, TimeSpan? time = null) => sandbox.Value!.RunAsync(new SandboxRequest(CPython, "-I", "-S", "program.py")
    {
        Files = new Dictionary<string, ReadOnlyMemory<byte>> { ["program.py"] = Encoding.UTF8.GetBytes(program) },
        Limits = new SandboxLimits(time ?? Plenty, MemoryBytes: 256 << 20, FileBytes: 16 << 20),
    });
}
