using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>
/// Σ x·xᵀ over the inputs of linear layers, (in, in): the Hessian of a layer's squared output error, but for its factor. Layers that are given
/// one and the same input, as queries, keys and values are, share it.
/// </summary>
public sealed class InputHessians : Observer
{
    private readonly Dictionary<Linear, Linear> _leaders = [];
    private readonly Func<Linear, bool>? _wanted;
    private (Linear Leader, Tensor Input)? _last;

    /// <summary>Collects nothing yet.</summary>
    /// <param name="wanted">Which layers; all where null.</param>
    public InputHessians(Func<Linear, bool>? wanted = null) => _wanted = wanted;

    /// <summary>The sums, by the first of the layers that share one.</summary>
    public IReadOnlyDictionary<Linear, float[]> Sums => _sums;

    private readonly OrderedDictionary<Linear, float[]> _sums = [];

    /// <summary>The layers seen, in the order in which they first ran.</summary>
    public IReadOnlyList<Linear> Layers => _layers;

    private readonly List<Linear> _layers = [];

    /// <summary>The sum of a layer's inputs, (in, in); null where it was not seen.</summary>
    public float[]? Of(Linear linear) => _leaders.TryGetValue(linear, out Linear? leader) ? _sums[leader] : null;

    /// <summary>The layer with which a layer shares its input: the first of them.</summary>
    internal Linear LeaderOf(Linear linear) => _leaders[linear];

    /// <inheritdoc/>
    public override void LinearInput(Linear linear, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(linear);
        ArgumentNullException.ThrowIfNull(x);
        if (_wanted?.Invoke(linear) == false)
            return;
        bool shares = _last is { } last && ReferenceEquals(last.Input, x);
        if (_leaders.TryAdd(linear, shares ? _last!.Value.Leader : linear))
            _layers.Add(linear);
        Linear leader = _leaders[linear];
        _last = (leader, x);
        if (leader != linear)
            return;
        int columns = x.Shape.Columns;
        if (!_sums.TryGetValue(linear, out float[]? sum))
            _sums.Add(linear, sum = new float[columns * columns]);
        if (x.Count == 0)
            return;
        using Workspace inner = x.Workspace.OpenChild();
        Tensor rows = inner.Adopt(x).Reshape(checked((int)x.Shape.Rows), columns);
        System.Numerics.Tensors.TensorPrimitives.Add(sum, rows.MatMul(rows, transposeA: true).Values(), sum);
    }
}
