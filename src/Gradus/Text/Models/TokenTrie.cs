using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Text;

/// <summary>
/// The tokens of a byte-level vocabulary by their bytes: a trie whose edges lie in one open-addressing table, so that 200,000 tokens
/// are entered in some ten milliseconds. An edge is a whole character where it can be, because every edge that is followed is likely
/// to be a cache miss; tokens that end inside a character end in edges of single bytes.
/// </summary>
internal sealed class TokenTrie
{
    /// <summary>A trie has room for so many nodes: tokens, and prefixes of tokens that are none.</summary>
    private const int MaxNodes = 1 << NodeBits;

    private const int NodeBits = 22;
    private const int LabelBits = 16;

    /// <summary>A node is followed by bytes that are only a part of a character.</summary>
    private const int HasParts = 1 << NodeBits;

    /// <summary>A node is followed by anything at all.</summary>
    private const int HasChildren = 2 << NodeBits;

    private const int NodeMask = MaxNodes - 1;
    private const int HandleBits = NodeBits + 2;

    /// <summary>The labels of single bytes outside ASCII lie where Unicode has its surrogates, which are no characters.</summary>
    private const int ByteLabel = 0xD800;

    // Handles (node and flags) plus 1 of what a label alone leads to; zero where there is nothing.
    private readonly int[] _first = new int[1 << LabelBits];

    // An edge is the parent, the label, a set bit and the handle of the child; zero is an empty slot.
    private ulong[] _edges;
    private int _shift;
    private int _edgeCount;
    private int _nodes;
    private readonly int _tokens;

    /// <summary>A trie of all tokens that bytes can reach; of equal ones the first counts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TokenTrie(Vocabulary vocabulary)
    {
        _tokens = _nodes = vocabulary.Count;
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1 << 8, vocabulary.Count * 2));
        _edges = new ulong[size];
        _shift = 64 - BitOperations.Log2((uint)size);
        // Shorter tokens first: a prefix that is a token then has its node before a longer token asks for it.
        foreach (int id in ByLength(vocabulary))
            Insert(vocabulary.GetBytes(id), id);
    }

    /// <summary>Whether a trie has room for a vocabulary, however its tokens may branch.</summary>
    public static bool HasRoomFor(Vocabulary vocabulary)
    {
        long nodes = vocabulary.Count;
        for (int id = 0; id < vocabulary.Count; id++)
            nodes += vocabulary.GetBytes(id).Length;
        return nodes <= MaxNodes;
    }

    /// <summary>The longest token that the text begins with, or −1. The text is a part of well-formed UTF-8, cut anywhere.</summary>
    /// <param name="text">The text, not empty.</param>
    /// <param name="length">The length of the token in bytes.</param>
    /// <param name="open">Whether longer tokens begin like the text and then differ from it.</param>
    public int Longest(ReadOnlySpan<byte> text, out int length, out bool open)
    {
        int handle = _first[LabelAt(text, 0, out int i)] - 1;
        int best = -1;
        int reach = 0;
        length = 0;
        if (i > 1 && (handle < 0 || (handle & NodeMask) >= _tokens))
            best = LongestPart(_first[ByteLabel | text[0]] - 1, text, 1, ref length, ref reach);
        while (handle >= 0)
        {
            int node = handle & NodeMask;
            reach = i;
            if (node < _tokens)
            {
                best = node;
                length = i;
            }
            if (handle < HasParts || i == text.Length)
                break;
            if ((handle & HasParts) != 0 && text[i] >= 0xC0)
            {
                int part = LongestPart(Child(node, ByteLabel | text[i]), text, i + 1, ref length, ref reach);
                best = part >= 0 ? part : best;
            }
            handle = Child(node, LabelAt(text, i, out int labelLength));
            i += labelLength;
        }
        open = reach > length;
        return best;
    }

    /// <summary>Whether a token has longer ones that begin with it.</summary>
    public bool HasLonger(ReadOnlySpan<byte> token)
    {
        int handle = _first[LabelAt(token, 0, out int i)] - 1;
        while (handle >= 0 && i < token.Length)
        {
            handle = Child(handle & NodeMask, LabelAt(token, i, out int length));
            i += length;
        }
        return handle >= HasParts;
    }

    /// <summary>Whether longer tokens begin with a token and the first character of a text, or a part of that character.</summary>
    public bool Continues(int token, ReadOnlySpan<byte> text)
    {
        int label = LabelAt(text, 0, out int length);
        return Child(token, label) >= 0 || (length > 1 && Child(token, ByteLabel | text[0]) >= 0);
    }

    /// <summary>Goes on from a byte that is the first of a character, without the whole character.</summary>
    private int LongestPart(int handle, ReadOnlySpan<byte> text, int i, ref int length, ref int reach)
    {
        int best = -1;
        while (handle >= 0)
        {
            reach = i;
            if ((handle & NodeMask) < _tokens)
            {
                best = handle & NodeMask;
                length = i;
            }
            if (handle < HasParts || i == text.Length || (text[i] & 0xC0) != 0x80)
                break;
            handle = Child(handle & NodeMask, ByteLabel | text[i++]);
        }
        return best;
    }

    /// <summary>A character of the basic plane that is there as a whole, or a single byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LabelAt(ReadOnlySpan<byte> text, int i, out int length)
    {
        int b = text[i];
        length = 1;
        if (b < 0x80)
            return b;
        if (b >= 0xE0 && b < 0xF0 && i + 2 < text.Length)
        {
            length = 3;
            return ((b & 0x0F) << 12) | ((text[i + 1] & 0x3F) << 6) | (text[i + 2] & 0x3F);
        }
        if (b >= 0xC0 && b < 0xE0 && i + 1 < text.Length)
        {
            length = 2;
            return ((b & 0x1F) << 6) | (text[i + 1] & 0x3F);
        }
        return ByteLabel | b;
    }

    /// <summary>The handle of a node's child, or −1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Child(int node, int label)
    {
        ulong[] edges = _edges;
        ulong key = KeyOf(node, label);
        int i = IndexOf(key, _shift);
        while (true)
        {
            ulong edge = edges[i];
            if (edge >> (HandleBits + 1) == key && edge != 0)
                return (int)edge & ((1 << HandleBits) - 1);
            if (edge == 0)
                return -1;
            i = (i + 1) & (edges.Length - 1);
        }
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
    private void Insert(ReadOnlySpan<byte> token, int id)
    {
        int i = 0;
        int node = -1;
        // Where the handle of the present node lies: a slot of the table, or a first label.
        int slot = -1;
        int first = -1;
        while (i < token.Length)
        {
            int label = token[i];
            int length = 1;
            if (label >= 0x80)
            {
                bool whole = Rune.DecodeFromUtf8(token[i..], out Rune rune, out int used) == OperationStatus.Done && rune.IsBmp;
                label = whole ? rune.Value : ByteLabel | label;
                length = whole ? used : 1;
            }
            i += length;
            int last = i == token.Length ? id : -1;
            if (node < 0)
            {
                first = label;
                if (_first[label] == 0)
                    _first[label] = (last >= 0 ? last : _nodes++) + 1;
                node = (_first[label] - 1) & NodeMask;
                continue;
            }
            int flags = HasChildren | ((label & 0xFF00) == ByteLabel ? HasParts : 0);
            if (slot < 0)
                _first[first] = ((_first[first] - 1) | flags) + 1;
            else
                _edges[slot] |= (uint)flags;
            slot = FindOrConnect(node, label, last);
            node = (int)_edges[slot] & NodeMask;
        }
    }

    /// <summary>The slot of an edge, which is made where there is none: to the token that ends there, or to a new prefix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int FindOrConnect(int node, int label, int token)
    {
        ulong key = KeyOf(node, label);
        int slot = Probe(_edges, _shift, key);
        if (_edges[slot] != 0)
            return slot;
        if (++_edgeCount > _edges.Length / 4 * 3)
        {
            Grow();
            slot = Probe(_edges, _shift, key);
        }
        _edges[slot] = (((key << 1) | 1) << HandleBits) | (uint)(token >= 0 ? token : _nodes++);
        return slot;
    }

    private void Grow()
    {
        ulong[] edges = new ulong[_edges.Length * 2];
        _shift--;
        foreach (ulong edge in _edges)
        {
            if (edge != 0)
                edges[Probe(edges, _shift, edge >> (HandleBits + 1))] = edge;
        }
        _edges = edges;
    }

    /// <summary>The slot of a key, or the empty one where it would be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Probe(ulong[] edges, int shift, ulong key)
    {
        int i = IndexOf(key, shift);
        while (edges[i] != 0 && edges[i] >> (HandleBits + 1) != key)
            i = (i + 1) & (edges.Length - 1);
        return i;
    }

    private static ulong KeyOf(int node, int label) => ((ulong)(uint)node << LabelBits) | (uint)label;

    private static int IndexOf(ulong key, int shift) => (int)((key * 0x9E3779B97F4A7C15) >> shift);
}
