// Source: J. Carbonell and J. Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries", 1998.

using System.Numerics.Tensors;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Search;

/// <summary>MMR: again and again the hit with the largest λ · cos(q, d) − (1 − λ) · max cos(d, chosen).</summary>
/// <param name="Step">The search.</param>
/// <param name="Lambda">1: only what is relevant; 0: only what is new.</param>
/// <param name="Depth">Hits to choose from.</param>
public sealed record MaximalMarginalRelevance(RetrievalStep Step, double Lambda = 0.7, int Depth = 50) : RetrievalStep
{
    /// <inheritdoc/>
    public override bool NeedsVectors => true;

    /// <inheritdoc/>
    private protected override IEnumerable<RetrievalStep> Inner => [Step];

    /// <inheritdoc/>
    public override async Task<IReadOnlyList<Hit>> FindAsync(SearchContext search, string query, int count, CancellationToken cancellation)
    {
        IReadOnlyList<Hit> hits = await Step.FindAsync(search, query, Math.Max(count, Depth), cancellation).ConfigureAwait(false);
        float[] vector = await search.EmbedAsync(query, cancellation).ConfigureAwait(false);
        VectorSet set = search.Index.Vectors();
        (Hit Hit, double[] Vector)[] known = [.. hits.Select(h => (h, set.Get(h.Chunk))).Where(h => h.Item2 is not null).Select(h => (h.h, Array.ConvertAll(h.Item2!, x => (double)x)))];
        return [.. Choose(Array.ConvertAll(vector, x => (double)x), [.. known.Select(k => k.Vector)], count, Lambda).Select(c => new Hit(known[c.Place].Hit.Chunk, c.Value))];
    }

    /// <summary>Chooses among vectors.</summary>
    /// <param name="query">The query's vector.</param>
    /// <param name="candidates">The candidates' vectors.</param>
    /// <param name="count">How many to choose, at most.</param>
    /// <param name="lambda">From 0 (new) to 1 (relevant).</param>
    /// <returns>The places of the chosen, in order, with the values that won; of equal values the earlier candidate.</returns>
    public static IReadOnlyList<(int Place, double Value)> Choose(double[] query, IReadOnlyList<double[]> candidates, int count, double lambda)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        if (!(lambda is >= 0 and <= 1))
            throw new ArgumentException($"mmr: lambda {lambda} is not from 0 to 1.");
        double[] relevance = [.. candidates.Select(c => Cosine(query, c))], likeness = new double[candidates.Count];
        bool[] taken = new bool[candidates.Count];
        List<(int, double)> chosen = [];
        while (chosen.Count < Math.Min(count, candidates.Count))
        {
            int best = -1;
            double value = 0;
            for (int i = 0; i < candidates.Count; i++)
            {
                double here = (lambda * relevance[i]) - ((1 - lambda) * likeness[i]);
                if (!taken[i] && (best < 0 || here > value))
                    (best, value) = (i, here);
            }
            taken[best] = true;
            for (int i = 0; i < candidates.Count; i++)
            {
                double cosine = Cosine(candidates[i], candidates[best]);
                likeness[i] = chosen.Count == 0 ? cosine : Math.Max(likeness[i], cosine);
            }
            chosen.Add((best, value));
        }
        return chosen;
    }

    private static double Cosine(double[] a, double[] b)
    {
        double norms = TensorPrimitives.Norm<double>(a) * TensorPrimitives.Norm<double>(b);
        return norms > 0 ? TensorPrimitives.Dot<double>(a, b) / norms : 0;
    }
}
