using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Gradus.Training.Distributed;

/// <summary>
/// The processes of a launch, and bytes between them. All calls come from the thread that joined. Every wait has an end: a rank that does
/// not answer within the time-out is named.
/// </summary>
internal sealed unsafe class MpiWorld : IDisposable
{
    // MPI counts bytes in 32 bits; smaller pieces let several be under way.
    private const int LargestPiece = 1 << 28;
    private const int Tags = 1 << 14;
    private readonly MpiLibrary _library;
    private readonly TimeSpan _timeout;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private int _exchanges;
    private bool _ended;

    private MpiWorld(MpiLibrary library, TimeSpan timeout)
    {
        _library = library;
        _timeout = timeout;
        Rank = library.Rank();
        Size = library.Size();
    }

    /// <summary>This process's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>The number of processes.</summary>
    public int Size { get; }

    /// <summary>The library's file.</summary>
    public string Library => _library.Name;

    /// <summary>Bytes that this process has sent.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Time that this process has waited for others.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Joins the launch that this process is a part of.</summary>
    /// <exception cref="MpiException">The library is missing, or is not that of the launcher.</exception>
    public static MpiWorld Join(MpiLaunch launch, TimeSpan timeout)
    {
        MpiLibrary library = MpiLibrary.Load(launch.Kind);
        library.Initialize();
        MpiWorld world = new(library, timeout);
        if (launch.Size is { } size && size != world.Size)
        {
            world.Dispose();
            throw new MpiException($"{launch.Launcher} started {size} processes, but {library.Name} sees {world.Size}: launcher and library belong to different installations; start with the mpirun of that library.");
        }
        return world;
    }

    /// <summary>Sends and receives messages, and waits for all of them. Messages between two ranks arrive in the order in which they were sent.</summary>
    /// <exception cref="MpiException">A rank does not answer in time, or MPI fails; the message names it.</exception>
    public void Exchange(IReadOnlyList<Message> sends, IReadOnlyList<Message> receives)
    {
        if (Environment.CurrentManagedThreadId != _thread)
            throw new InvalidOperationException("MPI is called from the thread that joined the launch only.");
        ObjectDisposedException.ThrowIf(_ended, this);
        int tag = _exchanges++ % Tags;
        List<Message> pieces = [];
        int incoming = Cut(receives, pieces);
        Cut(sends, pieces);
        nint* requests = (nint*)NativeMemory.AllocZeroed((nuint)pieces.Count + 1, (nuint)sizeof(nint));
        try
        {
            for (int i = 0; i < pieces.Count; i++)
            {
                if (i < incoming)
                    _library.Receive((void*)pieces[i].Address, (int)pieces[i].Bytes, pieces[i].Peer, tag, requests + i);
                else
                    _library.Send((void*)pieces[i].Address, (int)pieces[i].Bytes, pieces[i].Peer, tag, requests + i);
            }
            Wait(pieces, incoming, requests);
        }
        finally
        {
            // After a failure the library may still write to them; the process ends then.
            if (!_ended)
                NativeMemory.Free(requests);
        }
        BytesSent += sends.Sum(s => s.Bytes);
    }

    /// <summary>Gives every rank what all have, equally many bytes each.</summary>
    /// <returns>Those of rank 0, of rank 1 ….</returns>
    public byte[] Gather(ReadOnlySpan<byte> mine)
    {
        int each = mine.Length;
        byte[] all = new byte[each * Size];
        mine.CopyTo(all.AsSpan(Rank * each));
        fixed (byte* start = all)
        {
            nint address = (nint)start;
            int[] others = [.. Enumerable.Range(0, Size).Where(r => r != Rank)];
            Exchange(
                [.. others.Select(r => new Message(r, address + (Rank * each), each))],
                [.. others.Select(r => new Message(r, address + (r * each), each))]);
        }
        return all;
    }

    /// <summary>Ends MPI; all ranks do.</summary>
    public void Dispose()
    {
        if (_ended)
            return;
        _ended = true;
        _library.End();
    }

    /// <summary>Ends all ranks at once, after a failure of this one.</summary>
    public void Abort(int code)
    {
        if (!_ended)
            _library.Abort(code);
    }

    private static int Cut(IReadOnlyList<Message> messages, List<Message> pieces)
    {
        foreach (Message message in messages)
        {
            for (long start = 0; start < message.Bytes; start += LargestPiece)
                pieces.Add(new Message(message.Peer, message.Address + (nint)start, Math.Min(LargestPiece, message.Bytes - start)));
        }
        return pieces.Count;
    }

    private void Wait(List<Message> pieces, int incoming, nint* requests)
    {
        long start = Stopwatch.GetTimestamp();
        List<int> open = [.. Enumerable.Range(0, pieces.Count)];
        SpinWait spin = default;
        while (open.Count > 0)
        {
            open.RemoveAll(i => _library.Test(requests + i));
            if (open.Count == 0)
                break;
            if (Stopwatch.GetElapsedTime(start) > _timeout)
            {
                _ended = true;
                string[] late = [.. open.GroupBy(i => pieces[i].Peer).OrderBy(g => g.Key).Select(g => $"rank {g.Key} ({(g.Any(i => i < incoming) ? "has not sent" : "has not taken")} {g.Sum(i => pieces[i].Bytes):N0} bytes)")];
                throw new MpiException($"rank {Rank} has waited {_timeout.TotalSeconds:0} s for {string.Join(", ", late)}; look at what that process does, or lengthen the time-out.");
            }
            // Ranks may share a core: give it away soon, and sleep after a while.
            spin.SpinOnce(sleep1Threshold: 2000);
        }
        Waited += Stopwatch.GetElapsedTime(start);
    }

    /// <summary>Bytes to or from another rank.</summary>
    /// <param name="Peer">The other rank.</param>
    /// <param name="Address">Where the bytes lie, or are to lie.</param>
    /// <param name="Bytes">Their number.</param>
    internal readonly record struct Message(int Peer, nint Address, long Bytes);
}
