namespace Gradus.Generation;

/// <summary>Forbids the stop tokens until the sequence, the prompt included, has a length.</summary>
/// <param name="length">Tokens, ≥ 0.</param>
/// <param name="stopTokens">Tokens that end a sequence.</param>
public sealed class MinLength(int length, IReadOnlyList<int> stopTokens) : LogitsStep
{
    private readonly int[] _stopTokens = Ids(stopTokens, nameof(stopTokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (state.Tokens.Length < length)
            Forbid(logits, _stopTokens);
    }
}
