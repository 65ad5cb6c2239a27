using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// The states of a recurrent network for any number of sequences: a page is one sequence's state in all layers, whatever its length.
/// Sequences that began as one share a page until one of them goes on: it reads there and writes to a page of its own.
/// </summary>
public sealed class RecurrentCache : SequenceCache
{
    // Page 0 is never written to: a new sequence begins with its zeros.
    private const int Zeros = 0;

    private readonly Workspace _store;
    private readonly int _units;
    private readonly Tensor[] _hidden;
    private readonly Tensor[]? _memory;
    private readonly Stack<int> _free = new();
    private readonly List<StateSequence> _planned = [];
    private readonly States _states;
    private int[] _owners = [];
    private int[] _starts = new int[9];
    private int[] _lengths = new int[8];
    private int[] _reads = new int[8];
    private int[] _writes = new int[8];
    private int[] _ordered = new int[8];
    private int _pages;

    /// <summary>Makes an empty cache; pages are added as sequences come.</summary>
    /// <param name="device">The model's device.</param>
    /// <param name="layers">Layers of the model.</param>
    /// <param name="units">Units per layer.</param>
    /// <param name="cell">Their cell.</param>
    public RecurrentCache(Device device, int layers, int units, RecurrentCell cell)
    {
        _store = new Workspace(device);
        _units = units;
        _hidden = new Tensor[layers];
        _memory = cell == RecurrentCell.Lstm ? new Tensor[layers] : null;
        _states = new States(this);
        Grow(8);
    }

    /// <inheritdoc/>
    public override AttentionLayout Layout { get; } = AttentionLayout.Paged(1);

    /// <inheritdoc/>
    public override long PageBytes => (long)_hidden.Length * _units * (_memory is null ? 1 : 2) * sizeof(float);

    /// <inheritdoc/>
    public override long Bytes => _pages * PageBytes;

    /// <inheritdoc/>
    public override int PagesInUse => _pages - 1 - _free.Count;

    internal override RecurrentMemory Memory => _states;

    /// <inheritdoc/>
    public override int PagesFor(int tokens) => 1;

    /// <inheritdoc/>
    public override void Reserve(int pages)
    {
        if (pages >= _pages)
            Grow(Grown(_pages, pages + 1));
    }

    /// <inheritdoc/>
    public override int PagesToAdd(CachedSequence sequence, int newTokens) => IsShared(((StateSequence)sequence).Page) ? 1 : 0;

    /// <inheritdoc/>
    public override CachedSequence NewSequence(int expectedTokens = 0, int[]? source = null) => new StateSequence(this, Zeros);

    /// <inheritdoc/>
    public override void Plan(IReadOnlyList<CachedSequence> sequences, ReadOnlySpan<int> newTokens, Workspace workspace)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        int count = sequences.Count, tokens = 0;
        if (newTokens.Length != count)
            throw new ArgumentException($"{count} sequences, but {newTokens.Length} numbers of new tokens.", nameof(newTokens));
        Ensure(ref _starts, count + 1);
        Ensure(ref _lengths, count);
        Ensure(ref _reads, count);
        Ensure(ref _writes, count);
        Ensure(ref _ordered, count);
        _planned.Clear();
        for (int s = 0; s < count; s++)
        {
            StateSequence sequence = (StateSequence)sequences[s];
            _planned.Add(sequence);
            _starts[s] = tokens;
            tokens += newTokens[s];
            _lengths[s] = sequence.Length + newTokens[s];
            _reads[s] = sequence.Page;
            _writes[s] = sequence.OwnPage();
        }
        _starts[count] = tokens;
        Layout.SetPaged(count, _starts, _lengths, [], []);
    }

    /// <inheritdoc/>
    public override void Commit()
    {
        for (int s = 0; s < _planned.Count; s++)
            _planned[s].Length = _lengths[s];
        _planned.Clear();
    }

    internal int TakePage()
    {
        if (_free.Count == 0)
            Grow(_pages * 2);
        int page = _free.Pop();
        _owners[page] = 1;
        return page;
    }

    internal void SharePage(int page) => _owners[page]++;

    internal void ReturnPage(int page)
    {
        if (page != Zeros && --_owners[page] == 0)
            _free.Push(page);
    }

    internal bool IsShared(int page) => page == Zeros || _owners[page] > 1;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _store.Dispose();

    private void Grow(int pages)
    {
        Shape shape = new(pages, _units);
        for (int layer = 0; layer < _hidden.Length; layer++)
        {
            _hidden[layer] = Larger(_store, _hidden[layer], shape);
            if (_memory is not null)
                _memory[layer] = Larger(_store, _memory[layer], shape);
        }
        for (int page = pages - 1; page >= Math.Max(_pages, 1); page--)
            _free.Push(page);
        Array.Resize(ref _owners, pages);
        _pages = pages;
    }

    /// <summary>The planned sequences' pages as the layers see them.</summary>
    private sealed class States(RecurrentCache cache) : RecurrentMemory
    {
        public override (Tensor? Hidden, Tensor? Memory) First(int layer, Workspace workspace)
        {
            Tensor pages = workspace.From(cache._reads.AsSpan(0, cache.Layout.Sequences));
            return (Read(cache._hidden[layer], pages), cache._memory is null ? null : Read(cache._memory[layer], pages));
        }

        // All sequences of a step have tokens.
        public override void Keep(int layer, RecurrentLayout order, Tensor hidden, Tensor? memory)
        {
            Workspace w = hidden.Workspace;
            for (int rank = 0; rank < order.Running; rank++)
                cache._ordered[rank] = cache._writes[order.RunningSequences[rank]];
            Tensor rows = w.From(order.LastRows), pages = w.From(cache._ordered.AsSpan(0, order.Running));
            Write(hidden, rows, pages, cache._hidden[layer]);
            if (memory is not null)
                Write(memory, rows, pages, cache._memory![layer]);
        }

        private static Tensor Read(Tensor table, Tensor pages)
        {
            Tensor states = pages.Workspace.Empty(new Shape((int)pages.Count, table.Shape.Columns));
            table.Device.Gather(table, pages, states);
            return states;
        }

        private static void Write(Tensor states, Tensor rows, Tensor pages, Tensor table)
        {
            Tensor last = rows.Workspace.Empty(new Shape((int)rows.Count, table.Shape.Columns));
            table.Device.Gather(states, rows, last);
            table.Device.PutRows(last, pages, table);
        }
    }

    private sealed class StateSequence(RecurrentCache cache, int page) : CachedSequence
    {
        public int Page { get; private set; } = page;

        /// <summary>A page that this sequence alone owns; what it held stays where it was.</summary>
        public int OwnPage()
        {
            if (!cache.IsShared(Page))
                return Page;
            int own = cache.TakePage();
            cache.ReturnPage(Page);
            return Page = own;
        }

        public override CachedSequence Fork()
        {
            if (Page != Zeros)
                cache.SharePage(Page);
            return new StateSequence(cache, Page) { Length = Length };
        }

        internal override bool GoesBack => false;

        public override void Truncate(int length)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(length);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
            if (length == Length)
                return;
            if (length > 0)
                throw new NotSupportedException("A recurrent network cannot go back to an earlier token; begin again and read the text anew.");
            Release();
        }

        protected override void Release()
        {
            cache.ReturnPage(Page);
            Page = Zeros;
            Length = 0;
        }
    }
}
