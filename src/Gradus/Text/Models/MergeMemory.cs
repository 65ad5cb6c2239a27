namespace Gradus.Text;

/// <summary>The symbols of the piece that is being merged: parallel arrays that grow to the longest piece seen.</summary>
internal sealed class MergeMemory
{
    public int[] Id = new int[64];
    public int[] Start = new int[64];
    public int[] Rank = new int[64];
    public int[] Joined = new int[64];

    // Only for long pieces, which are merged as a linked list with a queue.
    public int[] Next = [];
    public int[] Previous = [];
    public readonly MergeQueue Queue = new();

    /// <summary>A token that the whole piece must not become, or −1.</summary>
    public int Banned = -1;

    /// <summary>The number of symbols; <see cref="Start"/> holds one more entry, the end of the last.</summary>
    public int Count;

    public void Begin() => Count = 0;

    public void Add(int id, int start)
    {
        if (Count + 1 >= Id.Length)
            Grow(Id.Length * 2);
        Id[Count] = id;
        Start[Count++] = start;
    }

    public void End(int end) => Start[Count] = end;

    public void ReserveLinks()
    {
        if (Next.Length < Id.Length)
        {
            Next = new int[Id.Length];
            Previous = new int[Id.Length];
        }
    }

    private void Grow(int size)
    {
        Array.Resize(ref Id, size);
        Array.Resize(ref Start, size);
        Array.Resize(ref Rank, size);
        Array.Resize(ref Joined, size);
    }
}

/// <summary>
/// A queue of (rank, position), lowest rank first and of equal ranks the leftmost: a four-way heap of packed 64-bit keys.
/// </summary>
internal sealed class MergeQueue
{
    private ulong[] _heap = new ulong[64];

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    public void Push(int rank, int position)
    {
        if (Count == _heap.Length)
            Array.Resize(ref _heap, _heap.Length * 2);
        ulong key = ((ulong)(uint)rank << 32) | (uint)position;
        int i = Count++;
        while (i > 0)
        {
            int parent = (i - 1) >> 2;
            if (_heap[parent] <= key)
                break;
            _heap[i] = _heap[parent];
            i = parent;
        }
        _heap[i] = key;
    }

    public (int Rank, int Position) Pop()
    {
        ulong[] heap = _heap;
        ulong top = heap[0];
        ulong last = heap[--Count];
        int i = 0;
        while (true)
        {
            int child = (i << 2) + 1;
            if (child >= Count)
                break;
            int end = Math.Min(child + 4, Count);
            int least = child;
            for (int k = child + 1; k < end; k++)
            {
                if (heap[k] < heap[least])
                    least = k;
            }
            if (heap[least] >= last)
                break;
            heap[i] = heap[least];
            i = least;
        }
        heap[i] = last;
        return ((int)(top >> 32), (int)(uint)top);
    }
}
