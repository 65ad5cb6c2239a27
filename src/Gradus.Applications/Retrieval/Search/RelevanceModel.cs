// Source: N. Abdul-Jaleel et al., "UMass at TREC 2004: Novelty and HARD" (RM3); V. Lavrenko and W. B. Croft, "Relevance-Based Language Models", 2001.

using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>
/// RM3: the words of the best chunks are added to the query. weight(t) = Σ over the best chunks of score(D) · tf / length; the best terms, scaled to sum 1,
/// are mixed with the query's.
/// </summary>
/// <param name="Documents">Chunks that are taken for relevant, 1 at least.</param>
/// <param name="Terms">Terms that are taken from them, 1 at least.</param>
/// <param name="QueryWeight">The share of the query's own terms, 0 to 1.</param>
/// <param name="Scoring">The formula of both searches; null: the usual one.</param>
public sealed record RelevanceModel(int Documents = 5, int Terms = 20, double QueryWeight = 0.5, Bm25? Scoring = null) : RetrievalStep
{
    /// <inheritdoc/>
    public override Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        IReadOnlyList<(string Term, double Weight)> terms = search.Index.Analyzer.Query(query);
        IReadOnlyList<Hit> best = search.Index.SearchTerms(terms, Documents, Scoring, search.Allowed);
        List<(double Score, IReadOnlyDictionary<string, int> Counts)> feedback = [];
        foreach ((Hit hit, StoredChunk chunk) in best.Zip(search.Index.Chunks(best.Select(h => h.Chunk))))
            feedback.Add((hit.Score, Counts(search.Index.Analyzer, chunk.Text)));
        return Task.FromResult(search.Index.SearchTerms(Expand(terms, feedback), count, Scoring, search.Allowed));
    }

    /// <summary>The expanded query.</summary>
    /// <param name="query">The query's terms with their counts.</param>
    /// <param name="feedback">The relevant chunks: score and how often each term appears.</param>
    public IReadOnlyList<(string Term, double Weight)> Expand(IReadOnlyList<(string Term, double Weight)> query, IReadOnlyList<(double Score, IReadOnlyDictionary<string, int> Counts)> feedback)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentNullException.ThrowIfNull(feedback);
        if (Documents < 1 || Terms < 1 || !(QueryWeight is >= 0 and <= 1))
            throw new ArgumentException($"rm3: documents {Documents} and terms {Terms} are 1 or more, query_weight {QueryWeight} from 0 to 1.");
        Dictionary<string, double> weights = [];
        foreach ((double score, IReadOnlyDictionary<string, int> counts) in feedback.Where(f => f.Score > 0))
        {
            double length = counts.Values.Sum();
            foreach ((string term, int count) in counts)
                weights[term] = weights.GetValueOrDefault(term) + (score * count / length);
        }
        (string Term, double Weight)[] best = [.. weights.Select(w => (w.Key, w.Value)).OrderByDescending(w => w.Value).ThenBy(w => w.Key, StringComparer.Ordinal).Take(Terms)];
        double sum = best.Sum(b => b.Weight), length2 = query.Sum(q => q.Weight);
        Dictionary<string, double> mixed = [];
        List<string> order = [];
        if (sum > 0)
        {
            foreach ((string term, double weight) in best)
                Put(term, (1 - QueryWeight) * weight / sum);
        }
        foreach ((string term, double weight) in query)
            Put(term, QueryWeight * weight / length2);
        return [.. order.Select(t => (t, mixed[t]))];

        void Put(string term, double weight)
        {
            if (!mixed.TryAdd(term, weight))
                mixed[term] += weight;
            else
                order.Add(term);
        }
    }

    /// <summary>How often each term appears in a text.</summary>
    private static Dictionary<string, int> Counts(TextAnalyzer analyzer, string text)
    {
        Dictionary<string, int> counts = [];
        TextAnalyzer.Words(text, word =>
        {
            foreach (string term in analyzer.Terms(word))
                counts[term] = counts.GetValueOrDefault(term) + 1;
        });
        return counts;
    }
}
