using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>
/// XTC: by chance leaves out all tokens of at least a probability but the least probable of them, so that the obvious is not always said
/// (p-e-w, text-generation-webui #6335, 2024). Thresholds above 0.5 never leave any out.
/// </summary>
/// <param name="probability">How often, in [0, 1].</param>
/// <param name="threshold">The probability of a top choice, in [0, 1].</param>
/// <param name="seed">The random numbers, one for each position.</param>
public sealed class ExcludeTopChoices(float probability, float threshold, ulong seed) : LogitsStep
{
    private readonly float _probability = Probability(probability, nameof(probability));
    private readonly float _threshold = Probability(threshold, nameof(threshold));
    private readonly ulong _key = CounterRandom.Derive(seed, "exclude top choices");

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (CounterRandom.Uniform(_key, state.Tokens.Length) >= _probability)
            return;
        float least = (float)(Distribution.LogSumExp(logits, state.Scratch) + Math.Log(_threshold));
        int kept = -1, choices = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (logits[i] < least || float.IsNegativeInfinity(logits[i]))
                continue;
            choices++;
            if (kept < 0 || logits[i] < logits[kept])
                kept = i;
        }
        for (int i = 0; i < logits.Length && choices > 1; i++)
        {
            if (logits[i] >= least && i != kept)
                logits[i] = float.NegativeInfinity;
        }
    }
}
