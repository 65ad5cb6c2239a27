using Gradus.Nn;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>
/// Micro-batches of a masked language model (Devlin et al., "BERT", 2019): the tokens of a source with some masked, and these as targets.
/// <see cref="TaskObjective"/> trains a model with such a head on them.
/// </summary>
/// <param name="source">The texts; what they say of targets is not used.</param>
/// <param name="mask">Which tokens are masked.</param>
/// <param name="first">A token to put before every text, [CLS]; null for none.</param>
/// <param name="last">A token to put behind it, [SEP]; null for none.</param>
public sealed class MaskedLanguage(BatchSource source, TokenMask mask, int? first = null, int? last = null) : TaskSource
{
    // Held-out data has masks of its own, which never change.
    private const long HeldOut = 1L << 40;

    /// <inheritdoc/>
    public override TaskBatch this[long index] => Masked(source[index].Tokens, index);

    /// <inheritdoc/>
    public override IEnumerable<TaskBatch> All() => source.All().Select((batch, i) => Masked(batch.Tokens, HeldOut + i));

    private TaskBatch Masked(TokenBatch plain, long index)
    {
        TokenBatch tokens = first is null && last is null ? plain : Surrounded(plain);
        int[] ids = [.. tokens.Ids], targets = new int[ids.Length];
        for (int s = 0; s < tokens.Sequences; s++)
        {
            Range sequence = tokens.Starts[s]..tokens.Starts[s + 1];
            // A batch has fewer sequences than tokens, so that no two have one number.
            mask.Apply(ids.AsSpan(sequence), targets.AsSpan(sequence), (index << 20) + s);
        }
        return new TaskBatch(new TokenBatch(ids, tokens.Starts, tokens.Positions, tokens.TokenTypes), [HeadTargets.Of(targets)]);
    }

    private TokenBatch Surrounded(TokenBatch plain) => TokenBatch.Of([.. Enumerable.Range(0, plain.Sequences).Select(s =>
    {
        ReadOnlySpan<int> text = plain.Ids.AsSpan(plain.Starts[s]..plain.Starts[s + 1]);
        return (int[])[.. Optional(first), .. text, .. Optional(last)];
    })]);

    private static int[] Optional(int? id) => id is { } given ? [given] : [];
}
