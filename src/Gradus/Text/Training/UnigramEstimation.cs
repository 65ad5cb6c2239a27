using System.Text;

namespace Gradus.Text;

/// <summary>
/// EM and pruning of a unigram vocabulary over counted words. Sums run over fixed blocks of words in a fixed order, so that the number of
/// threads changes nothing.
/// </summary>
internal sealed class UnigramEstimation
{
    /// <summary>A piece with an expected count below this is dropped at once.</summary>
    private const double LeastExpectedCount = 0.5;

    /// <summary>Pruning stops a little above the size wanted; the best pieces are taken last.</summary>
    private const double Slack = 1.1;

    private const int Block = 2048;
    private const int AnyScript = -1;
    private const int WordStart = '▁';

    private readonly byte[][] _words;
    private readonly long[] _counts;
    private readonly UnigramTrainerOptions _options;
    private readonly ParallelOptions _parallel;
    private readonly HashSet<string> _required = new(StringComparer.Ordinal);
    private List<(byte[] Piece, double Score)> _pieces;

    public UnigramEstimation(WordCounts counts, UnigramTrainerOptions options, int threads)
    {
        _options = options;
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        int[] order = counts.InByteOrder();
        _words = [.. order.Select(i => counts.Word(i).ToArray())];
        _counts = [.. order.Select(counts.Count)];
        _pieces = Seed();
    }

    /// <summary>How many single characters must stay in the vocabulary.</summary>
    public int RequiredPieces => _required.Count;

    public List<(byte[] Piece, double Score)> Run(int size)
    {
        int stop = (int)(size * Slack);
        while (true)
        {
            for (int i = 0; i < _options.SubIterations; i++)
                Maximize();
            if (_pieces.Count <= stop)
                break;
            Prune(Math.Max(stop, (int)(_pieces.Count * _options.ShrinkingFactor)));
        }
        return Finish(size);
    }

    /// <summary>All substrings of words that occur often enough, the ones that cover most text first.</summary>
    private List<(byte[] Piece, double Score)> Seed()
    {
        Dictionary<string, long> found = new(StringComparer.Ordinal);
        for (int w = 0; w < _words.Length; w++)
        {
            byte[] word = _words[w];
            for (int start = 0; start < word.Length; start += CharacterClasses.LengthOf(word[start]))
            {
                int end = start, script = AnyScript;
                for (int n = 1; n <= _options.MaxPieceLength && end < word.Length; n++)
                {
                    if (_options.SplitByScript && !KeepsScript(word, end, ref script))
                        break;
                    end += CharacterClasses.LengthOf(word[end]);
                    string piece = Encoding.Latin1.GetString(word, start, end - start);
                    if (n == 1)
                        _required.Add(piece);
                    System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(found, piece, out _) += _counts[w];
                }
            }
        }
        List<(string Piece, double Weight)> seeds = [.. found
            .Where(f => _required.Contains(f.Key) || f.Value >= _options.MinFrequency)
            .Select(f => (f.Key, (double)f.Value * f.Key.Length))
            .OrderByDescending(f => _required.Contains(f.Key)).ThenByDescending(f => f.Item2).ThenBy(f => f.Key, StringComparer.Ordinal)
            .Take(Math.Max(_options.SeedSize, _required.Count))];
        double total = Math.Log(Math.Max(1, seeds.Sum(s => s.Weight)));
        return [.. seeds.Select(s => (Encoding.Latin1.GetBytes(s.Piece), Math.Log(s.Weight) - total))];
    }

    /// <summary>Whether the next character is of the same script as those before it; the mark of a word's start goes with any.</summary>
    private static bool KeepsScript(ReadOnlySpan<byte> word, int at, ref int script)
    {
        int character = CharacterClasses.Decode(word, at, out _);
        if (character == WordStart)
            return script == AnyScript;
        int own = Scripts.Of(character);
        if (script != AnyScript && script != own)
            return false;
        script = own;
        return true;
    }

    /// <summary>One step of EM: expected counts by forward and backward sums, then their digamma as the new scores.</summary>
    private void Maximize()
    {
        double[] expected = ExpectedCounts();
        List<(byte[] Piece, double Count)> kept = [];
        for (int i = 0; i < _pieces.Count; i++)
        {
            bool required = _required.Contains(Encoding.Latin1.GetString(_pieces[i].Piece));
            if (required || expected[i] >= LeastExpectedCount)
                kept.Add((_pieces[i].Piece, Math.Max(expected[i], required ? LeastExpectedCount : 0)));
        }
        double total = Digamma(kept.Sum(k => k.Count));
        _pieces = [.. kept.Select(k => (k.Piece, Digamma(k.Count) - total))];
    }

    private double[] ExpectedCounts()
    {
        PieceTrie trie = Trie();
        double[] scores = [.. _pieces.Select(p => p.Score)];
        return SumOverBlocks(scores.Length, (w, sums) => ForwardBackward(trie, scores, _words[w], _counts[w], sums));
    }

    private double[] SumOverBlocks(int size, Action<int, Dictionary<int, double>> addWord)
    {
        int blocks = (_words.Length + Block - 1) / Block;
        Dictionary<int, double>[] partial = new Dictionary<int, double>[blocks];
        Parallel.For(0, blocks, _parallel, b =>
        {
            Dictionary<int, double> sums = [];
            for (int w = b * Block; w < Math.Min(_words.Length, (b + 1) * Block); w++)
                addWord(w, sums);
            partial[b] = sums;
        });
        double[] total = new double[size];
        foreach (Dictionary<int, double> sums in partial)
        {
            foreach ((int id, double value) in sums.OrderBy(s => s.Key))
                total[id] += value;
        }
        return total;
    }

    private static void ForwardBackward(PieceTrie trie, double[] scores, byte[] word, long count, Dictionary<int, double> sums)
    {
        int n = word.Length;
        double[] forward = new double[n + 1];
        double[] backward = new double[n + 1];
        Array.Fill(forward, double.NegativeInfinity);
        Array.Fill(backward, double.NegativeInfinity);
        forward[0] = backward[n] = 0;
        List<(int Start, int End, int Id)> arcs = Arcs(trie, word);
        foreach ((int start, int end, int id) in arcs)
            forward[end] = LogAdd(forward[end], forward[start] + scores[id]);
        for (int k = arcs.Count - 1; k >= 0; k--)
        {
            (int start, int end, int id) = arcs[k];
            backward[start] = LogAdd(backward[start], backward[end] + scores[id]);
        }
        foreach ((int start, int end, int id) in arcs)
        {
            double p = Math.Exp(forward[start] + scores[id] + backward[end] - forward[n]);
            if (p > 0)
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(sums, id, out _) += p * count;
        }
    }

    /// <summary>All pieces in a word, by their starts; every place a piece ends is one where another may start.</summary>
    private static List<(int Start, int End, int Id)> Arcs(PieceTrie trie, byte[] word)
    {
        List<(int, int, int)> arcs = [];
        for (int start = 0; start < word.Length; start += CharacterClasses.LengthOf(word[start]))
        {
            int node = PieceTrie.Root;
            for (int i = start; i < word.Length; i++)
            {
                node = trie.Child(node, word[i]);
                if (node < 0)
                    break;
                if (trie.Value(node) >= 0)
                    arcs.Add((start, i + 1, trie.Value(node)));
            }
        }
        return arcs;
    }

    /// <summary>Drops the pieces whose text the others can write with the least loss of likelihood.</summary>
    private void Prune(int keep)
    {
        PieceTrie trie = Trie();
        double[] scores = [.. _pieces.Select(p => p.Score)];
        double[] use = SumOverBlocks(scores.Length, (w, sums) =>
        {
            foreach (int id in BestPath(trie, scores, _words[w], without: -1))
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(sums, id, out _) += _counts[w];
        });
        double total = use.Sum();
        double[] loss = new double[scores.Length];
        Parallel.For(0, scores.Length, _parallel, i =>
        {
            loss[i] = double.PositiveInfinity;
            if (_required.Contains(Encoding.Latin1.GetString(_pieces[i].Piece)))
                return;
            List<int> others = BestPath(trie, scores, _pieces[i].Piece, without: i);
            // Where the best way to write its text is another one, the piece is never used.
            if (use[i] == 0)
            {
                loss[i] = double.NegativeInfinity;
                return;
            }
            double after = Math.Log(total + (use[i] * (others.Count - 1)));
            double otherwise = others.Sum(id => Math.Log(use[id] + use[i]) - after);
            loss[i] = use[i] / total * (Math.Log(use[i]) - Math.Log(total) - otherwise);
        });
        int[] order = [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => loss[i]).ThenByDescending(i => scores[i]).ThenBy(i => i)];
        HashSet<int> kept = [.. order.Take(keep).Where(i => loss[i] > double.NegativeInfinity)];
        _pieces = [.. _pieces.Where((_, i) => kept.Contains(i))];
    }

    private static List<int> BestPath(PieceTrie trie, double[] scores, byte[] word, int without)
    {
        int n = word.Length;
        double[] best = new double[n + 1];
        int[] from = new int[n + 1];
        int[] ids = new int[n + 1];
        Array.Fill(best, double.NegativeInfinity);
        best[0] = 0;
        foreach ((int start, int end, int id) in Arcs(trie, word))
        {
            double score = best[start] + scores[id];
            if (id != without && score > best[end])
            {
                best[end] = score;
                from[end] = start;
                ids[end] = id;
            }
        }
        List<int> path = [];
        for (int end = n; end > 0 && best[n] > double.NegativeInfinity; end = from[end])
            path.Add(ids[end]);
        return path;
    }

    private List<(byte[] Piece, double Score)> Finish(int size)
    {
        IEnumerable<(byte[] Piece, double Score)> required = _pieces.Where(p => _required.Contains(Encoding.Latin1.GetString(p.Piece)));
        IEnumerable<(byte[] Piece, double Score)> others = _pieces.Where(p => !_required.Contains(Encoding.Latin1.GetString(p.Piece)))
            .OrderByDescending(p => p.Score).ThenBy(p => Encoding.Latin1.GetString(p.Piece), StringComparer.Ordinal).Take(size - _required.Count);
        return [.. required.Concat(others).OrderByDescending(p => p.Score).ThenBy(p => Encoding.Latin1.GetString(p.Piece), StringComparer.Ordinal)];
    }

    private PieceTrie Trie() => new(_pieces.Select((p, i) => (p.Piece, i)));

    private static double LogAdd(double a, double b)
    {
        if (double.IsNegativeInfinity(a))
            return b;
        double high = Math.Max(a, b);
        return high + Math.Log(1 + Math.Exp(Math.Min(a, b) - high));
    }

    /// <summary>The derivative of log Γ, by its recurrence and asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18).</summary>
    private static double Digamma(double x)
    {
        double result = 0;
        for (; x < 7; x++)
            result -= 1 / x;
        x -= 0.5;
        double xx = 1 / x;
        double x2 = xx * xx;
        double x4 = x2 * x2;
        return result + Math.Log(x) + (1.0 / 24 * x2) - (7.0 / 960 * x4) + (31.0 / 8064 * x4 * x2) - (127.0 / 30720 * x4 * x4);
    }
}
