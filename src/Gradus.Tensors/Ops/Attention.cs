namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>Rotary position embedding (Su et al., "RoFormer", 2021): turns pairs of every head's values by the angle of its position.</summary>
    /// <param name="cos">(positions, R/2): cosines; R ≤ D values of each head are turned, the others stay.</param>
    /// <param name="sin">(positions, R/2): sines.</param>
    /// <param name="positions">(N), I32: the row of the tables for each token.</param>
    /// <param name="interleaved">Pairs are neighbours (2i, 2i + 1), as in GPT-J, rather than (i, i + R/2), as in Llama.</param>
    public Tensor Rotate(Tensor cos, Tensor sin, Tensor positions, bool interleaved = false)
    {
        ArgumentNullException.ThrowIfNull(cos);
        ArgumentNullException.ThrowIfNull(sin);
        ArgumentNullException.ThrowIfNull(positions);
        if (Shape.Rank != 3 || positions.Count != Shape[0] || cos.Shape.Rank != 2 || 2 * cos.Shape.Columns > Shape[2] || cos.Shape != sin.Shape)
            throw new ArgumentException($"Rotate: x {Shape} is (N, H, D), positions {positions.Shape} (N), cos {cos.Shape} and sin {sin.Shape} (positions, at most D/2).");
        foreach (int position in positions.Span<int>())
        {
            if ((uint)position >= (uint)cos.Shape[0])
                throw new ArgumentOutOfRangeException(nameof(positions), $"Rotate: position {position} is beyond the model's {cos.Shape[0]} positions; shorten the sequence.");
        }
        Tensor y = Workspace.Empty(Shape);
        Device.Rotate(new RotaryTask(this, cos, sin, positions, y, interleaved, Inverse: false));
        if (Workspace.Records(this))
            Workspace.Tape!.Record(y, new RotateNode(this, cos, sin, positions, interleaved));
        return y;
    }

    // A rotation's derivative is the rotation backwards.
    private sealed class RotateNode(Tensor x, Tensor cos, Tensor sin, Tensor positions, bool interleaved) : Node
    {
        public override void Backward(Tensor dy)
        {
            Tensor dx = dy.Workspace.Empty(x.Shape);
            dy.Device.Rotate(new RotaryTask(dy, cos, sin, positions, dx, interleaved, Inverse: true));
            x.AddGradient(dx);
        }
    }

    /// <summary>
    /// y = dropout(softmax(scale·q·kᵀ + masks))·v for every sequence and head (Vaswani et al., 2017), with grouped key/value heads
    /// (Ainslie et al., 2023); never holds a T×T matrix (Dao et al., "FlashAttention", 2022).
    /// </summary>
    /// <param name="k">(M, Hkv, D), Hkv dividing H; or pages (P, pageSize, Hkv, D) of a cache, which get no gradient.</param>
    /// <param name="v">(M, Hkv, D), or pages.</param>
    /// <param name="layout">Which rows belong together.</param>
    /// <param name="options">Scale, causality, window, soft cap and dropout.</param>
    /// <param name="slopes">(H): scores get slope · (key − query position) (ALiBi, Press et al., 2021), or null.</param>
    /// <param name="bias">
    /// Added to the scores (−∞ masks), or null: (H, queries, keys); or (H, 2R − 1), one value for each distance key − query position
    /// from −(R − 1) to R − 1 (T5's relative positions), where the last query stands at the last key.
    /// </param>
    /// <returns>(N, H, D).</returns>
    public Tensor Attention(Tensor k, Tensor v, AttentionLayout layout, AttentionOptions options, Tensor? slopes = null, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(v);
        ArgumentNullException.ThrowIfNull(layout);
        if (Shape.Rank != 3 || k.Shape.Rank < 3 || k.Shape[-1] != Shape[2] || Shape[1] % k.Shape[-2] != 0 || v.Shape.Rank != k.Shape.Rank || v.Shape[-2] != k.Shape[-2])
            throw new ArgumentException($"Attention: q {Shape} is (N, H, D); k {k.Shape} and v {v.Shape} are (M, Hkv, D), with Hkv dividing H.");
        if (layout.TotalQueries != Shape[0])
            throw new ArgumentException($"Attention: q {Shape} has {Shape[0]} rows, but the layout speaks of {layout.TotalQueries}.", nameof(layout));
        CheckKeys(k, v, layout);
        return Attend(k, v, fused: null, layout, options, slopes, bias);
    }

    /// <summary>Attention of queries to keys and values that lie beside them in the rows of this tensor, (N, (H + 2·Hkv)·D); no copy.</summary>
    /// <param name="heads">What lies where.</param>
    /// <param name="layout">Which rows belong together: every sequence attends to itself.</param>
    /// <param name="options">Scale, causality, window, soft cap and dropout.</param>
    /// <param name="slopes">As for separate keys, or null.</param>
    /// <param name="bias">As for separate keys, or null.</param>
    /// <returns>(N, H, D).</returns>
    public Tensor Attention(FusedHeads heads, AttentionLayout layout, AttentionOptions options, Tensor? slopes = null, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(layout);
        if (Shape.Rank != 2 || Shape.Columns != heads.Columns)
            throw new ArgumentException($"Attention: {heads} makes rows of {heads.Columns} values, but the tensor is {Shape}.", nameof(heads));
        if (layout.PageSize > 0 || layout.TotalQueries != Shape[0] || layout.TotalKeys != Shape[0])
            throw new ArgumentException($"Attention: the layout does not speak of the {Shape[0]} rows of {Shape} as queries and as keys.", nameof(layout));
        return Attend(this, this, heads, layout, options, slopes, bias);
    }

    private Tensor Attend(Tensor k, Tensor v, FusedHeads? fused, AttentionLayout layout, AttentionOptions options, Tensor? slopes, Tensor? bias)
    {
        if (options.Dropout is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.Dropout, "Attention: dropout is a probability in [0, 1).");
        int heads = fused?.Heads ?? Shape[1];
        CheckBiases(heads, layout, slopes, bias);
        Workspace w = Workspace.Innermost(this, k, v);
        Tensor y = w.Empty(new Shape(Shape[0], heads, fused?.Width ?? v.Shape[-1])), lse = w.Empty(new Shape(Shape[0], heads));
        AttentionTask task = new(this, k, v, y, lse, layout, options) { Slopes = slopes, Bias = bias, Precision = w.Precision, Fused = fused };
        w.Device.Attention(task);
        if (w.Records(this, k, v) || (bias is not null && w.Records(bias)))
            w.Tape!.Record(y, new AttentionNode(task));
        return y;
    }

    private static void CheckKeys(Tensor k, Tensor v, AttentionLayout layout)
    {
        if (layout.PageSize > 0)
        {
            if (k.Shape.Rank != 4 || k.Shape[1] != layout.PageSize || v.Shape[0] != k.Shape[0] || v.Shape[1] != k.Shape[1])
                throw new ArgumentException($"Attention: pages k {k.Shape} and v {v.Shape} are (P, {layout.PageSize}, Hkv, D).");
            layout.CheckPages(k.Shape[0]);
        }
        else if (k.Shape.Rank != 3 || k.Shape[0] != layout.TotalKeys || v.Shape[0] != layout.TotalKeys)
        {
            throw new ArgumentException($"Attention: k {k.Shape} and v {v.Shape} have not the {layout.TotalKeys} rows that the layout speaks of.", nameof(layout));
        }
    }

    private static void CheckBiases(int heads, AttentionLayout layout, Tensor? slopes, Tensor? bias)
    {
        if (slopes is not null && slopes.Count != heads)
            throw new ArgumentException($"Attention: {heads} heads, but slopes {slopes.Shape}.", nameof(slopes));
        if (bias is null)
            return;
        (int queries, int keys) = layout.Longest;
        if (bias.Shape.Rank == 2)
        {
            if (bias.Shape[0] != heads || bias.Shape[1] % 2 == 0 || bias.Shape[1] < (2 * Math.Max(queries, keys)) - 1)
                throw new ArgumentException($"Attention: the bias {bias.Shape} of distances is ({heads} heads, 2R − 1), with R at least the {queries} queries and the {keys} keys.", nameof(bias));
            return;
        }
        if (bias.Shape.Rank != 3 || bias.Shape[0] != heads || bias.Shape[1] < queries || bias.Shape[2] < keys)
            throw new ArgumentException($"Attention: the bias {bias.Shape} is ({heads} heads, at least {queries} queries, at least {keys} keys).", nameof(bias));
    }

    // P = softmax(S), M = dropout's factors, D = Σ dY·Y:  dV = (P∘M)ᵀ·dY,  dS = P∘(M∘(dY·Vᵀ) − D),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dbias = dS.
    private sealed class AttentionNode(AttentionTask task) : Node
    {
        public override void Backward(Tensor dy)
        {
            if (task.Layout.PageSize > 0)
                throw new InvalidOperationException("Attention: cached pages have no gradient; train without a cache.");
            Workspace w = dy.Workspace;
            bool fused = task.Fused is not null;
            Tensor dq = w.Empty(task.Q.Shape), dk = fused ? dq : w.Empty(task.K.Shape), dv = fused ? dq : w.Empty(task.V.Shape);
            Tensor? dBias = task.Bias is { NeedsGradient: true } ? w.Empty(task.Bias.Shape) : null;
            w.Device.AttentionGradient(new AttentionGradientTask(task, dy, dq, dk, dv) { DBias = dBias });
            task.Q.AddGradient(dq);
            if (!fused)
            {
                task.K.AddGradient(dk);
                task.V.AddGradient(dv);
            }
            if (dBias is not null)
                task.Bias!.AddGradient(dBias);
            task.LogSumExp.Detach();
        }
    }

    /// <summary>
    /// The probabilities of <see cref="Attention(Tensor, Tensor, AttentionLayout, AttentionOptions, Tensor?, Tensor?)"/> of one sequence, (H, queries, keys): to look at, not to compute with.
    /// </summary>
    public float[,,] AttentionMap(Tensor k, AttentionLayout layout, int sequence, AttentionOptions options, Tensor? slopes = null, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(layout);
        AttentionTask task = new(this, k, k, this, this, layout, options) { Slopes = slopes, Bias = bias };
        int queries = layout.QueryCount(sequence), keys = layout.KeyCount(sequence);
        float[,,] map = new float[Shape[1], queries, keys];
        for (int h = 0; h < Shape[1]; h++)
        {
            for (int i = 0; i < queries; i++)
            {
                double[] p = ReferenceDevice.Probabilities(task, sequence, i, h, out _);
                int first = options.Visible(i, queries, keys).First;
                for (int j = 0; j < p.Length; j++)
                    map[h, i, first + j] = (float)p[j];
            }
        }
        return map;
    }
}
