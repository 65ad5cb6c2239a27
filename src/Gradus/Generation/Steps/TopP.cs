namespace Gradus.Generation;

/// <summary>
/// Keeps the most probable tokens whose probabilities together just reach p: the nucleus (Holtzman et al., "The Curious Case of
/// Neural Text Degeneration", 2020).
/// </summary>
/// <param name="p">In [0, 1]; 1 keeps all.</param>
/// <param name="atLeast">Tokens kept in any case, ≥ 1.</param>
public sealed class TopP(float p, int atLeast = 1) : LogitsStep
{
    private readonly float _p = Probability(p, nameof(p));
    private readonly int _atLeast = AtLeastOne(atLeast, nameof(atLeast));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (_p >= 1)
            return;
        Span<float> probabilities = state.Scratch.Floats(logits.Length);
        Distribution.Softmax(logits, probabilities);
        Ranking ranking = new(probabilities, state.Scratch.Ints(logits.Length));
        double sum = 0;
        for (int kept = 0; ranking.Count > 0 && (kept < _atLeast || sum < _p); kept++)
        {
            int token = ranking.Pop();
            sum += probabilities[token];
            probabilities[token] = -1;
        }
        for (int i = 0; i < logits.Length; i++)
        {
            if (probabilities[i] >= 0)
                logits[i] = float.NegativeInfinity;
        }
    }
}
