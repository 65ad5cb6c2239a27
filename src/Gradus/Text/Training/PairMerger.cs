// The merge loop of BPE training: words as lists of symbols, the count and the words of every pair, and a heap of pairs.
// A pair of two old tokens can only become rarer, so that a heap entry is either right or too high, and is then put back.

using System.Runtime.InteropServices;
using System.Text;

namespace Gradus.Text;

internal sealed class PairMerger
{
    private readonly int[][] _words;
    private readonly int[] _lengths;
    private readonly long[] _counts;
    private readonly Dictionary<ulong, PairUse> _pairs = [];
    private readonly Dictionary<int, byte[]> _tokens = [];
    private readonly PriorityQueue<ulong, (long Count, ulong Pair)> _heap;

    private PairMerger(int[][] words, long[] counts)
    {
        _words = words;
        _lengths = [.. words.Select(w => w.Length)];
        _counts = counts;
        _heap = new PriorityQueue<ulong, (long, ulong)>(Comparer<(long Count, ulong Pair)>.Create(Compare));
    }

    private sealed class PairUse
    {
        public long Count;
        public readonly List<int> Words = [];
    }

    /// <summary>Words as the ids of their bytes.</summary>
    public static PairMerger Create(WordCounts counts, int[] byteIds)
    {
        int[][] words = new int[counts.Distinct][];
        long[] times = new long[counts.Distinct];
        int i = 0;
        foreach (int index in counts.InByteOrder())
        {
            ReadOnlySpan<byte> word = counts.Word(index);
            int[] symbols = new int[word.Length];
            for (int k = 0; k < symbols.Length; k++)
                symbols[k] = byteIds[word[k]];
            words[i] = symbols;
            times[i++] = counts.Count(index);
        }
        PairMerger merger = new(words, times);
        for (int b = 0; b < 256; b++)
            merger._tokens[byteIds[b]] = [(byte)b];
        return merger;
    }

    /// <summary>Words as the ids of symbols whose bytes are given; WordPiece training uses this.</summary>
    public static PairMerger Create(int[][] words, long[] counts, IReadOnlyDictionary<int, byte[]> symbols)
    {
        PairMerger merger = new(words, counts);
        foreach ((int id, byte[] bytes) in symbols)
            merger._tokens[id] = bytes;
        return merger;
    }

    public bool HasToken(int id) => _tokens.ContainsKey(id);

    public byte[] TokenBytes(int id) => _tokens[id];

    /// <summary>Joins pairs until there are enough, or none is frequent enough.</summary>
    /// <param name="most">How many merges.</param>
    /// <param name="minFrequency">How often a pair must occur.</param>
    /// <param name="firstNewId">The id of the first new token.</param>
    /// <param name="join">The bytes of a new token from those of its parts; null puts one after the other.</param>
    public List<Merge> Run(int most, long minFrequency, int firstNewId, Func<byte[], byte[], byte[]>? join = null)
    {
        // Two pairs can join to the same text; they make one token.
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        foreach ((int id, byte[] bytes) in _tokens)
            ids[Encoding.Latin1.GetString(bytes)] = id;
        for (int w = 0; w < _words.Length; w++)
            AddPairs(w, 1, newId: -1);
        foreach ((ulong pair, PairUse use) in _pairs)
            _heap.Enqueue(pair, (use.Count, pair));
        List<Merge> merges = [];
        int next = firstNewId;
        while (next - firstNewId < most && _heap.TryDequeue(out ulong pair, out (long Count, ulong Pair) priority))
        {
            PairUse use = _pairs[pair];
            if (use.Count != priority.Count)
            {
                if (use.Count > 0)
                    _heap.Enqueue(pair, (use.Count, pair));
                continue;
            }
            if (use.Count < minFrequency)
                break;
            int left = (int)(pair >> 32);
            int right = (int)(uint)pair;
            byte[] bytes = join is null ? [.. _tokens[left], .. _tokens[right]] : join(_tokens[left], _tokens[right]);
            if (!ids.TryGetValue(Encoding.Latin1.GetString(bytes), out int id))
            {
                id = next++;
                _tokens[id] = bytes;
                ids[Encoding.Latin1.GetString(bytes)] = id;
            }
            Apply(pair, use, left, right, id);
            merges.Add(new Merge(left, right, id));
        }
        return merges;
    }

    /// <summary>How often each id occurs in the text as it is cut now.</summary>
    public long[] CountUse(int ids)
    {
        long[] use = new long[ids];
        for (int w = 0; w < _words.Length; w++)
        {
            for (int i = 0; i < _lengths[w]; i++)
                use[_words[w][i]] += _counts[w];
        }
        return use;
    }

    private void Apply(ulong pair, PairUse use, int left, int right, int id)
    {
        HashSet<ulong> changed = [];
        foreach (int w in use.Words)
        {
            int[] word = _words[w];
            int n = _lengths[w];
            if (!Holds(word.AsSpan(0, n), left, right))
                continue;
            AddPairs(w, -1, id);
            int to = 0;
            for (int i = 0; i < n;)
            {
                bool joins = i + 1 < n && word[i] == left && word[i + 1] == right;
                word[to++] = joins ? id : word[i];
                i += joins ? 2 : 1;
            }
            _lengths[w] = to;
            AddPairs(w, 1, id);
            for (int i = 0; i + 1 < to; i++)
            {
                if (word[i] == id || word[i + 1] == id)
                    changed.Add(Key(word[i], word[i + 1]));
            }
        }
        use.Words.Clear();
        use.Words.TrimExcess();
        foreach (ulong key in changed)
            _heap.Enqueue(key, (_pairs[key].Count, key));
    }

    private static bool Holds(ReadOnlySpan<int> word, int left, int right)
    {
        for (int i = 0; i + 1 < word.Length; i++)
        {
            if (word[i] == left && word[i + 1] == right)
                return true;
        }
        return false;
    }

    /// <summary>Counts the pairs of a word in or out. After a merge only pairs with the new token can be new to the word.</summary>
    private void AddPairs(int w, int sign, int newId)
    {
        int[] word = _words[w];
        long times = sign * _counts[w];
        for (int i = 0; i + 1 < _lengths[w]; i++)
        {
            ref PairUse? use = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, Key(word[i], word[i + 1]), out _);
            use ??= new PairUse();
            use.Count += times;
            bool isNew = sign > 0 && (newId < 0 || word[i] == newId || word[i + 1] == newId);
            if (isNew && (use.Words.Count == 0 || use.Words[^1] != w))
                use.Words.Add(w);
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    /// <summary>The most frequent first; of equals the greater by bytes.</summary>
    private int Compare((long Count, ulong Pair) a, (long Count, ulong Pair) b)
    {
        int byCount = b.Count.CompareTo(a.Count);
        if (byCount != 0)
            return byCount;
        int byLeft = _tokens[(int)(b.Pair >> 32)].AsSpan().SequenceCompareTo(_tokens[(int)(a.Pair >> 32)]);
        return byLeft != 0 ? byLeft : _tokens[(int)(uint)b.Pair].AsSpan().SequenceCompareTo(_tokens[(int)(uint)a.Pair]);
    }
}
