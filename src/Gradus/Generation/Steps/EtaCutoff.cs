namespace Gradus.Generation;

/// <summary>
/// Keeps the tokens whose probability is at least η = min(ε, √ε·exp(−entropy)): a cutoff that falls where the model is unsure
/// (Hewitt, Manning and Liang, "Truncation Sampling as Language Model Desmoothing", 2022).
/// </summary>
/// <param name="epsilon">ε in [0, 1].</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1: the most probable ones.</param>
public sealed class EtaCutoff(float epsilon, int atLeast = 1) : LogitsStep
{
    private readonly float _epsilon = Probability(epsilon, nameof(epsilon));
    private readonly int _atLeast = AtLeastOne(atLeast, nameof(atLeast));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        double entropy = Distribution.Entropy(logits, state.Scratch, out _);
        double eta = Math.Min(_epsilon, Math.Sqrt(_epsilon) * Math.Exp(-entropy));
        EpsilonCutoff.Cut(logits, eta, _atLeast, state.Scratch);
    }
}
