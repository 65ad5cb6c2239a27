using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Attention by content, distance and segment (Dai et al., "Transformer-XL", 2019; Yang et al., "XLNet", 2019):
/// score(i, j) = (qᵢ + w)·kⱼ + (qᵢ + r)·R(i − j) + (qᵢ + s)·e(i, j), where R projects sines of the distance and e is one of two
/// vectors: same segment or not. Both streams ask, the content stream answers.
/// </summary>
/// <remarks>
/// Composed of products and a softmax, so scores and distances take memory of S·H·T·T values: sequences lie side by side
/// as long as the longest, because one product serves all.
/// </remarks>
internal sealed class XLNetAttention(XLNetConfig config, int layer, Scope scope)
{
    private readonly int _heads = config.NHead;
    private readonly int _width = config.HeadWidth;
    private readonly Linear _query = Project(scope, "q", config, WeightLayout.InOut);
    private readonly Linear _key = Project(scope, "k", config, WeightLayout.InOut);
    private readonly Linear _value = Project(scope, "v", config, WeightLayout.InOut);
    private readonly Linear _output = Project(scope, "o", config, WeightLayout.OutIn);
    private readonly Linear _distance = Project(scope, "r", config, WeightLayout.InOut);
    private readonly Parameter _distanceBias = scope.Parameter("r_r_bias", new Shape(config.NHead, config.HeadWidth), config.Init);
    private readonly Parameter _segmentBias = scope.Parameter("r_s_bias", new Shape(config.NHead, config.HeadWidth), config.Init);
    private readonly Parameter _contentBias = scope.Parameter("r_w_bias", new Shape(config.NHead, config.HeadWidth), config.Init);
    private readonly Parameter _segments = scope.Parameter("seg_embed", new Shape(2, config.NHead, config.HeadWidth), config.Init);

    /// <summary>(N + P, C) → (N + P, C): the content stream's rows, then the query stream's.</summary>
    public Tensor Forward(Tensor x, XLNetSegment segment, Pass pass)
    {
        Workspace w = x.Workspace;
        int batch = _heads * segment.Sequences, queries = segment.Queries, tokens = segment.Longest, memory = segment.LongestMemory;
        Tensor content = x.Rows(0, segment.Tokens), q = _query.Forward(x, pass);
        Tensor own = Spread(_key.Forward(content, pass), segment.KeyPlaces).Reshape(batch, tokens, _width);        // (H·S, T, D)
        Tensor? old = segment.Memory(layer) is { } remembered ? w.Adopt(remembered) : null;                          // (M, C)
        Tensor? oldKeys = old is null ? null : Spread(_key.Forward(old, pass), segment.MemoryPlaces).Reshape(batch, memory, _width);

        Tensor asked = Ask(q, _contentBias, segment).Reshape(batch, queries, _width);                                // (H·S, Q, D)
        Tensor scores = Join(oldKeys is null ? null : asked.MatMul(oldKeys, transposeB: true), asked.MatMul(own, transposeB: true));
        scores = scores.Add(Distances(q, segment, w, pass).Reshape(batch, queries, memory + tokens));               // (H·S, Q, K)
        if (segment.SameSegment is not null)
            scores = scores.Add(Segments(q, segment, w).Reshape(batch, queries, memory + tokens));
        scores = scores.Scale(1f / MathF.Sqrt(_width)).Reshape(_heads, checked((int)(scores.Count / _heads))).Add(segment.Mask);
        Tensor p = scores.Reshape(batch, queries, memory + tokens).Softmax();
        if (pass.Observer is { WantsAttention: true } observer)
            observer.AttentionMaps(layer, segment.Maps(p, _heads));
        p = pass.Dropout(p, config.Dropout);

        Tensor values = Spread(_value.Forward(content, pass), segment.KeyPlaces).Reshape(batch, tokens, _width);
        Tensor y = p.Columns(memory, tokens).MatMul(values);                                                         // (H·S, Q, D)
        if (old is not null)
            y = y.Add(p.Columns(0, memory).MatMul(Spread(_value.Forward(old, pass), segment.MemoryPlaces).Reshape(batch, memory, _width)));
        return _output.Forward(y.Reshape(batch * queries, _width).Gather(segment.Answers).Reshape(x.Shape[0], _heads * _width), pass);
    }

    // (qᵢ + r)·R(i − j): over all distances first, then each row shifted so that its columns count keys.
    private Tensor Distances(Tensor q, XLNetSegment segment, Workspace w, Pass pass)
    {
        int distances = segment.Longest + segment.LongestMemory + segment.Longest, rows = _heads * segment.Sequences * segment.Streams;
        Tensor r = _distance.Forward(w.Adopt(segment.Distances), pass).Reshape(distances, _heads, _width).SwapAxes();    // (H, L, D)
        Tensor all = Ask(q, _distanceBias, segment).Reshape(_heads, segment.Sequences * segment.Queries, _width).MatMul(r, transposeB: true);
        // Row i of T holds what belongs T − i columns further right: without the first T values, rows of L − 1 begin where they should.
        return all.Reshape(rows, segment.Longest * distances)
            .Columns(segment.Longest, segment.Longest * (distances - 1))
            .Reshape(rows * segment.Longest, distances - 1)
            .Columns(0, segment.LongestMemory + segment.Longest);
    }

    // (qᵢ + s)·e(i, j): both values of every query, and for every key the one that holds.
    private Tensor Segments(Tensor q, XLNetSegment segment, Workspace w)
    {
        int rows = segment.Sequences * segment.Queries;
        Tensor both = Ask(q, _segmentBias, segment).Reshape(_heads, rows, _width).MatMul(w.Adopt(_segments.Value).SwapAxes(), transposeB: true);
        return both.SwapAxes().MatMul(segment.SameSegment!).SwapAxes();         // (S·Q, H, 2) × (S·Q, 2, K) → (H, S·Q, K)
    }

    // Queries with a bias, at the places of the rectangle: (H·S·Q, D).
    private Tensor Ask(Tensor q, Parameter bias, XLNetSegment segment) => Spread(q.Add(bias.Value), segment.QueryPlaces);

    // (rows, H·D) → (places, D).
    private Tensor Spread(Tensor x, Tensor places) => x.Reshape(x.Shape[0] * _heads, _width).Gather(places);

    private static Tensor Join(Tensor? left, Tensor right) => left?.Append(right) ?? right;

    private static Linear Project(Scope scope, string name, XLNetConfig config, WeightLayout layout) =>
        scope.Projection(name, new Shape(config.DModel, config.NHead, config.HeadWidth), config.Init, layout);
}
