using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>The merges of a BPE model: (left id, right id) → (rank, id of the joined token), as one open-addressing table.</summary>
internal sealed class MergeTable
{
    private readonly Slot[] _slots;
    private readonly int _shift;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public MergeTable(ReadOnlySpan<Merge> merges)
    {
        // Between a third and two thirds full: a larger one has shorter runs, but more of it lies outside the caches.
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Length + (merges.Length / 2)));
        _slots = new Slot[size];
        _shift = 64 - BitOperations.Log2((uint)size);
        for (int rank = 0; rank < merges.Length; rank++)
        {
            ulong key = KeyOf(merges[rank].Left, merges[rank].Right);
            int i = IndexOf(key);
            while (_slots[i].Key != 0 && _slots[i].Key != key)
                i = (i + 1) & (size - 1);
            // A pair that is listed twice has its last rank, as in the reference.
            _slots[i] = new Slot { Key = key, Rank = rank, Joined = merges[rank].Joined };
        }
    }

    private struct Slot
    {
        public ulong Key;
        public int Rank;
        public int Joined;
    }

    /// <summary>The rank of a pair and the token it makes; <see cref="int.MaxValue"/> where the pair does not merge.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Rank(int left, int right, out int joined)
    {
        ulong key = KeyOf(left, right);
        Slot[] slots = _slots;
        int i = IndexOf(key);
        while (true)
        {
            ref readonly Slot slot = ref slots[i];
            if (slot.Key == key)
            {
                joined = slot.Joined;
                return slot.Rank;
            }
            if (slot.Key == 0)
            {
                joined = -1;
                return int.MaxValue;
            }
            i = (i + 1) & (slots.Length - 1);
        }
    }

    private static ulong KeyOf(int left, int right) => (((ulong)(uint)left << 32) | (uint)right) + 1;

    private int IndexOf(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> _shift);
}

/// <summary>One merge of a BPE model: the ids of its two parts and of the token they make.</summary>
internal readonly record struct Merge(int Left, int Right, int Joined);
