using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// What <see cref="XLNet"/> keeps of the segments of some sequences that it has read: the input of every block (Dai et al.,
/// "Transformer-XL", 2019). A pass reads it and puts its own segment in. No gradient flows into it.
/// </summary>
public sealed class SegmentMemory
{
    private readonly List<float[]> _next = [];
    private float[][] _layers = [];
    private int[] _nextStarts = [0];
    private int _width;

    /// <summary>An empty memory, for the first segment.</summary>
    public SegmentMemory()
    {
    }

    /// <summary>A memory with given contents.</summary>
    /// <param name="layers">For each block, the rows of all sequences, row-major.</param>
    /// <param name="starts">Where each sequence begins in the rows, then their number: ascending from 0.</param>
    /// <param name="width">Values in a row.</param>
    public SegmentMemory(IReadOnlyList<float[]> layers, IReadOnlyList<int> starts, int width)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentNullException.ThrowIfNull(starts);
        if (starts.Count == 0 || starts[0] != 0 || starts.Zip(starts.Skip(1)).Any(p => p.First > p.Second) || layers.Any(l => l.Length != starts[^1] * width))
            throw new ArgumentException("Starts ascend from 0, and every layer has as many rows as the last one says.", nameof(starts));
        _layers = [.. layers];
        _width = width;
        Starts = [.. starts];
    }

    /// <summary>Where each sequence begins in a layer's rows, then their number.</summary>
    public IReadOnlyList<int> Starts { get; private set; } = [0];

    /// <summary>The sequences remembered; 0 before the first segment.</summary>
    public int Sequences => Starts.Count - 1;

    /// <summary>For each block, the remembered rows of all sequences, (<see cref="Length"/>, C) row-major.</summary>
    public IReadOnlyList<float[]> Layers => _layers;

    /// <summary>The tokens remembered, all sequences together.</summary>
    public int Length => Starts[^1];

    internal int Longest => Enumerable.Range(0, Sequences).Max(Count);

    /// <summary>The tokens remembered of a sequence.</summary>
    public int Count(int sequence) => Starts[sequence + 1] - Starts[sequence];

    // What a pass that failed has left is forgotten.
    internal void Begin() => _next.Clear();

    internal Tensor[] Tensors(Workspace workspace) => [.. _layers.Select(l => workspace.From(l, new Shape(Length, _width)))];

    // The memory of the next segment: of each sequence the last rows, old and new.
    internal void Remember(Tensor x, AttentionLayout layout, XLNetConfig config)
    {
        float[] rows = x.ToArray();
        float[]? old = Length > 0 ? _layers[_next.Count] : null;
        _width = x.Shape.Columns;
        List<float> kept = [];
        List<int> starts = [0];
        for (int s = 0; s < layout.Sequences; s++)
        {
            int oldCount = old is null ? 0 : Count(s);
            int newCount = config.ReuseLen is > 0 and int reuse ? Math.Min(reuse, layout.QueryCount(s)) : layout.QueryCount(s);
            int drop = config.MemLen is > 0 and int limit ? Math.Max(0, oldCount + newCount - limit) : 0;
            int oldDrop = Math.Min(drop, oldCount), newDrop = drop - oldDrop;
            if (oldCount > oldDrop)
                kept.AddRange(old.AsSpan((Starts[s] + oldDrop) * _width, (oldCount - oldDrop) * _width));
            kept.AddRange(rows.AsSpan((layout.QueryStart(s) + newDrop) * _width, (newCount - newDrop) * _width));
            starts.Add(kept.Count / _width);
        }
        _next.Add([.. kept]);
        _nextStarts = [.. starts];
    }

    internal void Advance()
    {
        _layers = [.. _next];
        Starts = _nextStarts;
        _next.Clear();
    }
}
