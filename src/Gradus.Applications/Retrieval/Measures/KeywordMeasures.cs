// Source: the measures of the course "LLM Engineering" (ed-donner/llm_engineering, week 5): a chunk is relevant for a keyword that it contains. Its nDCG takes the best
// order of the chunks that were found for the ideal, and so flatters; the one over all chunks stands beside it.

namespace Gradus.Applications.Retrieval.Measures;

/// <summary>How well chunks that were found hold the keywords of a question; means over its keywords, letters of either case.</summary>
/// <param name="ReciprocalRank">1 / the rank of the first chunk with the keyword, 0 where there is none.</param>
/// <param name="FoundGain">nDCG with 1 for chunks that hold the keyword; its ideal knows only the chunks found.</param>
/// <param name="Gain">nDCG whose ideal knows all chunks of the index.</param>
/// <param name="Coverage">The share of keywords that some chunk holds.</param>
public sealed record KeywordMeasures(double ReciprocalRank, double FoundGain, double Gain, double Coverage)
{
    /// <summary>Computes them.</summary>
    /// <param name="keywords">The keywords, one at least.</param>
    /// <param name="found">The texts found, the best first.</param>
    /// <param name="all">For a keyword, in how many chunks of the index it is.</param>
    /// <exception cref="ArgumentException">There are no keywords.</exception>
    public static KeywordMeasures Of(IReadOnlyList<string> keywords, IReadOnlyList<string> found, Func<string, int> all)
    {
        ArgumentNullException.ThrowIfNull(keywords);
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(all);
        if (keywords.Count == 0)
            throw new ArgumentException("a question without keywords cannot be measured by them.");
        double rank = 0, gain = 0, trueGain = 0, covered = 0;
        foreach (string keyword in keywords)
        {
            bool[] holds = [.. found.Select(t => t.Contains(keyword, StringComparison.OrdinalIgnoreCase))];
            int first = Array.IndexOf(holds, true);
            if (first < 0)
                continue;
            double sum = holds.Select((h, i) => h ? 1 / Math.Log2(i + 2) : 0).Sum();
            rank += 1.0 / (first + 1);
            gain += sum / Ideal(holds.Count(h => h));
            trueGain += sum / Ideal(Math.Min(found.Count, Math.Max(holds.Count(h => h), all(keyword))));
            covered++;
        }
        return new KeywordMeasures(rank / keywords.Count, gain / keywords.Count, trueGain / keywords.Count, covered / keywords.Count);
    }

    private static double Ideal(int count) => Enumerable.Range(0, count).Sum(i => 1 / Math.Log2(i + 2));
}
