// Purpose: BLEU, equal to sacrebleu 2.5.1.
// Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002, https://aclanthology.org/P02-1040;
// smoothing: Chen and Cherry, 2014, https://aclanthology.org/W14-3346; the rest: M. Post, "A Call for Clarity in Reporting BLEU
// Scores", 2018, https://aclanthology.org/W18-6319.
// Left out: warnings about input that looks tokenized.

namespace Gradus.Evaluation.Metrics;

/// <summary>What BLEU does with an n-gram order in which nothing matches.</summary>
public enum BleuSmoothing
{
    /// <summary>Nothing: the score is 0.</summary>
    None,

    /// <summary>Takes a small constant for the number of matches.</summary>
    Floor,

    /// <summary>Adds a constant to matches and totals of the orders above 1, whether or not they match.</summary>
    AddK,

    /// <summary>Halves the number of matches anew for each such order: 1/2, 1/4 … (mteval-v13a).</summary>
    Exponential,
}

/// <summary>The parts of a BLEU score.</summary>
/// <param name="Score">BLEU in percent.</param>
/// <param name="Precisions">The n-gram precisions in percent, after smoothing, orders 1, 2 …</param>
/// <param name="Counts">Matching n-grams of each order (after add-k smoothing).</param>
/// <param name="Totals">N-grams of the predictions, of each order (after add-k smoothing).</param>
/// <param name="BrevityPenalty">exp(1 − reference length / prediction length) for predictions that are too short, else 1.</param>
/// <param name="PredictionLength">Tokens in the predictions.</param>
/// <param name="ReferenceLength">Tokens in the references; of several, in the one closest in length.</param>
public sealed record BleuDetails(
    double Score,
    IReadOnlyList<double> Precisions,
    IReadOnlyList<double> Counts,
    IReadOnlyList<double> Totals,
    double BrevityPenalty,
    double PredictionLength,
    double ReferenceLength);

/// <summary>
/// BLEU in percent: BP · exp(mean over n of ln pₙ), with the counts of all examples put together. The score of one example alone
/// uses only the orders that its length allows (effective order).
/// </summary>
public sealed class Bleu : Metric
{
    private readonly BleuTokenizer tokenizer;
    private readonly bool lowercase;
    private readonly BleuSmoothing smoothing;
    private readonly double smoothingValue;
    private readonly int order;
    private readonly bool effectiveOrder;

    /// <summary>BLEU with the given settings; the defaults are sacreBLEU's.</summary>
    /// <param name="tokenizer">How texts are cut into words; mteval-v13a where null.</param>
    /// <param name="lowercase">Whether case is ignored.</param>
    /// <param name="smoothing">What happens where no n-gram of an order matches.</param>
    /// <param name="smoothingValue">The constant of floor (0.1 where null) and add-k (1 where null), 0 or more.</param>
    /// <param name="order">The largest n, 1 or more.</param>
    /// <param name="effectiveOrder">Whether orders for which the predictions are too short are left out of the mean.</param>
    /// <exception cref="ArgumentOutOfRangeException">The order or the smoothing value is out of its range.</exception>
    public Bleu(
        BleuTokenizer? tokenizer = null,
        bool lowercase = false,
        BleuSmoothing smoothing = BleuSmoothing.Exponential,
        double? smoothingValue = null,
        int order = 4,
        bool effectiveOrder = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order, 1);
        if (!(smoothingValue is null or (>= 0 and < double.PositiveInfinity)))
            throw new ArgumentOutOfRangeException(nameof(smoothingValue), smoothingValue, "The smoothing value is 0 or more.");
        this.tokenizer = tokenizer ?? BleuTokenizer.Mteval13a;
        this.lowercase = lowercase;
        this.smoothing = smoothing;
        this.smoothingValue = smoothingValue ?? (smoothing == BleuSmoothing.AddK ? 1 : 0.1);
        this.order = order;
        this.effectiveOrder = effectiveOrder;
    }

    /// <inheritdoc/>
    public override string Name => "bleu";

    /// <inheritdoc/>
    public override string Settings
    {
        get
        {
            string smooth = smoothing switch
            {
                BleuSmoothing.None => "none",
                BleuSmoothing.Floor => $"floor[{smoothingValue:0.00}]",
                BleuSmoothing.AddK => $"add-k[{smoothingValue:0.00}]",
                _ => "exp",
            };
            return $"case:{(lowercase ? "lc" : "mixed")}|eff:{(effectiveOrder ? "yes" : "no")}|tok:{tokenizer.Name}|smooth:{smooth}|order:{order}";
        }
    }

    /// <inheritdoc/>
    public override double Best => 100;

    // prediction length, reference length, matches of each order, totals of each order
    /// <inheritdoc/>
    protected internal override int StatisticCount => 2 + (2 * order);

    /// <summary>The parts of the value of a result of this metric.</summary>
    /// <param name="result">What <see cref="Metric.Evaluate"/> of this metric gave.</param>
    /// <exception cref="ArgumentException">The result is another metric's.</exception>
    public BleuDetails Details(MetricResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (result.Metric != this)
            throw new ArgumentException($"The result is of {result.Metric.Name} ({result.Metric.Settings}), not of this {Name} ({Settings}).", nameof(result));
        return Compute(result.Totals(), effectiveOrder);
    }

    /// <inheritdoc/>
    protected internal override void Tally(MetricExample example, Span<double> statistics)
    {
        RequireReference(example);
        NgramIndex index = new();
        int[] prediction = Words(example.Prediction, index);
        Dictionary<int, int>[] counts = index.Counts(prediction, order), references = [];
        int closest = -1;
        foreach (string reference in example.References)
        {
            int[] words = Words(reference, index);
            Dictionary<int, int>[] next = index.Counts(words, order);
            references = references.Length == 0 ? next : [.. references.Zip(next, Union)];
            int gap = Math.Abs(words.Length - prediction.Length), best = Math.Abs(closest - prediction.Length);
            if (closest < 0 || gap < best || (gap == best && words.Length < closest))
                closest = words.Length;
        }
        statistics[0] = prediction.Length;
        statistics[1] = closest;
        for (int n = 0; n < order; n++)
        {
            statistics[2 + n] = NgramIndex.Overlap(counts[n], references[n]);
            statistics[2 + order + n] = Math.Max(0, prediction.Length - n);
        }
    }

    /// <inheritdoc/>
    protected internal override double Aggregate(ReadOnlySpan<double> totals) => Compute(totals, effectiveOrder).Score;

    /// <inheritdoc/>
    protected override double ExampleScore(ReadOnlySpan<double> statistics) => Compute(statistics, effective: true).Score;

    private int[] Words(string text, NgramIndex index)
    {
        text = PythonText.StripEnd(lowercase ? PythonText.ToLower(text) : text);
        return index.Tokens(PythonText.Split(tokenizer.Tokenize(text)));
    }

    private static Dictionary<int, int> Union(Dictionary<int, int> a, Dictionary<int, int> b)
    {
        foreach ((int gram, int count) in b)
            a[gram] = Math.Max(count, a.GetValueOrDefault(gram));
        return a;
    }

    private BleuDetails Compute(ReadOnlySpan<double> statistics, bool effective)
    {
        double predicted = statistics[0], actual = statistics[1];
        double[] counts = statistics.Slice(2, order).ToArray(), totals = statistics.Slice(2 + order, order).ToArray();
        var precisions = new double[order];
        double penalty = predicted >= actual ? 1 : predicted > 0 ? Math.Exp(1 - (actual / predicted)) : 0;
        if (Array.TrueForAll(counts, c => c == 0))
            return new(0, precisions, counts, totals, penalty, predicted, actual);

        int orders = order;
        double halving = 1;
        for (int n = 0; n < order; n++)
        {
            if (smoothing == BleuSmoothing.AddK && n > 0)
            {
                counts[n] += smoothingValue;
                totals[n] += smoothingValue;
            }
            if (totals[n] == 0)
                break;
            if (effective)
                orders = n + 1;
            double matches = counts[n];
            if (matches == 0 && smoothing == BleuSmoothing.Exponential)
                matches = 1 / (halving *= 2);
            else if (matches == 0 && smoothing == BleuSmoothing.Floor)
                matches = smoothingValue;
            precisions[n] = 100 * matches / totals[n];
        }

        double logs = 0;
        for (int n = 0; n < orders; n++)
            logs += Math.Log(precisions[n]);
        // A precision of 0 has the logarithm −∞, and the score is 0.
        return new(penalty * Math.Exp(logs / orders), precisions, counts, totals, penalty, predicted, actual);
    }
}
