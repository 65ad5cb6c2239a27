using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>One run of a model over a batch: the inputs as tensors, the cache, and what is to be observed.</summary>
public sealed class Pass
{
    private ulong _key;
    private ulong _drawn;

    /// <summary>Prepares a run without a cache.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="workspace">Where the run's values live; start its tape first to train.</param>
    public Pass(TokenBatch batch, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(workspace);
        Workspace = workspace;
        Ids = workspace.From(batch.Ids);
        Positions = workspace.From(batch.Positions);
        Layout = new AttentionLayout(batch.Starts);
        foreach (int position in batch.Positions)
            LongestPosition = Math.Max(LongestPosition, position + 1);
    }

    /// <summary>A run over the tokens that a cache has been prepared for; used again for every step (<see cref="Begin"/>).</summary>
    internal Pass(KvCache cache, Workspace workspace)
    {
        Cache = cache;
        Layout = cache.Layout;
        Workspace = workspace;
        Ids = Positions = null!;
    }

    internal void Begin(ReadOnlySpan<int> ids, ReadOnlySpan<int> positions)
    {
        Ids = Workspace.From(ids);
        Positions = Workspace.From(positions);
        LongestPosition = 0;
        foreach (int position in positions)
            LongestPosition = Math.Max(LongestPosition, position + 1);
    }

    /// <summary>Where the run's values live.</summary>
    public Workspace Workspace { get; }

    /// <summary>(N), I32.</summary>
    public Tensor Ids { get; private set; }

    /// <summary>(N), I32: the position of every token in its sequence.</summary>
    public Tensor Positions { get; private set; }

    /// <summary>One more than the largest position.</summary>
    public int LongestPosition { get; private set; }

    /// <summary>Which tokens attend to which.</summary>
    public AttentionLayout Layout { get; }

    /// <summary>Keys and values of earlier tokens, or null.</summary>
    public KvCache? Cache { get; }

    /// <summary>Whether dropout is on.</summary>
    public bool Training { get; private set; }

    /// <summary>Whether a block's activations are computed again in the backward pass rather than kept (Chen et al., 2016).</summary>
    public bool Recompute { get; set; }

    /// <summary>What to observe on the way, or null.</summary>
    public Capture? Capture { get; set; }

    /// <summary>Turns dropout on.</summary>
    /// <param name="key">Names the step; the same key drops the same elements.</param>
    public void Train(ulong key)
    {
        Training = true;
        _key = key;
    }

    /// <summary>Dropout in training, else the input itself.</summary>
    public Tensor Dropout(Tensor x, float probability)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Training && probability > 0 ? x.Dropout(probability, CounterRandom.Derive(_key, _drawn++)) : x;
    }

    /// <summary>Attention of a layer: over the batch itself, or over the cache after this batch's keys and values were added to it.</summary>
    /// <param name="layer">The layer's number.</param>
    /// <param name="q">(N, H, D).</param>
    /// <param name="k">(N, Hkv, D).</param>
    /// <param name="v">(N, Hkv, D).</param>
    /// <param name="options">Scale and masks.</param>
    /// <param name="slopes">Linear position biases, or null.</param>
    /// <param name="dropout">Dropout of the probabilities in training.</param>
    /// <returns>(N, H·D).</returns>
    public Tensor Attend(int layer, Tensor q, Tensor k, Tensor v, AttentionOptions options, Tensor? slopes = null, float dropout = 0)
    {
        ArgumentNullException.ThrowIfNull(q);
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(v);
        if (Cache is { } cache)
            (k, v) = cache.Append(layer, k, v);
        Capture?.Attention(layer, q, k, Layout, options, slopes);
        if (dropout > 0 && Training)
            options = options with { Dropout = dropout, DropoutKey = CounterRandom.Derive(_key, _drawn++) };
        Tensor y = q.Attention(k, v, Layout, options, slopes);
        return y.Reshape(y.Shape[0], y.Shape[1] * y.Shape[2]);
    }

    /// <summary>
    /// Runs one block of a model in the way the pass asks for: recorded; recorded as a whole, to be computed again in the backward
    /// pass; or, without a tape, in a workspace of its own so that its intermediate values are gone when it is done.
    /// </summary>
    /// <param name="block">The block.</param>
    /// <param name="x">Its input.</param>
    public Tensor Run(IBlock block, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(block);
        ArgumentNullException.ThrowIfNull(x);
        Workspace w = x.Workspace;
        if (w.Tape is not null && !Recompute)
            return block.Forward(x, this);
        ulong drawn = _drawn;
        Tensor y;
        using (Workspace inner = w.OpenChild())
            y = w.Adopt(block.Forward(inner.Adopt(x), this));
        if (w.Tape is not null)
            w.Tape.Record(y, new RecomputeNode(this, block, x, drawn));
        return y;
    }

    // Runs the block again with a tape of its own, then passes dy back through that.
    private sealed class RecomputeNode(Pass pass, IBlock block, Tensor x, ulong drawn) : Node
    {
        public override void Backward(Tensor dy)
        {
            using Workspace inner = dy.Workspace.OpenChild();
            Tape tape = inner.StartTape();
            Tensor input = inner.Adopt(x);
            Tape.Watch(input);
            ulong last = pass._drawn;
            pass._drawn = drawn;
            Tensor y = block.Forward(input, pass);
            pass._drawn = last;
            tape.Backward(y, inner.Adopt(dy));
            if (x.NeedsGradient && input.Gradient is { } dx)
                x.AddGradient(x.Workspace.Adopt(dx));
        }
    }
}

/// <summary>A repeated part of a model.</summary>
public interface IBlock
{
    /// <summary>(N, C) → (N, C).</summary>
    Tensor Forward(Tensor x, Pass pass);
}
