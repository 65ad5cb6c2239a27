namespace Gradus.Generation;

/// <summary>Forbids tokens, always or at one length of the sequence.</summary>
/// <param name="tokens">The forbidden ids.</param>
/// <param name="atLength">The length, prompt included, at which they are forbidden; always where null.</param>
public sealed class SuppressTokens(IReadOnlyList<int> tokens, int? atLength = null) : LogitsStep
{
    private readonly int[] _tokens = Ids(tokens, nameof(tokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        if (atLength is null || state.Tokens.Length == atLength)
            Forbid(logits, _tokens);
    }
}
