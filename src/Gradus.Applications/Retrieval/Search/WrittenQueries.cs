// Sources: L. Gao et al., "Precise Zero-Shot Dense Retrieval without Relevance Labels" (HyDE), 2022; X. Ma et al., "Query Rewriting for Retrieval-Augmented
// Large Language Models", 2023; several queries joined by reciprocal ranks: Z. Rackauckas, "RAG-Fusion", 2024.

using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>HyDE: a model writes a passage that would answer the question; what is like it is searched for.</summary>
/// <param name="Step">The search; a dense one profits most.</param>
/// <param name="KeepQuestion">Whether the question itself stands before the passage.</param>
/// <param name="Tokens">The most tokens of the passage.</param>
public sealed record HypotheticalAnswer(RetrievalStep Step, bool KeepQuestion = true, int Tokens = 200) : RetrievalStep
{
    private const string Instruction = "Write a short passage, as it could stand in a document, that answers the question. Write only the passage.";

    /// <inheritdoc/>
    public override bool NeedsChat => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        string passage = await search.AskAsync(Instruction, query, Tokens, cancellation).ConfigureAwait(false);
        return await Step.FindAsync(search, KeepQuestion || passage.Length == 0 ? $"{query}\n{passage}" : passage, count, cancellation).ConfigureAwait(false);
    }
}

/// <summary>A model rewrites the question as a query.</summary>
/// <param name="Step">The search.</param>
/// <param name="Tokens">The most tokens of the query.</param>
public sealed record QueryRewriting(RetrievalStep Step, int Tokens = 60) : RetrievalStep
{
    private const string Instruction = "Rewrite the question as a short search query: names, terms and numbers that a document with the answer would hold. Write only the query.";

    /// <inheritdoc/>
    public override bool NeedsChat => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        string rewritten = await search.AskAsync(Instruction, query, Tokens, cancellation).ConfigureAwait(false);
        return await Step.FindAsync(search, rewritten.Length == 0 ? query : rewritten, count, cancellation).ConfigureAwait(false);
    }
}

/// <summary>A model asks the question in several ways, or cuts it into its parts; all are searched for, and the lists joined by reciprocal ranks.</summary>
/// <param name="Step">The search.</param>
/// <param name="Queries">Queries beside the question itself, 1 at least.</param>
/// <param name="Decompose">Whether the parts of the question are asked for, rather than other wordings.</param>
/// <param name="Depth">Hits that are taken for each query.</param>
public sealed record MultiQuery(RetrievalStep Step, int Queries = 3, bool Decompose = false, int Depth = 50) : RetrievalStep
{
    /// <inheritdoc/>
    public override bool NeedsChat => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Queries, 1);
        string instruction = Decompose
            ? $"Cut the question into at most {Queries} simpler questions that can be looked up one by one. Write one a line and nothing else."
            : $"Write {Queries} other wordings of the question, with other words for the same things. Write one a line and nothing else.";
        string written = await search.AskAsync(instruction, query, 60 * Queries, cancellation).ConfigureAwait(false);
        string[] queries = [query, .. written.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimStart('-', '*', ' ')).Where(l => l.Length > 0).Take(Queries)];
        List<IReadOnlyList<Hit>> lists = [];
        foreach (string one in queries)
            lists.Add(await Step.FindAsync(search, one, Math.Max(count, Depth), cancellation).ConfigureAwait(false));
        return [.. new ReciprocalRankFusion([]).Fuse(lists).Take(count)];
    }
}
