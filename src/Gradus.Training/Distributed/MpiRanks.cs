using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Training.Distributed;

/// <summary>
/// The ranks of a launch by MPI (data parallel). Every rank has the whole model and takes contiguous leaves of each step. Gradients are summed
/// along the tree of leaves: each rank gets a part of all subtrees' sums, adds them in the tree's order and gives the result to all, which moves the
/// bytes of a ring and gives the same bits on any number of ranks. With <see cref="SharesOptimizerState"/> each keeps the
/// optimizer's state of its own parameters only (ZeRO stage 1: Rajbhandari et al., 2020).
/// </summary>
public sealed unsafe class MpiRanks : RankGroup, IDisposable
{
    private readonly MpiWorld _world;
    private nint _received;
    private long _receivedBytes;

    private MpiRanks(MpiWorld world, int leaves, bool sharesOptimizerState)
        : base(leaves)
    {
        _world = world;
        SharesOptimizerState = sharesOptimizerState;
    }

    /// <inheritdoc/>
    public override int Rank => _world.Rank;

    /// <inheritdoc/>
    public override int Count => _world.Size;

    /// <inheritdoc/>
    public override bool SharesOptimizerState { get; }

    /// <summary>Bytes that this rank has sent.</summary>
    public long BytesSent => _world.BytesSent;

    /// <summary>Time that this rank has waited for others.</summary>
    public TimeSpan Waited => _world.Waited;

    /// <summary>Joins the launch that this process is a part of.</summary>
    /// <param name="launch">What the launcher says.</param>
    /// <param name="leaves">The leaves of a step: the most ranks that can share it.</param>
    /// <param name="sharesOptimizerState">Whether each rank keeps the optimizer's state of its own parameters only.</param>
    /// <param name="timeout">How long a rank may not answer; ten minutes where null.</param>
    /// <exception cref="MpiException">There are more ranks than leaves, or MPI cannot be used; one line that says why.</exception>
    public static MpiRanks Join(MpiLaunch launch, int leaves, bool sharesOptimizerState = false, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(launch);
        ArgumentOutOfRangeException.ThrowIfLessThan(leaves, 1);
        MpiWorld world = MpiWorld.Join(launch, timeout ?? TimeSpan.FromMinutes(10));
        if (world.Size <= leaves)
            return new MpiRanks(world, leaves, sharesOptimizerState);
        int ranks = world.Size;
        world.Dispose();
        throw new MpiException($"{ranks} ranks cannot share steps of {leaves} leaves; set training.leaves to {ranks} or more, or start fewer.");
    }

    /// <inheritdoc/>
    public override void Sum(Span<double> values)
    {
        byte[] lengths = _world.Gather(BitConverter.GetBytes(values.Length));
        for (int r = 0; r < Count; r++)
        {
            int theirs = BitConverter.ToInt32(lengths, r * sizeof(int));
            if (theirs != values.Length)
                throw new MpiException($"rank {r} has {theirs} numbers to sum, rank {Rank} {values.Length}: the ranks do not do the same; start all with the same recipe and version.");
        }
        ReadOnlySpan<double> all = MemoryMarshal.Cast<byte, double>(_world.Gather(MemoryMarshal.AsBytes(values)));
        int count = values.Length;
        values.Clear();
        for (int i = 0; i < all.Length; i++)
            values[i % count] += all[i];
    }

    /// <inheritdoc/>
    public override double[] Sum(IReadOnlyList<double[]> leaves)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        int width = leaves[0].Length, most = (Leaves + Count - 1) / Count;
        double[] mine = new double[most * width];
        for (int l = 0; l < leaves.Count; l++)
            leaves[l].CopyTo(mine, l * width);
        double[] all = MemoryMarshal.Cast<byte, double>(_world.Gather(MemoryMarshal.AsBytes(mine.AsSpan()))).ToArray();
        List<double[]> values = [];
        for (int r = 0; r < Count; r++)
        {
            (int first, int end) = LeavesOf(r);
            for (int l = 0; l < end - first; l++)
                values.Add(all.AsSpan((r * mine.Length) + (l * width), width).ToArray());
        }
        return SumTree.Sum(values);
    }

    /// <inheritdoc/>
    public override void SumGradients(GradientSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        if (Count == 1)
        {
            sums.Finish();
            return;
        }
        List<(int First, int End)>[] roots = [.. Enumerable.Range(0, Count).Select(r => SumTree.Roots(LeavesOf(r).First, LeavesOf(r).End, Leaves))];
        if (!sums.Nodes.Select(n => (n.First, n.End)).SequenceEqual(roots[Rank]))
            throw new InvalidOperationException($"Rank {Rank} has not taken its leaves.");
        long length = sums.Length;
        float* part = SumOwnPart(sums, roots, length);
        GradientSums.Node total = sums.Nodes[0];
        (long start, long end) = PartOf(Rank, length);
        if (part != (float*)total.Values + start)
            Buffer.MemoryCopy(part, (float*)total.Values + start, (end - start) * sizeof(float), (end - start) * sizeof(float));
        ShareParts(total.Values, length);
        byte[] has = _world.Gather([.. Enumerable.Range(0, sums.ParameterCount).Select(p => (byte)(sums.Nodes.Any(n => n.Has[p] != 0) ? 1 : 0))]);
        for (int i = 0; i < has.Length; i++)
            total.Has[i % sums.ParameterCount] |= has[i];
        sums.Finish(total);
    }

    /// <inheritdoc/>
    public override void SumGradients(IReadOnlyList<Parameter> parameters)
    {
        using GradientSums sums = new(parameters, Leaves);
        sums.Take(LeavesOf(Rank).First);
        SumGradients(sums);
    }

    /// <inheritdoc/>
    public override void ShareParameters(IReadOnlyList<Parameter> parameters, IReadOnlyList<int> owners)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(owners);
        List<MpiWorld.Message> sends = [], receives = [];
        for (int p = 0; p < parameters.Count; p++)
        {
            Tensor value = parameters[p].Value;
            long bytes = value.Count * sizeof(float);
            fixed (float* start = value.Span())
            {
                // Tensors lie in unmanaged memory, which stays where it is.
                nint address = (nint)start;
                if (owners[p] == Rank)
                    sends.AddRange(Others().Select(r => new MpiWorld.Message(r, address, bytes)));
                else
                    receives.Add(new MpiWorld.Message(owners[p], address, bytes));
            }
        }
        _world.Exchange(sends, receives);
        for (int p = 0; p < parameters.Count; p++)
        {
            if (owners[p] != Rank)
                parameters[p].MarkChanged();
        }
    }

    /// <summary>Ends all ranks at once, after a failure of this one that the others would wait for.</summary>
    /// <param name="code">The exit code of the launch.</param>
    public void Abort(int code) => _world.Abort(code);

    /// <summary>Leaves the launch; all ranks do.</summary>
    public void Dispose()
    {
        _world.Dispose();
        NativeMemory.AlignedFree((void*)_received);
        _received = 0;
    }

    // This rank's part of the sum over all leaves. Other ranks' subtrees come into a buffer, its own are where they are.
    private float* SumOwnPart(GradientSums sums, List<(int First, int End)>[] roots, long length)
    {
        (long start, long end) = PartOf(Rank, length);
        long count = end - start;
        Reserve(count * sizeof(float) * Others().Sum(r => roots[r].Count));
        List<MpiWorld.Message> sends = [], receives = [];
        List<(int First, int End, nint Values)> pieces = [];
        nint place = _received;
        for (int r = 0; r < Count; r++)
        {
            (long theirStart, long theirEnd) = PartOf(r, length);
            for (int k = 0; k < roots[r].Count; k++)
            {
                if (r == Rank)
                {
                    pieces.Add((roots[r][k].First, roots[r][k].End, (nint)((float*)sums.Nodes[k].Values + start)));
                    continue;
                }
                receives.Add(new MpiWorld.Message(r, place, count * sizeof(float)));
                pieces.Add((roots[r][k].First, roots[r][k].End, place));
                place += (nint)(count * sizeof(float));
            }
            if (r != Rank)
                sends.AddRange(sums.Nodes.Select(n => new MpiWorld.Message(r, (nint)((float*)n.Values + theirStart), (theirEnd - theirStart) * sizeof(float))));
        }
        _world.Exchange(sends, receives);
        List<(int First, int End, nint Values)> stack = [];
        foreach ((int First, int End, nint Values) piece in pieces)
        {
            stack.Add(piece);
            while (stack.Count > 1 && SumTree.AreSiblings(stack[^2].First, stack[^2].End, stack[^1].End, Leaves))
            {
                GradientSums.Add((float*)stack[^2].Values, (float*)stack[^1].Values, count);
                stack[^2] = stack[^2] with { End = stack[^1].End };
                stack.RemoveAt(stack.Count - 1);
            }
        }
        return (float*)stack[0].Values;
    }

    private void ShareParts(nint values, long length)
    {
        (long start, long end) = PartOf(Rank, length);
        _world.Exchange(
            [.. Others().Select(r => new MpiWorld.Message(r, values + (nint)(start * sizeof(float)), (end - start) * sizeof(float)))],
            [.. Others().Select(r => new MpiWorld.Message(r, values + (nint)(PartOf(r, length).Start * sizeof(float)), (PartOf(r, length).End - PartOf(r, length).Start) * sizeof(float)))]);
    }

    private (long Start, long End) PartOf(int rank, long length) => ((long)((Int128)length * rank / Count), (long)((Int128)length * (rank + 1) / Count));

    private IEnumerable<int> Others() => Enumerable.Range(0, Count).Where(r => r != Rank);

    private void Reserve(long bytes)
    {
        if (bytes <= _receivedBytes)
            return;
        NativeMemory.AlignedFree((void*)_received);
        _received = (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        _receivedBytes = bytes;
    }
}
