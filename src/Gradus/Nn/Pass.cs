using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>One run of a model over a batch: the inputs as tensors, the cache, and what is to be observed.</summary>
public sealed class Pass
{
    private readonly TokenBatch? _batch;
    private Tensor? _tokenTypes;
    private ulong _key;
    private ulong _drawn;
    private Tensor? _positionsByLength;
    private RotaryAngles? _angles;
    private readonly AttentionLayout? _sourceLayout;
    private RecurrentLayout? _timeMajor;
    private bool _isOrdered;

    /// <summary>Prepares a run without a cache.</summary>
    /// <param name="batch">The tokens.</param>
    /// <param name="workspace">Where the run's values live; start its tape first to train.</param>
    public Pass(TokenBatch batch, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(workspace);
        _batch = batch;
        Workspace = workspace;
        Ids = workspace.From(batch.Ids);
        Positions = workspace.From(batch.Positions);
        Layout = new AttentionLayout(batch.Starts);
        foreach (int position in batch.Positions)
            LongestPosition = Math.Max(LongestPosition, position + 1);
        if (batch.Source is { } source)
        {
            Source = new Pass(source, workspace);
            _sourceLayout = new AttentionLayout(batch.Starts, source.Starts);
        }
    }

    /// <summary>A run over the tokens that a cache has been prepared for; used again for every step (<see cref="Begin"/>).</summary>
    internal Pass(SequenceCache cache, Workspace workspace)
    {
        Cache = cache;
        Memory = cache.Memory;
        Layout = cache.Layout;
        Workspace = workspace;
        Ids = Positions = null!;
    }

    internal void Begin(ReadOnlySpan<int> ids, ReadOnlySpan<int> positions)
    {
        Ids = Workspace.From(ids);
        Positions = Workspace.From(positions);
        _positionsByLength = null;
        _angles = null;
        LongestPosition = 0;
        _isOrdered = false;
        foreach (int position in positions)
            LongestPosition = Math.Max(LongestPosition, position + 1);
    }

    /// <summary>Where the run's values live.</summary>
    public Workspace Workspace { get; }

    /// <summary>(N), I32.</summary>
    public Tensor Ids { get; private set; }

    /// <summary>(N), I32: the position of every token in its sequence.</summary>
    public Tensor Positions { get; private set; }

    /// <summary>Whether the batch says which part of its sequence every token belongs to.</summary>
    public bool HasTokenTypes => _batch?.TokenTypes is not null;

    /// <summary>(N), I32: the part of its sequence that every token belongs to; 0 where the batch does not say.</summary>
    public Tensor TokenTypes => _tokenTypes ??= _batch?.TokenTypes is { } types
        ? Workspace.From(types)
        : Workspace.Zeros(Ids.Shape, DType.I32);

    /// <summary>One more than the largest position.</summary>
    public int LongestPosition { get; private set; }

    /// <summary>Which tokens attend to which.</summary>
    public AttentionLayout Layout { get; }

    /// <summary>What the model keeps of earlier tokens, or null.</summary>
    public SequenceCache? Cache { get; }

    /// <summary>The encoder's run over the source sequences (encoder-decoder models without a cache), or null.</summary>
    public Pass? Source { get; }

    /// <summary>What the encoder made of this run's tokens, (N, C): set by the model when it has encoded them.</summary>
    public Tensor? Encoded { get; set; }

    /// <summary>Where recurrent layers begin and what they end with, or null: all begin with zeros.</summary>
    public RecurrentMemory? Memory { get; set; }

    /// <summary>The run's tokens in the order in which recurrent layers take them.</summary>
    public RecurrentLayout TimeMajor => _timeMajor is { } order && _isOrdered ? order : Order();

    private RecurrentLayout Order()
    {
        _isOrdered = true;
        return (_timeMajor ??= new RecurrentLayout()).Set(Layout);
    }

    /// <summary>Added to the scores of every layer that asks for it (T5's relative positions): set by the model, or null.</summary>
    public Tensor? Bias { get; set; }

    /// <summary>Whether dropout is on.</summary>
    public bool Training { get; private set; }

    /// <summary>Whether a block's activations are computed again in the backward pass rather than kept (Chen et al., 2016).</summary>
    public bool Recompute { get; set; }

    /// <summary>Receives the router logits (N, E) of every sparse layer in turn (<see cref="LoadBalancing"/>); null where nobody wants them.</summary>
    public IList<Tensor>? RouterLogits { get; set; }

    /// <summary>What to observe on the way, or null.</summary>
    public Capture? Capture { get; set; }

    /// <summary>
    /// (N), I32: the positions, with <paramref name="shortLimit"/> added to those of sequences that are longer. Without a cache the
    /// longest sequence of the pass speaks for all, as in transformers; with one each for itself, so that company changes nothing.
    /// </summary>
    internal Tensor PositionsByLength(int shortLimit)
    {
        if (_positionsByLength is not null)
            return _positionsByLength;
        Tensor positions = Workspace.Empty(Positions.Shape, DType.I32);
        ReadOnlySpan<int> from = Positions.Span<int>();
        Span<int> to = positions.Span<int>();
        for (int s = 0; s < Layout.Sequences; s++)
        {
            int length = LengthOf(s), start = Layout.QueryStart(s);
            for (int i = start; i < start + Layout.QueryCount(s); i++)
                to[i] = from[i] + (length > shortLimit ? shortLimit : 0);
        }
        return _positionsByLength = positions;
    }

    /// <summary>The longest of the pass's sequences when all that is known of them has been read, in tokens.</summary>
    internal int LongestSequence
    {
        get
        {
            int longest = 0;
            for (int s = 0; s < Layout.Sequences; s++)
                longest = Math.Max(longest, LengthOf(s));
            return longest;
        }
    }

    /// <summary>
    /// The angles of every token where frequencies depend on the length of its sequence, which is understood as for
    /// <see cref="PositionsByLength"/>. Keys in the cache stay as they were turned when they were new, as in transformers.
    /// </summary>
    internal RotaryAngles AnglesByLength(RotaryEmbedding rotary)
    {
        if (_angles?.Owner == rotary)
            return _angles;
        int[] lengths = new int[Positions.Count];
        for (int s = 0; s < Layout.Sequences; s++)
            lengths.AsSpan(Layout.QueryStart(s), Layout.QueryCount(s)).Fill(LengthOf(s));
        return _angles = rotary.Angles(Workspace, Positions.Span<int>(), lengths);
    }

    private int LengthOf(int sequence) => Cache?.Own?.FullLength(sequence) ?? LongestPosition;

    /// <summary>Turns dropout on.</summary>
    /// <param name="key">Names the step; the same key drops the same elements.</param>
    public void Train(ulong key)
    {
        Training = true;
        _key = key;
        Source?.Train(CounterRandom.Derive(key, "source"));
    }

    /// <summary>Whether <see cref="Dropout"/> drops anything.</summary>
    public bool Drops(float probability) => Training && probability > 0;

    /// <summary>Dropout in training, else the input itself.</summary>
    public Tensor Dropout(Tensor x, float probability)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Drops(probability) ? x.Dropout(probability, CounterRandom.Derive(_key, _drawn++)) : x;
    }

    /// <summary>Whether training leaves a block out this time (Fan et al., "Reducing Transformer Depth on Demand with Structured Dropout", 2019).</summary>
    /// <param name="probability">In [0, 1).</param>
    public bool Leaves(float probability) => Training && probability > 0 && CounterRandom.Uniform(CounterRandom.Derive(_key, _drawn++), 0) < probability;

    /// <summary>In training, every value multiplied by a number of its own from [1 − noise, 1 + noise) (Fedus et al., "Switch Transformers", 2021).</summary>
    public Tensor Jitter(Tensor x, float noise)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!Training || noise <= 0)
            return x;
        ulong key = CounterRandom.Derive(_key, _drawn++);
        Tensor factors = x.Workspace.Empty(x.Shape);
        Span<float> values = factors.Span();
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(1 + (noise * ((2 * CounterRandom.Uniform(key, i)) - 1)));
        return x.Multiply(factors);
    }

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
        Capture?.Attention(layer, q, k, Layout, options, slopes, bias);
        Tensor y = q.Attention(k, v, Layout, WithDropout(options, dropout), slopes, bias);
        return y.Reshape(y.Shape[0], y.Shape[1] * y.Shape[2]);
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
        Tensor y = projected.Attention(heads, Layout, WithDropout(options, dropout), slopes);
        return y.Reshape(y.Shape[0], y.Shape[1] * y.Shape[2]);
    }

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
        // The handle belongs to the block's own workspace: what is projected from it goes when the block is done, and is recorded there.
        (Tensor k, Tensor v) = Cache?.Source is { } cache ? cache.Pages(layer) : source.KeysAndValues(q.Workspace.Adopt(Source!.Encoded!), this);
        AttentionLayout layout = Cache?.Source?.Layout ?? _sourceLayout!;
        Capture?.SourceAttention(layer, q, k, layout, options);
        Tensor y = q.Attention(k, v, layout, WithDropout(options, dropout));
        return y.Reshape(y.Shape[0], y.Shape[1] * y.Shape[2]);
    }

    private AttentionOptions WithDropout(AttentionOptions options, float dropout) =>
        dropout > 0 && Training ? options with { Dropout = dropout, DropoutKey = CounterRandom.Derive(_key, _drawn++) } : options;

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
        int routed = RouterLogits?.Count ?? 0;
        Tensor y;
        using (Workspace inner = w.OpenChild())
        {
            y = w.Adopt(block.Forward(inner.Adopt(x), this));
            for (int i = routed; i < RouterLogits?.Count; i++)
                RouterLogits[i] = w.Adopt(RouterLogits[i]);
        }
        if (w.Tape is not null)
        {
            Tensor[] logits = RouterLogits is null ? [] : [.. RouterLogits.Skip(routed)];
            Array.ForEach(logits, Tape.Watch);
            w.Tape.Record(y, new RecomputeNode(this, block, x, drawn, logits));
        }
        return y;
    }

    // Runs the block again with a tape of its own, then passes dy back through that. The router logits are outputs too: whatever
    // depends on them was recorded after the block, so their gradients are whole by now.
    private sealed class RecomputeNode(Pass pass, IBlock block, Tensor x, ulong drawn, Tensor[] logits) : Node
    {
        public override void Backward(Tensor dy)
        {
            using Workspace inner = dy.Workspace.OpenChild();
            Tape tape = inner.StartTape();
            Tensor input = inner.Adopt(x);
            Tape.Watch(input);
            (ulong last, IList<Tensor>? collected) = (pass._drawn, pass.RouterLogits);
            List<Tensor> again = [];
            (pass._drawn, pass.RouterLogits) = (drawn, again);
            Tensor y = block.Forward(input, pass);
            (pass._drawn, pass.RouterLogits) = (last, collected);
            for (int i = 0; i < logits.Length; i++)
            {
                if (logits[i].Gradient is { } gradient)
                    again[i].AddGradient(inner.Adopt(gradient));
            }
            tape.Backward(y, inner.Adopt(dy));
            if (x.NeedsGradient && input.Gradient is { } dx)
                x.AddGradient(x.Workspace.Adopt(dx));
        }
    }
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
