// Sources: G. Cormack, C. Clarke and S. Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", 2009;
// S. Bruch, S. Gai and A. Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023 (convex sums of normalized scores).

using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>What fusions share: several searches, run on the same query.</summary>
/// <param name="Steps">The searches, two at least to make sense.</param>
/// <param name="Weights">A weight for each; null: the same for all.</param>
/// <param name="Depth">Hits that are taken from each, or more where more are asked for.</param>
public abstract record Fusion(IReadOnlyList<RetrievalStep> Steps, IReadOnlyList<double>? Weights, int Depth) : RetrievalStep
{
    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => Steps;

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        List<IReadOnlyList<Hit>> lists = [];
        foreach (RetrievalStep step in Steps)
            lists.Add(await step.FindAsync(search, query, Math.Max(count, Depth), cancellation).ConfigureAwait(false));
        return [.. Fuse(lists).Take(count)];
    }

    /// <summary>One list of several; the best first, of equal scores the smaller number.</summary>
    /// <exception cref="ArgumentException">There are not as many weights as lists.</exception>
    public IReadOnlyList<Hit> Fuse(IReadOnlyList<IReadOnlyList<Hit>> lists)
    {
        ArgumentNullException.ThrowIfNull(lists);
        if (Weights is not null && (Weights.Count != lists.Count || Weights.Any(w => !(w >= 0))))
            throw new ArgumentException($"{Weights.Count} weights for {lists.Count} searches; give each one, 0 or more.");
        Dictionary<long, double> sums = [];
        for (int i = 0; i < lists.Count; i++)
        {
            foreach ((long chunk, double score) in Parts(lists[i]))
                sums[chunk] = sums.GetValueOrDefault(chunk) + ((Weights?[i] ?? 1) * score);
        }
        return [.. sums.Select(s => new Hit(s.Key, s.Value)).OrderByDescending(h => h.Score).ThenBy(h => h.Chunk)];
    }

    /// <summary>What each hit of one list adds.</summary>
    private protected abstract IEnumerable<(long Chunk, double Score)> Parts(IReadOnlyList<Hit> hits);
}

/// <summary>Σ weight / (k + rank): needs no scores that can be compared.</summary>
/// <param name="Steps">The searches.</param>
/// <param name="Weights">A weight for each; null: 1.</param>
/// <param name="K">How slowly lower ranks count less, above 0.</param>
/// <param name="Depth">Hits that are taken from each.</param>
public sealed record ReciprocalRankFusion(IReadOnlyList<RetrievalStep> Steps, IReadOnlyList<double>? Weights = null, double K = 60, int Depth = 100) : Fusion(Steps, Weights, Depth)
{
    /// <inheritdoc/>
    private protected override IEnumerable<(long Chunk, double Score)> Parts(IReadOnlyList<Hit> hits) => hits.Select((h, rank) => (h.Chunk, 1 / (K + rank + 1)));
}

/// <summary>Σ weight · (score − least) / (most − least) of each list; what a list lacks counts 0 in it.</summary>
/// <param name="Steps">The searches.</param>
/// <param name="Weights">A weight for each; null: 1.</param>
/// <param name="Depth">Hits that are taken from each.</param>
public sealed record ConvexFusion(IReadOnlyList<RetrievalStep> Steps, IReadOnlyList<double>? Weights = null, int Depth = 1000) : Fusion(Steps, Weights, Depth)
{
    /// <inheritdoc/>
    private protected override IEnumerable<(long Chunk, double Score)> Parts(IReadOnlyList<Hit> hits)
    {
        if (hits.Count == 0)
            return [];
        double most = hits.Max(h => h.Score), least = hits.Min(h => h.Score);
        return hits.Select(h => (h.Chunk, most > least ? (h.Score - least) / (most - least) : 1));
    }
}
