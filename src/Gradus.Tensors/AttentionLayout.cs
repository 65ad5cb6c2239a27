namespace Gradus.Tensors;

/// <summary>
/// Which rows of queries and keys belong to which sequence. Sequences lie end to end without padding; keys either likewise, or in
/// the pages of a cache.
/// </summary>
public sealed class AttentionLayout
{
    private int[] _queryStarts;
    private int[] _keyStarts;

    /// <summary>Sequences whose keys are their own tokens, or another ragged batch (cross-attention).</summary>
    /// <param name="queryStarts">Row of each sequence's first query, then the total: S + 1 ascending numbers from 0.</param>
    /// <param name="keyStarts">The same for keys; the queries' where null.</param>
    public AttentionLayout(int[] queryStarts, int[]? keyStarts = null)
    {
        ArgumentNullException.ThrowIfNull(queryStarts);
        Check(queryStarts, nameof(queryStarts));
        if (keyStarts is not null)
            Check(keyStarts, nameof(keyStarts));
        if (keyStarts is not null && keyStarts.Length != queryStarts.Length)
            throw new ArgumentException($"{queryStarts.Length - 1} sequences of queries, but {keyStarts.Length - 1} of keys.", nameof(keyStarts));
        _queryStarts = queryStarts;
        _keyStarts = keyStarts ?? queryStarts;
        Sequences = queryStarts.Length - 1;
    }

    private AttentionLayout(int pageSize)
    {
        PageSize = pageSize;
        _queryStarts = [0];
        _keyStarts = [0];
    }

    /// <summary>A layout over cached pages, to be filled by <see cref="SetPaged"/> for each step without allocation.</summary>
    public static AttentionLayout Paged(int pageSize) => new(pageSize);

    /// <summary>The number of sequences.</summary>
    public int Sequences { get; private set; }

    /// <summary>Tokens per page of the cache, or 0 where keys lie end to end.</summary>
    public int PageSize { get; }

    /// <summary>For paged keys: the pages of all sequences, sequence s from <c>PageStarts[s]</c> on.</summary>
    public int[] Pages { get; private set; } = [];

    /// <summary>For paged keys: where each sequence's pages begin in <see cref="Pages"/>.</summary>
    public int[] PageStarts { get; private set; } = [];

    /// <summary>All queries.</summary>
    public int TotalQueries => _queryStarts[Sequences];

    /// <summary>All keys (unpaged).</summary>
    public int TotalKeys => _keyStarts[Sequences];

    /// <summary>The most queries and the most keys that a sequence has.</summary>
    public (int Queries, int Keys) Longest
    {
        get
        {
            int queries = 0, keys = 0;
            for (int s = 0; s < Sequences; s++)
            {
                queries = Math.Max(queries, QueryCount(s));
                keys = Math.Max(keys, KeyCount(s));
            }
            return (queries, keys);
        }
    }

    /// <summary>Row of the first query of a sequence.</summary>
    public int QueryStart(int sequence) => _queryStarts[sequence];

    /// <summary>The number of queries of a sequence.</summary>
    public int QueryCount(int sequence) => _queryStarts[sequence + 1] - _queryStarts[sequence];

    /// <summary>Row of the first key of a sequence (unpaged).</summary>
    public int KeyStart(int sequence) => _keyStarts[sequence];

    /// <summary>The number of keys of a sequence. The last query stands at the last key.</summary>
    public int KeyCount(int sequence) =>
        PageSize > 0 ? _keyStarts[sequence] : _keyStarts[sequence + 1] - _keyStarts[sequence];

    /// <summary>The row of a key in the key tensor (pages flattened to rows).</summary>
    public int KeyRow(int sequence, int key) => PageSize == 0
        ? _keyStarts[sequence] + key
        : (Pages[PageStarts[sequence] + (key / PageSize)] * PageSize) + (key % PageSize);

    /// <summary>Describes a step over cached pages. The arrays are kept, not copied.</summary>
    /// <param name="sequences">S.</param>
    /// <param name="queryStarts">At least S + 1 numbers.</param>
    /// <param name="keyCounts">Keys of each sequence, those of this step's tokens included.</param>
    /// <param name="pages">Page numbers.</param>
    /// <param name="pageStarts">Where each sequence's page numbers begin.</param>
    public void SetPaged(int sequences, int[] queryStarts, int[] keyCounts, int[] pages, int[] pageStarts)
    {
        if (PageSize == 0)
            throw new InvalidOperationException("This layout is not paged.");
        Sequences = sequences;
        _queryStarts = queryStarts;
        _keyStarts = keyCounts;
        Pages = pages;
        PageStarts = pageStarts;
    }

    /// <summary>Fails where a sequence has too few pages, or one that is not there.</summary>
    internal void CheckPages(int pages)
    {
        for (int s = 0; s < Sequences; s++)
        {
            int count = (KeyCount(s) + PageSize - 1) / PageSize, start = PageStarts[s];
            if (start < 0 || start > Pages.Length - count)
                throw new ArgumentException($"Attention: sequence {s} has {KeyCount(s)} keys, but not the {count} pages of {PageSize} that they fill.");
            foreach (int page in Pages.AsSpan(start, count))
            {
                if ((uint)page >= (uint)pages)
                    throw new ArgumentException($"Attention: sequence {s} speaks of page {page}, but there are {pages}.");
            }
        }
    }

    private static void Check(int[] starts, string name)
    {
        if (starts.Length == 0 || starts[0] != 0)
            throw new ArgumentException("Starts begin with 0.", name);
        for (int i = 1; i < starts.Length; i++)
        {
            if (starts[i] < starts[i - 1])
                throw new ArgumentException($"Starts ascend, but {starts[i]} follows {starts[i - 1]}.", name);
        }
    }
}

/// <summary>Scale and masks of attention.</summary>
/// <param name="Scale">Factor of the scores; usually 1/√D.</param>
/// <param name="Causal">A query sees no key behind its own position; the last query stands at the last key.</param>
/// <param name="Window">A query sees at most this many keys up to its own (Mistral, Gemma); 0 for all.</param>
/// <param name="SoftCap">Scores become cap · tanh(score/cap) (Gemma 2); 0 for none.</param>
/// <param name="Dropout">Probability with which a query's probability for a key is set to 0 (the others grow by 1/(1 − it)); 0 for none.</param>
/// <param name="DropoutKey">Which ones: the same key drops the same.</param>
public readonly record struct AttentionOptions(
    float Scale, bool Causal, int Window = 0, float SoftCap = 0, float Dropout = 0, ulong DropoutKey = 0)
{
    /// <summary>The factor 1/(1 − p) of a probability that is not dropped.</summary>
    internal float Kept => 1f / (1f - Dropout);

    /// <summary>The key of the stream that decides which probabilities of one row and head are dropped.</summary>
    /// <param name="row">The query's row times the number of heads, plus the head.</param>
    internal ulong DropoutStream(long row) => CounterRandom.Derive(DropoutKey, (ulong)row);

    /// <summary>The factors of the probabilities of one row and head, for keys from a number on: 0 or 1/(1 − p).</summary>
    /// <param name="row">The query's row times the number of heads, plus the head.</param>
    /// <param name="first">The first key.</param>
    /// <param name="factors">One for each key.</param>
    internal void DropoutFactors(long row, int first, Span<float> factors)
    {
        ulong key = DropoutStream(row);
        uint threshold = CounterRandom.Threshold(Dropout);
        ulong bits = CounterRandom.Bits64(key, first >> 1) >> ((first & 1) * 32);
        for (int c = 0; c < factors.Length; c++)
        {
            // Two keys share a draw: the even one its low half, the odd one its high half.
            if (c > 0)
                bits = ((first + c) & 1) == 0 ? CounterRandom.Bits64(key, (first + c) >> 1) : bits >> 32;
            factors[c] = (uint)bits < threshold ? 0f : Kept;
        }
    }

    /// <summary>The keys that a query sees: from the first index up to, not including, the second.</summary>
    /// <param name="query">Index of the query within its sequence.</param>
    /// <param name="queries">Queries of the sequence.</param>
    /// <param name="keys">Keys of the sequence.</param>
    public (int First, int End) Visible(int query, int queries, int keys)
    {
        int position = query + keys - queries;
        int end = Causal ? Math.Clamp(position + 1, 0, keys) : keys;
        int first = Window > 0 ? Math.Max(0, position - Window + 1) : 0;
        return (Math.Min(first, end), end);
    }
}
