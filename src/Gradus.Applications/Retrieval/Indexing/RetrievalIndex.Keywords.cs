namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>A chunk with its score; more is better.</summary>
/// <param name="Chunk">The chunk's number.</param>
/// <param name="Score">Its score, comparable within one search only.</param>
public readonly record struct Hit(long Chunk, double Score);

/// <summary>What keyword search needs of all chunks, held in memory.</summary>
/// <param name="Version">The file's version that it was read from.</param>
/// <param name="Titles">By chunk: the title's length in terms; −1 for chunks that are gone.</param>
/// <param name="Bodies">By chunk: the text's length in terms.</param>
/// <param name="Count">The chunks there are.</param>
/// <param name="AverageTitle">The titles' mean length.</param>
/// <param name="AverageBody">The texts' mean length.</param>
/// <param name="Segments">The segments: number and first chunk.</param>
internal sealed record IndexView(long Version, int[] Titles, int[] Bodies, long Count, double AverageTitle, double AverageBody, IReadOnlyList<(long Id, long First)> Segments);

public sealed partial class RetrievalIndex
{
    /// <summary>The best chunks for the words of a query.</summary>
    /// <param name="query">The query.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="scoring">The formula; null: the usual one.</param>
    /// <param name="allowed">The chunks that may be found; null: all.</param>
    /// <returns>The best first; of equal scores the chunk that came earlier. Chunks without any of the words are left out.</returns>
    public IReadOnlyList<Hit> SearchKeywords(string query, int count, Bm25? scoring = null, ChunkMask? allowed = null) =>
        SearchTerms(Analyzer.Query(query), count, scoring, allowed);

    /// <summary>The analyzer of this index.</summary>
    public TextAnalyzer Analyzer => new(Settings.Words == WordForm.Auto ? WordForm.Porter : Settings.Words);

    /// <summary>The best chunks for weighted terms, as <see cref="Analyzer"/> makes them.</summary>
    /// <param name="terms">The terms with their weights.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="scoring">The formula; null: the usual one.</param>
    /// <param name="allowed">The chunks that may be found; null: all.</param>
    public IReadOnlyList<Hit> SearchTerms(IReadOnlyList<(string Term, double Weight)> terms, int count, Bm25? scoring = null, ChunkMask? allowed = null)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        scoring ??= new Bm25();
        scoring.Validate();
        lock (_lock)
        {
            IndexView view = View();
            double[] scores = new double[view.Bodies.Length];
            bool[] found = new bool[view.Bodies.Length];
            double missing = 0;
            foreach ((string term, double weight) in terms)
                missing += Score(term, weight, view, scoring, scores, found);
            return Best(scores, found, missing, count, allowed);
        }
    }

    /// <summary>In how many chunks each term is.</summary>
    internal IReadOnlyList<long> ChunksContaining(IEnumerable<string> terms)
    {
        lock (_lock)
        {
            IndexView view = View();
            return [.. terms.Select(t => (long)Postings(t, view).Count)];
        }
    }

    // What BM25+ gives to chunks without the term is added once, at the end.
    private double Score(string term, double weight, IndexView view, Bm25 scoring, double[] scores, bool[] found)
    {
        List<(int Chunk, int Title, int Body)> postings = Postings(term, view);
        long containing = scoring.TitleWeight > 0 ? postings.Count : postings.Count(p => p.Body > 0);
        if (containing == 0)
            return 0;
        double idf = weight * scoring.InverseFrequency(view.Count, containing);
        double absent = idf * scoring.Saturate(0, 0, 1, 1);
        foreach ((int chunk, int title, int body) in postings)
        {
            if (body == 0 && scoring.TitleWeight == 0)
                continue;
            scores[chunk] += (idf * scoring.Saturate(title, body, view.Titles[chunk] / view.AverageTitle, view.Bodies[chunk] / view.AverageBody)) - absent;
            found[chunk] = true;
        }
        return absent;
    }

    private List<(int Chunk, int Title, int Body)> Postings(string term, IndexView view)
    {
        List<(int, int, int)> postings = [];
        bool prefix = term.Length == 1 && TextAnalyzer.IsUnspaced(term[0]);
        foreach ((long segment, long first) in view.Segments)
        {
            if (prefix)
                AddPrefix(segment, first, term, view, postings);
            else if (_file.Scalar("SELECT data FROM postings WHERE segment = @1 AND term = @2", segment, term) is byte[] data)
                AddLive(data, first, view, postings);
        }
        return postings;
    }

    // One character of a script without spaces is looked for as the first of a pair and by itself.
    private void AddPrefix(long segment, long first, string term, IndexView view, List<(int Chunk, int Title, int Body)> postings)
    {
        SortedDictionary<int, (int Title, int Body)> sums = [];
        foreach (byte[] data in _file.Query("SELECT data FROM postings WHERE segment = @1 AND term >= @2 AND term < @3", r => (byte[])r[0], segment, term, $"{(char)(term[0] + 1)}"))
        {
            List<(int Chunk, int Title, int Body)> one = [];
            AddLive(data, first, view, one);
            foreach ((int chunk, int title, int body) in one)
                sums[chunk] = sums.GetValueOrDefault(chunk) is var sum ? (sum.Title + title, sum.Body + body) : default;
        }
        postings.AddRange(sums.Select(s => (s.Key, s.Value.Title, s.Value.Body)));
    }

    private static void AddLive(byte[] data, long first, IndexView view, List<(int Chunk, int Title, int Body)> postings)
    {
        PostingReader reader = new(data, (int)first);
        while (reader.Next(out int chunk, out int title, out int body))
        {
            if (chunk < view.Titles.Length && view.Titles[chunk] >= 0)
                postings.Add((chunk, title, body));
        }
    }

    private static List<Hit> Best(double[] scores, bool[] found, double added, int count, ChunkMask? allowed)
    {
        PriorityQueue<int, (double Score, int Chunk)> best = new(Comparer<(double Score, int Chunk)>.Create((a, b) => a.Score != b.Score ? a.Score.CompareTo(b.Score) : b.Chunk.CompareTo(a.Chunk)));
        for (int chunk = 0; chunk < scores.Length && count > 0; chunk++)
        {
            if (!found[chunk] || allowed?.Contains(chunk) == false)
                continue;
            if (best.Count < count)
                best.Enqueue(chunk, (scores[chunk], chunk));
            else
                best.EnqueueDequeue(chunk, (scores[chunk], chunk));
        }
        List<Hit> hits = new(best.Count);
        while (best.TryDequeue(out int chunk, out _))
            hits.Add(new Hit(chunk, scores[chunk] + added));
        hits.Reverse();
        return hits;
    }

    private IndexView View()
    {
        long version = _file.DataVersion, own = Writes();
        long now = (version << 32) ^ own;
        if (_view is { } view && view.Version == now)
            return view;
        List<(long Id, int Title, int Body)> chunks = _file.Query("SELECT id, title, body FROM chunks ORDER BY id", r => (r.GetInt64(0), r.GetInt32(1), r.GetInt32(2)));
        int[] titles = new int[chunks.Count == 0 ? 0 : chunks[^1].Id + 1], bodies = new int[titles.Length];
        Array.Fill(titles, -1);
        foreach ((long id, int title, int body) in chunks)
            (titles[id], bodies[id]) = (title, body);
        return _view = new IndexView(
            now, titles, bodies, chunks.Count, Mean(chunks.Select(c => (long)c.Title)), Mean(chunks.Select(c => (long)c.Body)),
            _file.Query("SELECT id, first FROM segments ORDER BY first", r => (r.GetInt64(0), r.GetInt64(1))));
    }

    private long Writes() => (long)_file.Scalar("SELECT total_changes()")!;

    // Of no chunks, or of empty ones only, the mean does not matter; it divides.
    private static double Mean(IEnumerable<long> lengths) => lengths.DefaultIfEmpty().Average() is > 0 and double mean ? mean : 1;
}
