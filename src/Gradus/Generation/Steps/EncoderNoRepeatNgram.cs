namespace Gradus.Generation;

/// <summary>Forbids every token that would complete an n-gram of a source text: generate new words rather than copy.</summary>
/// <param name="size">n ≥ 1.</param>
/// <param name="source">The ids of the source text.</param>
public sealed class EncoderNoRepeatNgram(int size, IReadOnlyList<int> source) : LogitsStep
{
    private readonly int _size = AtLeastOne(size, nameof(size));
    private readonly int[] _source = Ids(source, nameof(source));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) => NoRepeatNgram.ForbidNgrams(logits, state.Tokens, _source, _size);
}
