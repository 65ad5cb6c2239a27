using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>l = l / T: below 1 sharpens the distribution, above 1 flattens it (Ackley, Hinton and Sejnowski, 1985).</summary>
/// <param name="value">T &gt; 0; for T → 0 choose greedily instead.</param>
public sealed class Temperature(float value) : LogitsStep
{
    private readonly float _value = Positive(value, nameof(value));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) => TensorPrimitives.Divide(logits, _value, logits);
}
