namespace Gradus.Training.Data;

/// <summary>What goes through the model at once, in one forward and one backward pass. Every objective has a kind of its own.</summary>
public abstract record TrainingBatch
{
    /// <summary>Tokens that go through the model, sources included.</summary>
    public abstract long TokenCount { get; }

    /// <summary>
    /// For each term of the objective's loss the number that its sum is divided by: targets, tokens or pairs. It is known before the loss
    /// is, so that it can be added up over all micro-batches and ranks of a step before the first backward pass.
    /// </summary>
    public abstract IReadOnlyList<double> Weights { get; }
}
