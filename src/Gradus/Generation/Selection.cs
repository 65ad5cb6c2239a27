namespace Gradus.Generation;

/// <summary>The largest of many values, without sorting the rest and without allocation.</summary>
internal static class Selection
{
    /// <summary>The k-th largest value: O(n log k), close to O(n) for the usual small k.</summary>
    /// <param name="values">At least k of them, none NaN.</param>
    /// <param name="k">1 for the largest.</param>
    /// <param name="scratch">Its floats are used.</param>
    public static float KthLargest(ReadOnlySpan<float> values, int k, LogitsScratch scratch)
    {
        // A heap of the k largest so far, the smallest of them on top.
        Span<float> heap = scratch.Floats(k);
        values[..k].CopyTo(heap);
        for (int i = (k / 2) - 1; i >= 0; i--)
            SinkSmallest(heap, i);
        for (int i = k; i < values.Length; i++)
        {
            if (values[i] > heap[0])
            {
                heap[0] = values[i];
                SinkSmallest(heap, 0);
            }
        }
        return heap[0];
    }

    private static void SinkSmallest(Span<float> heap, int i)
    {
        float value = heap[i];
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= heap.Length)
                break;
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
                child++;
            if (heap[child] >= value)
                break;
            heap[i] = heap[child];
            i = child;
        }
        heap[i] = value;
    }
}

/// <summary>Indices in descending order of their keys, as many as are asked for: the front part of a sort. Of equal keys the larger index comes first.</summary>
internal ref struct Ranking
{
    private readonly ReadOnlySpan<float> _keys;
    private readonly Span<int> _heap;
    private int _count;

    /// <summary>Takes all indices of the keys: O(n).</summary>
    /// <param name="keys">None NaN.</param>
    /// <param name="indices">Room for as many.</param>
    public Ranking(ReadOnlySpan<float> keys, Span<int> indices)
    {
        _keys = keys;
        _heap = indices;
        _count = keys.Length;
        for (int i = 0; i < _count; i++)
            _heap[i] = i;
        for (int i = (_count / 2) - 1; i >= 0; i--)
            Sink(i);
    }

    /// <summary>The number of indices that are left.</summary>
    public readonly int Count => _count;

    /// <summary>The next index.</summary>
    public int Pop()
    {
        int top = _heap[0];
        _heap[0] = _heap[--_count];
        if (_count > 0)
            Sink(0);
        return top;
    }

    private readonly bool Before(int a, int b) => _keys[a] > _keys[b] || (_keys[a] == _keys[b] && a > b);

    private readonly void Sink(int i)
    {
        int index = _heap[i];
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && Before(_heap[child + 1], _heap[child]))
                child++;
            if (!Before(_heap[child], index))
                break;
            _heap[i] = _heap[child];
            i = child;
        }
        _heap[i] = index;
    }
}
