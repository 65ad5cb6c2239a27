// The n best segmentations under a unigram model: A* from the end of the text, guided by the exact best scores from its start.
// SentencePiece's order of equally good ones comes from its float sums and from its heap, so that both are followed.
// Source: SentencePiece, unigram_model.cc (Lattice::NBest); the C++ standard library's binary heap.

namespace Gradus.Text;

internal sealed class UnigramNBest
{
    private readonly List<Node> _nodes = [];
    private readonly List<int>[] _endingAt;
    private readonly List<Hypothesis> _agenda = [];

    private UnigramNBest(int length)
    {
        _endingAt = new List<int>[length + 1];
        for (int i = 0; i <= length; i++)
            _endingAt[i] = [];
    }

    private sealed record Hypothesis(int Node, Hypothesis? Next, float Estimate, float Sum);

    private struct Node
    {
        public int Start;
        public int End;
        public int Id;
        public float Score;
        public float BestSum;
    }

    /// <summary>The best paths through arcs that are given in the order of their starts, the shortest first.</summary>
    /// <param name="length">The length of the text.</param>
    /// <param name="arcs">Start, end, id and score of every token in the text.</param>
    /// <param name="count">The most paths.</param>
    public static List<List<(int Start, int End, int Id)>> Search(int length, IEnumerable<(int Start, int End, int Id, float Score)> arcs, int count)
    {
        UnigramNBest search = new(length);
        int begin = search.AddNode(0, 0, -2, 0, 0);
        foreach ((int start, int end, int id, float score) in arcs)
            search.AddNode(start, end, id, score, search.Best(start));
        return search.Run(begin, length, count);
    }

    private float Best(int at)
    {
        float best = float.NegativeInfinity;
        foreach (int n in _endingAt[at])
            best = Math.Max(best, _nodes[n].BestSum);
        return best;
    }

    private int AddNode(int start, int end, int id, float score, float before)
    {
        _nodes.Add(new Node { Start = start, End = end, Id = id, Score = score, BestSum = before + score });
        _endingAt[end].Add(_nodes.Count - 1);
        return _nodes.Count - 1;
    }

    private List<List<(int Start, int End, int Id)>> Run(int begin, int length, int count)
    {
        const int MaxAgenda = 100_000, MinAgenda = 512;
        List<List<(int, int, int)>> results = [];
        Push(new Hypothesis(-1, null, Best(length), 0));
        while (_agenda.Count > 0)
        {
            Hypothesis top = Pop();
            if (top.Node == begin)
            {
                List<(int, int, int)> path = [];
                for (Hypothesis n = top.Next!; n.Next is not null; n = n.Next)
                    path.Add((_nodes[n.Node].Start, _nodes[n.Node].End, _nodes[n.Node].Id));
                results.Add(path);
                if (results.Count == count)
                    break;
                continue;
            }
            foreach (int left in _endingAt[top.Node < 0 ? length : _nodes[top.Node].Start])
            {
                Node node = _nodes[left];
                Push(new Hypothesis(left, top, node.BestSum + top.Sum, node.Score + top.Sum));
            }
            if (_agenda.Count >= MaxAgenda)
                Shrink(Math.Min(MinAgenda, count * 10));
        }
        return results;
    }

    private void Shrink(int size)
    {
        List<Hypothesis> kept = [];
        for (int i = 0; i < size; i++)
            kept.Add(Pop());
        _agenda.Clear();
        foreach (Hypothesis hypothesis in kept)
            Push(hypothesis);
    }

    private void Push(Hypothesis hypothesis)
    {
        _agenda.Add(hypothesis);
        SiftUp(_agenda.Count - 1, 0, hypothesis);
    }

    private void SiftUp(int hole, int top, Hypothesis value)
    {
        while (hole > top && _agenda[(hole - 1) / 2].Estimate < value.Estimate)
        {
            _agenda[hole] = _agenda[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        _agenda[hole] = value;
    }

    /// <summary>Moves the hole down to the bottom first and the last element up from there, as the standard library does.</summary>
    private Hypothesis Pop()
    {
        Hypothesis top = _agenda[0];
        Hypothesis last = _agenda[^1];
        _agenda.RemoveAt(_agenda.Count - 1);
        int n = _agenda.Count;
        if (n == 0)
            return top;
        int hole = 0;
        int child = 0;
        while (child < (n - 1) / 2)
        {
            child = 2 * (child + 1);
            if (_agenda[child].Estimate < _agenda[child - 1].Estimate)
                child--;
            _agenda[hole] = _agenda[child];
            hole = child;
        }
        if (n % 2 == 0 && child == (n - 2) / 2)
        {
            child = 2 * (child + 1);
            _agenda[hole] = _agenda[child - 1];
            hole = child - 1;
        }
        SiftUp(hole, 0, last);
        return top;
    }
}
