// Purpose: METEOR with its exact and stem stages. Source: Banerjee and Lavie, "METEOR: An Automatic Metric for MT Evaluation", 2005,
// https://aclanthology.org/W05-0909; parameters and the order of matching as nltk's meteor_score (α 0.9, β 3, γ 0.5); a prediction that equals
// its reference has no penalty, as in METEOR 1.5. Left out: the synonym and paraphrase stages, which need their tables.

namespace Gradus.Evaluation.Metrics;

/// <summary>
/// METEOR: words are matched as they are, then by their stems; the harmonic mean of precision and recall, which leans to recall, is lowered where
/// the matches lie in many pieces. The best over the references; from 0 to 1.
/// </summary>
public sealed class Meteor : MeanMetric
{
    private const double Alpha = 0.9;
    private const double Beta = 3;
    private const double Gamma = 0.5;

    /// <inheritdoc/>
    public override string Name => "meteor";

    /// <inheritdoc/>
    public override string Label => "METEOR";

    /// <inheritdoc/>
    public override string Settings => "stages:exact,stem|alpha:0.9|beta:3|gamma:0.5|tok:13a|case:lc";

    /// <inheritdoc/>
    public override double Best => 1;

    /// <inheritdoc/>
    protected override double ScoreOf(MetricExample example)
    {
        RequireReference(example);
        string[] prediction = Words(example.Prediction);
        return example.References.Max(reference => Score(prediction, Words(reference)));
    }

    private static double Score(string[] prediction, string[] reference)
    {
        if (prediction.Length == 0 || reference.Length == 0)
            return prediction.Length == reference.Length ? 1 : 0;
        int[] matched = new int[prediction.Length];
        Array.Fill(matched, -1);
        bool[] taken = new bool[reference.Length];
        Match(prediction, reference, matched, taken, word => word);
        Match(prediction, reference, matched, taken, PorterStemmer.Stem);
        int matches = matched.Count(m => m >= 0);
        if (matches == 0)
            return 0;
        int chunks = 0;
        for (int i = 0; i < matched.Length; i++)
            chunks += matched[i] >= 0 && !(i > 0 && matched[i - 1] >= 0 && matched[i] == matched[i - 1] + 1) ? 1 : 0;
        double precision = (double)matches / prediction.Length, recall = (double)matches / reference.Length;
        double mean = precision * recall / ((Alpha * precision) + ((1 - Alpha) * recall));
        bool whole = chunks == 1 && matches == prediction.Length && matches == reference.Length;
        return whole ? 1 : (1 - (Gamma * Math.Pow((double)chunks / matches, Beta))) * mean;
    }

    // From the end, each word with the last one like it that is still free.
    private static void Match(string[] prediction, string[] reference, int[] matched, bool[] taken, Func<string, string> form)
    {
        Dictionary<string, Stack<int>> free = new(StringComparer.Ordinal);
        for (int r = 0; r < reference.Length; r++)
        {
            if (taken[r])
                continue;
            string word = form(reference[r]);
            if (!free.TryGetValue(word, out Stack<int>? places))
                free[word] = places = new Stack<int>();
            places.Push(r);
        }
        for (int p = prediction.Length - 1; p >= 0; p--)
        {
            if (matched[p] >= 0 || !free.TryGetValue(form(prediction[p]), out Stack<int>? places) || !places.TryPop(out int place))
                continue;
            matched[p] = place;
            taken[place] = true;
        }
    }

    private static string[] Words(string text) => [.. PythonText.Split(BleuTokenizer.Mteval13a.Tokenize(PythonText.ToLower(text)))];
}
