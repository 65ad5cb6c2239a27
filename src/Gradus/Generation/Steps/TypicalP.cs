namespace Gradus.Generation;

/// <summary>
/// Keeps the tokens whose information −log p is closest to the expected one, the entropy, until their probabilities together reach
/// a mass (Meister et al., "Locally Typical Sampling", 2023).
/// </summary>
/// <param name="mass">In (0, 1].</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1.</param>
public sealed class TypicalP(float mass, int atLeast = 1) : LogitsStep
{
    private readonly float _mass = Positive(Probability(mass, nameof(mass)), nameof(mass));
    private readonly int _atLeast = AtLeastOne(atLeast, nameof(atLeast));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        double entropy = Distribution.Entropy(logits, state.Scratch, out double logTotal);
        if (double.IsNegativeInfinity(logTotal))
            return;
        // Keys descend as the distance from the entropy grows.
        Span<float> keys = state.Scratch.Floats(logits.Length);
        for (int i = 0; i < logits.Length; i++)
            keys[i] = -(float)Math.Abs(logTotal - logits[i] - entropy);
        Ranking ranking = new(keys, state.Scratch.Ints(logits.Length));
        double sum = 0;
        float farthest = 0;
        for (int kept = 0; ranking.Count > 0 && (kept < _atLeast || sum < _mass); kept++)
        {
            int token = ranking.Pop();
            sum += Math.Exp(logits[token] - logTotal);
            farthest = keys[token];
        }
        for (int i = 0; i < logits.Length; i++)
        {
            if (keys[i] < farthest)
                logits[i] = float.NegativeInfinity;
        }
    }
}
