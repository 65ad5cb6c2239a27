using Gradus.Nn;

namespace Gradus.Training.Data;

/// <summary>Tokens that go through the model at once, and what is to be predicted.</summary>
/// <param name="Tokens">The sequences.</param>
/// <param name="Targets">For every token the one that is to be predicted there, or −100 where it does not count.</param>
public sealed record MicroBatch(TokenBatch Tokens, int[] Targets) : TrainingBatch
{
    /// <summary>A target that does not count.</summary>
    public const int Ignored = -100;

    /// <summary>The number of targets that count.</summary>
    public int TargetCount { get; } = Targets.Count(t => t >= 0);

    /// <inheritdoc/>
    public override long TokenCount => Tokens.Count + (Tokens.Source?.Count ?? 0);

    /// <inheritdoc/>
    public override IReadOnlyList<double> Weights => [TargetCount];
}
