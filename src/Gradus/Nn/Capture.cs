using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>Copies of what a model computes on the way, for people who want to look inside.</summary>
public sealed class Capture
{
    private readonly List<float[]> _hidden = [];
    private readonly Dictionary<int, List<float[,,]>> _attention = [];
    private readonly Dictionary<int, List<float[,,]>> _sourceAttention = [];

    /// <summary>Whether attention maps are wanted; they take T×T memory for every head.</summary>
    public bool Attentions { get; init; }

    /// <summary>The input of the first block, then the output of every block (the last one after the final norm), each (N, C) row-major.</summary>
    public IReadOnlyList<float[]> HiddenStates => _hidden;

    /// <summary>For each layer, the probabilities (H, queries, keys) of every sequence.</summary>
    public IReadOnlyDictionary<int, List<float[,,]>> AttentionMaps => _attention;

    /// <summary>For each layer of a decoder, what every sequence sees of its source, (H, queries, keys).</summary>
    public IReadOnlyDictionary<int, List<float[,,]>> SourceAttentionMaps => _sourceAttention;

    internal void Hidden(Tensor x) => _hidden.Add(x.ToArray());

    /// <summary>Notes maps that a model computed itself: probabilities (H, queries, keys) of every sequence.</summary>
    internal void Attention(int layer, List<float[,,]> maps) => _attention[layer] = maps;

    internal void Attention(int layer, Tensor q, Tensor k, AttentionLayout layout, AttentionOptions options, Tensor? slopes, Tensor? bias)
    {
        if (Attentions)
            _attention[layer] = Maps(q, k, layout, options, slopes, bias);
    }

    internal void SourceAttention(int layer, Tensor q, Tensor k, AttentionLayout layout, AttentionOptions options)
    {
        if (Attentions)
            _sourceAttention[layer] = Maps(q, k, layout, options, null, null);
    }

    private static List<float[,,]> Maps(Tensor q, Tensor k, AttentionLayout layout, AttentionOptions options, Tensor? slopes, Tensor? bias) =>
        [.. Enumerable.Range(0, layout.Sequences).Select(s => q.AttentionMap(k, layout, s, options, slopes, bias))];
}
