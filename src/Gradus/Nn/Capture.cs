using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>Copies of what a model computes on the way, for people who want to look inside.</summary>
public sealed class Capture : Observer
{
    private readonly List<float[]> _hidden = [];
    private readonly Dictionary<int, List<float[,,]>> _attention = [];
    private readonly Dictionary<int, List<float[,,]>> _sourceAttention = [];

    /// <summary>Whether attention maps are wanted; they take T×T memory for every head.</summary>
    public bool Attentions { get; init; }

    /// <inheritdoc/>
    public override bool WantsAttention => Attentions;

    /// <summary>The input of the first block, then the output of every block (the last one after the final norm), each (N, C) row-major.</summary>
    public IReadOnlyList<float[]> HiddenStates => _hidden;

    /// <summary>For each layer, the probabilities (H, queries, keys) of every sequence.</summary>
    public IReadOnlyDictionary<int, List<float[,,]>> Maps => _attention;

    /// <summary>For each layer of a decoder, what every sequence sees of its source, (H, queries, keys).</summary>
    public IReadOnlyDictionary<int, List<float[,,]>> SourceMaps => _sourceAttention;

    /// <inheritdoc/>
    public override void Hidden(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        _hidden.Add(x.ToArray());
    }

    internal override void Attention(in ObservedAttention attention)
    {
        ObservedAttention a = attention;
        (a.ToSource ? _sourceAttention : _attention)[a.Layer] =
            [.. Enumerable.Range(0, a.Layout.Sequences).Select(s => a.Q.AttentionMap(a.K, a.Layout, s, a.Options, a.Slopes, a.Bias))];
    }

    internal override void AttentionMaps(int layer, List<float[,,]> maps) => _attention[layer] = maps;
}
