// Purpose: chrF, chrF+ and chrF++, equal to sacrebleu 2.5.1.
// Source: M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015, https://aclanthology.org/W15-3049, and
// "chrF++: words helping character n-grams", 2017, https://aclanthology.org/W17-4770.

namespace Gradus.Evaluation.Metrics;

/// <summary>
/// chrF in percent: the F-measure of the mean precision and the mean recall over character n-grams, and over word n-grams too
/// for chrF++. Of several references the one with the largest score counts.
/// </summary>
public sealed class Chrf : Metric
{
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    private readonly int characterOrder;
    private readonly int wordOrder;
    private readonly double beta;
    private readonly bool lowercase;
    private readonly bool whiteSpace;
    private readonly bool epsilonSmoothing;

    /// <summary>chrF with the given settings; the defaults are sacreBLEU's chrF2, and a word order of 2 gives chrF2++.</summary>
    /// <param name="wordOrder">The largest n of word n-grams, 0 or more.</param>
    /// <param name="characterOrder">The largest n of character n-grams, 1 or more.</param>
    /// <param name="beta">How many times recall weighs as much as precision, above 0.</param>
    /// <param name="lowercase">Whether case is ignored.</param>
    /// <param name="whiteSpace">Whether white space belongs to character n-grams.</param>
    /// <param name="epsilonSmoothing">
    /// Whether every order counts, with a tiny number for an undefined ratio (chrF++.py, Moses), and F-measures are averaged;
    /// by default only orders that both texts have count, and precisions and recalls are averaged.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    public Chrf(
        int wordOrder = 0,
        int characterOrder = 6,
        double beta = 2,
        bool lowercase = false,
        bool whiteSpace = false,
        bool epsilonSmoothing = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(wordOrder);
        ArgumentOutOfRangeException.ThrowIfLessThan(characterOrder, 1);
        if (!(beta is > 0 and < double.PositiveInfinity))
            throw new ArgumentOutOfRangeException(nameof(beta), beta, "β is above 0.");
        this.wordOrder = wordOrder;
        this.characterOrder = characterOrder;
        this.beta = beta;
        this.lowercase = lowercase;
        this.whiteSpace = whiteSpace;
        this.epsilonSmoothing = epsilonSmoothing;
    }

    /// <inheritdoc/>
    public override string Name => "chrf" + new string('+', wordOrder);

    /// <inheritdoc/>
    public override string Settings
        => $"case:{(lowercase ? "lc" : "mixed")}|eff:{(epsilonSmoothing ? "no" : "yes")}|nc:{characterOrder}|nw:{wordOrder}|space:{(whiteSpace ? "yes" : "no")}|beta:{beta}";

    /// <inheritdoc/>
    public override double Best => 100;

    // of each order: n-grams of the prediction, n-grams of the reference, matches
    /// <inheritdoc/>
    protected internal override int StatisticCount => 3 * (characterOrder + wordOrder);

    /// <inheritdoc/>
    protected internal override void Tally(MetricExample example, Span<double> statistics)
    {
        RequireReference(example);
        NgramIndex characters = new(), words = new();
        Dictionary<int, int>[] prediction = Counts(example.Prediction, characters, words);
        var next = new double[statistics.Length];
        double best = -1;
        foreach (string reference in example.References)
        {
            Dictionary<int, int>[] grams = Counts(reference, characters, words);
            for (int n = 0; n < grams.Length; n++)
            {
                // An order that the reference is too short for says nothing about the prediction.
                next[3 * n] = grams[n].Count > 0 ? prediction[n].Values.Sum() : 0;
                next[(3 * n) + 1] = grams[n].Values.Sum();
                next[(3 * n) + 2] = NgramIndex.Overlap(prediction[n], grams[n]);
            }
            double score = Aggregate(next);
            if (score > best)
            {
                best = score;
                next.CopyTo(statistics);
            }
        }
    }

    /// <inheritdoc/>
    protected internal override double Aggregate(ReadOnlySpan<double> totals)
    {
        const double Epsilon = 1e-16;
        int orders = totals.Length / 3, effective = 0;
        double precisions = 0, recalls = 0, scores = 0;
        for (int n = 0; n < orders; n++)
        {
            double predicted = totals[3 * n], actual = totals[(3 * n) + 1], matches = totals[(3 * n) + 2];
            double precision = predicted > 0 ? matches / predicted : Epsilon, recall = actual > 0 ? matches / actual : Epsilon;
            scores += precision + recall > 0 ? PrecisionRecallF.Of(precision, recall, beta).F : Epsilon;
            if (predicted > 0 && actual > 0)
            {
                precisions += precision;
                recalls += recall;
                effective++;
            }
        }
        if (epsilonSmoothing)
            return 100 * scores / orders;
        return effective == 0 ? 0 : 100 * PrecisionRecallF.Of(precisions / effective, recalls / effective, beta).F;
    }

    private Dictionary<int, int>[] Counts(string text, NgramIndex characters, NgramIndex words)
    {
        if (lowercase)
            text = PythonText.ToLower(text);
        List<string> parts = PythonText.Split(text);
        int[] points = PythonText.CodePoints(whiteSpace ? text : string.Concat(parts));
        Dictionary<int, int>[] counts = characters.Counts(points, characterOrder);
        return wordOrder == 0 ? counts : [.. counts, .. words.Counts(words.Tokens(SplitPunctuation(parts)), wordOrder)];
    }

    // One mark is cut off a word: the last character if it is one, else the first.
    private static List<string> SplitPunctuation(List<string> parts)
    {
        List<string> words = [];
        foreach (string part in parts)
        {
            if (part.Length > 1 && Punctuation.Contains(part[^1]))
                words.AddRange([part[..^1], part[^1..]]);
            else if (part.Length > 1 && Punctuation.Contains(part[0]))
                words.AddRange([part[..1], part[1..]]);
            else
                words.Add(part);
        }
        return words;
    }
}
