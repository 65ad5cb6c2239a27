using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>What a pass reads: tokens, their positions, and which of them make up a sequence.</summary>
public sealed class PassInputs
{
    private readonly Workspace _workspace;
    private readonly TokenBatch? _batch;
    private readonly SequenceCache? _cache;
    private Tensor? _tokenTypes;
    private Tensor? _positionsByLength;
    private RotaryAngles? _angles;
    private RecurrentLayout? _timeMajor;
    private bool _isOrdered;

    internal PassInputs(TokenBatch batch, Workspace workspace, int[]? keyStarts = null)
    {
        _batch = batch;
        _workspace = workspace;
        Layout = new AttentionLayout(batch.Starts, keyStarts);
        Ids = Positions = null!;
        Set(batch.Ids, batch.Positions);
    }

    internal PassInputs(SequenceCache cache, Workspace workspace)
    {
        _cache = cache;
        _workspace = workspace;
        Layout = cache.Layout;
        Ids = Positions = null!;
    }

    /// <summary>Where each sequence's tokens begin, then their number; only without a cache.</summary>
    internal int[] Starts => _batch!.Starts;

    /// <summary>The tokens with those of a prefix before every sequence, or, where it is of keys and values, with positions that leave room for them.</summary>
    internal PassInputs Prepend(Prefix prefix, int vocabulary)
    {
        TokenBatch batch = _batch!;
        int length = prefix.Length;
        if (prefix is not VirtualTokens tokens)
        {
            TokenBatch later = new(batch.Ids, batch.Starts, Array.ConvertAll(batch.Positions, p => p + length), batch.TokenTypes);
            return new PassInputs(later, _workspace, [.. batch.Starts.Select((start, s) => start + (s * length))]);
        }
        List<int[]> sequences = [];
        List<int> types = [];
        for (int s = 0; s < batch.Sequences; s++)
        {
            (int start, int end) = (batch.Starts[s], batch.Starts[s + 1]);
            sequences.Add([.. tokens.Ids(vocabulary, batch.Tasks?[s] ?? 0), .. batch.Ids[start..end]]);
            types.AddRange(new int[length]);
            types.AddRange(batch.TokenTypes?[start..end] ?? new int[end - start]);
        }
        TokenBatch longer = TokenBatch.Of(sequences);
        return new PassInputs(batch.TokenTypes is null ? longer : new TokenBatch(longer.Ids, longer.Starts, null, [.. types]), _workspace);
    }

    /// <summary>The rows of these tokens among those that <see cref="Prepend"/> made of them.</summary>
    internal int[] RowsBehind(VirtualTokens prefix)
    {
        int[] rows = new int[_batch!.Count];
        for (int s = 0; s < _batch.Sequences; s++)
        {
            for (int i = _batch.Starts[s]; i < _batch.Starts[s + 1]; i++)
                rows[i] = i + ((s + 1) * prefix.Length);
        }
        return rows;
    }

    /// <summary>(N), I32.</summary>
    public Tensor Ids { get; private set; }

    /// <summary>(N), I32: the position of every token in its sequence.</summary>
    public Tensor Positions { get; private set; }

    /// <summary>Which tokens attend to which.</summary>
    public AttentionLayout Layout { get; }

    /// <summary>One more than the largest position.</summary>
    public int LongestPosition { get; private set; }

    /// <summary>Whether the batch says which part of its sequence every token belongs to.</summary>
    public bool HasTokenTypes => _batch?.TokenTypes is not null;

    /// <summary>(N), I32: the part of its sequence that every token belongs to; 0 where the batch does not say.</summary>
    public Tensor TokenTypes => _tokenTypes ??= _batch?.TokenTypes is { } types
        ? _workspace.From(types)
        : _workspace.Zeros(Ids.Shape, DType.I32);

    /// <summary>The tokens in the order in which recurrent layers take them.</summary>
    public RecurrentLayout TimeMajor => _timeMajor is { } order && _isOrdered ? order : Order();

    /// <summary>The longest of the sequences when all that is known of them has been read, in tokens.</summary>
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

    /// <summary>The tokens of the next step over a cache.</summary>
    internal void Set(ReadOnlySpan<int> ids, ReadOnlySpan<int> positions)
    {
        Ids = _workspace.From(ids);
        Positions = _workspace.From(positions);
        _positionsByLength = null;
        _angles = null;
        _isOrdered = false;
        LongestPosition = 0;
        foreach (int position in positions)
            LongestPosition = Math.Max(LongestPosition, position + 1);
    }

    /// <summary>
    /// (N), I32: the positions, with <paramref name="shortLimit"/> added to those of sequences that are longer. Without a cache the
    /// longest sequence of the pass speaks for all, as in transformers; with one each for itself, so that company changes nothing.
    /// </summary>
    internal Tensor PositionsByLength(int shortLimit)
    {
        if (_positionsByLength is not null)
            return _positionsByLength;
        Tensor positions = _workspace.Empty(Positions.Shape, DType.I32);
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
        return _angles = rotary.Angles(_workspace, Positions.Span<int>(), lengths);
    }

    private int LengthOf(int sequence) => _cache?.Own?.FullLength(sequence) ?? LongestPosition;

    private RecurrentLayout Order()
    {
        _isOrdered = true;
        return (_timeMajor ??= new RecurrentLayout()).Set(Layout);
    }
}
