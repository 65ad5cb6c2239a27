// Sources: J. Rocchio, "Relevance Feedback in Information Retrieval", 1971; H. Li et al., "Pseudo Relevance Feedback with Deep Language Models and Dense
// Retrievers", 2021 (the mean of the best passages' vectors is added to the query's).

using System.Numerics.Tensors;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>A dense search whose query is moved towards the best chunks of another search: q + weight · mean(their vectors).</summary>
/// <param name="Step">The first search.</param>
/// <param name="Documents">Chunks that are taken for relevant, 1 at least.</param>
/// <param name="Weight">How far the query is moved, 0 or more.</param>
public sealed record DenseFeedback(RetrievalStep Step, int Documents = 3, double Weight = 1) : RetrievalStep
{
    /// <inheritdoc/>
    public override bool NeedsVectors => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Documents, 1);
        IReadOnlyList<Hit> first = await Step.FindAsync(search, query, Documents, cancellation).ConfigureAwait(false);
        float[] vector = await search.EmbedAsync(query, cancellation).ConfigureAwait(false);
        float norm = TensorPrimitives.Norm(vector);
        if (norm > 0)
            TensorPrimitives.Divide(vector, norm, vector);
        VectorSet vectors = search.Index.Vectors();
        float[][] found = [.. first.Select(h => vectors.Get(h.Chunk)).OfType<float[]>()];
        foreach (float[] other in found)
            TensorPrimitives.MultiplyAdd(other, (float)(Weight / found.Length), vector, vector);
        return vectors.Search(vector, count, search.Allowed);
    }
}
