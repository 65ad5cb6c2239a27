namespace Gradus.Generation;

/// <summary>Forbids words (sequences of ids): the last token of one cannot follow its beginning. Words that are a stop token alone are passed over.</summary>
/// <param name="words">Ids, at least one each.</param>
/// <param name="stopTokens">Tokens that end a sequence.</param>
public sealed class BadWords(IReadOnlyList<int[]> words, IReadOnlyList<int> stopTokens) : LogitsStep
{
    private readonly SequenceBias _bias = new(Forbidden(words, stopTokens));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) => _bias.Apply(logits, state);

    private static List<(int[] Word, float Bias)> Forbidden(IReadOnlyList<int[]> words, IReadOnlyList<int> stopTokens)
    {
        ArgumentNullException.ThrowIfNull(words);
        ArgumentNullException.ThrowIfNull(stopTokens);
        return [.. words.Where(w => w is not [int only] || !stopTokens.Contains(only)).Select(w => (w, float.NegativeInfinity))];
    }
}
