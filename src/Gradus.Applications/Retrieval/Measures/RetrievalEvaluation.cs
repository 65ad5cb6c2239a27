using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Gradus.Evaluation.Statistics;

namespace Gradus.Applications.Retrieval.Measures;

/// <summary>What one way of searching reaches on questions.</summary>
/// <param name="Name">The way's name.</param>
/// <param name="Recipe">The way.</param>
/// <param name="Measures">By measure: a value for each question, in the order of the questions that it applies to.</param>
/// <param name="Milliseconds">The mean time of a search.</param>
public sealed record RetrievalResult(string Name, RetrievalStep Recipe, IReadOnlyDictionary<string, IReadOnlyList<double>> Measures, double Milliseconds)
{
    /// <summary>The mean of a measure.</summary>
    public double Mean(string measure) => Measures[measure].Average();
}

/// <summary>Runs ways of searching on the same questions.</summary>
public static class RetrievalEvaluation
{
    /// <summary>The rank at which measures over documents are cut where nothing else is said.</summary>
    private const int Depth = 1000;

    /// <summary>Evaluates one way.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="recipe">The way.</param>
    /// <param name="search">What is searched, and with what.</param>
    /// <param name="questions">The questions.</param>
    /// <param name="count">Chunks that are looked at by keywords, and the k of measures at k.</param>
    /// <param name="level">The least grade that counts as relevant.</param>
    /// <param name="cancellation">Ends the work.</param>
    public static async Task<RetrievalResult> RunAsync(
        string name, RetrievalStep recipe, SearchContext search, IReadOnlyList<RetrievalQuestion> questions, int count = 10, int level = 1, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(search);
        ArgumentNullException.ThrowIfNull(questions);
        Dictionary<string, List<double>> measures = [];
        Dictionary<string, string> names = search.Index.Documents().SelectMany(d => new[] { d.Name, Path.ChangeExtension(d.Name, null)! }.Distinct().Select(alias => (alias, d.Name))).GroupBy(p => p.alias).ToDictionary(g => g.Key, g => g.First().Name);
        KeywordCounts counts = new(search.Index);
        long began = Environment.TickCount64;
        foreach (RetrievalQuestion question in questions)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyList<Hit> hits = await recipe.FindAsync(search, question.Question, question.Grades.Count > 0 ? Depth : count, cancellation).ConfigureAwait(false);
            IReadOnlyList<StoredChunk> chunks = search.Index.Chunks(hits.Select(h => h.Chunk));
            if (question.Grades.Count > 0)
                AddRanking(measures, question, names, chunks, count, level);
            if (question.Keywords.Count > 0)
                AddKeywords(measures, question, [.. chunks.Take(count)], counts);
        }
        double elapsed = Environment.TickCount64 - began;
        return new RetrievalResult(name, recipe, measures.ToDictionary(m => m.Key, m => (IReadOnlyList<double>)m.Value), elapsed / questions.Count);
    }

    /// <summary>Compares two results on the same questions, with the p-values corrected for the number of measures (Holm).</summary>
    /// <param name="a">The first.</param>
    /// <param name="b">The second.</param>
    /// <returns>By measure: the paired comparison and its corrected p-value.</returns>
    public static IReadOnlyList<(string Measure, PairedComparison Comparison, double Corrected)> Compare(RetrievalResult a, RetrievalResult b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        string[] shared = [.. a.Measures.Keys.Where(b.Measures.ContainsKey)];
        PairedComparison[] comparisons = [.. shared.Select(m => PairedComparison.Of(a.Measures[m], b.Measures[m]))];
        double[] corrected = PairedComparison.Holm([.. comparisons.Select(c => c.PValue)]);
        return [.. shared.Select((m, i) => (m, comparisons[i], corrected[i]))];
    }

    // A document stands where its best chunk stands.
    private static void AddRanking(Dictionary<string, List<double>> measures, RetrievalQuestion question, Dictionary<string, string> names, IReadOnlyList<StoredChunk> chunks, int k, int level)
    {
        Dictionary<string, int> grades = [];
        foreach ((string document, int grade) in question.Grades)
            grades[names.GetValueOrDefault(document, document)] = grade;
        RankingMeasures ranking = new(grades, [.. chunks.Select(c => c.Document).Distinct()], level);
        Add("MAP", ranking.AveragePrecision());
        Add("MRR", ranking.ReciprocalRank());
        Add($"nDCG@{k}", ranking.BinaryGain(k));
        Add($"nDCG@{k} graded", ranking.NormalizedGain(k));
        Add($"Recall@{k}", ranking.Recall(k));
        Add("Recall@100", ranking.Recall(100));
        Add("Recall@1", ranking.Recall(1));
        Add($"P@{k}", ranking.Precision(k));

        void Add(string name, double value) => Put(measures, name, value);
    }

    // A model is shown where a passage stands as well, so that a keyword may be found there; what the texts alone hold is told beside it.
    private static void AddKeywords(Dictionary<string, List<double>> measures, RetrievalQuestion question, StoredChunk[] chunks, KeywordCounts counts)
    {
        KeywordMeasures keywords = KeywordMeasures.Of(question.Keywords, [.. chunks.Select(Shown)], counts.Of), alone = KeywordMeasures.Of(question.Keywords, [.. chunks.Select(c => c.Text)], counts.Of);
        Put(measures, "keyword MRR", keywords.ReciprocalRank);
        Put(measures, "keyword nDCG (of what was found)", keywords.FoundGain);
        Put(measures, "keyword nDCG", keywords.Gain);
        Put(measures, "keyword coverage", keywords.Coverage);
        Put(measures, "keyword MRR (texts alone)", alone.ReciprocalRank);
        Put(measures, "keyword coverage (texts alone)", alone.Coverage);
    }

    private static string Shown(StoredChunk chunk) => $"{chunk.Source}\n{chunk.Text}";

    private static void Put(Dictionary<string, List<double>> measures, string name, double value)
    {
        if (!measures.TryGetValue(name, out List<double>? values))
            measures[name] = values = [];
        values.Add(value);
    }

    /// <summary>In how many chunks of the index a keyword is, counted once.</summary>
    private sealed class KeywordCounts(RetrievalIndex index)
    {
        private readonly Dictionary<string, int> _counts = new(StringComparer.OrdinalIgnoreCase);
        private string[]? _texts;

        public int Of(string keyword)
        {
            _texts ??= [.. index.Documents().SelectMany(d => index.ChunksOf(d.Name)).Select(Shown)];
            if (!_counts.TryGetValue(keyword, out int count))
                _counts[keyword] = count = _texts.Count(t => t.Contains(keyword, StringComparison.OrdinalIgnoreCase));
            return count;
        }
    }
}
