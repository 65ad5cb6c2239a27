using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>BM25 of a few texts that are at hand, without an index.</summary>
internal static class TextScores
{
    /// <summary>The texts with one of the keywords at least, the best first; the numbers are places in the list.</summary>
    public static IReadOnlyList<Hit> Of(IReadOnlyList<string> texts, IEnumerable<string> keywords)
    {
        TextAnalyzer analyzer = new(TextAnalyzer.Suitable(texts.Take(200)));
        Dictionary<string, int>[] counts = [.. texts.Select(t => analyzer.Query(t).ToDictionary(q => q.Term, q => (int)q.Weight))];
        double[] lengths = [.. counts.Select(c => (double)c.Values.Sum())];
        double average = lengths.DefaultIfEmpty(0).Average() is > 0 and double mean ? mean : 1;
        Bm25 scoring = new();
        double[] scores = new double[texts.Count];
        foreach ((string term, double weight) in analyzer.Query(string.Join(' ', keywords)))
        {
            double inverse = weight * scoring.InverseFrequency(texts.Count, counts.Count(c => c.ContainsKey(term)));
            for (int i = 0; i < texts.Count; i++)
                scores[i] += counts[i].TryGetValue(term, out int count) ? inverse * scoring.Saturate(0, count, 1, lengths[i] / average) : 0;
        }
        return [.. scores.Select((s, i) => new Hit(i, s)).Where(h => h.Score > 0).OrderByDescending(h => h.Score).ThenBy(h => h.Chunk)];
    }
}
