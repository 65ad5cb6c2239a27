using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Data;

/// <summary>
/// Whole examples laid end to end until a micro-batch is full. They never attend to each other, so packing changes no number.
/// The order is shuffled anew for every pass over the data.
/// </summary>
public sealed class PackedExamples : BatchSource
{
    private readonly IReadOnlyList<Example> _examples;
    private readonly int _tokens;
    private readonly ulong _key;
    private long _epoch = -1;
    private int[] _order = [];
    private int[] _batchStarts = [];

    /// <summary>Packs examples.</summary>
    /// <param name="examples">At least one; each at most <paramref name="tokens"/> long. All have a source, or none has.</param>
    /// <param name="tokens">The most tokens per micro-batch, those of sources included.</param>
    /// <param name="seed">Which order they come in.</param>
    /// <exception cref="InvalidDataException">There are no examples, or one is too long.</exception>
    public PackedExamples(IReadOnlyList<Example> examples, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (examples.Count == 0)
            throw new InvalidDataException("The data has no examples; is the file empty?");
        int longest = examples.Max(e => e.TotalTokens);
        if (longest > tokens)
            throw new InvalidDataException($"An example has {longest} tokens, but a micro-batch takes {tokens}; raise batch_tokens or cut the examples.");
        _examples = examples;
        _tokens = tokens;
        _key = CounterRandom.Derive(seed, "order");
        // Every epoch is cut into as many batches as fit the average fill, so that a batch's number alone tells its epoch.
        BatchesPerEpoch = Cut(Order(0)).Length - 1;
    }

    /// <inheritdoc/>
    public override long BatchesPerEpoch { get; }

    /// <inheritdoc/>
    public override MicroBatch this[long index]
    {
        get
        {
            long epoch = index / BatchesPerEpoch;
            if (epoch != _epoch)
            {
                _epoch = epoch;
                _order = Order(epoch);
                _batchStarts = Cut(_order);
            }
            // Another order may need a batch more or less than the first did: what is left over joins no batch, a missing one wraps.
            int batch = (int)(index % BatchesPerEpoch) % (_batchStarts.Length - 1);
            return Pack(_order.AsSpan(_batchStarts[batch].._batchStarts[batch + 1]));
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<MicroBatch> All()
    {
        int[] order = [.. Enumerable.Range(0, _examples.Count)];
        int[] starts = Cut(order);
        for (int b = 0; b + 1 < starts.Length; b++)
            yield return Pack(order.AsSpan(starts[b]..starts[b + 1]));
    }

    // Fisher and Yates' shuffle.
    private int[] Order(long epoch)
    {
        ulong key = CounterRandom.Derive(_key, (ulong)epoch);
        int[] order = [.. Enumerable.Range(0, _examples.Count)];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = CounterRandom.Below(key, i, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private int[] Cut(int[] order)
    {
        List<int> starts = [0];
        int filled = 0;
        for (int i = 0; i < order.Length; i++)
        {
            int length = _examples[order[i]].TotalTokens;
            if (filled > 0 && filled + length > _tokens)
            {
                starts.Add(i);
                filled = 0;
            }
            filled += length;
        }
        starts.Add(order.Length);
        return [.. starts];
    }

    private MicroBatch Pack(ReadOnlySpan<int> chosen)
    {
        int[] starts = new int[chosen.Length + 1];
        for (int i = 0; i < chosen.Length; i++)
            starts[i + 1] = starts[i] + _examples[chosen[i]].Ids.Length;
        int[] ids = new int[starts[^1]], targets = new int[starts[^1]];
        for (int i = 0; i < chosen.Length; i++)
        {
            Example example = _examples[chosen[i]];
            example.Ids.CopyTo(ids, starts[i]);
            for (int t = 0; t < example.Ids.Length; t++)
                targets[starts[i] + t] = t + 1 < example.Ids.Length && example.IsTarget(t + 1) ? example.Ids[t + 1] : MicroBatch.Ignored;
        }
        TokenBatch? source = chosen.Length > 0 && _examples[chosen[0]].Source is not null ? TokenBatch.Of(Sources(chosen)) : null;
        return new MicroBatch(new TokenBatch(ids, starts) { Source = source }, targets);
    }

    private int[][] Sources(ReadOnlySpan<int> chosen)
    {
        int[][] sources = new int[chosen.Length][];
        for (int i = 0; i < sources.Length; i++)
            sources[i] = _examples[chosen[i]].Source!;
        return sources;
    }
}
