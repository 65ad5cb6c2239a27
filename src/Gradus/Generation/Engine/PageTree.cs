using Gradus.Nn;

namespace Gradus.Generation;

/// <summary>
/// The prefixes whose keys and values are kept, as a tree of pages (Zheng et al., "SGLang", 2024): a node is one page of tokens behind those of
/// its parent. A sequence that begins with the tokens of a path begins with its pages. Pages that only the tree owns make room, the least
/// recently used first. Only whole pages of prompts are kept, which have the same bits whatever follows them.
/// </summary>
internal sealed class PageTree(KvCache cache)
{
    private readonly Node _root = new(null, [], -1, null);
    private readonly Dictionary<SequenceAdapter, Node> _roots = [];
    private readonly List<Node> _nodes = [];
    private long _time;

    /// <summary>The pages that the tree owns, alone or with sequences.</summary>
    public int Count => _nodes.Count;

    /// <summary>The nodes, each behind its parent.</summary>
    public IEnumerable<Node> InOrder => _nodes.OrderBy(n => n.Depth);

    /// <summary>The pages that could make room.</summary>
    public int Idle => _nodes.Count(n => cache.IsOwnedOnce(n.Page));

    /// <summary>Where the prefixes begin that were read with an adapter, or with none.</summary>
    public Node Root(SequenceAdapter? adapter)
    {
        if (adapter is null)
            return _root;
        if (_roots.TryGetValue(adapter, out Node? root))
            return root;
        foreach (SequenceAdapter freed in _roots.Where(r => r.Key.IsFreed && r.Value.Children.Count == 0).Select(r => r.Key).ToArray())
            _roots.Remove(freed);
        return _roots[adapter] = new Node(null, [], -1, adapter);
    }

    /// <summary>The node behind another one with the given page of tokens, or null.</summary>
    public Node? Find(Node node, ReadOnlySpan<int> tokens)
    {
        if (!node.Children.GetAlternateLookup<ReadOnlySpan<int>>().TryGetValue(tokens, out Node? child))
            return null;
        child.LastUse = ++_time;
        return child;
    }

    /// <summary>Keeps a page; it belongs to the tree as well from now on.</summary>
    /// <param name="node">The node before it.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="page">Its number.</param>
    public Node Add(Node node, ReadOnlySpan<int> tokens, int page)
    {
        int[] own = tokens.ToArray();
        Node child = new(node, own, page, node.Adapter) { LastUse = ++_time };
        cache.SharePage(page);
        node.Children.Add(own, child);
        _nodes.Add(child);
        return child;
    }

    /// <summary>Gives up pages that nobody else owns, those of freed adapters and the least recently used first, until there is room or none is left.</summary>
    /// <param name="pages">The pages wanted; more may go, so that this is not done at every step.</param>
    public void Evict(int pages)
    {
        int wanted = Math.Max(pages, Math.Min(64, _nodes.Count / 8));
        while (wanted > 0)
        {
            Node[] leaves = [.. _nodes.Where(n => n.Children.Count == 0 && cache.IsOwnedOnce(n.Page)).OrderBy(n => n.Adapter is not { IsFreed: true }).ThenBy(n => n.LastUse).Take(wanted)];
            if (leaves.Length == 0)
                return;
            foreach (Node leaf in leaves)
                Remove(leaf);
            _nodes.RemoveAll(n => !n.IsKept);
            wanted -= leaves.Length;
        }
    }

    /// <summary>Gives up pages that were added last, each after those behind it.</summary>
    public void Forget(IReadOnlyList<Node> nodes)
    {
        foreach (Node node in nodes.Reverse())
            Remove(node);
        _nodes.RemoveAll(n => !n.IsKept);
    }

    private void Remove(Node node)
    {
        node.IsKept = false;
        node.Parent!.Children.Remove(node.Tokens);
        cache.ReturnPage(node.Page);
    }

    /// <summary>A page of tokens behind those of its parent.</summary>
    /// <param name="parent">The node before it; null for a root.</param>
    /// <param name="tokens">A page of them; none at a root.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="adapter">What they were read with.</param>
    internal sealed class Node(Node? parent, int[] tokens, int page, SequenceAdapter? adapter)
    {
        public Node? Parent => parent;

        public int[] Tokens => tokens;

        public int Page => page;

        public SequenceAdapter? Adapter => adapter;

        public int Depth { get; } = parent is null ? 0 : parent.Depth + 1;

        public Dictionary<int[], Node> Children { get; } = new(PageTokens.Comparer);

        public long LastUse { get; set; }

        /// <summary>Whether the page still belongs to the tree; a root is always kept.</summary>
        public bool IsKept { get; set; } = true;
    }

    // Pages are found by their tokens, without an array of them being made.
    private sealed class PageTokens : IEqualityComparer<int[]>, IAlternateEqualityComparer<ReadOnlySpan<int>, int[]>
    {
        public static PageTokens Comparer { get; } = new();

        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<int> alternate, int[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(int[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<int> alternate)
        {
            HashCode hash = default;
            foreach (int token in alternate)
                hash.Add(token);
            return hash.ToHashCode();
        }

        public int[] Create(ReadOnlySpan<int> alternate) => alternate.ToArray();
    }
}
