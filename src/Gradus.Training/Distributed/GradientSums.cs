using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Training.Distributed;

/// <summary>
/// The gradients of a step's leaves, summed along <see cref="SumTree"/> as they come: at most log₂ L + 1 copies of all gradients are kept.
/// </summary>
public sealed unsafe class GradientSums : IDisposable
{
    private const int Piece = 1 << 16;
    private readonly Parameter[] _parameters;
    private readonly long[] _offsets;
    private readonly int _leaves;
    private readonly List<Node> _nodes = [];
    private readonly Stack<nint> _free = new();

    /// <summary>Prepares for the gradients of parameters.</summary>
    /// <param name="parameters">The parameters that are trained.</param>
    /// <param name="leaves">The leaves of a step, over all ranks.</param>
    public GradientSums(IReadOnlyList<Parameter> parameters, int leaves)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _parameters = [.. parameters];
        _leaves = leaves;
        _offsets = new long[_parameters.Length];
        for (int p = 0; p < _parameters.Length; p++)
        {
            _offsets[p] = Length;
            Length += _parameters[p].Shape.Count;
        }
    }

    /// <summary>The number of elements of all gradients.</summary>
    public long Length { get; }

    /// <summary>The number of parameters.</summary>
    internal int ParameterCount => _parameters.Length;

    /// <summary>The sums so far, from left to right.</summary>
    internal IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>Takes the gradients that the parameters have, as those of one leaf, and clears them. Leaves come in ascending order.</summary>
    /// <param name="leaf">The leaf's number among those of all ranks.</param>
    public void Take(int leaf)
    {
        nint values = _free.Count > 0 ? _free.Pop() : (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(1, Length) * sizeof(float), 64);
        byte[] has = new byte[_parameters.Length];
        for (int p = 0; p < _parameters.Length; p++)
        {
            Span<float> place = new((float*)values + _offsets[p], checked((int)_parameters[p].Shape.Count));
            if (_parameters[p].Gradient is { } gradient)
            {
                gradient.Values().CopyTo(place);
                has[p] = 1;
            }
            else
            {
                place.Clear();
            }
            _parameters[p].ClearGradient();
        }
        _nodes.Add(new Node(leaf, leaf + 1, values, has));
        while (_nodes.Count > 1 && SumTree.AreSiblings(_nodes[^2].First, _nodes[^2].End, _nodes[^1].End, _leaves))
            Join();
    }

    /// <summary>Gives the sum over all leaves to the parameters, where this process took all of them.</summary>
    /// <exception cref="InvalidOperationException">It did not.</exception>
    public void Finish()
    {
        if (_nodes is not [{ First: 0 } root] || root.End != _leaves)
            throw new InvalidOperationException($"The gradients of some of the {_leaves} leaves are missing.");
        Finish(root);
    }

    /// <summary>Gives a node's values to the parameters as their gradients, and forgets all nodes. A parameter that no leaf has a gradient of gets none.</summary>
    internal void Finish(Node sum)
    {
        for (int p = 0; p < _parameters.Length; p++)
        {
            if (sum.Has[p] != 0)
                new ReadOnlySpan<float>((float*)sum.Values + _offsets[p], (int)_parameters[p].Shape.Count).CopyTo(_parameters[p].OverwriteGradient());
        }
        Clear();
    }

    /// <summary>Forgets what was taken, after a step that failed.</summary>
    public void Clear()
    {
        foreach (Node node in _nodes)
            _free.Push(node.Values);
        _nodes.Clear();
    }

    /// <summary>to[i] += from[i].</summary>
    internal static void Add(float* to, float* from, long count) => Parallel.For(0, (int)((count + Piece - 1) / Piece), i =>
    {
        long start = (long)i * Piece;
        int length = (int)Math.Min(Piece, count - start);
        Span<float> sum = new(to + start, length);
        TensorPrimitives.Add(sum, new ReadOnlySpan<float>(from + start, length), sum);
    });

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        Clear();
        while (_free.TryPop(out nint values))
            NativeMemory.AlignedFree((void*)values);
    }

    private void Join()
    {
        Node left = _nodes[^2], right = _nodes[^1];
        Add((float*)left.Values, (float*)right.Values, Length);
        for (int p = 0; p < left.Has.Length; p++)
            left.Has[p] |= right.Has[p];
        _free.Push(right.Values);
        _nodes.RemoveAt(_nodes.Count - 1);
        _nodes[^1] = left with { End = right.End };
    }

    /// <summary>The sum over the leaves [first, end).</summary>
    /// <param name="First">Its first leaf.</param>
    /// <param name="End">The leaf after its last.</param>
    /// <param name="Values">All gradients, one parameter after the other.</param>
    /// <param name="Has">1 for each parameter that a leaf has a gradient of.</param>
    internal readonly record struct Node(int First, int End, nint Values, byte[] Has);
}
