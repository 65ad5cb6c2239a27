namespace Gradus.Evaluation.Tasks;

/// <summary>What a metric keeps of one example; an <see cref="Aggregation"/> makes a value of all of them.</summary>
public abstract record SampleValue;

/// <summary>A score.</summary>
/// <param name="Value">The score.</param>
public sealed record NumberSample(double Value) : SampleValue;

/// <summary>A sum and what it is divided by when all sums are put together: nats and words, nats and bytes.</summary>
/// <param name="Sum">The sum.</param>
/// <param name="Weight">The weight.</param>
public sealed record WeightedSample(double Sum, double Weight) : SampleValue;

/// <summary>A class and the one that was predicted.</summary>
/// <param name="Gold">The true class; −100 where the example has none among the choices.</param>
/// <param name="Predicted">The predicted class.</param>
public sealed record ClassSample(int Gold, int Predicted) : SampleValue;

/// <summary>A class and the probabilities of all.</summary>
/// <param name="Gold">The true class; −100 where the example has none among the choices.</param>
/// <param name="Probabilities">The probability of each class.</param>
public sealed record ProbabilitySample(int Gold, IReadOnlyList<double> Probabilities) : SampleValue;

/// <summary>A text and what it is compared with, for metrics of whole sets of texts.</summary>
/// <param name="Reference">The accepted text.</param>
/// <param name="Prediction">The text.</param>
public sealed record TextSample(string Reference, string Prediction) : SampleValue
{
    /// <summary>The score of the example alone, or null where it was not asked for.</summary>
    public double? Score { get; init; }
}
