// Source: trec_eval (usnistgov/trec_eval) with option -c: definitions and treatment of ties, unjudged documents and queries without results. nDCG: K. Järvelin
// and J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002; bpref: C. Buckley and E. Voorhees, 2004.

namespace Gradus.Applications.Retrieval.Measures;

/// <summary>How well one ranked list fits the judgements of its query.</summary>
/// <param name="grades">The judged documents with their grades; negative ones count as judged and not relevant.</param>
/// <param name="ranking">The documents found, the best first, each once.</param>
/// <param name="level">The least grade that counts as relevant.</param>
public sealed class RankingMeasures(IReadOnlyDictionary<string, int> grades, IReadOnlyList<string> ranking, int level = 1)
{
    private readonly int[] _grades = [.. ranking.Select(d => grades.GetValueOrDefault(d, int.MinValue))];

    /// <summary>R: the relevant documents there are.</summary>
    public int Relevant { get; } = grades.Values.Count(g => g >= level);

    /// <summary>The relevant documents that were found.</summary>
    public int RelevantFound => _grades.Count(g => g >= level);

    /// <summary>Average precision: Σ precision at each relevant document / R; cut at <paramref name="k"/> documents.</summary>
    public double AveragePrecision(int k = int.MaxValue)
    {
        double sum = 0;
        int found = 0;
        for (int i = 0; i < Math.Min(k, _grades.Length); i++)
        {
            if (_grades[i] >= level)
                sum += (double)++found / (i + 1);
        }
        return Relevant == 0 ? 0 : sum / Relevant;
    }

    /// <summary>1 / the rank of the first relevant document, 0 where none is among the first <paramref name="k"/>.</summary>
    public double ReciprocalRank(int k = int.MaxValue)
    {
        int first = Array.FindIndex(_grades, g => g >= level);
        return first < 0 || first >= k ? 0 : 1.0 / (first + 1);
    }

    /// <summary>The relevant ones among the first <paramref name="k"/>, divided by k also where fewer were found.</summary>
    public double Precision(int k) => (double)Hits(k) / k;

    /// <summary>The share of the relevant documents that is among the first <paramref name="k"/>.</summary>
    public double Recall(int k) => Relevant == 0 ? 0 : (double)Hits(k) / Relevant;

    /// <summary>1 where a relevant document is among the first <paramref name="k"/>.</summary>
    public double Success(int k) => Hits(k) > 0 ? 1 : 0;

    /// <summary>Precision at R.</summary>
    public double RPrecision => Relevant == 0 ? 0 : (double)Hits(Relevant) / Relevant;

    /// <summary>nDCG: Σ gain / log2(rank + 1) over that of the best order of all judged documents. The grade is the gain, or 2^grade − 1.</summary>
    /// <param name="k">The rank where both are cut.</param>
    /// <param name="exponential">Whether the gain is 2^grade − 1.</param>
    public double NormalizedGain(int k = int.MaxValue, bool exponential = false)
    {
        double ideal = Gain(grades.Values.OrderDescending(), k, exponential);
        return ideal > 0 ? Gain(_grades, k, exponential) / ideal : 0;
    }

    /// <summary>Binary nDCG: every relevant document gains 1.</summary>
    /// <param name="k">The rank where both are cut.</param>
    public double BinaryGain(int k = int.MaxValue)
    {
        double ideal = Gain(Enumerable.Repeat(1, Relevant), k, false);
        return ideal > 0 ? Gain(_grades.Select(g => g >= level ? 1 : 0), k, false) / ideal : 0;
    }

    /// <summary>bpref: how rarely judged documents that are not relevant stand before relevant ones; unjudged ones are passed over.</summary>
    public double BinaryPreference
    {
        get
        {
            int wrong = grades.Values.Count(g => g < level && g >= 0), before = 0;
            double sum = 0;
            foreach (int grade in _grades)
            {
                if (grade >= level)
                    sum += before == 0 ? 1 : 1 - ((double)Math.Min(before, Relevant) / Math.Min(Relevant, wrong));
                else if (grade >= 0)
                    before++;
            }
            return Relevant == 0 ? 0 : sum / Relevant;
        }
    }

    /// <summary>The order in which trec_eval reads a run: by score, of equal ones the larger name in bytes first.</summary>
    public static IReadOnlyList<string> Order(IEnumerable<KeyValuePair<string, double>> run) => [.. run.OrderByDescending(d => d.Value).ThenByDescending(d => d.Key, StringComparer.Ordinal).Select(d => d.Key)];

    private int Hits(int k) => _grades.Take(k).Count(g => g >= level);

    private static double Gain(IEnumerable<int> gains, int k, bool exponential) => gains.Take(k)
        .Select((g, i) => g <= 0 ? 0 : (exponential ? Math.Pow(2, g) - 1 : g) / Math.Log2(i + 2)).Sum();
}
