namespace Gradus.Generation;

/// <summary>
/// Leaves only the given tokens, with logit 0, when the sequence has a length: a language token behind the first one, an end token
/// at the longest length less one.
/// </summary>
/// <param name="length">The length, prompt included, at which the next token is forced.</param>
/// <param name="tokens">The tokens that are left, at least one.</param>
public sealed class ForcedToken(int length, params IReadOnlyList<int> tokens) : LogitsStep
{
    private readonly int[] _tokens = tokens is { Count: > 0 } ? Ids(tokens, nameof(tokens)) : throw new ArgumentException("At least one token is forced.", nameof(tokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (state.Tokens.Length != length)
            return;
        logits.Fill(float.NegativeInfinity);
        foreach (int token in _tokens)
        {
            if (token < logits.Length)
                logits[token] = 0;
        }
    }
}
