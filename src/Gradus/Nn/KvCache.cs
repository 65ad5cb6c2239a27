using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Keys and values of the tokens that a model has read, in pages (Kwon et al., "PagedAttention", 2023), for any number of
/// sequences. A step: <see cref="Plan"/> the new tokens of some sequences, then run the model, whose layers append to the pages.
/// Sequences that began as one (<see cref="CachedSequence.Fork"/>) share pages until one of them writes to a page: it gets its own copy.
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
    private readonly List<(int From, int To)> _copies = [];
    private int[] _owners = [];
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

    /// <summary>Bytes of a page: keys and values of all layers.</summary>
    public long PageBytes => 2L * _keys.Length * PageSize * _heads * _width * sizeof(float);

    /// <summary>Bytes of all pages.</summary>
    public long Bytes => _pageCount * PageBytes;

    /// <summary>Pages that belong to a sequence at present; shared ones count once.</summary>
    public int PagesInUse => _pageCount - _freePages.Count;

    /// <summary>Makes sure that there are at least as many pages, in use or free, so that the cache does not grow while sequences do.</summary>
    public void Reserve(int pages)
    {
        if (pages > _pageCount)
            Grow(Math.Max(pages, _pageCount * 2));
    }

    /// <summary>Starts an empty sequence.</summary>
    /// <param name="expectedTokens">Tokens it will hold at most, if known: its list of pages then never grows. No page is taken yet.</param>
    public CachedSequence NewSequence(int expectedTokens = 0) => new(this, expectedTokens);

    /// <summary>Announces a step: the given numbers of new tokens of the given sequences, in this order.</summary>
    /// <param name="sequences">Each at most once.</param>
    /// <param name="newTokens">At least one for each.</param>
    /// <param name="workspace">The step's workspace.</param>
    public void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(workspace);
        int count = sequences.Count, pages = 0, tokens = 0;
        if (newTokens.Length != count)
            throw new ArgumentException($"{count} sequences, but {newTokens.Length} numbers of new tokens.", nameof(newTokens));
        _planned.Clear();
        for (int s = 0; s < count; s++)
        {
            sequences[s].Reserve(newTokens[s]);
            pages += sequences[s].Pages.Count;
            tokens += newTokens[s];
            _planned.Add(sequences[s]);
        }
        CopySharedPages(workspace);
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

    /// <summary>The length that a planned sequence has when all that is known of it has been read.</summary>
    internal int FullLength(int sequence) => Math.Max(_planned[sequence].FullLength, _keyCounts[sequence]);

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
        _owners[page] = 1;
        return page;
    }

    internal void SharePage(int page) => _owners[page]++;

    internal void ReturnPage(int page)
    {
        if (--_owners[page] == 0)
            _freePages.Push(page);
    }

    /// <summary>A page that the caller alone owns, with the contents of this one once the step is planned.</summary>
    internal int OwnPage(int page)
    {
        if (_owners[page] == 1)
            return page;
        int copy = TakePage();
        _copies.Add((page, copy));
        ReturnPage(page);
        return copy;
    }

    // Before anything is written: an original's last owner may write to it in this very step.
    private void CopySharedPages(Workspace workspace)
    {
        foreach ((int from, int to) in _copies)
        {
            for (int layer = 0; layer < _keys.Length; layer++)
            {
                CopyPage(_keys[layer], from, to, workspace);
                CopyPage(_values[layer], from, to, workspace);
            }
        }
        _copies.Clear();
    }

    private void CopyPage(Tensor pages, int from, int to, Workspace workspace)
    {
        Shape page = new(PageSize, _heads, _width);
        long bytes = page.Count * sizeof(float);
        workspace.Device.Scale(workspace.View(pages, page, from * bytes), 1f, workspace.View(pages, page, to * bytes));
    }

    private void Grow(int pages)
    {
        for (int layer = 0; layer < _keys.Length; layer++)
        {
            _keys[layer] = Larger(_keys[layer], pages);
            _values[layer] = Larger(_values[layer], pages);
        }
        for (int page = pages - 1; page >= _pageCount; page--)
            _freePages.Push(page);
        Array.Resize(ref _owners, pages);
        _pageCount = pages;
    }

    private Tensor Larger(Tensor? old, int pages)
    {
        Tensor larger = _store.Zeros(new Shape(pages, PageSize, _heads, _width));
        if (old is not null)
        {
            Tensor front = larger.Rows(0, old.Shape[0]);
            _store.Device.Scale(old, 1f, front);
            front.Free();
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
    private readonly List<int> _pages;

    internal CachedSequence(KvCache cache, int expectedTokens)
    {
        _cache = cache;
        _pages = new List<int>((expectedTokens + KvCache.PageSize - 1) / KvCache.PageSize);
    }

    /// <summary>The number of tokens read so far.</summary>
    public int Length { get; internal set; }

    internal List<int> Pages => _pages;

    internal int FullLength { get; private set; }

    /// <summary>
    /// Says how many tokens of the sequence are known, read or not. Where rotary frequencies change with the length and the sequence
    /// has come to that length, what was read with the others is forgotten, to be read anew.
    /// </summary>
    /// <param name="tokens">All known tokens, those already read included.</param>
    /// <param name="shortLimit">The length up to which the first frequencies hold (<see cref="RotaryEmbedding.ShortLimit"/>), or null.</param>
    public void Expect(int tokens, int? shortLimit)
    {
        if (FullLength <= shortLimit && tokens > shortLimit)
            Truncate(0);
        FullLength = tokens;
    }

    internal void Reserve(int newTokens)
    {
        if (Length % KvCache.PageSize != 0)
            _pages[Length / KvCache.PageSize] = _cache.OwnPage(_pages[Length / KvCache.PageSize]);
        while (_pages.Count * KvCache.PageSize < Length + newTokens)
            _pages.Add(_cache.TakePage());
    }

    /// <summary>A second sequence that begins with this one's tokens; costs no copy until one of the two goes on within a shared page.</summary>
    public CachedSequence Fork()
    {
        CachedSequence fork = new(_cache, _pages.Capacity * KvCache.PageSize) { Length = Length, FullLength = FullLength };
        for (int i = 0; i * KvCache.PageSize < Length; i++)
        {
            _cache.SharePage(_pages[i]);
            fork._pages.Add(_pages[i]);
        }
        return fork;
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
