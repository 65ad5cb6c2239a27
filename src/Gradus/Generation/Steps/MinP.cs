using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>Keeps the tokens that are at least p times as probable as the most probable one (Nguyen et al., "Turning Up the Heat: Min-p Sampling", 2024).</summary>
/// <param name="p">In [0, 1].</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1.</param>
public sealed class MinP(float p, int atLeast = 1) : LogitsStep
{
    private readonly float _p = Probability(p, nameof(p));
    private readonly int _atLeast = AtLeastOne(atLeast, nameof(atLeast));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        // p_i < p·p_max, taken to the logarithm.
        int keep = Math.Min(_atLeast, logits.Length);
        float largest = TensorPrimitives.Max(logits);
        float threshold = largest + MathF.Log(_p);
        if (keep > 1)
            threshold = Math.Min(threshold, Selection.KthLargest(logits, keep, state.Scratch));
        foreach (ref float logit in logits)
        {
            if (logit < threshold)
                logit = float.NegativeInfinity;
        }
    }
}
