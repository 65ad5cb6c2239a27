using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>Takes at most so many chunks of one document among the first hits, so that a long document does not fill the list; the rest follow behind.</summary>
/// <param name="Step">The search.</param>
/// <param name="MostOfADocument">Chunks of one document before others have had their turn, 1 at least.</param>
/// <param name="Depth">Hits to choose from.</param>
public sealed record DocumentSpread(RetrievalStep Step, int MostOfADocument = 2, int Depth = 50) : RetrievalStep
{
    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(MostOfADocument, 1);
        IReadOnlyList<Hit> hits = await Step.FindAsync(search, query, Math.Max(count, Depth), cancellation).ConfigureAwait(false);
        Dictionary<string, int> counts = [];
        List<Hit> first = [], rest = [];
        foreach ((Hit hit, StoredChunk chunk) in hits.Zip(search.Index.Chunks(hits.Select(h => h.Chunk))))
        {
            int seen = counts[chunk.Document] = counts.GetValueOrDefault(chunk.Document) + 1;
            (seen <= MostOfADocument ? first : rest).Add(hit);
        }
        return [.. first.Concat(rest).Take(count)];
    }
}
