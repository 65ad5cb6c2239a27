namespace Gradus.Generation.Structure;

/// <summary>
/// The bytes that each token of a vocabulary writes, as a flat tree in depth-first order, in which a whole subtree is passed over in
/// one step. Made once for a vocabulary, for any number of grammars; safe for use by many threads.
/// </summary>
public sealed class TokenBytes
{
    private const int ShortRun = 16;

    private readonly byte[][] _texts;
    private readonly Lazy<PlainTokens> _plain;
    private readonly Lazy<PlainTokens> _shortPlain;

    /// <summary>A vocabulary.</summary>
    /// <param name="texts">For every id the bytes that it writes; empty for ids that write nothing, such as special tokens.</param>
    public TokenBytes(IReadOnlyList<byte[]> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        _texts = [.. texts];
        All = new TokenTree(_texts, static _ => true);
        _plain = new(() => new PlainTokens(_texts, int.MaxValue));
        _shortPlain = new(() => new PlainTokens(_texts, ShortRun));
        bool[] single = new bool[256];
        foreach (byte[] text in _texts)
        {
            if (text.Length == 1)
                single[text[0]] = true;
        }
        // Bytes that no UTF-8 has are not missed.
        WritesEveryByte = Enumerable.Range(0, 256).All(b => single[b] || b is 0xC0 or 0xC1 or > 0xF4 or 0x7F || (b < 0x20 && b is not (0x0A or 0x09 or 0x0D)));
    }

    /// <summary>How many ids there are.</summary>
    public int Count => _texts.Length;

    /// <summary>Whether every byte that a text can hold has a token of its own, so that every text can be written.</summary>
    public bool WritesEveryByte { get; }

    /// <summary>The longest token that a text begins with.</summary>
    /// <param name="text">The text, not empty.</param>
    /// <returns>Its id, or −1 where there is none.</returns>
    public int Longest(ReadOnlySpan<byte> text)
    {
        int longest = -1;
        All.Visit(text, (_, token) => longest = token);
        return longest;
    }

    internal TokenTree All { get; }

    /// <summary>The bytes of a token.</summary>
    /// <param name="id">The token.</param>
    public ReadOnlySpan<byte> this[int id] => _texts[id];

    /// <summary>The tokens that are nothing but characters of a JSON string as they are, where so many may follow; null where that does not help.</summary>
    internal PlainTokens? Plain(int characters) => characters == int.MaxValue ? _plain.Value : characters >= ShortRun ? _shortPlain.Value : null;

    /// <summary>The fewest tokens that write a text, in order; null where it cannot be written.</summary>
    internal int[]? Fewest(ReadOnlySpan<byte> text)
    {
        int[] count = new int[text.Length + 1];
        (int Token, int From)[] last = new (int, int)[text.Length + 1];
        Array.Fill(count, int.MaxValue, 1, text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (count[i] == int.MaxValue)
                continue;
            int at = i;
            int from = i;
            int steps = count[i] + 1;
            All.Visit(text[i..], (length, token) =>
            {
                if (steps < count[at + length])
                    (count[at + length], last[at + length]) = (steps, (token, from));
            });
        }
        if (count[^1] == int.MaxValue)
            return null;
        int[] tokens = new int[count[^1]];
        for (int end = text.Length, n = tokens.Length - 1; n >= 0; n--)
            (tokens[n], end) = last[end];
        return tokens;
    }
}

/// <summary>Tokens that are whole characters without quotes, backslashes and control characters, and the tree of all others.</summary>
internal sealed class PlainTokens
{
    public PlainTokens(byte[][] texts, int characters)
    {
        Mask = new ulong[(texts.Length + 63) / 64];
        bool[] plain = new bool[texts.Length];
        for (int id = 0; id < texts.Length; id++)
        {
            plain[id] = IsPlain(texts[id], characters);
            if (plain[id])
                Mask[id >> 6] |= 1UL << (id & 63);
        }
        Others = new TokenTree(texts, id => !plain[id]);
    }

    /// <summary>A bit for every token that is plain.</summary>
    public ulong[] Mask { get; }

    public TokenTree Others { get; }

    private static bool IsPlain(byte[] text, int characters)
    {
        if (text.Length == 0 || text.AsSpan().ContainsAny((byte)'"', (byte)'\\') || text.AsSpan().ContainsAnyInRange((byte)0, (byte)0x1F))
            return false;
        return System.Text.Unicode.Utf8.IsValid(text) && text.Count(b => (b & 0xC0) != 0x80) <= characters;
    }
}

/// <summary>A tree of tokens by their bytes.</summary>
internal sealed class TokenTree
{
    /// <summary>Marks a node that no token ends at.</summary>
    public const int None = -1;

    private readonly Dictionary<int, int[]> _more = [];

    public TokenTree(byte[][] texts, Func<int, bool> takes)
    {
        int[] ids = [.. Enumerable.Range(0, texts.Length).Where(id => texts[id].Length > 0 && takes(id))];
        Array.Sort(ids, (x, y) => texts[x].AsSpan().SequenceCompareTo(texts[y]) is var c and not 0 ? c : x.CompareTo(y));
        List<byte> bytes = [];
        List<int> ends = [];
        List<int> tokens = [];
        List<ushort> depths = [];
        Stack<int> open = [];
        byte[] before = [];
        foreach (int id in ids)
        {
            byte[] text = texts[id];
            int common = before.AsSpan().CommonPrefixLength(text);
            if (common == text.Length)
            {
                // The same bytes as the token before.
                int node = bytes.Count - 1;
                _more[node] = [.. _more.GetValueOrDefault(node, []), id];
                continue;
            }
            while (open.Count > common)
                ends[open.Pop()] = bytes.Count;
            for (int i = common; i < text.Length; i++)
            {
                open.Push(bytes.Count);
                bytes.Add(text[i]);
                ends.Add(0);
                tokens.Add(i == text.Length - 1 ? id : None);
                depths.Add((ushort)Math.Min(i, ushort.MaxValue));
            }
            before = text;
        }
        while (open.Count > 0)
            ends[open.Pop()] = bytes.Count;
        (Bytes, Ends, Tokens, Depths) = ([.. bytes], [.. ends], [.. tokens], [.. depths]);
        MaxDepth = ids.Length == 0 ? 0 : ids.Max(id => texts[id].Length);
    }

    /// <summary>The byte of every node.</summary>
    public byte[] Bytes { get; }

    /// <summary>The node after a node's subtree.</summary>
    public int[] Ends { get; }

    /// <summary>The token that ends at a node, or <see cref="None"/>.</summary>
    public int[] Tokens { get; }

    /// <summary>How many nodes lie above.</summary>
    public ushort[] Depths { get; }

    public int MaxDepth { get; }

    /// <summary>More tokens with the same bytes.</summary>
    public ReadOnlySpan<int> MoreAt(int node) => _more.Count > 0 && _more.TryGetValue(node, out int[]? ids) ? ids : [];

    /// <summary>All tokens that a text begins with, the shortest first.</summary>
    public void Visit(ReadOnlySpan<byte> text, Action<int, int> visit)
    {
        int node = 0;
        int end = Bytes.Length;
        for (int depth = 0; depth < text.Length; depth++)
        {
            while (node < end && Bytes[node] != text[depth])
                node = Ends[node];
            if (node >= end)
                return;
            if (Tokens[node] != None)
                visit(depth + 1, Tokens[node]);
            end = Ends[node];
            node++;
        }
    }
}
