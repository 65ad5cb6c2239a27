using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>l = l − log Σ exp(l): logits become log-probabilities. Beam search compares scores of different steps, so it wants this last.</summary>
public sealed class Normalize : LogitsStep
{
    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        double logTotal = Distribution.LogSumExp(logits, state.Scratch);
        if (!double.IsNegativeInfinity(logTotal))
            TensorPrimitives.Subtract(logits, (float)logTotal, logits);
    }
}
