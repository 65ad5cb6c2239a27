namespace Gradus.Generation;

/// <summary>l = l − penalty for every token that was generated at least once. OpenAI's definition (API reference, presence_penalty); the prompt does not count.</summary>
/// <param name="penalty">Any number; OpenAI allows −2 to 2. Negative rewards repetition.</param>
public sealed class PresencePenalty(float penalty) : LogitsStep
{
    private readonly float _penalty = Finite(penalty, nameof(penalty));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        Span<int> seen = state.Scratch.Counts(logits.Length);
        foreach (int token in state.Generated)
        {
            if ((uint)token < (uint)logits.Length && seen[token]++ == 0)
                logits[token] -= _penalty;
        }
        Occurrences.Forget(state.Generated, seen);
    }
}
