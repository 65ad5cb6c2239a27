namespace Gradus.Generation;

/// <summary>Keeps the tokens whose probability is at least ε (Hewitt, Manning and Liang, "Truncation Sampling as Language Model Desmoothing", 2022).</summary>
/// <param name="epsilon">In [0, 1].</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1: the most probable ones.</param>
public sealed class EpsilonCutoff(float epsilon, int atLeast = 1) : LogitsStep
{
    private readonly float _epsilon = Probability(epsilon, nameof(epsilon));
    private readonly int _atLeast = AtLeastOne(atLeast, nameof(atLeast));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) => Cut(logits, _epsilon, _atLeast, state.Scratch);

    internal static void Cut(Span<float> logits, double epsilon, int atLeast, LogitsScratch scratch)
    {
        double least = Distribution.LogSumExp(logits, scratch) + Math.Log(epsilon);
        float kept = Selection.KthLargest(logits, Math.Min(atLeast, logits.Length), scratch);
        foreach (ref float logit in logits)
        {
            if (logit < least && logit < kept)
                logit = float.NegativeInfinity;
        }
    }
}
