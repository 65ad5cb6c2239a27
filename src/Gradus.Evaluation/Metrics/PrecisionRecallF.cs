namespace Gradus.Evaluation.Metrics;

/// <summary>Precision, recall and F-measure, each from 0 to 1.</summary>
/// <param name="Precision">The part of what was predicted that is right.</param>
/// <param name="Recall">The part of what is right that was predicted.</param>
/// <param name="F">(1 + β²)·P·R / (β²·P + R); the harmonic mean for β = 1.</param>
public readonly record struct PrecisionRecallF(double Precision, double Recall, double F)
{
    /// <summary>The F-measure of a precision and a recall; 0 where both are 0.</summary>
    /// <param name="precision">Precision.</param>
    /// <param name="recall">Recall.</param>
    /// <param name="beta">How many times recall weighs as much as precision.</param>
    public static PrecisionRecallF Of(double precision, double recall, double beta = 1)
    {
        double b = beta * beta, denominator = (b * precision) + recall;
        return new(precision, recall, denominator > 0 ? (1 + b) * precision * recall / denominator : 0);
    }

    /// <summary>Precision, recall and F1 of a number of hits; a ratio without a denominator is 0.</summary>
    /// <param name="hits">Right predictions.</param>
    /// <param name="predicted">Predictions.</param>
    /// <param name="actual">What should have been predicted.</param>
    /// <param name="beta">How many times recall weighs as much as precision.</param>
    public static PrecisionRecallF OfCounts(double hits, double predicted, double actual, double beta = 1)
        => Of(predicted > 0 ? hits / predicted : 0, actual > 0 ? hits / actual : 0, beta);

    /// <summary>The weighted mean of each of the three; 0 where the weights sum to 0.</summary>
    internal static PrecisionRecallF Mean(IReadOnlyList<PrecisionRecallF> scores, IReadOnlyList<double> weights)
    {
        double total = weights.Sum();
        return total == 0 ? default : new(Of(s => s.Precision), Of(s => s.Recall), Of(s => s.F));

        double Of(Func<PrecisionRecallF, double> part) => scores.Zip(weights, (s, w) => part(s) * w).Sum() / total;
    }
}
