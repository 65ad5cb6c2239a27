namespace Gradus.Applications.Retrieval.Indexing;

public sealed partial class RetrievalIndex
{
    private const string GraphName = "graph";
    // SQLite takes a value of up to 1,000,000,000 bytes; a larger graph is made again when the index is opened.
    private const long MostGraphBytes = 900_000_000;
    private const int Candidates = 128;
    private Hnsw? _graph;

    /// <summary>From how many vectors on a search goes through a graph of them instead of comparing all.</summary>
    internal int GraphFrom { get; set; } = 100_000;

    /// <summary>The chunks whose vectors are nearest to a query's: exactly below 100,000 vectors, above by a graph that finds nearly all of them.</summary>
    /// <param name="query">The query's vector.</param>
    /// <param name="count">How many, at most.</param>
    /// <param name="allowed">The chunks that may be found; null: all.</param>
    /// <returns>Cosines, the best first.</returns>
    /// <exception cref="InvalidDataException">The index has no vectors.</exception>
    public IReadOnlyList<Hit> SearchVectors(ReadOnlySpan<float> query, int count, ChunkMask? allowed = null)
    {
        VectorSet vectors = Vectors();
        // Of few that may be found a scan is faster than a graph of all.
        return vectors.Count < GraphFrom || allowed?.Count < GraphFrom / 10 ? vectors.Search(query, count, allowed) : Graph(vectors).Search(query, count, Math.Max(Candidates, 2 * count), allowed);
    }

    // Brought up to date by what came and went since it was saved.
    private Hnsw Graph(VectorSet vectors)
    {
        lock (_lock)
        {
            Hnsw graph = _graph ??= LoadModel(GraphName) is { } saved && Hnsw.Load(new MemoryStream(saved)) is { } loaded && loaded.Dimensions == vectors.Dimensions ? loaded : new Hnsw(vectors.Dimensions);
            int changed = 0;
            foreach (long gone in graph.Ids.Where(id => !vectors.Contains(id)).ToArray())
                changed += graph.Remove(gone) ? 1 : 0;
            foreach (long id in vectors.Ids)
            {
                if (graph.Contains(id))
                    continue;
                graph.Add(id, vectors.Get(id));
                changed++;
            }
            if (changed > 0 && (long)graph.Count * (4L * vectors.Dimensions + 256) < MostGraphBytes)
            {
                using MemoryStream stream = new();
                graph.Save(stream);
                SaveModel(GraphName, stream.ToArray());
            }
            return graph;
        }
    }
}
