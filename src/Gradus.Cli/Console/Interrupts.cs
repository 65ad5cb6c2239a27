using System.Runtime.InteropServices;

namespace Gradus.Cli.Console;

/// <summary>
/// Ctrl-C and SIGTERM. The first asks the work to stop at the next good place, where it saves what it has; the second ends the
/// process at once.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _source = new();
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
                ExitCode ??= interrupt ? Console.ExitCode.Interrupted : Console.ExitCode.Terminated;
        }
        if (handler is not null)
        {
            handler();
            return;
        }
        if (!first)
            Environment.Exit(ExitCode!.Value);
        _announce(interrupt ? "stopping; press Ctrl-C again to end at once." : "stopping; a second signal ends at once.");
        _source.Cancel();
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
