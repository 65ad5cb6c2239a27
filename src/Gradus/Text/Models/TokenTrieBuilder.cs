using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Text;

/// <summary>Builds a <see cref="TokenTrie"/>: first all edges in one hash table, then a table of children for each node.</summary>
internal sealed class TokenTrieBuilder
{
    // An edge is the parent (22 bits), the label (16) and the child (22), and a bit that makes it differ from an empty slot.
    private const int NodeBits = 22;
    private const int LabelBits = 16;
    private const ulong EdgeBit = 1UL << (2 * NodeBits + LabelBits);
    private const ulong NodeMask = (1UL << NodeBits) - 1;

    // Nodes of first labels plus 1; zero where there is none.
    private readonly int[] _first = new int[TokenTrie.Labels];
    private readonly int _tokens;
    private ulong[] _edges;
    private int _shift;
    private int _edgeCount;
    private int _nodes;

    private TokenTrieBuilder(Vocabulary vocabulary)
    {
        _tokens = _nodes = vocabulary.Count;
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1 << 8, vocabulary.Count * 2));
        _edges = new ulong[size];
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    private bool IsFull => _nodes + 2 >= 1 << NodeBits;

    /// <summary>A trie of all tokens that bytes can reach, of equal ones the first; null where a trie has no room for them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static TokenTrie? Build(Vocabulary vocabulary)
    {
        if (vocabulary.Count > TokenTrie.Room.Tokens)
            return null;
        TokenTrieBuilder builder = new(vocabulary);
        // Shorter tokens first: a prefix that is a token then has its node before a longer token asks for it.
        foreach (int id in ByLength(vocabulary))
        {
            if (!builder.TryInsert(vocabulary.GetBytes(id), id))
                return null;
        }
        return builder.Finish();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int[] ByLength(Vocabulary vocabulary)
    {
        int[] starts = new int[vocabulary.MaxTokenLength + 2];
        for (int id = 0; id < vocabulary.Count; id++)
            starts[Length(id) + 1]++;
        for (int length = 1; length < starts.Length; length++)
            starts[length] += starts[length - 1];
        // Those of length 0 are left out: holes, and texts that no bytes reach.
        int none = starts[1];
        int[] ids = new int[vocabulary.Count - none];
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (Length(id) is var length and > 0)
                ids[starts[length]++ - none] = id;
        }
        return ids;

        int Length(int id) => vocabulary.IsOpaque(id) ? 0 : vocabulary.GetBytes(id).Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryInsert(ReadOnlySpan<byte> token, int id)
    {
        int node = -1;
        for (int i = 0; i < token.Length;)
        {
            int label = token[i];
            int length = 1;
            if (label >= 0x80)
            {
                bool whole = Rune.DecodeFromUtf8(token[i..], out Rune rune, out int used) == OperationStatus.Done && rune.IsBmp;
                label = whole ? rune.Value : TokenTrie.ByteLabel | label;
                length = whole ? used : 1;
            }
            i += length;
            if (IsFull)
                return false;
            int fresh = i == token.Length ? id : -1;
            node = node < 0 ? FindFirst(label, fresh) : FindChild(node, label, fresh);
        }
        return true;
    }

    private int FindFirst(int label, int fresh)
    {
        if (_first[label] == 0)
            _first[label] = (fresh >= 0 ? fresh : _nodes++) + 1;
        return _first[label] - 1;
    }

    /// <summary>The child by a label; where there is none it is made, the token that ends there or a new prefix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int FindChild(int node, int label, int fresh)
    {
        ulong key = ((ulong)(uint)node << LabelBits) | (uint)label;
        int slot = Probe(_edges, _shift, key);
        if (_edges[slot] != 0)
            return (int)(_edges[slot] & NodeMask);
        if (++_edgeCount > _edges.Length / 4 * 3)
        {
            Grow();
            slot = Probe(_edges, _shift, key);
        }
        int child = fresh >= 0 ? fresh : _nodes++;
        _edges[slot] = EdgeBit | (key << NodeBits) | (uint)child;
        return child;
    }

    private void Grow()
    {
        ulong[] edges = new ulong[_edges.Length * 2];
        _shift--;
        foreach (ulong edge in _edges)
        {
            if (edge != 0)
                edges[Probe(edges, _shift, KeyOf(edge))] = edge;
        }
        _edges = edges;
    }

    private static ulong KeyOf(ulong edge) => (edge & ~EdgeBit) >> NodeBits;

    /// <summary>The slot of a key, or the empty one where it would be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Probe(ulong[] edges, int shift, ulong key)
    {
        int i = (int)((key * 0x9E3779B97F4A7C15) >> shift);
        while (edges[i] != 0 && KeyOf(edges[i]) != key)
            i = (i + 1) & (edges.Length - 1);
        return i;
    }

    private struct Table
    {
        public int Children;
        public int Start;
        public byte Size;
        public bool Parts;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private TokenTrie? Finish()
    {
        Table[] tables = new Table[_nodes];
        foreach (ulong edge in _edges)
        {
            if (edge == 0)
                continue;
            ref Table table = ref tables[(int)(KeyOf(edge) >> LabelBits)];
            table.Children++;
            table.Parts |= (KeyOf(edge) & 0xFF00) == TokenTrie.ByteLabel;
        }
        int slotCount = 0;
        foreach (ref Table table in tables.AsSpan())
        {
            if (table.Children == 0)
                continue;
            // At least one slot stays empty, where a search for a label that is not there ends.
            int size = BitOperations.Log2((uint)(table.Children * 4 / 3)) + 1;
            table.Start = slotCount;
            table.Size = (byte)size;
            slotCount += 1 << size;
            if (size > TokenTrie.Room.Size || slotCount > TokenTrie.Room.Slots)
                return null;
        }
        ulong[] slots = new ulong[slotCount];
        foreach (ulong edge in _edges)
        {
            if (edge == 0)
                continue;
            Table parent = tables[(int)(KeyOf(edge) >> LabelBits)];
            int label = (int)KeyOf(edge) & (TokenTrie.Labels - 1);
            uint place = TokenTrie.PlaceOf(label, parent.Size);
            while (slots[parent.Start + place] != 0)
                place = (place + 1) & ((1u << parent.Size) - 1);
            slots[parent.Start + place] = NodeOf(label, (int)(edge & NodeMask), tables);
        }
        ulong[] first = new ulong[TokenTrie.Labels];
        for (int label = 0; label < first.Length; label++)
            first[label] = _first[label] == 0 ? 0 : NodeOf(label, _first[label] - 1, tables);
        return new TokenTrie(first, slots);
    }

    private ulong NodeOf(int label, int node, Table[] tables)
    {
        Table table = tables[node];
        return TokenTrie.NodeOf(label, node < _tokens ? node : -1, table.Start, table.Size, table.Parts);
    }
}
