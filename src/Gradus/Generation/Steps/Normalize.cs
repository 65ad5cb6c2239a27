using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>l = l − log Σ exp(l): logits become log-probabilities. Beam search compares scores of different steps, so it wants this last.</summary>
public sealed class Normalize : LogitsStep
{
    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) =>
        TensorPrimitives.Subtract(logits, (float)Distribution.LogSumExp(logits, state.Scratch), logits);
}
