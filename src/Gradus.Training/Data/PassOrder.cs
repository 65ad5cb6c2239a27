using Gradus.Tensors;

namespace Gradus.Training.Data;

/// <summary>
/// Items of different lengths in micro-batches of at most so many tokens. Every pass has each item once, in an order of its own, and the
/// micro-batch of a number is the same whenever it is asked for, from whichever thread; the last one of a pass holds what is left.
/// </summary>
public sealed class PassOrder
{
    private readonly int _count;
    private readonly Func<int, int> _lengthOf;
    private readonly int _tokens;
    private readonly ulong _key;
    private readonly Lock _lock = new();

    // The first micro-batch of every pass that was looked at, and of the one behind it.
    private readonly List<long> _firstBatch = [0];
    private Pass? _current;

    /// <summary>Orders items.</summary>
    /// <param name="lengths">The length of each item in tokens; at least one item.</param>
    /// <param name="tokens">The most tokens per micro-batch; no item is longer.</param>
    /// <param name="seed">Which order.</param>
    /// <exception cref="InvalidDataException">There are no items, or one is too long.</exception>
    public PassOrder(IReadOnlyList<int> lengths, int tokens, ulong seed)
        : this(lengths?.Count ?? throw new ArgumentNullException(nameof(lengths)), i => lengths[i], tokens, seed)
    {
    }

    /// <inheritdoc cref="PassOrder(IReadOnlyList{int}, int, ulong)"/>
    /// <param name="count">The number of items, ≥ 1.</param>
    /// <param name="lengthOf">The length of an item in tokens.</param>
    /// <param name="tokens">The most tokens per micro-batch; no item is longer.</param>
    /// <param name="seed">Which order.</param>
    public PassOrder(int count, Func<int, int> lengthOf, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(lengthOf);
        if (count == 0)
            throw new InvalidDataException("The data has no examples; is the file empty?");
        int longest = 0;
        for (int i = 0; i < count; i++)
            longest = Math.Max(longest, lengthOf(i));
        if (longest > tokens)
            throw new InvalidDataException($"An example has {longest} tokens, but a micro-batch takes {tokens}; raise batch_tokens or cut the examples.");
        (_count, _lengthOf, _tokens, _key) = (count, lengthOf, tokens, CounterRandom.Derive(seed, "order"));
    }

    /// <summary>The items of a micro-batch.</summary>
    public IReadOnlyList<int> this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            Pass pass = PassOf(index);
            return pass.Batch((int)(index - pass.FirstBatch));
        }
    }

    /// <summary>Micro-batches in which a number of passes come to their end.</summary>
    /// <param name="passes">Passes over all items, ≥ 0.</param>
    public long BatchesOf(long passes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(passes);
        lock (_lock)
        {
            while (_firstBatch.Count <= passes)
                Look(_firstBatch.Count - 1);
            return _firstBatch[(int)passes];
        }
    }

    /// <summary>All items in their own order.</summary>
    public IEnumerable<IReadOnlyList<int>> All()
    {
        Pass pass = Cut(0, [.. Enumerable.Range(0, _count)]);
        for (int b = 0; b < pass.Count; b++)
            yield return pass.Batch(b);
    }

    // Passes differ in their number of micro-batches, so that those before a batch have to be cut once; that takes no more than their lengths.
    private Pass PassOf(long index)
    {
        lock (_lock)
        {
            if (_current is { } current && index >= current.FirstBatch && index < current.FirstBatch + current.Count)
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
        Pass looked = Cut(_firstBatch[pass], Order(pass));
        if (pass == _firstBatch.Count - 1)
            _firstBatch.Add(_firstBatch[pass] + looked.Count);
        return looked;
    }

    // Fisher and Yates' shuffle.
    private int[] Order(long pass)
    {
        ulong key = CounterRandom.Derive(_key, (ulong)pass);
        int[] order = [.. Enumerable.Range(0, _count)];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = CounterRandom.Below(key, i, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private Pass Cut(long firstBatch, int[] order)
    {
        List<int> starts = [0];
        int filled = 0;
        for (int i = 0; i < order.Length; i++)
        {
            int length = _lengthOf(order[i]);
            if (filled > 0 && filled + length > _tokens)
            {
                starts.Add(i);
                filled = 0;
            }
            filled += length;
        }
        starts.Add(order.Length);
        return new Pass(firstBatch, order, [.. starts]);
    }

    // An order of the items and where in it the micro-batches begin.
    private sealed record Pass(long FirstBatch, int[] Order, int[] Starts)
    {
        public int Count => Starts.Length - 1;

        public ArraySegment<int> Batch(int number) => new(Order, Starts[number], Starts[number + 1] - Starts[number]);
    }
}
