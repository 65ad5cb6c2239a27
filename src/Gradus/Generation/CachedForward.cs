using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>Runs a model over the next tokens of several sequences of whose earlier ones it keeps what it needs. Steps of equal shape allocate nothing.</summary>
internal sealed class CachedForward : IDisposable
{
    private readonly GenerativeModel _model;
    private readonly Workspace _workspace;
    private readonly Pass _pass;
    private readonly List<CachedSequence> _sequences = [];
    private readonly List<SequenceAdapter?> _adapters = [];
    private int[] _counts = new int[8];
    private int[] _ids = new int[8];
    private int[] _positions = new int[8];
    private int[] _rows = new int[8];
    private int _tokens;
    private int _wanted;

    public CachedForward(GenerativeModel model)
    {
        _model = model;
        Cache = model.NewCache();
        _workspace = model.Parts.Store.NewScratch();
        _pass = new Pass(Cache, _workspace);
        if (model.Prefix is KeyValuePrefix || (model.Prefix is not null && model is not EncoderDecoderModel))
            ReadPrefix(model.Prefix);
    }

    public SequenceCache Cache { get; }

    /// <summary>The longest sequence for which what was cached holds, or null for any.</summary>
    public int? ShortLimit => _model.ShortLimit;

    /// <summary>Whether nothing has been added to the step.</summary>
    public bool IsEmpty => _tokens == 0;

    /// <summary>The hidden states (N, C) of all tokens of the step that ran, which the scores are made of; valid until the next one.</summary>
    public Tensor? Hidden { get; private set; }

    /// <summary>Starts a step; the logits of the last one are gone.</summary>
    public void Begin()
    {
        _workspace.Reset();
        _sequences.Clear();
        _adapters.Clear();
        _pass.Adapters = null;
        Hidden = null;
        _tokens = _wanted = 0;
    }

    /// <summary>Adds the next tokens of a sequence to the step.</summary>
    /// <param name="sequence">Not yet in this step.</param>
    /// <param name="tokens">At least one.</param>
    /// <param name="scored">After how many of them, counted from the last, the scores are wanted: 0 for none, 1 for the next token's.</param>
    /// <param name="adapter">The adapter that the sequence is run with, or null.</param>
    public void Add(CachedSequence sequence, ReadOnlySpan<int> tokens, int scored, SequenceAdapter? adapter = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(scored);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(scored, tokens.Length);
        Ensure(ref _counts, _sequences.Count + 1);
        Ensure(ref _ids, _tokens + tokens.Length);
        Ensure(ref _positions, _tokens + tokens.Length);
        Ensure(ref _rows, _wanted + scored);
        _counts[_sequences.Count] = tokens.Length;
        _sequences.Add(sequence);
        sequence.Adapter = adapter;
        _adapters.Add(adapter);
        if (adapter is not null)
            _pass.Adapters = _adapters;
        tokens.CopyTo(_ids.AsSpan(_tokens));
        for (int i = 0; i < tokens.Length; i++)
            _positions[_tokens + i] = sequence.Offset + sequence.Length + i;
        _tokens += tokens.Length;
        for (int row = _tokens - scored; row < _tokens; row++)
            _rows[_wanted++] = row;
    }

    // Once for all sequences, which begin as copies: an adapter's virtual tokens are read like a text, its keys and values taken as they are.
    private void ReadPrefix(Prefix prefix)
    {
        KvCache cache = Cache.Own!;
        CachedSequence first = cache.NewSequence(prefix.Length);
        cache.Plan([first], [prefix.Length], _workspace);
        if (prefix is VirtualTokens tokens)
        {
            _pass.Inputs.Set(tokens.Ids(_model.Config.Vocabulary, task: 0), [.. Enumerable.Range(0, prefix.Length)]);
            _model.Hidden(_pass);
        }
        else if (_model.CacheShape is { } shape)
        {
            for (int layer = 0; layer < shape.Layers; layer++)
            {
                (Tensor keys, Tensor values) = ((KeyValuePrefix)prefix).Layer(layer, _workspace);
                cache.Append(layer, keys.Reshape(prefix.Length, shape.Heads, shape.Width), values.Reshape(prefix.Length, shape.Heads, shape.Width));
            }
        }
        cache.Commit();
        cache.BeginWith(first);
        Begin();
    }

    /// <summary>Runs the step: the scores (M, V) that are wanted, sequence by sequence in the order in which they were added; null for none.</summary>
    public Tensor? Run()
    {
        Cache.Plan(_sequences, _counts.AsSpan(0, _sequences.Count), _workspace);
        _pass.Inputs.Set(_ids.AsSpan(0, _tokens), _positions.AsSpan(0, _tokens));
        Tensor hidden = _model.Hidden(_pass);
        Cache.Commit();
        Hidden = hidden;
        if (_wanted == 0)
            return null;
        // The head is the largest product of a small model: at prefill it is taken of the rows that are wanted only.
        if (_wanted < _tokens)
        {
            hidden = hidden.Gather(_workspace.From(_rows.AsSpan(0, _wanted)));
            _pass.AdapterRows = _pass.AdapterRows?.Select(_rows.AsSpan(0, _wanted));
        }
        return _model.Logits(hidden, _pass);
    }

    public void Dispose()
    {
        _workspace.Dispose();
        Cache.Dispose();
    }

    private static void Ensure(ref int[] array, int length)
    {
        if (array.Length < length)
            Array.Resize(ref array, Math.Max(length, array.Length * 2));
    }
}
