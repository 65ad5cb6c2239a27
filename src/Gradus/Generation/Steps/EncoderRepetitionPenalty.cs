namespace Gradus.Generation;

/// <summary>Makes the tokens of a source text more likely, against invention in summaries: <see cref="RepetitionPenalty"/> with the reciprocal.</summary>
/// <param name="penalty">Above 0; 1 changes nothing, above 1 favours the source.</param>
/// <param name="source">The ids of the source text.</param>
public sealed class EncoderRepetitionPenalty(float penalty, IReadOnlyList<int> source) : LogitsStep
{
    private readonly float _penalty = 1 / Positive(penalty, nameof(penalty));
    private readonly int[] _source = Ids(source, nameof(source));

    /// <inheritdoc/>
    public override void Apply(Span<float> logits, in GenerationState state) =>
        RepetitionPenalty.Penalize(logits, _source, _penalty, state.Scratch);
}
