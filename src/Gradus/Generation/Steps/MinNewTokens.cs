namespace Gradus.Generation;

/// <summary>Forbids the stop tokens until a number of tokens has been generated.</summary>
/// <param name="count">Tokens, ≥ 0.</param>
/// <param name="stopTokens">Tokens that end a sequence.</param>
public sealed class MinNewTokens(int count, IReadOnlyList<int> stopTokens) : LogitsStep
{
    private readonly int[] _stopTokens = Ids(stopTokens, nameof(stopTokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (state.Generated.Length < count)
            Forbid(logits, _stopTokens);
    }
}
