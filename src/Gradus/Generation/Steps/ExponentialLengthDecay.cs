namespace Gradus.Generation;

/// <summary>From a number of generated tokens on, makes the stop tokens ever more likely: l = l + |l|·(factorⁿ − 1), n tokens beyond the start.</summary>
/// <param name="start">Generated tokens after which it begins, ≥ 0.</param>
/// <param name="factor">Above 0; above 1 for shorter sequences.</param>
/// <param name="stopTokens">Tokens that end a sequence.</param>
public sealed class ExponentialLengthDecay(int start, float factor, IReadOnlyList<int> stopTokens) : LogitsStep
{
    private readonly float _factor = Positive(factor, nameof(factor));
    private readonly int[] _stopTokens = Ids(stopTokens, nameof(stopTokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        int beyond = state.Generated.Length - start;
        if (beyond <= 0)
            return;
        foreach (int token in _stopTokens)
        {
            // A forbidden token stays so: |−∞| would make it NaN.
            if (token < logits.Length && float.IsFinite(logits[token]))
                logits[token] += (float)(Math.Abs(logits[token]) * (Math.Pow(_factor, beyond) - 1));
        }
    }
}
