namespace Gradus.Generation;

/// <summary>
/// Makes every token that already occurs less likely: a positive logit is divided by the penalty, a negative one multiplied
/// (Keskar et al., "CTRL", 2019).
/// </summary>
/// <param name="penalty">Above 0; 1 changes nothing, below 1 rewards repetition.</param>
/// <param name="ignoreFirst">This many tokens at the beginning do not count.</param>
public sealed class RepetitionPenalty(float penalty, int ignoreFirst = 0) : LogitsStep
{
    private readonly float _penalty = Positive(penalty, nameof(penalty));
    private readonly int _ignoreFirst = ignoreFirst >= 0 ? ignoreFirst
        : throw new ArgumentOutOfRangeException(nameof(ignoreFirst), ignoreFirst, "A number of tokens is not negative.");

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) =>
        Penalize(logits, state.Tokens[Math.Min(_ignoreFirst, state.Tokens.Length)..], _penalty, state.Scratch);

    internal static void Penalize(Span<float> logits, ReadOnlySpan<int> tokens, float penalty, LogitsScratch scratch)
    {
        Span<int> seen = scratch.Counts(logits.Length);
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)logits.Length || seen[token]++ > 0)
                continue;
            ref float logit = ref logits[token];
            logit = logit < 0 ? logit * penalty : logit / penalty;
        }
        Occurrences.Forget(tokens, seen);
    }
}
