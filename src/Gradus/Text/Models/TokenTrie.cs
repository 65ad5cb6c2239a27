using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>
/// The tokens of a byte-level vocabulary by their bytes: a trie whose nodes each have a small hash table of children, so that what is
/// often asked lies close together. A step is a whole character where it can be, because every step is likely to be a cache miss;
/// tokens that end inside a character end in steps of single bytes.
/// </summary>
internal sealed class TokenTrie
{
    /// <summary>Labels of single bytes outside ASCII lie where Unicode has its surrogates, which are no characters.</summary>
    public const int ByteLabel = 0xD800;

    public const int Labels = 1 << 16;

    // A node in 64 bits: whether parts of characters follow, the size of its table as a power of two (0 for none), where in the slots
    // its table begins, its token plus 1 (0 for none), and its label, changed so that a node is never zero. Zero is no node.
    private const int PartsBit = 1;
    private const int SizeShift = 1, SizeBits = 4;
    private const int StartShift = SizeShift + SizeBits, StartBits = 22;
    private const int TokenShift = StartShift + StartBits, TokenBits = 21;
    private const int LabelShift = TokenShift + TokenBits;
    private const int NoLabel = 0xDFFF;

    private readonly ulong[] _first;
    private readonly ulong[] _slots;

    /// <summary>A trie of nodes that <see cref="TokenTrieBuilder"/> has made.</summary>
    /// <param name="first">The nodes of first labels.</param>
    /// <param name="slots">The tables of all other nodes.</param>
    public TokenTrie(ulong[] first, ulong[] slots)
    {
        _first = first;
        _slots = slots;
    }

    /// <summary>The most tokens, slots, and power of two of a table that a node has room for.</summary>
    public static (int Tokens, int Slots, int Size) Room => ((1 << TokenBits) - 1, 1 << StartBits, (1 << SizeBits) - 1);

    public static ulong NodeOf(int label, int token, int start, int size, bool parts)
    {
        return ((ulong)(uint)(label ^ NoLabel) << LabelShift) | ((ulong)(uint)(token + 1) << TokenShift) | ((ulong)(uint)start << StartShift)
            | ((uint)size << SizeShift) | (parts ? (ulong)PartsBit : 0);
    }

    /// <summary>The place of a label in a table of 2^size slots.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PlaceOf(int label, int size) => ((uint)label * 0x9E3779B1u) >> (32 - size);

    /// <summary>The longest token that the text begins with, or −1. The text is a part of well-formed UTF-8, cut anywhere.</summary>
    /// <param name="text">The text, not empty.</param>
    /// <param name="length">The length of the token in bytes.</param>
    /// <param name="open">Whether longer tokens begin like the text and then differ from it.</param>
    public int Longest(ReadOnlySpan<byte> text, out int length, out bool open)
    {
        ulong node = _first[LabelAt(text, 0, out int i)];
        int best = -1;
        int reach = 0;
        length = 0;
        if (i > 1 && TokenOf(node) < 0)
            best = LongestPart(_first[ByteLabel | text[0]], text, 1, ref length, ref reach);
        while (node != 0)
        {
            reach = i;
            if (TokenOf(node) is var token and >= 0)
            {
                best = token;
                length = i;
            }
            if (i == text.Length || !HasChildren(node))
                break;
            if ((node & PartsBit) != 0 && text[i] >= 0xC0)
            {
                int part = LongestPart(Child(node, ByteLabel | text[i]), text, i + 1, ref length, ref reach);
                best = part >= 0 ? part : best;
            }
            node = Child(node, LabelAt(text, i, out int labelLength));
            i += labelLength;
        }
        open = reach > length;
        return best;
    }

    /// <summary>Whether longer tokens begin with a token.</summary>
    public bool HasLonger(ReadOnlySpan<byte> token) => HasChildren(Walk(token));

    /// <summary>Whether longer tokens begin with the first bytes of a text and the character after them, or a part of that character.</summary>
    public bool Continues(ReadOnlySpan<byte> text, int count)
    {
        ulong node = Walk(text[..count]);
        if (!HasChildren(node))
            return false;
        int label = LabelAt(text, count, out int length);
        return Child(node, label) != 0 || (length > 1 && Child(node, ByteLabel | text[count]) != 0);
    }

    private ulong Walk(ReadOnlySpan<byte> bytes)
    {
        ulong node = _first[LabelAt(bytes, 0, out int i)];
        while (i < bytes.Length && HasChildren(node))
        {
            node = Child(node, LabelAt(bytes, i, out int length));
            i += length;
        }
        return i < bytes.Length ? 0 : node;
    }

    /// <summary>Goes on from a byte that is the first of a character, without the whole character.</summary>
    private int LongestPart(ulong node, ReadOnlySpan<byte> text, int i, ref int length, ref int reach)
    {
        int best = -1;
        while (node != 0)
        {
            reach = i;
            if (TokenOf(node) is var token and >= 0)
            {
                best = token;
                length = i;
            }
            if (i == text.Length || (text[i] & 0xC0) != 0x80 || !HasChildren(node))
                break;
            node = Child(node, ByteLabel | text[i++]);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TokenOf(ulong node) => ((int)(node >> TokenShift) & ((1 << TokenBits) - 1)) - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasChildren(ulong node) => (node & (((1 << SizeBits) - 1) << SizeShift)) != 0;

    /// <summary>The child of a node that has children, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Child(ulong node, int label)
    {
        ulong[] slots = _slots;
        int size = (int)(node >> SizeShift) & ((1 << SizeBits) - 1);
        uint start = (uint)(node >> StartShift) & ((1 << StartBits) - 1);
        uint mask = (1u << size) - 1;
        uint place = PlaceOf(label, size);
        while (true)
        {
            ulong child = slots[start + place];
            if (child >> LabelShift == (uint)(label ^ NoLabel) || child == 0)
                return child;
            place = (place + 1) & mask;
        }
    }
}
