// The merge loop of BPE training. Every symbol of every distinct word is a cell in one array, linked to its neighbours; every pair knows
// the cells it begins at. A merge visits just the places where its pair is, so that all merges together take time in proportion to the
// symbols that they join. A pair of two old tokens can only become rarer: a queue entry is either right or too high, and is then put back.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Gradus.Text;

internal sealed class PairMerger
{
    private const int None = -1;

    private readonly Cell[] _cells;
    private readonly long[] _counts;
    private readonly Dictionary<ulong, int> _pairIndex = [];
    private readonly List<Pair> _pairs = [];
    private readonly PriorityQueue<int, (long Count, int Pair)> _queue;
    private readonly NeighbourTally _before = new();
    private readonly NeighbourTally _after = new();
    private byte[]?[] _tokens = new byte[512][];
    private int[] _places = [];
    private int _placeCount;

    private PairMerger(Cell[] cells, long[] counts, IReadOnlyDictionary<int, byte[]> symbols)
    {
        _cells = cells;
        _counts = counts;
        foreach ((int id, byte[] bytes) in symbols)
            SetToken(id, bytes);
        _queue = new PriorityQueue<int, (long, int)>(Comparer<(long Count, int Pair)>.Create(Compare));
    }

    /// <summary>A symbol of a word; one that was joined to the symbol before it has the symbol <see cref="None"/>.</summary>
    private struct Cell
    {
        public int Symbol;
        public int Previous;
        public int Next;
        public int Word;
    }

    /// <summary>Two tokens, how often they stand side by side, and where in <see cref="_places"/> the cells of the left one are listed; some may be out of date.</summary>
    private struct Pair
    {
        public int Left;
        public int Right;
        public long Count;
        public int FirstPlace;
        public int Places;

        /// <summary>For how many places there is room.</summary>
        public int Room;

        /// <summary>The places may be out of order: the pair was met as a new one more than once.</summary>
        public bool IsUnordered;
    }

    /// <summary>Words as the ids of their bytes.</summary>
    public static PairMerger Create(WordCounts counts, int[] byteIds)
    {
        int[] lengths = new int[counts.Distinct];
        long[] times = new long[counts.Distinct];
        for (int w = 0; w < lengths.Length; w++)
        {
            lengths[w] = counts.Word(w).Length;
            times[w] = counts.Count(w);
        }
        Cell[] cells = NewCells(lengths);
        int at = 0;
        for (int w = 0; w < lengths.Length; w++)
        {
            foreach (byte b in counts.Word(w))
                cells[at++].Symbol = byteIds[b];
        }
        return new PairMerger(cells, times, Enumerable.Range(0, 256).ToDictionary(b => byteIds[b], b => new[] { (byte)b }));
    }

    /// <summary>Words as the ids of symbols whose bytes are given; WordPiece training uses this.</summary>
    public static PairMerger Create(int[][] words, long[] counts, IReadOnlyDictionary<int, byte[]> symbols)
    {
        Cell[] cells = NewCells([.. words.Select(w => w.Length)]);
        int at = 0;
        foreach (int symbol in words.SelectMany(w => w))
            cells[at++].Symbol = symbol;
        return new PairMerger(cells, counts, symbols);
    }

    public bool HasToken(int id) => id < _tokens.Length && _tokens[id] is not null;

    public byte[] TokenBytes(int id) => _tokens[id]!;

    /// <summary>Joins pairs until there are enough, or none is frequent enough.</summary>
    /// <param name="most">How many merges.</param>
    /// <param name="minFrequency">How often a pair must occur.</param>
    /// <param name="firstNewId">The id of the first new token.</param>
    /// <param name="join">The bytes of a new token from those of its parts; null puts one after the other.</param>
    public List<Merge> Run(int most, long minFrequency, int firstNewId, Func<byte[], byte[], byte[]>? join = null)
    {
        // Two pairs can join to the same text; they make one token.
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_tokens[id] is { } bytes)
                ids[Encoding.Latin1.GetString(bytes)] = id;
        }
        CountAllPairs(minFrequency);
        List<Merge> merges = [];
        int next = firstNewId;
        while (next - firstNewId < most && _queue.TryDequeue(out int index, out (long Count, int Pair) priority))
        {
            Pair pair = _pairs[index];
            if (pair.Count != priority.Count)
            {
                Enqueue(index, minFrequency);
                continue;
            }
            byte[] left = TokenBytes(pair.Left);
            byte[] right = TokenBytes(pair.Right);
            byte[] bytes = join is null ? [.. left, .. right] : join(left, right);
            if (!ids.TryGetValue(Encoding.Latin1.GetString(bytes), out int id))
            {
                id = next++;
                SetToken(id, bytes);
                ids[Encoding.Latin1.GetString(bytes)] = id;
            }
            Apply(index, id, minFrequency);
            merges.Add(new Merge(pair.Left, pair.Right, id));
        }
        return merges;
    }

    /// <summary>How often each id occurs in the text as it is cut now.</summary>
    public long[] CountUse(int ids)
    {
        long[] use = new long[ids];
        foreach (Cell cell in _cells)
        {
            if (cell.Symbol != None)
                use[cell.Symbol] += _counts[cell.Word];
        }
        return use;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Cell[] NewCells(int[] lengths)
    {
        Cell[] cells = new Cell[lengths.Sum()];
        int at = 0;
        for (int w = 0; w < lengths.Length; w++)
        {
            int first = at;
            int end = at + lengths[w];
            for (; at < end; at++)
                cells[at] = new Cell { Previous = at > first ? at - 1 : None, Next = at + 1 < end ? at + 1 : None, Word = w };
        }
        return cells;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private Span<Pair> Pairs => CollectionsMarshal.AsSpan(_pairs);

    private void SetToken(int id, byte[] bytes)
    {
        if (id >= _tokens.Length)
            Array.Resize(ref _tokens, Math.Max(id + 1, _tokens.Length * 2));
        _tokens[id] = bytes;
    }

    private int FindOrAdd(int left, int right)
    {
        ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairIndex, Key(left, right), out bool exists);
        if (!exists)
        {
            index = _pairs.Count;
            _pairs.Add(new Pair { Left = left, Right = right });
        }
        return index;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CountAllPairs(long minFrequency)
    {
        int[] pairOfCell = new int[_cells.Length];
        for (int i = 0; i < _cells.Length; i++)
        {
            Cell cell = _cells[i];
            if (cell.Next == None)
                continue;
            pairOfCell[i] = FindOrAdd(cell.Symbol, _cells[cell.Next].Symbol);
            ref Pair pair = ref Pairs[pairOfCell[i]];
            pair.Count += _counts[cell.Word];
            pair.Room++;
        }
        foreach (ref Pair pair in Pairs)
            ReservePlaces(ref pair);
        for (int i = 0; i < _cells.Length; i++)
        {
            if (_cells[i].Next != None)
                AddPlace(ref Pairs[pairOfCell[i]], i);
        }
        for (int index = 0; index < _pairs.Count; index++)
            Enqueue(index, minFrequency);
    }

    /// <summary>Gives a pair its room, with the places it has.</summary>
    private void ReservePlaces(ref Pair pair)
    {
        if (_placeCount + pair.Room > _places.Length)
            Array.Resize(ref _places, Math.Max(_placeCount + pair.Room, _places.Length * 2));
        _places.AsSpan(pair.FirstPlace, pair.Places).CopyTo(_places.AsSpan(_placeCount));
        pair.FirstPlace = _placeCount;
        _placeCount += pair.Room;
    }

    private void AddPlace(ref Pair pair, int cell) => _places[pair.FirstPlace + pair.Places++] = cell;

    private void Enqueue(int index, long minFrequency)
    {
        // A pair that is too rare stays so, unless it is met again as a new one.
        if (Pairs[index].Count >= minFrequency)
            _queue.Enqueue(index, (Pairs[index].Count, index));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Apply(int index, int id, long minFrequency)
    {
        ref Pair pair = ref Pairs[index];
        Span<int> places = _places.AsSpan(pair.FirstPlace, pair.Places);
        // From left to right: of three equal symbols the first two are joined.
        if (pair.IsUnordered)
            places.Sort();
        int joined = Join(places, pair.Left, pair.Right, id);
        pair.Count = 0;
        pair.Places = 0;
        pair.Room = 0;
        pair.IsUnordered = false;
        foreach (int symbol in _before.Symbols)
            TakeAway(symbol, pair.Left, _before.Weight(symbol));
        foreach (int symbol in _after.Symbols)
            TakeAway(pair.Right, symbol, _after.Weight(symbol));
        AddNewPairs(places[..joined], id, minFrequency);
    }

    /// <summary>Joins the pair wherever it still is, tallies the pairs that are lost, and leaves the cells of the new tokens at the front of the places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Join(Span<int> places, int left, int right, int id)
    {
        Cell[] cells = _cells;
        _before.Clear();
        _after.Clear();
        int joined = 0;
        foreach (int i in places)
        {
            ref Cell cell = ref cells[i];
            if (cell.Symbol != left || cell.Next == None || cells[cell.Next].Symbol != right)
                continue;
            ref Cell gone = ref cells[cell.Next];
            long weight = _counts[cell.Word];
            // The pair between this one and one just joined has been tallied from there.
            if (cell.Previous != None && (joined == 0 || places[joined - 1] != cell.Previous))
                _before.Add(cells[cell.Previous].Symbol, weight);
            if (gone.Next != None)
            {
                _after.Add(cells[gone.Next].Symbol, weight);
                cells[gone.Next].Previous = i;
            }
            cell.Symbol = id;
            cell.Next = gone.Next;
            gone.Symbol = None;
            places[joined++] = i;
        }
        return joined;
    }

    private void TakeAway(int left, int right, long weight)
    {
        ref Pair pair = ref Pairs[_pairIndex[Key(left, right)]];
        pair.Count = Math.Max(0, pair.Count - weight);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddNewPairs(ReadOnlySpan<int> joined, int id, long minFrequency)
    {
        Cell[] cells = _cells;
        _before.Clear();
        _after.Clear();
        foreach (int i in joined)
        {
            Cell cell = cells[i];
            long weight = _counts[cell.Word];
            if (BeginsBefore(joined, i, cell.Previous, id))
                _before.Add(cells[cell.Previous].Symbol, weight);
            if (cell.Next != None)
                _after.Add(cells[cell.Next].Symbol, weight);
        }
        foreach (int symbol in _before.Symbols)
            _before.SetPair(symbol, AddNewPair(symbol, id, _before.Weight(symbol), _before.Times(symbol)));
        foreach (int symbol in _after.Symbols)
            _after.SetPair(symbol, AddNewPair(id, symbol, _after.Weight(symbol), _after.Times(symbol)));
        foreach (int i in joined)
        {
            Cell cell = cells[i];
            if (BeginsBefore(joined, i, cell.Previous, id))
                AddPlace(ref Pairs[_before.Pair(cells[cell.Previous].Symbol)], cell.Previous);
            if (cell.Next != None)
                AddPlace(ref Pairs[_after.Pair(cells[cell.Next].Symbol)], i);
        }
        foreach (int symbol in _before.Symbols)
            Enqueue(_before.Pair(symbol), minFrequency);
        foreach (int symbol in _after.Symbols)
            Enqueue(_after.Pair(symbol), minFrequency);
    }

    /// <summary>Whether a new token has a pair with the cell before it that is not already counted from there, as that of two new tokens is.</summary>
    private bool BeginsBefore(ReadOnlySpan<int> joined, int cell, int previous, int id)
    {
        return previous != None && (_cells[previous].Symbol != id || joined.BinarySearch(previous) < 0);
    }

    /// <summary>Counts a pair with a new token and makes room for its places; one that is there already keeps its old ones.</summary>
    private int AddNewPair(int left, int right, long weight, int times)
    {
        int index = FindOrAdd(left, right);
        ref Pair pair = ref Pairs[index];
        pair.IsUnordered |= pair.Room > 0;
        pair.Count += weight;
        pair.Room += times;
        ReservePlaces(ref pair);
        return index;
    }

    /// <summary>The most frequent first; of equals the greater by bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Compare((long Count, int Pair) a, (long Count, int Pair) b)
    {
        int byCount = b.Count.CompareTo(a.Count);
        if (byCount != 0)
            return byCount;
        ref Pair first = ref Pairs[a.Pair];
        ref Pair second = ref Pairs[b.Pair];
        int byLeft = TokenBytes(second.Left).AsSpan().SequenceCompareTo(TokenBytes(first.Left));
        return byLeft != 0 ? byLeft : TokenBytes(second.Right).AsSpan().SequenceCompareTo(TokenBytes(first.Right));
    }
}
