using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// What an encoder-decoder model keeps: keys and values of the target's tokens, which grow, and those of the source, which are computed
/// once, in the first step that a sequence takes part in. Sequences that began as one share both.
/// </summary>
public sealed class EncoderDecoderCache : SequenceCache
{
    /// <summary>Source tokens that are encoded at once; a longer source is encoded alone.</summary>
    private const int EncodedAtOnce = 4096;

    private readonly EncoderDecoderModel _model;
    private readonly int _layers;
    private readonly KvCache _own;
    private readonly KvCache _source;
    private readonly List<CachedSequence> _owns = [];
    private readonly List<CachedSequence> _sources = [];
    private readonly List<Sequence> _planned = [];

    internal EncoderDecoderCache(EncoderDecoderModel model, int layers, int heads, int width)
    {
        _model = model;
        _layers = layers;
        _own = new KvCache(model.Device, layers, heads, width);
        _source = new KvCache(model.Device, layers, heads, width);
    }

    /// <inheritdoc/>
    public override AttentionLayout Layout => _own.Layout;

    /// <inheritdoc/>
    public override long PageBytes => _own.PageBytes;

    /// <inheritdoc/>
    public override long Bytes => _own.Bytes + _source.Bytes;

    /// <inheritdoc/>
    public override int PagesInUse => _own.PagesInUse + _source.PagesInUse;

    internal override KvCache Own => _own;

    internal override KvCache Source => _source;

    /// <inheritdoc/>
    public override int PagesFor(int tokens) => _own.PagesFor(tokens);

    /// <inheritdoc/>
    public override int PagesToAdd(CachedSequence sequence, int newTokens)
    {
        Sequence both = (Sequence)sequence;
        return _own.PagesToAdd(both.Own, newTokens) + (both.Source.Length == 0 ? _source.PagesFor(both.SourceIds.Length) : 0);
    }

    /// <inheritdoc/>
    public override void Reserve(int pages) => _own.Reserve(pages);

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The source is missing or empty.</exception>
    public override CachedSequence NewSequence(int expectedTokens = 0, int[]? source = null) => source is { Length: > 0 }
        ? new Sequence(_own.NewSequence(expectedTokens), _source.NewSequence(source.Length), source)
        : throw new ArgumentException("The model needs a source of at least one token.", nameof(source));

    /// <inheritdoc/>
    public override void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        _owns.Clear();
        _sources.Clear();
        _planned.Clear();
        for (int s = 0; s < sequences.Count; s++)
        {
            Sequence sequence = (Sequence)sequences[s];
            _planned.Add(sequence);
            _owns.Add(sequence.Own);
            _sources.Add(sequence.Source);
        }
        ReadSources(workspace);
        _own.Plan(_owns, newTokens, workspace);
        _source.PlanReading(_sources, newTokens);
    }

    /// <inheritdoc/>
    public override void Commit()
    {
        _own.Commit();
        foreach (Sequence sequence in _planned)
            sequence.Length = sequence.Own.Length;
        _planned.Clear();
    }

    private void ReadSources(Workspace workspace)
    {
        List<Sequence>? batch = null;
        int tokens = 0;
        foreach (Sequence sequence in _planned)
        {
            if (sequence.Source.Length > 0)
                continue;
            if (batch is { Count: > 0 } && tokens + sequence.SourceIds.Length > EncodedAtOnce)
            {
                Read(batch, workspace);
                batch.Clear();
                tokens = 0;
            }
            (batch ??= []).Add(sequence);
            tokens += sequence.SourceIds.Length;
        }
        if (batch is { Count: > 0 })
            Read(batch, workspace);
    }

    private void Read(List<Sequence> sequences, Workspace workspace)
    {
        using Workspace inner = workspace.OpenChild();
        SequenceAdapter?[] adapters = [.. sequences.Select(s => s.Adapter)];
        Pass read = new(TokenBatch.Of([.. sequences.Select(s => s.SourceIds)]), inner) { Adapters = Array.TrueForAll(adapters, a => a is null) ? null : adapters };
        Pass pass = _model.WithPrefix(read);
        Tensor encoded = _model.Encode(pass);
        _source.Plan([.. sequences.Select(s => s.Source)], [.. sequences.Select(s => s.SourceIds.Length + _model.SourcePrefix)], inner);
        for (int layer = 0; layer < _layers; layer++)
        {
            (Tensor keys, Tensor values) = _model.SourceKeysAndValues(layer, encoded, pass);
            _source.Append(layer, keys, values);
        }
        _source.Commit();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _own.Dispose();
        _source.Dispose();
    }

    private sealed class Sequence(CachedSequence own, CachedSequence source, int[] sourceIds) : CachedSequence
    {
        public CachedSequence Own { get; } = own;

        public CachedSequence Source { get; } = source;

        public int[] SourceIds { get; } = sourceIds;

        internal override int Offset => Own.Offset;

        public override CachedSequence Fork() => new Sequence(Own.Fork(), Source.Fork(), SourceIds) { Length = Length };

        public override void Truncate(int length)
        {
            Own.Truncate(length);
            Length = length;
        }

        protected override void Release()
        {
            base.Release();
            Source.Dispose();
        }
    }
}
