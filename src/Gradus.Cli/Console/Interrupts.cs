using System.Runtime.InteropServices;

namespace Gradus.Cli.Console;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP. The first asks the work to stop at the next good place, where it saves what it has; the second ends the
/// process at once. A process that was started to outlive its terminal (nohup) does not hear of SIGHUP. On Windows these are Ctrl-C, the
/// system's shutdown and the closing of the window; after the last two the system leaves a process some seconds.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    // Windows ends a process five seconds after its window was closed, and at once when the handler of that returns.
    private static readonly TimeSpan WindowsPatience = TimeSpan.FromSeconds(4.5);

    private readonly CancellationTokenSource _source = new();
    private readonly ManualResetEventSlim _finished = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Action<string> _announce;
    private readonly Lock _lock = new();
    private Action? _handler;

    /// <summary>Starts to listen.</summary>
    /// <param name="announce">Told, on the first signal, what happens now.</param>
    public Interrupts(Action<string> announce)
    {
        _announce = announce;
        _registrations = [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Receive),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Receive),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, Receive),
        ];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>The exit code that the signal asks for, or null while there was none.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>While it is held, Ctrl-C runs a handler instead: a chat stops its answer, not itself. SIGTERM stays as it is.</summary>
    public IDisposable Handle(Action handler)
    {
        lock (_lock)
            _handler = handler;
        return new Release(this);
    }

    /// <summary>Stops listening.</summary>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _finished.Set();
        _source.Dispose();
    }

    private void Receive(PosixSignalContext signal)
    {
        signal.Cancel = true;
        bool interrupt = signal.Signal == PosixSignal.SIGINT;
        Action? handler;
        bool first;
        lock (_lock)
        {
            handler = interrupt ? _handler : null;
            first = ExitCode is null;
            if (handler is null)
                ExitCode ??= interrupt ? Console.ExitCode.Interrupted : signal.Signal == PosixSignal.SIGHUP ? Console.ExitCode.HungUp : Console.ExitCode.Terminated;
        }
        if (handler is not null)
        {
            handler();
            return;
        }
        if (!first)
            Environment.Exit(ExitCode!.Value);
        try
        {
            _announce(interrupt ? "stopping; press Ctrl-C again to end at once." : "stopping; a second signal ends at once.");
        }
        catch (IOException)
        {
            // The terminal that it would be said on has gone away.
        }
        _source.Cancel();
        if (!interrupt && OperatingSystem.IsWindows())
            _finished.Wait(WindowsPatience);
    }

    private sealed class Release(Interrupts owner) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
                owner._handler = null;
        }
    }
}
