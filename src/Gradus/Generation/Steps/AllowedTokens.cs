namespace Gradus.Generation;

/// <summary>Which tokens may follow a sequence.</summary>
/// <param name="state">The sequence so far.</param>
/// <returns>Ids in any order, at least one; read before the rule is asked again.</returns>
public delegate ReadOnlySpan<int> AllowedTokensRule(in GenerationState state);

/// <summary>Forbids all tokens but those that a rule allows (De Cao et al., "Autoregressive Entity Retrieval", 2021): output that follows a trie or a grammar.</summary>
/// <param name="rule">Asked once for every token.</param>
public sealed class AllowedTokens(AllowedTokensRule rule) : LogitsStep
{
    private readonly AllowedTokensRule _rule = rule ?? throw new ArgumentNullException(nameof(rule));

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The rule allows nothing.</exception>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        ReadOnlySpan<int> allowed = _rule(state);
        if (allowed.Length == 0)
            throw new InvalidOperationException($"AllowedTokens: the rule allows no token after {state.Tokens.Length} tokens; let it allow the end token.");
        Span<int> marks = state.Scratch.Counts(logits.Length);
        Occurrences.Count(allowed, marks);
        for (int i = 0; i < logits.Length; i++)
        {
            if (marks[i] == 0)
                logits[i] = float.NegativeInfinity;
        }
        Occurrences.Forget(allowed, marks);
    }
}
