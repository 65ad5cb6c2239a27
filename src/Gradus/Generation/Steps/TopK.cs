namespace Gradus.Generation;

/// <summary>Keeps the k most probable tokens, and those as probable as the k-th (Fan, Lewis and Dauphin, "Hierarchical Neural Story Generation", 2018).</summary>
/// <param name="k">At least 1.</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1.</param>
public sealed class TopK(int k, int atLeast = 1) : LogitsStep
{
    private readonly int _k = Math.Max(AtLeastOne(k, nameof(k)), AtLeastOne(atLeast, nameof(atLeast)));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (_k >= logits.Length)
            return;
        float threshold = Selection.KthLargest(logits, _k, state.Scratch);
        foreach (ref float logit in logits)
        {
            if (logit < threshold)
                logit = float.NegativeInfinity;
        }
    }
}
