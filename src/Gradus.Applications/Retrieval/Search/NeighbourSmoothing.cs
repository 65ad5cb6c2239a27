// Source: F. Diaz, "Regularizing Ad Hoc Retrieval Scores", 2005 (documents that are alike are relevant to the same questions: their scores are drawn
// together). The graph is that of the hits themselves.

using System.Numerics.Tensors;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>(1 − weight) · score + weight · the mean score of the nearest hits by their vectors, weighted by their cosines.</summary>
/// <param name="Step">The search.</param>
/// <param name="Neighbours">Nearest hits, 1 at least.</param>
/// <param name="Weight">0 to 1.</param>
/// <param name="Depth">Hits that are looked at.</param>
public sealed record NeighbourSmoothing(RetrievalStep Step, int Neighbours = 8, double Weight = 0.3, int Depth = 200) : RetrievalStep
{
    /// <inheritdoc/>
    public override bool NeedsVectors => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        if (Neighbours < 1 || !(Weight is >= 0 and <= 1))
            throw new ArgumentException($"neighbours: {Neighbours} are 1 or more, weight {Weight} from 0 to 1.");
        IReadOnlyList<Hit> hits = await Step.FindAsync(search, query, Math.Max(count, Depth), cancellation).ConfigureAwait(false);
        VectorSet set = search.Index.Vectors();
        int depth = Math.Min(Depth, hits.Count);
        float[]?[] vectors = [.. hits.Take(depth).Select(h => set.Get(h.Chunk))];
        // Scores of what lies below the depth stay below: both parts are of the same scale.
        Hit[] smoothed = [.. Enumerable.Range(0, depth).Select(i => hits[i] with { Score = Smooth(i, hits, vectors) })];
        return [.. smoothed.OrderByDescending(h => h.Score).ThenBy(h => h.Chunk).Concat(hits.Skip(depth)).Take(count)];
    }

    private double Smooth(int i, IReadOnlyList<Hit> hits, float[]?[] vectors)
    {
        if (vectors[i] is not { } own)
            return hits[i].Score;
        (int Place, double Cosine)[] nearest =
        [
            .. Enumerable.Range(0, vectors.Length).Where(j => j != i && vectors[j] is not null)
                .Select(j => (j, (double)TensorPrimitives.CosineSimilarity(own, vectors[j]!))).OrderByDescending(n => n.Item2).ThenBy(n => n.j).Take(Neighbours).Where(n => n.Item2 > 0),
        ];
        double sum = nearest.Sum(n => n.Cosine);
        return sum > 0 ? ((1 - Weight) * hits[i].Score) + (Weight * nearest.Sum(n => n.Cosine * hits[n.Place].Score) / sum) : hits[i].Score;
    }
}
