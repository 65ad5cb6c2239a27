using Gradus.Tensors;

namespace Gradus.Training.Data;

/// <summary>
/// Items of different lengths in micro-batches of at most so many tokens. Every pass has each item once, in an order of its own, and the
/// micro-batch of a number is the same whenever it is asked for, from whichever thread.
/// </summary>
public sealed class PassOrder
{
    private readonly IReadOnlyList<int> _lengths;
    private readonly int _tokens;
    private readonly ulong _key;
    private readonly Lock _lock = new();

    // The first micro-batch of every pass looked at, and of the one behind it.
    private readonly List<long> _first = [0];
    private (int Pass, int[][] Batches) _current = (-1, []);

    /// <summary>Orders items.</summary>
    /// <param name="lengths">The length of each item, at least one item, in tokens.</param>
    /// <param name="tokens">The most tokens per micro-batch; no item is longer.</param>
    /// <param name="seed">Which order.</param>
    /// <exception cref="InvalidDataException">There are no items, or one is too long.</exception>
    public PassOrder(IReadOnlyList<int> lengths, int tokens, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        if (lengths.Count == 0)
            throw new InvalidDataException("The data has no examples; is the file empty?");
        if (lengths.Max() is int longest && longest > tokens)
            throw new InvalidDataException($"An example has {longest} tokens, but a micro-batch takes {tokens}; raise batch_tokens or cut the examples.");
        _lengths = lengths;
        _tokens = tokens;
        _key = CounterRandom.Derive(seed, "order");
    }

    /// <summary>The items of a micro-batch.</summary>
    public IReadOnlyList<int> this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            lock (_lock)
            {
                while (_first[^1] <= index)
                    Look(_first.Count - 1);
                int found = _first.BinarySearch(index), pass = found < 0 ? ~found - 1 : found;
                if (_current.Pass != pass)
                    Look(pass);
                return _current.Batches[index - _first[pass]];
            }
        }
    }

    /// <summary>Micro-batches in which a number of passes come to their end.</summary>
    /// <param name="passes">Passes over all items, ≥ 0.</param>
    public long BatchesOf(int passes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(passes);
        lock (_lock)
        {
            while (_first.Count <= passes)
                Look(_first.Count - 1);
            return _first[passes];
        }
    }

    /// <summary>All items in their own order.</summary>
    public IReadOnlyList<int[]> All() => Cut([.. Enumerable.Range(0, _lengths.Count)]);

    // Fisher and Yates' shuffle.
    private void Look(int pass)
    {
        ulong key = CounterRandom.Derive(_key, (ulong)pass);
        int[] order = [.. Enumerable.Range(0, _lengths.Count)];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = CounterRandom.Below(key, i, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        _current = (pass, Cut(order));
        if (pass == _first.Count - 1)
            _first.Add(_first[pass] + _current.Batches.Length);
    }

    private int[][] Cut(int[] order)
    {
        List<int[]> batches = [];
        int start = 0, filled = 0;
        for (int i = 0; i < order.Length; i++)
        {
            int length = _lengths[order[i]];
            if (filled > 0 && filled + length > _tokens)
            {
                batches.Add(order[start..i]);
                (start, filled) = (i, 0);
            }
            filled += length;
        }
        batches.Add(order[start..]);
        return [.. batches];
    }
}
