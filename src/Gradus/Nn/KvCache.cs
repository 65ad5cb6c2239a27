using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Keys and values of the tokens that a model has read, in pages (Kwon et al., "PagedAttention", 2023), for any number of
/// sequences. A step: <see cref="Plan"/> the new tokens of some sequences, then run the model, whose layers append to the pages.
/// </summary>
public sealed class KvCache : IDisposable
{
    /// <summary>Tokens per page.</summary>
    public const int PageSize = 32;

    private readonly Workspace _store;
    private readonly int _heads;
    private readonly int _width;
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;
    private readonly Stack<int> _freePages = new();
    private readonly List<CachedSequence> _planned = [];
    private int[] _queryStarts = new int[9];
    private int[] _keyCounts = new int[8];
    private int[] _pageStarts = new int[8];
    private int[] _pages = new int[64];
    private int[] _rows = new int[64];
    private Tensor? _rowTensor;
    private int _pageCount;

    /// <summary>Makes an empty cache; pages are added as sequences grow.</summary>
    /// <param name="device">The model's device.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="heads">Key/value heads.</param>
    /// <param name="width">Values per head.</param>
    public KvCache(Device device, int layers, int heads, int width)
    {
        _store = new Workspace(device);
        _heads = heads;
        _width = width;
        _keys = new Tensor[layers];
        _values = new Tensor[layers];
        Layout = AttentionLayout.Paged(PageSize);
    }

    /// <summary>Which pages the planned sequences see.</summary>
    public AttentionLayout Layout { get; }

    /// <summary>Bytes of all pages.</summary>
    public long Bytes => 2L * _keys.Length * _pageCount * PageSize * _heads * _width * sizeof(float);

    /// <summary>Starts an empty sequence.</summary>
    public CachedSequence NewSequence() => new(this);

    /// <summary>Announces a step: the given numbers of new tokens of the given sequences, in this order.</summary>
    /// <param name="sequences">Each at most once.</param>
    /// <param name="newTokens">At least one for each.</param>
    /// <param name="workspace">The step's workspace.</param>
    public void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(workspace);
        int count = sequences.Count, pages = 0, tokens = 0;
        _planned.Clear();
        for (int s = 0; s < count; s++)
        {
            sequences[s].Reserve(newTokens[s]);
            pages += sequences[s].Pages.Count;
            tokens += newTokens[s];
            _planned.Add(sequences[s]);
        }
        Ensure(ref _queryStarts, count + 1);
        Ensure(ref _keyCounts, count);
        Ensure(ref _pageStarts, count);
        Ensure(ref _pages, pages);
        Ensure(ref _rows, tokens);
        pages = tokens = 0;
        for (int s = 0; s < count; s++)
        {
            CachedSequence sequence = sequences[s];
            _queryStarts[s] = tokens;
            _keyCounts[s] = sequence.Length + newTokens[s];
            _pageStarts[s] = pages;
            foreach (int page in sequence.Pages)
                _pages[pages++] = page;
            for (int i = 0; i < newTokens[s]; i++)
            {
                int position = sequence.Length + i;
                _rows[tokens++] = (sequence.Pages[position / PageSize] * PageSize) + (position % PageSize);
            }
        }
        _queryStarts[count] = tokens;
        Layout.SetPaged(count, _queryStarts, _keyCounts, _pages, _pageStarts);
        _rowTensor = workspace.From(_rows.AsSpan(0, tokens));
    }

    /// <summary>Counts the planned tokens as read; to be called after the model ran.</summary>
    public void Commit()
    {
        for (int s = 0; s < _planned.Count; s++)
            _planned[s].Length = _keyCounts[s];
        _planned.Clear();
    }

    /// <summary>Writes the keys and values of this step's tokens; returns all pages.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor k, Tensor v)
    {
        k.Device.PutRows(k, _rowTensor!, _keys[layer]);
        v.Device.PutRows(v, _rowTensor!, _values[layer]);
        return (_keys[layer], _values[layer]);
    }

    internal int TakePage()
    {
        if (!_freePages.TryPop(out int page))
        {
            Grow(Math.Max(8, _pageCount * 2));
            page = _freePages.Pop();
        }
        return page;
    }

    internal void ReturnPage(int page) => _freePages.Push(page);

    private void Grow(int pages)
    {
        for (int layer = 0; layer < _keys.Length; layer++)
        {
            _keys[layer] = Larger(_keys[layer], pages);
            _values[layer] = Larger(_values[layer], pages);
        }
        for (int page = pages - 1; page >= _pageCount; page--)
            _freePages.Push(page);
        _pageCount = pages;
    }

    private Tensor Larger(Tensor? old, int pages)
    {
        Tensor larger = _store.Zeros(new Shape(pages, PageSize, _heads, _width));
        if (old is not null)
        {
            _store.Device.Scale(old, 1f, larger.Rows(0, old.Shape[0]));
            old.Free();
        }
        return larger;
    }

    private static void Ensure(ref int[] array, int length)
    {
        if (array.Length < length)
            array = new int[Math.Max(length, array.Length * 2)];
    }

    /// <summary>Frees all pages.</summary>
    public void Dispose() => _store.Dispose();
}

/// <summary>The place of one sequence in a cache.</summary>
public sealed class CachedSequence : IDisposable
{
    private readonly KvCache _cache;
    private readonly List<int> _pages = [];

    internal CachedSequence(KvCache cache)
    {
        _cache = cache;
    }

    /// <summary>The number of tokens read so far.</summary>
    public int Length { get; internal set; }

    internal List<int> Pages => _pages;

    internal void Reserve(int newTokens)
    {
        while (_pages.Count * KvCache.PageSize < Length + newTokens)
            _pages.Add(_cache.TakePage());
    }

    /// <summary>Forgets all tokens from a length on.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        int needed = (length + KvCache.PageSize - 1) / KvCache.PageSize;
        for (int i = _pages.Count - 1; i >= needed; i--)
        {
            _cache.ReturnPage(_pages[i]);
            _pages.RemoveAt(i);
        }
    }

    /// <summary>Gives the pages back.</summary>
    public void Dispose() => Truncate(0);
}
