using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// Keys and values of the tokens that a model has read, in pages (Kwon et al., "PagedAttention", 2023), for any number of
/// sequences. A step: <see cref="Plan"/> the new tokens of some sequences, then run the model, whose layers append to the pages.
/// Sequences that began as one (<see cref="CachedSequence.Fork"/>) share pages until one of them writes to a page: it gets its own copy.
/// </summary>
public sealed class KvCache : SequenceCache
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
    private readonly List<PagedSequence> _planned = [];
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

    /// <inheritdoc/>
    public override AttentionLayout Layout { get; }

    internal override KvCache Own => this;

    /// <inheritdoc/>
    public override long PageBytes => 2L * _keys.Length * PageSize * _heads * _width * sizeof(float);

    /// <inheritdoc/>
    public override long Bytes => _pageCount * PageBytes;

    /// <inheritdoc/>
    public override int PagesInUse => _pageCount - _freePages.Count;

    /// <inheritdoc/>
    public override int PagesFor(int tokens) => (int)(((long)tokens + PageSize - 1) / PageSize);

    /// <inheritdoc/>
    public override void Reserve(int pages)
    {
        if (pages > _pageCount)
            Grow(Grown(_pageCount, pages));
    }

    /// <inheritdoc/>
    public override int PagesToAdd(CachedSequence sequence, int newTokens)
    {
        PagedSequence paged = (PagedSequence)sequence;
        // A page that others share as well is copied before it is written to.
        int copied = paged.Length % PageSize != 0 && _owners[paged.Pages[paged.Length / PageSize]] > 1 ? 1 : 0;
        return PagesFor(paged.Length + newTokens) - paged.Pages.Count + copied;
    }

    /// <inheritdoc/>
    public override CachedSequence NewSequence(int expectedTokens = 0, int[]? source = null) => First?.Fork() ?? new PagedSequence(this, expectedTokens);

    /// <summary>What every sequence begins with: an adapter's prefix, or null.</summary>
    internal PagedSequence? First { get; private set; }

    /// <summary>Lets every new sequence begin with the rows of one, which are no tokens of theirs.</summary>
    internal void BeginWith(CachedSequence sequence)
    {
        First = (PagedSequence)sequence;
        First.HideRows();
    }

    /// <inheritdoc/>
    public override void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(workspace);
        int count = sequences.Count, pages = 0, tokens = 0;
        if (newTokens.Length != count)
            throw new ArgumentException($"{count} sequences, but {newTokens.Length} numbers of new tokens.", nameof(newTokens));
        _planned.Clear();
        for (int s = 0; s < count; s++)
        {
            PagedSequence sequence = (PagedSequence)sequences[s];
            sequence.Reserve(newTokens[s]);
            pages += sequence.Pages.Count;
            tokens += newTokens[s];
            _planned.Add(sequence);
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
            PagedSequence sequence = _planned[s];
            _queryStarts[s] = tokens;
            _keyCounts[s] = sequence.Rows + newTokens[s];
            pages = ListPages(s, pages);
            for (int i = 0; i < newTokens[s]; i++)
            {
                int position = sequence.Rows + i;
                _rows[tokens++] = (sequence.Pages[position / PageSize] * PageSize) + (position % PageSize);
            }
        }
        _queryStarts[count] = tokens;
        Layout.SetPaged(count, _queryStarts, _keyCounts, _pages, _pageStarts);
        _rowTensor = workspace.From(_rows.AsSpan(0, tokens));
    }

    /// <summary>The length that a planned sequence has when all that is known of it has been read.</summary>
    internal int FullLength(int sequence) => Math.Max(_planned[sequence].FullLength, _keyCounts[sequence]);

    /// <summary>Announces queries that only look at what sequences hold: cross-attention. Nothing is appended or committed.</summary>
    /// <param name="sequences">Each may come more than once.</param>
    /// <param name="queries">The number of queries of each.</param>
    internal void PlanReading(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> queries)
    {
        int count = sequences.Count, pages = 0, rows = 0;
        _planned.Clear();
        for (int s = 0; s < count; s++)
        {
            _planned.Add((PagedSequence)sequences[s]);
            pages += _planned[s].Pages.Count;
        }
        Ensure(ref _queryStarts, count + 1);
        Ensure(ref _keyCounts, count);
        Ensure(ref _pageStarts, count);
        Ensure(ref _pages, pages);
        pages = 0;
        for (int s = 0; s < count; s++)
        {
            _queryStarts[s] = rows;
            rows += queries[s];
            _keyCounts[s] = _planned[s].Rows;
            pages = ListPages(s, pages);
        }
        _queryStarts[count] = rows;
        _planned.Clear();
        Layout.SetPaged(count, _queryStarts, _keyCounts, _pages, _pageStarts);
    }

    private int ListPages(int sequence, int pages)
    {
        _pageStarts[sequence] = pages;
        foreach (int page in _planned[sequence].Pages)
            _pages[pages++] = page;
        return pages;
    }

    /// <summary>The pages of a layer.</summary>
    internal (Tensor Keys, Tensor Values) Pages(int layer) => (_keys[layer], _values[layer]);

    /// <inheritdoc/>
    public override void Commit()
    {
        for (int s = 0; s < _planned.Count; s++)
            _planned[s].Length = _keyCounts[s] - _planned[s].Offset;
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
            Grow(Grown(_pageCount, Math.Min(_pageCount + 8, Math.Max(MostPages, _pageCount + 1))));
            page = _freePages.Pop();
        }
        _owners[page] = 1;
        return page;
    }

    internal void SharePage(int page) => _owners[page]++;

    /// <summary>Whether a page belongs to one owner only.</summary>
    internal bool IsOwnedOnce(int page) => _owners[page] == 1;

    /// <summary>A sequence that begins with whole pages of others.</summary>
    internal PagedSequence NewSequence(ReadOnlySpan<int> pages, int expectedTokens)
    {
        PagedSequence sequence = new(this, expectedTokens);
        sequence.Take(pages);
        return sequence;
    }

    /// <summary>The floats of a page: keys, then values, of every layer.</summary>
    internal int PageFloats => 2 * _keys.Length * PageSize * _heads * _width;

    /// <summary>Copies a page out.</summary>
    /// <param name="page">Its number.</param>
    /// <param name="values"><see cref="PageFloats"/> of them.</param>
    internal void ReadPage(int page, Span<float> values) => Exchange(page, values, write: false);

    /// <summary>Copies a page in.</summary>
    /// <param name="page">Its number.</param>
    /// <param name="values"><see cref="PageFloats"/> of them.</param>
    internal void WritePage(int page, Span<float> values) => Exchange(page, values, write: true);

    private unsafe void Exchange(int page, Span<float> values, bool write)
    {
        int size = PageSize * _heads * _width;
        for (int i = 0; i < 2 * _keys.Length; i++)
        {
            Tensor pages = (i % 2 == 0 ? _keys : _values)[i / 2];
            Span<float> stored = new((float*)pages.Address + ((long)page * size), size), given = values.Slice(i * size, size);
            if (write)
                given.CopyTo(stored);
            else
                stored.CopyTo(given);
        }
    }

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
        Shape shape = new(pages, PageSize, _heads, _width);
        for (int layer = 0; layer < _keys.Length; layer++)
        {
            _keys[layer] = Larger(_store, _keys[layer], shape);
            _values[layer] = Larger(_store, _values[layer], shape);
        }
        for (int page = pages - 1; page >= _pageCount; page--)
            _freePages.Push(page);
        Array.Resize(ref _owners, pages);
        _pageCount = pages;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _store.Dispose();
}

/// <summary>The pages of one sequence.</summary>
internal sealed class PagedSequence : CachedSequence
{
    private readonly KvCache _cache;
    private readonly List<int> _pages;
    private int _offset;

    internal PagedSequence(KvCache cache, int expectedTokens)
    {
        _cache = cache;
        _pages = new List<int>((expectedTokens + KvCache.PageSize - 1) / KvCache.PageSize);
    }

    internal List<int> Pages => _pages;

    /// <summary>Rows in the cache: those of the prefix, then those of the tokens.</summary>
    internal int Rows => Length + _offset;

    internal override int Offset => _offset;

    /// <summary>Counts all rows as no tokens.</summary>
    internal void HideRows() => (_offset, Length) = (Rows, 0);

    internal int FullLength { get; private set; }

    /// <summary>Begins with whole pages of others, in place of those it has.</summary>
    internal void Take(ReadOnlySpan<int> pages)
    {
        foreach (int page in pages)
            _cache.SharePage(page);
        Truncate(0);
        _pages.AddRange(pages);
        Length = pages.Length * KvCache.PageSize;
    }

    /// <inheritdoc/>
    public override void Expect(int tokens, int? shortLimit)
    {
        if (FullLength <= shortLimit && tokens > shortLimit)
            Truncate(0);
        FullLength = tokens;
    }

    internal void Reserve(int newTokens)
    {
        if (Rows % KvCache.PageSize != 0)
            _pages[Rows / KvCache.PageSize] = _cache.OwnPage(_pages[Rows / KvCache.PageSize]);
        while (_pages.Count * KvCache.PageSize < Rows + newTokens)
            _pages.Add(_cache.TakePage());
    }

    /// <inheritdoc/>
    public override CachedSequence Fork()
    {
        PagedSequence fork = new(_cache, _pages.Capacity * KvCache.PageSize) { Length = Length, FullLength = FullLength, _offset = _offset };
        for (int i = 0; i * KvCache.PageSize < Rows; i++)
        {
            _cache.SharePage(_pages[i]);
            fork._pages.Add(_pages[i]);
        }
        return fork;
    }

    /// <inheritdoc/>
    public override void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        int needed = (Rows + KvCache.PageSize - 1) / KvCache.PageSize;
        for (int i = _pages.Count - 1; i >= needed; i--)
        {
            _cache.ReturnPage(_pages[i]);
            _pages.RemoveAt(i);
        }
    }

    /// <inheritdoc/>
    protected override void Release()
    {
        _offset = 0;
        base.Release();
    }
}
