namespace Gradus.Generation;

/// <summary>l = l − penalty · (times the token was generated). OpenAI's definition (API reference, frequency_penalty); the prompt does not count.</summary>
/// <param name="penalty">Any number; OpenAI allows −2 to 2. Negative rewards repetition.</param>
public sealed class FrequencyPenalty(float penalty) : LogitsStep
{
    private readonly float _penalty = Finite(penalty, nameof(penalty));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        Span<int> counts = state.Scratch.Counts(logits.Length);
        Occurrences.Count(state.Generated, counts);
        foreach (int token in state.Generated)
        {
            if ((uint)token >= (uint)logits.Length)
                continue;
            // Subtracted when the token is met first; then its count is 0.
            logits[token] -= counts[token] * _penalty;
            counts[token] = 0;
        }
    }
}
