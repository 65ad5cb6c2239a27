using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>BM25 over the words of the query.</summary>
/// <param name="Scoring">The formula; null: the usual one.</param>
public sealed record KeywordSearch(Bm25? Scoring = null) : RetrievalStep
{
    /// <inheritdoc/>
    public override Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation) =>
        Task.FromResult(search.Index.SearchKeywords(query, count, Scoring, search.Allowed));
}

/// <summary>The chunks whose vectors are nearest to the query's.</summary>
public sealed record DenseSearch : RetrievalStep
{
    /// <inheritdoc/>
    public override bool NeedsVectors => true;

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation) =>
        search.Index.SearchVectors(await search.EmbedAsync(query, cancellation).ConfigureAwait(false), count, search.Allowed);
}
