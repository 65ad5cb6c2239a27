// Source: Y. Malkov and D. Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs", 2016
// (algorithms 1, 2, 4 and 5). A removed vector stays a way through the graph until its place is given to a new one, which links itself anew.
// Left out: building with several threads (the order of additions decides the graph, and so the bits of a result).

using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>An approximate index of unit vectors: a search looks at a few hundred of them. Many threads may search while nobody adds.</summary>
public sealed class Hnsw
{
    private readonly int _neighbours;
    private readonly int _construction;
    private readonly ulong _seed;
    private readonly List<float[]> _pages = [];
    private readonly List<long> _ids = [];
    private readonly List<int[][]> _links = [];
    private readonly List<bool> _removed = [];
    private readonly Dictionary<long, int> _nodes = [];
    private readonly Stack<int> _free = [];
    private readonly Lock _visitedLock = new();
    private readonly Stack<Visited> _visited = [];
    private const int PageRows = 1024;
    private int _entry = -1;

    /// <summary>An empty index.</summary>
    /// <param name="dimensions">The vectors' elements, 1 at least.</param>
    /// <param name="neighbours">M: links of a vector on each level, twice as many on the lowest; 2 at least.</param>
    /// <param name="construction">How many candidates are looked at when a vector is added; more make better graphs, slower.</param>
    /// <param name="seed">The seed of the levels; the same additions give the same graph.</param>
    public Hnsw(int dimensions, int neighbours = 16, int construction = 128, ulong seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(neighbours, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(construction, neighbours);
        (Dimensions, _neighbours, _construction, _seed) = (dimensions, neighbours, construction, seed);
    }

    /// <summary>The vectors' elements.</summary>
    public int Dimensions { get; }

    /// <summary>How many vectors can be found.</summary>
    public int Count => _nodes.Count;

    /// <summary>The numbers of the vectors that can be found.</summary>
    public IReadOnlyCollection<long> Ids => _nodes.Keys;

    /// <summary>Whether there is a vector of a number.</summary>
    public bool Contains(long id) => _nodes.ContainsKey(id);

    /// <summary>Adds a vector in place of one of the same number; it is scaled to length 1.</summary>
    /// <exception cref="ArgumentException">It has another number of elements, or one that is not finite.</exception>
    public void Add(long id, ReadOnlySpan<float> vector)
    {
        float[] unit = Unit(vector);
        Remove(id);
        bool reused = _free.TryPop(out int node);
        if (!reused)
        {
            node = _ids.Count;
            _ids.Add(id);
            _removed.Add(false);
            _links.Add(NewLinks(node));
            if (node % PageRows == 0)
                _pages.Add(new float[PageRows * Dimensions]);
        }
        (_ids[node], _removed[node]) = (id, false);
        unit.CopyTo(Row(node));
        _nodes[id] = node;
        Link(node);
    }

    /// <summary>Removes a vector; its place is used by the next one that is added.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove(long id)
    {
        if (!_nodes.Remove(id, out int node))
            return false;
        _removed[node] = true;
        _free.Push(node);
        return true;
    }

    /// <summary>The nearest vectors that the graph leads to.</summary>
    /// <param name="query">The query, of any length above 0.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="candidates">ef: how many are looked at; more find more of the nearest, slower. <paramref name="count"/> at least.</param>
    /// <param name="allowed">The numbers that may be found; null: all. A narrow filter looks at more candidates.</param>
    /// <returns>Cosines, the best first.</returns>
    public IReadOnlyList<Hit> Search(ReadOnlySpan<float> query, int count, int candidates = 64, ChunkMask? allowed = null)
    {
        float[] unit = Unit(query);
        if (_entry < 0 || count <= 0)
            return [];
        int ef = Math.Max(candidates, count);
        if (allowed is not null)
            ef = (int)Math.Min(_ids.Count, (long)ef * Math.Max(1, _ids.Count / Math.Max(1, allowed.Count)));
        int entry = _entry;
        for (int level = _links[entry].Length - 1; level > 0; level--)
            entry = Descend(unit, entry, level);
        List<(float Score, int Node)> found = SearchLevel(unit, entry, ef, 0);
        return [.. found.Where(f => !_removed[f.Node] && allowed?.Contains(_ids[f.Node]) != false).Take(count).Select(f => new Hit(_ids[f.Node], f.Score))];
    }

    /// <summary>Writes the graph and its vectors.</summary>
    public void Save(Stream stream)
    {
        using BinaryWriter writer = new(stream, System.Text.Encoding.UTF8, leaveOpen: true);
        foreach (int value in (int[])[Dimensions, _neighbours, _construction, _entry, _ids.Count])
            writer.Write(value);
        writer.Write(_seed);
        for (int node = 0; node < _ids.Count; node++)
        {
            writer.Write(_ids[node]);
            writer.Write(_removed[node]);
            writer.Write(MemoryMarshal.AsBytes(Row(node)));
            writer.Write((byte)_links[node].Length);
            foreach (int[] links in _links[node])
                writer.Write(MemoryMarshal.AsBytes(links.AsSpan(0, links[0] + 1)));
        }
    }

    /// <summary>Reads what <see cref="Save"/> has written.</summary>
    /// <exception cref="InvalidDataException">It is not whole, or a link leads nowhere.</exception>
    public static Hnsw Load(Stream stream)
    {
        try
        {
            using BinaryReader reader = new(stream, System.Text.Encoding.UTF8, leaveOpen: true);
            int dimensions = reader.ReadInt32(), neighbours = reader.ReadInt32(), construction = reader.ReadInt32(), entry = reader.ReadInt32(), count = reader.ReadInt32();
            Hnsw index = new(dimensions, neighbours, construction, reader.ReadUInt64());
            for (int node = 0; node < count; node++)
                index.ReadNode(reader, node, count);
            index._entry = entry >= -1 && entry < count ? entry : throw new InvalidDataException("the graph of vectors is damaged: it begins nowhere.");
            return index;
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException)
        {
            throw new InvalidDataException("the graph of vectors is damaged; make it again.", e);
        }
    }

    private void ReadNode(BinaryReader reader, int node, int count)
    {
        _ids.Add(reader.ReadInt64());
        _removed.Add(reader.ReadBoolean());
        if (node % PageRows == 0)
            _pages.Add(new float[PageRows * Dimensions]);
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(Row(node)));
        int[][] links = new int[reader.ReadByte()][];
        for (int level = 0; level < links.Length; level++)
        {
            links[level] = new int[Most(level) + 1];
            links[level][0] = reader.ReadInt32();
            if (links[level][0] < 0 || links[level][0] > Most(level))
                throw new InvalidDataException("the graph of vectors is damaged; make it again.");
            for (int i = 1; i <= links[level][0]; i++)
                links[level][i] = reader.ReadInt32() is int to && to >= 0 && to < count ? to : throw new InvalidDataException("the graph of vectors is damaged: a link leads nowhere.");
        }
        _links.Add(links);
        if (_removed[node])
            _free.Push(node);
        else
            _nodes[_ids[node]] = node;
    }

    private Span<float> Row(int node) => _pages[node / PageRows].AsSpan(node % PageRows * Dimensions, Dimensions);

    private int Most(int level) => level == 0 ? 2 * _neighbours : _neighbours;

    private float[] Unit(ReadOnlySpan<float> vector)
    {
        if (vector.Length != Dimensions)
            throw new ArgumentException($"a vector of {vector.Length} elements does not fit into an index of {Dimensions}.");
        float norm = TensorPrimitives.Norm(vector);
        if (!float.IsFinite(norm))
            throw new ArgumentException("a vector holds an element that is not finite.");
        float[] unit = new float[Dimensions];
        if (norm > 0)
            TensorPrimitives.Divide(vector, norm, unit);
        return unit;
    }

    // Level l with probability M^−l. The first element of a list is how many links follow.
    private int[][] NewLinks(int node)
    {
        double uniform = ((CounterRandom.Bits64(_seed, node) >> 11) + 0.5) / (1L << 53);
        int[][] links = new int[1 + Math.Min(30, (int)(-Math.Log(uniform) / Math.Log(_neighbours)))][];
        for (int level = 0; level < links.Length; level++)
            links[level] = new int[Most(level) + 1];
        return links;
    }

    private void Link(int node)
    {
        int top = _links[node].Length - 1;
        if (_entry < 0)
        {
            _entry = node;
            return;
        }
        float[] vector = Row(node).ToArray();
        int entry = _entry, highest = _links[entry].Length - 1;
        for (int level = highest; level > top; level--)
            entry = Descend(vector, entry, level);
        for (int level = Math.Min(top, highest); level >= 0; level--)
        {
            List<(float Score, int Node)> found = SearchLevel(vector, entry, _construction, level);
            found.RemoveAll(f => f.Node == node);
            List<int> chosen = Choose(found, _neighbours);
            int[] own = _links[node][level];
            own[0] = chosen.Count;
            for (int i = 0; i < chosen.Count; i++)
            {
                own[i + 1] = chosen[i];
                LinkBack(chosen[i], node, level);
            }
            entry = found.Count > 0 ? found[0].Node : entry;
        }
        if (top > highest)
            _entry = node;
    }

    private void LinkBack(int from, int to, int level)
    {
        int[] links = _links[from][level];
        if (links.AsSpan(1, links[0]).Contains(to))
            return;
        if (links[0] < links.Length - 1)
        {
            links[++links[0]] = to;
            return;
        }
        List<(float Score, int Node)> all = [(Dot(from, to), to)];
        for (int i = 1; i <= links[0]; i++)
            all.Add((Dot(from, links[i]), links[i]));
        all.Sort(BestFirst);
        List<int> chosen = Choose(all, links.Length - 1);
        links[0] = chosen.Count;
        chosen.CopyTo(links, 1);
    }

    // Algorithm 4: a candidate that is nearer to one already chosen is reached through it.
    private List<int> Choose(List<(float Score, int Node)> candidates, int most)
    {
        List<int> chosen = [];
        foreach ((float score, int node) in candidates)
        {
            if (chosen.Count == most)
                break;
            bool near = false;
            foreach (int other in chosen)
            {
                if (Dot(node, other) > score)
                {
                    near = true;
                    break;
                }
            }
            if (!near)
                chosen.Add(node);
        }
        return chosen;
    }

    private float Dot(int a, int b) => TensorPrimitives.Dot<float>(Row(a), Row(b));

    private int Descend(float[] query, int entry, int level)
    {
        float best = TensorPrimitives.Dot<float>(query, Row(entry));
        while (true)
        {
            int from = entry;
            int[] links = _links[from][level];
            for (int i = 1; i <= links[0]; i++)
            {
                float score = TensorPrimitives.Dot<float>(query, Row(links[i]));
                if (score > best)
                    (best, entry) = (score, links[i]);
            }
            if (entry == from)
                return entry;
        }
    }

    // Algorithm 2. The best first.
    private List<(float Score, int Node)> SearchLevel(float[] query, int entry, int ef, int level)
    {
        Visited visited = Rent();
        float first = TensorPrimitives.Dot<float>(query, Row(entry));
        PriorityQueue<int, float> open = new();
        PriorityQueue<int, float> best = new();
        open.Enqueue(entry, -first);
        best.Enqueue(entry, first);
        visited.Mark(entry);
        while (open.TryDequeue(out int node, out float negative))
        {
            if (best.TryPeek(out _, out float worst) && best.Count >= ef && -negative < worst)
                break;
            int[] links = _links[node][level];
            for (int i = 1; i <= links[0]; i++)
            {
                int next = links[i];
                if (!visited.Mark(next))
                    continue;
                float score = TensorPrimitives.Dot<float>(query, Row(next));
                best.TryPeek(out _, out worst);
                if (best.Count >= ef && score <= worst)
                    continue;
                open.Enqueue(next, -score);
                if (best.Count < ef)
                    best.Enqueue(next, score);
                else
                    best.EnqueueDequeue(next, score);
            }
        }
        Return(visited);
        List<(float Score, int Node)> found = [.. best.UnorderedItems.Select(i => (i.Priority, i.Element))];
        found.Sort(BestFirst);
        return found;
    }

    private static int BestFirst((float Score, int Node) a, (float Score, int Node) b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : a.Node.CompareTo(b.Node);

    private Visited Rent()
    {
        lock (_visitedLock)
            return (_visited.TryPop(out Visited? visited) ? visited : new Visited()).Begin(_ids.Count);
    }

    private void Return(Visited visited)
    {
        lock (_visitedLock)
            _visited.Push(visited);
    }

    /// <summary>Marks that are taken back all at once by a new number.</summary>
    private sealed class Visited
    {
        private ushort[] _marks = [];
        private ushort _now;

        public Visited Begin(int count)
        {
            if (_marks.Length < count)
                _marks = new ushort[Math.Max(count, _marks.Length * 2)];
            if (++_now == 0)
            {
                Array.Clear(_marks);
                _now = 1;
            }
            return this;
        }

        public bool Mark(int node)
        {
            if (_marks[node] == _now)
                return false;
            _marks[node] = _now;
            return true;
        }
    }
}
