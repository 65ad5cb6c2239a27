namespace Gradus.Generation;

/// <summary>Replaces NaN by 0, +∞ by the largest and −∞ by the smallest finite number, so that a broken logit does not end the run.</summary>
public sealed class ReplaceInvalid : LogitsStep
{
    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        foreach (ref float logit in logits)
            logit = float.IsNaN(logit) ? 0 : Math.Clamp(logit, float.MinValue, float.MaxValue);
    }
}
