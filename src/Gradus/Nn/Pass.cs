using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// One run of a model over a batch: the <see cref="Inputs"/>, the random choices of training (<see cref="Noise"/>), the
/// <see cref="Cache"/> of earlier tokens, and whoever looks on (<see cref="Observer"/>). Attention goes through it, because it knows
/// where keys and values are.
/// </summary>
public sealed class Pass
{
    private readonly AttentionLayout? _sourceLayout;
    private readonly KeyValuePrefix? _prefix;
    private IReadOnlyList<SequenceAdapter?>? _adapters;
    private AdapterRows? _adapterRows;

    /// <summary>Prepares a run without a cache.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="workspace">Where the run's values live; start its tape first to train.</param>
    public Pass(TokenBatch batch, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(workspace);
        Workspace = workspace;
        Inputs = new PassInputs(batch, workspace);
        if (batch.Source is { } source)
        {
            Source = new Pass(source, workspace);
            _sourceLayout = new AttentionLayout(batch.Starts, source.Starts);
        }
    }

    /// <summary>A run over the tokens that a cache has been prepared for; used again for every step (<see cref="PassInputs.Set"/>).</summary>
    internal Pass(SequenceCache cache, Workspace workspace)
    {
        Cache = cache;
        Memory = cache.Memory;
        Workspace = workspace;
        Inputs = new PassInputs(cache, workspace);
    }

    // The same run over other inputs, or of another source.
    private Pass(Pass of, PassInputs inputs, Pass? source, KeyValuePrefix? prefix)
    {
        Workspace = of.Workspace;
        Inputs = inputs;
        Noise = of.Noise;
        Observer = of.Observer;
        Runner = of.Runner;
        RouterLogits = of.RouterLogits;
        Recompute = of.Recompute;
        Bias = of.Bias;
        _adapters = of._adapters;
        _prefix = prefix;
        Source = source;
        _sourceLayout = source is null ? null : new AttentionLayout(inputs.Starts, source.Inputs.Starts);
    }

    /// <summary>The same run with what an adapter puts before every sequence.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="vocabulary">The model's tokens, behind which the virtual ones are counted.</param>
    internal Pass Prepend(Prefix prefix, int vocabulary) =>
        new(this, Inputs.Prepend(prefix, vocabulary), Source, prefix as KeyValuePrefix);

    /// <summary>The same run of another encoder's run.</summary>
    internal Pass Reading(Pass source) => new(this, Inputs, source, _prefix);

    /// <summary>Whether the hidden states of virtual tokens are given too, before those of their sequence.</summary>
    public bool KeepsVirtualTokens { get; set; }

    /// <summary>Whether attention needs keys and values for themselves: to keep them, to put others before them, or to show them.</summary>
    internal bool NeedsKeys => Cache is not null || _prefix is not null || Observer is { WantsAttention: true };

    /// <summary>Where the run's values live.</summary>
    public Workspace Workspace { get; }

    /// <summary>Tokens, positions and sequences.</summary>
    public PassInputs Inputs { get; }

    /// <summary>Dropout and its like, in training.</summary>
    public PassNoise Noise { get; } = new();

    /// <summary>What the model keeps of earlier tokens, or null.</summary>
    public SequenceCache? Cache { get; }

    /// <summary>Who looks on, or null.</summary>
    public Observer? Observer { get; set; }

    /// <summary>Who runs the blocks in the model's stead, those of the encoder too, or null: they run one after the other.</summary>
    public BlockRunner? Runner
    {
        get;
        set
        {
            field = value;
            if (Source is { } source)
                source.Runner = value;
        }
    }

    /// <summary>Receives the router logits (N, E) of every sparse layer in turn (<see cref="LoadBalancing"/>); null where nobody wants them.</summary>
    public IList<Tensor>? RouterLogits { get; set; }

    /// <summary>
    /// For each sequence of <see cref="PassInputs.Layout"/> the adapter that it is run with, of those that are loaded beside each other on the model; null
    /// for none. Null where no sequence has one. The encoder's run has the same.
    /// </summary>
    public IReadOnlyList<SequenceAdapter?>? Adapters
    {
        get => _adapters;
        set
        {
            _adapters = value;
            _adapterRows = null;
            if (Source is not null)
                Source.Adapters = value;
        }
    }

    /// <summary>The adapters of the rows that layers are given now; null where no sequence has one. Set to those of the rows while a layer is given only some.</summary>
    internal AdapterRows? AdapterRows
    {
        get => _adapters is null ? null : _adapterRows ??= AdapterRows.Of(Layout, _adapters);
        set => _adapterRows = value;
    }

    /// <summary>Whether a block's activations are computed again in the backward pass rather than kept (Chen et al., 2016).</summary>
    public bool Recompute { get; set; }

    /// <summary>The encoder's run over the source sequences (encoder-decoder models without a cache), or null.</summary>
    public Pass? Source { get; }

    /// <summary>What the encoder made of this run's tokens, (N, C): set by the model when it has encoded them.</summary>
    public Tensor? Encoded { get; set; }

    /// <summary>Where recurrent layers begin and what they end with, or null: all begin with zeros.</summary>
    public RecurrentMemory? Memory { get; set; }

    /// <summary>Added to the scores of every layer that asks for it (T5's relative positions): set by the model, or null.</summary>
    public Tensor? Bias { get; set; }

    /// <inheritdoc cref="PassInputs.Ids"/>
    public Tensor Ids => Inputs.Ids;

    /// <inheritdoc cref="PassInputs.Positions"/>
    public Tensor Positions => Inputs.Positions;

    /// <inheritdoc cref="PassInputs.Layout"/>
    public AttentionLayout Layout => Inputs.Layout;

    /// <summary>Whether every token sees all others of its sequence where the model would only let it see those before it: a decoder that fills in masked tokens.</summary>
    public bool Bidirectional { get; set; }

    /// <summary>Whether dropout is on.</summary>
    public bool Training => Noise.IsOn;

    /// <summary>Turns dropout on.</summary>
    /// <param name="key">Names the step; the same key drops the same elements.</param>
    public void Train(ulong key)
    {
        Noise.Begin(key);
        Source?.Train(CounterRandom.Derive(key, "source"));
    }

    /// <inheritdoc cref="PassNoise.Dropout(Tensor, float)"/>
    public Tensor Dropout(Tensor x, float probability) => Noise.Dropout(x, probability);

    /// <summary>Attention of a layer: over the batch itself, or over the cache after this batch's keys and values were added to it.</summary>
    /// <param name="layer">The layer's number.</param>
    /// <param name="q">(N, H, D).</param>
    /// <param name="k">(N, Hkv, D).</param>
    /// <param name="v">(N, Hkv, D).</param>
    /// <param name="options">Scale and masks.</param>
    /// <param name="slopes">Linear position biases, or null.</param>
    /// <param name="dropout">Dropout of the probabilities in training.</param>
    /// <param name="bias">Added to the scores (<see cref="Tensor.Attention(Tensor, Tensor, AttentionLayout, AttentionOptions, Tensor?, Tensor?)"/>), or null.</param>
    /// <returns>(N, H·D).</returns>
    public Tensor Attend(
        int layer, Tensor q, Tensor k, Tensor v, AttentionOptions options, Tensor? slopes = null, float dropout = 0, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(q);
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(v);
        if (Cache?.Own is { } cache)
            (k, v) = cache.Append(layer, k, v);
        else if (_prefix is not null)
            (k, v) = _prefix.Before(layer, k, v, Layout);
        options = Directed(options);
        if (Observer is { WantsAttention: true })
            Observer.Attention(new ObservedAttention(layer, false, q, k, Layout, options, slopes, bias));
        return Heads(q.Attention(k, v, Layout, Noise.Dropout(options, dropout), slopes, bias));
    }

    /// <summary>Attention of a layer over the batch itself, with queries, keys and values side by side as one projection made them.</summary>
    /// <param name="projected">(N, (H + 2·Hkv)·D).</param>
    /// <param name="heads">What lies where in its rows.</param>
    /// <param name="options">Scale and masks.</param>
    /// <param name="slopes">Linear position biases, or null.</param>
    /// <param name="dropout">Dropout of the probabilities in training.</param>
    /// <returns>(N, H·D).</returns>
    public Tensor Attend(Tensor projected, FusedHeads heads, AttentionOptions options, Tensor? slopes = null, float dropout = 0)
    {
        ArgumentNullException.ThrowIfNull(projected);
        return Heads(projected.Attention(heads, Layout, Noise.Dropout(Directed(options), dropout), slopes));
    }

    private AttentionOptions Directed(AttentionOptions options) => Bidirectional ? options with { Causal = false } : options;

    /// <summary>Attention of a layer to all of the source: over its keys and values, which the cache keeps or which are computed here.</summary>
    /// <param name="layer">The decoder layer's number.</param>
    /// <param name="q">(N, H, D).</param>
    /// <param name="source">The layer's projections of what the encoder made.</param>
    /// <param name="scale">Factor of the scores.</param>
    /// <param name="dropout">Dropout of the probabilities in training.</param>
    /// <returns>(N, H·D).</returns>
    public Tensor AttendSource(int layer, Tensor q, ISourceAttention source, float scale, float dropout = 0)
    {
        ArgumentNullException.ThrowIfNull(q);
        ArgumentNullException.ThrowIfNull(source);
        AttentionOptions options = new(scale, Causal: false);
        (Tensor k, Tensor v) = Cache?.Source is { } cache ? cache.Pages(layer) : KeysAndValues(q.Workspace, source);
        AttentionLayout layout = Cache?.Source?.Layout ?? _sourceLayout!;
        if (Observer is { WantsAttention: true })
            Observer.Attention(new ObservedAttention(layer, true, q, k, layout, options, null, null));
        return Heads(q.Attention(k, v, layout, Noise.Dropout(options, dropout)));
    }

    // Projected from what the encoder made, whose rows are those of the source.
    private (Tensor Keys, Tensor Values) KeysAndValues(Workspace workspace, ISourceAttention source)
    {
        AdapterRows? own = AdapterRows;
        AdapterRows = Source!.AdapterRows;
        // The handle belongs to the block's own workspace: what is projected from it goes when the block is done, and is recorded there.
        (Tensor, Tensor) projected = source.KeysAndValues(workspace.Adopt(Source.Encoded!), this);
        AdapterRows = own;
        return projected;
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
        if (Runner is { } runner)
            return runner.Run(this, block, x);
        return x.Workspace.Tape is not null && !Recompute ? block.Forward(x, this) : Recomputation.Run(this, block, x);
    }

    // (N, H, D) → (N, H·D).
    private static Tensor Heads(Tensor y) => y.Reshape(y.Shape[0], y.Shape[1] * y.Shape[2]);
}

/// <summary>A part of a model that keeps the width: a repeated block, its attention, its feed-forward layer.</summary>
public interface IBlock
{
    /// <summary>(N, C) → (N, C).</summary>
    Tensor Forward(Tensor x, Pass pass);

    /// <summary>residual + dropout(the part of x). A part that ends in a linear layer lets that add (<see cref="Linear.AddTo"/>).</summary>
    /// <param name="residual">(N, C).</param>
    /// <param name="x">(N, C).</param>
    /// <param name="pass">The forward pass.</param>
    /// <param name="dropout">Dropout in training, in [0, 1).</param>
    Tensor AddTo(Tensor residual, Tensor x, Pass pass, float dropout)
    {
        ArgumentNullException.ThrowIfNull(residual);
        ArgumentNullException.ThrowIfNull(pass);
        return residual.Add(pass.Dropout(Forward(x, pass), dropout));
    }
}

/// <summary>The part of a decoder layer that looks at what the encoder made.</summary>
public interface ISourceAttention
{
    /// <summary>Keys and values of the source: (M, C) → (M, H, D) each.</summary>
    /// <param name="encoded">The encoder's output.</param>
    /// <param name="pass">The forward pass.</param>
    (Tensor Keys, Tensor Values) KeysAndValues(Tensor encoded, Pass pass);
}
