// A fixed set of threads for data-parallel loops. Items are handed out by a counter, so a slow core takes fewer of them; a body must
// give the same result whichever worker runs which item. One 64-bit state word carries the whole protocol:
//
//   bits 63..32  epoch, one per loop      bit 31  open: workers may join      bits 30..0  workers inside
//
// A worker joins by a compare-and-swap on the word, so it can never join a loop that has been closed. The caller takes items too,
// then closes the loop and waits only for the workers that joined: a worker that the system did not schedule in time is not waited for.

using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

/// <summary>A pool of threads that runs loops over independent items. Loops allocate no managed memory.</summary>
internal sealed unsafe class Workers : IDisposable
{
    private const long Open = 1L << 31;
    private const long InsideMask = Open - 1;
    private const long SpinMicroseconds = 40;

    private static readonly Lazy<Workers> Shared = new(() => new Workers(ThreadsFromEnvironment(Environment.GetEnvironmentVariable("GRADUS_THREADS"))));
    private static readonly long SpinTicks = System.Diagnostics.Stopwatch.Frequency * SpinMicroseconds / 1_000_000;

    [ThreadStatic]
    private static bool _insideLoop;

    private readonly Thread[] _threads;
    private readonly object _gate = new();
    private Hot _hot;
    private delegate*<void*, int, int, void> _body;
    private void* _context;
    private int _items;
    private int _busy;
    private int _parked;
    private bool _callerParked;
    private volatile bool _stop;
    private Exception? _failure;

    /// <summary>Starts a pool; the calling thread of a loop is one of its workers.</summary>
    /// <param name="count">The number of workers, 1 to 1024.</param>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1024);
        Count = count;
        _threads = new Thread[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"gradus worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>The pool of the process: GRADUS_THREADS workers, or one per core.</summary>
    /// <exception cref="InvalidDataException">GRADUS_THREADS is not a number from 1 to 1024.</exception>
    public static Workers Default => Shared.Value;

    /// <summary>The number of workers, the caller included.</summary>
    public int Count { get; }

    /// <summary>
    /// Calls <paramref name="body"/>(context, item, worker) once for every item from 0 to <paramref name="items"/> − 1, in any order, and
    /// returns when all are done. The worker number is in 0..Count−1 and no two items of this loop run under the same number at once; it is
    /// no index into memory shared between loops (use <see cref="Scratch"/>). A loop inside a loop, and one started while another thread's
    /// loop runs, runs on the calling thread. The first exception of a body ends the loop and is thrown here.
    /// </summary>
    public void For(int items, void* context, delegate*<void*, int, int, void> body)
    {
        if (items <= 0)
            return;
        if (items == 1 || Count == 1 || _insideLoop || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            for (int item = 0; item < items; item++)
                body(context, item, 0);
            return;
        }
        ExceptionDispatchInfo? failure = null;
        try
        {
            ObjectDisposedException.ThrowIf(_stop, this);
            Run(items, context, body);
            if (_failure is not null)
                failure = ExceptionDispatchInfo.Capture(_failure);
        }
        finally
        {
            _failure = null;
            Volatile.Write(ref _busy, 0);
        }
        failure?.Throw();
    }

    /// <summary>Ends the threads. A loop that runs is finished first.</summary>
    public void Dispose()
    {
        SpinWait wait = default;
        while (Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
            wait.SpinOnce();
        bool first = !_stop;
        _stop = true;
        Volatile.Write(ref _busy, 0);
        if (!first)
            return;
        lock (_gate)
            Monitor.PulseAll(_gate);
        foreach (Thread thread in _threads)
            thread.Join();
    }

    /// <summary>Reads GRADUS_THREADS; null or empty means one worker per core.</summary>
    /// <exception cref="InvalidDataException">The value is not a number from 1 to 1024.</exception>
    internal static int ThreadsFromEnvironment(string? value)
    {
        if (string.IsNullOrEmpty(value))
            return Math.Min(Environment.ProcessorCount, 1024);
        return int.TryParse(value, System.Globalization.NumberStyles.None, null, out int count) && count is >= 1 and <= 1024
            ? count
            : throw new InvalidDataException($"GRADUS_THREADS={value}: not a number of threads; use 1 to 1024, or unset it for one per core.");
    }

    private void Run(int items, void* context, delegate*<void*, int, int, void> body)
    {
        _body = body;
        _context = context;
        _items = items;
        Volatile.Write(ref _hot.Next, 0);
        long epoch = (Volatile.Read(ref _hot.State) >> 32) + 1;
        _ = Interlocked.Exchange(ref _hot.State, (epoch << 32) | Open);
        if (Volatile.Read(ref _parked) > 0)
        {
            lock (_gate)
                Monitor.PulseAll(_gate);
        }
        TakeItems(0);
        if ((Interlocked.And(ref _hot.State, ~Open) & InsideMask) != 0)
            WaitForOthers();
    }

    private void WaitForOthers()
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while ((Volatile.Read(ref _hot.State) & InsideMask) != 0)
        {
            if (System.Diagnostics.Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(8);
                continue;
            }
            lock (_gate)
            {
                _callerParked = true;
                Interlocked.MemoryBarrier();
                while ((Volatile.Read(ref _hot.State) & InsideMask) != 0)
                    Monitor.Wait(_gate);
                _callerParked = false;
            }
        }
    }

    private void Work(int worker)
    {
        long seen = 0;
        while (true)
        {
            long state = Volatile.Read(ref _hot.State);
            if ((state & Open) == 0 || state >> 32 == seen)
            {
                if (!WaitForLoop(seen))
                    return;
                continue;
            }
            if (Interlocked.CompareExchange(ref _hot.State, state + 1, state) != state)
                continue;
            seen = state >> 32;
            TakeItems(worker);
            long left = Interlocked.Decrement(ref _hot.State);
            if ((left & (Open | InsideMask)) == 0 && Volatile.Read(ref _callerParked))
            {
                lock (_gate)
                    Monitor.PulseAll(_gate);
            }
        }
    }

    // True when a loop is open that this worker has not seen; false when the pool ends.
    private bool WaitForLoop(long seen)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!HasLoop(seen))
        {
            if (_stop)
                return false;
            if (System.Diagnostics.Stopwatch.GetTimestamp() - start < SpinTicks)
            {
                Thread.SpinWait(8);
                continue;
            }
            lock (_gate)
            {
                // The count is raised before the state is read again, and the caller opens a loop before it reads the count.
                _ = Interlocked.Increment(ref _parked);
                while (!HasLoop(seen) && !_stop)
                    Monitor.Wait(_gate);
                _ = Interlocked.Decrement(ref _parked);
            }
        }
        return true;
    }

    private bool HasLoop(long seen)
    {
        long state = Volatile.Read(ref _hot.State);
        return (state & Open) != 0 && state >> 32 != seen;
    }

    private void TakeItems(int worker)
    {
        _insideLoop = true;
        try
        {
            int items = _items;
            void* context = _context;
            delegate*<void*, int, int, void> body = _body;
            for (long item = Interlocked.Increment(ref _hot.Next) - 1; item < items; item = Interlocked.Increment(ref _hot.Next) - 1)
                body(context, (int)item, worker);
        }
#pragma warning disable CA1031 // whatever a body throws must reach the caller's thread
        catch (Exception e)
#pragma warning restore CA1031
        {
            _ = Interlocked.CompareExchange(ref _failure, e, null);
            Volatile.Write(ref _hot.Next, long.MaxValue / 2);
        }
        finally
        {
            _insideLoop = false;
        }
    }

    // Each of the two words that all workers write has a cache line pair of its own.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Hot
    {
        [FieldOffset(128)]
        public long State;

        [FieldOffset(256)]
        public long Next;
    }
}
