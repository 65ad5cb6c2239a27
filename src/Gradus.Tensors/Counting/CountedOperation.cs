using System.Diagnostics;

namespace Gradus.Tensors.Counting;

/// <summary>An operation on tensors of certain shapes, and how often a computation asked for it.</summary>
public sealed class CountedOperation
{
    // More than the last cache of a processor holds: in a model the operands of an operation come from memory as well.
    private const long ColdBytes = 64L << 20;
    private const int MostCopies = 16;

    private readonly (Shape Shape, DType Type)?[] _tensors;
    private readonly Action<Device, Tensor?[]> _replay;
    private readonly Action<Tensor?[]>? _prepare;

    internal CountedOperation(string name, double flops, (Shape Shape, DType Type)?[] tensors, Action<Device, Tensor?[]> replay, Action<Tensor?[]>? prepare)
    {
        (Name, Flops, _tensors, _replay, _prepare) = (name, flops, tensors, replay, prepare);
    }

    /// <summary>What kind of operation: product, attention, norm …</summary>
    public string Name { get; }

    /// <summary>Multiplications and additions of products and attention, each counted as one; 0 for all else.</summary>
    public double Flops { get; }

    /// <summary>How often it was asked for.</summary>
    public long Count { get; internal set; }

    /// <summary>Bytes of its operands and results.</summary>
    public long Bytes => _tensors.Sum(t => t is { } given ? given.Shape.Count * given.Type.Size() : 0);

    /// <summary>Runs it on a device, on zeros, and takes the time: the median of some runs, each on operands that are not in the cache.</summary>
    /// <param name="device">The device.</param>
    /// <param name="seconds">About how long to measure; it runs three times at least, twice where it takes long.</param>
    /// <returns>Seconds that one takes.</returns>
    public double Measure(Device device, double seconds = 0.03)
    {
        ArgumentNullException.ThrowIfNull(device);
        using Workspace workspace = new(device);
        int copies = (int)Math.Clamp(ColdBytes / Math.Max(1, Bytes), 1, MostCopies);
        Tensor?[][] operands = [.. Enumerable.Range(0, copies).Select(_ => Make(workspace))];
        _replay(device, operands[0]);
        List<double> times = [];
        double total = 0;
        for (int i = 1; times.Count < 2 || (total < seconds && times.Count < 1000) || (times.Count < 3 && total < 20 * seconds); i++)
        {
            long start = Stopwatch.GetTimestamp();
            _replay(device, operands[i % copies]);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            total += times[^1];
        }
        times.Sort();
        return times[times.Count / 2];
    }

    private Tensor?[] Make(Workspace workspace)
    {
        Tensor?[] made = [.. _tensors.Select(t => t is { } given ? workspace.Zeros(given.Shape, given.Type) : null)];
        _prepare?.Invoke(made);
        return made;
    }
}
