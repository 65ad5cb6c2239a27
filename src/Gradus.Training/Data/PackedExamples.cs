using Gradus.Nn;

namespace Gradus.Training.Data;

/// <summary>
/// Whole examples laid end to end until a micro-batch is full. They never attend to each other, so packing changes no number.
/// Every pass over the data has each example once, in an order of its own; the last micro-batch of a pass holds what is left.
/// </summary>
public sealed class PackedExamples : BatchSource
{
    private readonly ExampleSet _examples;
    private readonly PassOrder _order;

    /// <summary>Packs examples.</summary>
    /// <param name="examples">At least one; each at most <paramref name="tokens"/> long. All have a source, or none has.</param>
    /// <param name="tokens">The most tokens per micro-batch, those of sources included.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">There are no examples, or one is too long.</exception>
    public PackedExamples(IReadOnlyList<Example> examples, int tokens, ulong seed)
        : this(ExampleSet.Of(examples), tokens, seed)
    {
    }

    /// <inheritdoc cref="PackedExamples(IReadOnlyList{Example}, int, ulong)"/>
    public PackedExamples(ExampleSet examples, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        (_examples, _order) = (examples, new PassOrder(examples.Count, examples.TokensOf, tokens, seed));
    }

    /// <inheritdoc/>
    public override MicroBatch this[long index] => Pack(_order[index]);

    /// <inheritdoc/>
    public override long BatchesOf(long passes) => _order.BatchesOf(passes);

    /// <inheritdoc/>
    public override IEnumerable<MicroBatch> All() => _order.All().Select(Pack);

    private MicroBatch Pack(IReadOnlyList<int> chosen)
    {
        Example[] examples = new Example[chosen.Count];
        for (int i = 0; i < examples.Length; i++)
            examples[i] = _examples[chosen[i]];
        int[] starts = new int[examples.Length + 1];
        for (int i = 0; i < examples.Length; i++)
            starts[i + 1] = starts[i] + examples[i].Ids.Length;
        int[] ids = new int[starts[^1]], targets = new int[starts[^1]];
        for (int i = 0; i < examples.Length; i++)
        {
            Example example = examples[i];
            example.Ids.CopyTo(ids, starts[i]);
            for (int t = 0; t < example.Ids.Length; t++)
                targets[starts[i] + t] = t + 1 < example.Ids.Length && example.IsTarget(t + 1) ? example.Ids[t + 1] : MicroBatch.Ignored;
        }
        TokenBatch? source = examples is [{ Source: not null }, ..] ? TokenBatch.Of([.. examples.Select(e => e.Source!)]) : null;
        int[]? tasks = Array.TrueForAll(examples, e => e.Task == 0) ? null : [.. examples.Select(e => e.Task)];
        return new MicroBatch(new TokenBatch(ids, starts) { Source = source, Tasks = tasks }, targets);
    }
}
