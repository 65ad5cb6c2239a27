using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Data;

/// <summary>
/// Whole examples laid end to end until a micro-batch is full. They never attend to each other, so packing changes no number.
/// Every pass over the data has each example once, in an order of its own; the last micro-batch of a pass holds what is left.
/// </summary>
public sealed class PackedExamples : BatchSource
{
    private readonly ExampleSet _examples;
    private readonly int _tokens;
    private readonly ulong _key;
    private readonly Lock _lock = new();

    // The first micro-batch of every pass that was looked at, and of the one behind it.
    private readonly List<long> _firstBatch = [0];
    private Pass? _current;

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
        if (examples.Count == 0)
            throw new InvalidDataException("The data has no examples; is the file empty?");
        int longest = 0;
        for (int i = 0; i < examples.Count; i++)
            longest = Math.Max(longest, examples.TokensOf(i));
        if (longest > tokens)
            throw new InvalidDataException($"An example has {longest} tokens, but a micro-batch takes {tokens}; raise batch_tokens or cut the examples.");
        _examples = examples;
        _tokens = tokens;
        _key = CounterRandom.Derive(seed, "order");
    }

    /// <inheritdoc/>
    public override MicroBatch this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            Pass pass = PassOf(index);
            int batch = (int)(index - pass.FirstBatch);
            return Pack(pass.Order.AsSpan(pass.Starts[batch]..pass.Starts[batch + 1]));
        }
    }

    /// <inheritdoc/>
    public override long BatchesOf(long passes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(passes);
        lock (_lock)
        {
            while (_firstBatch.Count <= passes)
                Look(_firstBatch.Count - 1);
            return _firstBatch[(int)passes];
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

    // Passes differ in their number of micro-batches, so that those before a batch have to be cut once; that takes no more than their lengths.
    private Pass PassOf(long index)
    {
        lock (_lock)
        {
            if (_current is { } current && index >= current.FirstBatch && index < current.FirstBatch + current.Starts.Length - 1)
                return current;
            while (_firstBatch[^1] <= index)
            {
                Pass next = Look(_firstBatch.Count - 1);
                if (index < _firstBatch[^1])
                    return _current = next;
            }
            int found = _firstBatch.BinarySearch(index);
            return _current = Look(found < 0 ? ~found - 1 : found);
        }
    }

    private Pass Look(int pass)
    {
        int[] order = Order(pass), starts = Cut(order);
        if (pass == _firstBatch.Count - 1)
            _firstBatch.Add(_firstBatch[pass] + starts.Length - 1);
        return new Pass(_firstBatch[pass], order, starts);
    }

    // An order of the examples and where in it the micro-batches begin.
    private sealed record Pass(long FirstBatch, int[] Order, int[] Starts);

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
            int length = _examples.TokensOf(order[i]);
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
        Example[] examples = new Example[chosen.Length];
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
        return new MicroBatch(new TokenBatch(ids, starts) { Source = source }, targets);
    }
}
