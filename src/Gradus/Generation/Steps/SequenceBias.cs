namespace Gradus.Generation;

/// <summary>
/// Adds a bias to the last token of a word (a sequence of ids) where the tokens before it have just been generated; words of one token always. As in
/// transformers, a word longer than the whole sequence so far does not count even if its beginning matches.
/// </summary>
/// <param name="words">Ids, at least one each, with the value added to the logit: −∞ forbids.</param>
public sealed class SequenceBias(IReadOnlyList<(int[] Word, float Bias)> words) : LogitsStep
{
    private readonly (int[] Word, float Bias)[] _words = Check(words);

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state)
    {
        foreach ((int[] word, float bias) in _words)
        {
            int last = word[^1];
            if (last < logits.Length && Begins(word, state.Tokens))
                logits[last] += bias;
        }
    }

    private static bool Begins(int[] word, ReadOnlySpan<int> tokens) =>
        word.Length == 1 || (word.Length <= tokens.Length && tokens.EndsWith(word.AsSpan(0, word.Length - 1)));

    private static (int[] Word, float Bias)[] Check(IReadOnlyList<(int[] Word, float Bias)> words)
    {
        ArgumentNullException.ThrowIfNull(words);
        foreach ((int[] word, float bias) in words)
        {
            if (word is null || word.Length == 0 || float.IsNaN(bias))
                throw new ArgumentException("A word has at least one id, and its bias is a number.", nameof(words));
        }
        return [.. words.Select(w => (Ids(w.Word, nameof(words)), w.Bias))];
    }
}
