using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>How often each symbol stood on one side of the places of a merge: arrays over all symbols, of which only those met are cleared.</summary>
internal sealed class NeighbourTally
{
    private readonly List<int> _symbols = [];
    private Entry[] _entries = new Entry[512];

    private struct Entry
    {
        public long Weight;
        public int Times;
        public int Pair;
    }

    /// <summary>The symbols met since the last clearing, in the order of the first meeting.</summary>
    public List<int> Symbols => _symbols;

    public void Clear()
    {
        foreach (int symbol in _symbols)
            _entries[symbol] = default;
        _symbols.Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(int symbol, long weight)
    {
        if (symbol >= _entries.Length)
            Array.Resize(ref _entries, Math.Max(symbol + 1, _entries.Length * 2));
        ref Entry entry = ref _entries[symbol];
        if (entry.Times++ == 0)
            _symbols.Add(symbol);
        entry.Weight += weight;
    }

    /// <summary>The sum of the counts of the words it was met in.</summary>
    public long Weight(int symbol) => _entries[symbol].Weight;

    /// <summary>At how many places it was met.</summary>
    public int Times(int symbol) => _entries[symbol].Times;

    public int Pair(int symbol) => _entries[symbol].Pair;

    public void SetPair(int symbol, int pair) => _entries[symbol].Pair = pair;
}
