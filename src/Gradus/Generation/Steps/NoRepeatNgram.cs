namespace Gradus.Generation;

/// <summary>Forbids every token that would complete an n-gram which the sequence already has (Paulus, Xiong and Socher, 2018).</summary>
/// <param name="size">n ≥ 1; with 1 no token occurs twice.</param>
public sealed class NoRepeatNgram(int size) : LogitsStep
{
    private readonly int _size = AtLeastOne(size, nameof(size));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) => ForbidNgrams(logits, state.Tokens, state.Tokens, _size);

    /// <summary>Forbids what follows the last n − 1 tokens anywhere in a text.</summary>
    internal static void ForbidNgrams(Span<float> logits, ReadOnlySpan<int> tokens, ReadOnlySpan<int> text, int size)
    {
        if (tokens.Length < size - 1)
            return;
        ReadOnlySpan<int> last = tokens[(tokens.Length - size + 1)..];
        for (int start = 0; start + size <= text.Length; start++)
        {
            if (text.Slice(start, size - 1).SequenceEqual(last))
                Forbid(logits, text.Slice(start + size - 1, 1));
        }
    }
}
