// Remembers the ids of pieces already encoded. Text repeats its words, so nearly every piece of prose and code is answered here.
// Of fixed size: a new piece takes the place of one in its bucket, so memory is bounded and nothing is ever cleared. Short pieces have
// buckets of two: a new one comes second, and goes first when it is met again, so that rare words do not push frequent ones out.

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Text;

internal sealed class WordCache
{
    public const int MaxKeyLength = 64;

    /// <summary>No piece is remembered with more ids.</summary>
    public const int MaxIds = 30;

    private const int ShortKeyLength = 15;
    private const int MaxShortIds = 4;
    private const int BucketBits = 15;
    private const int LongSlots = 1 << 12;

    private readonly ShortEntry[] _short = new ShortEntry[2 << BucketBits];
    private LongEntry[]? _long;

    [InlineArray(MaxIds)]
    private struct LongIds
    {
        private int _first;
    }

    [InlineArray(MaxKeyLength)]
    private struct LongKey
    {
        private byte _first;
    }

    /// <summary>32 bytes: the piece, its length (four bits) and its count of ids (the top four), up to four ids of 24 bits, and the margin.</summary>
    private struct ShortEntry
    {
        private const int LengthShift = 56, CountShift = 60;

        private ulong _low;
        private ulong _high;
        private ulong _ids01;
        private uint _ids23;
        public float Margin;

        public readonly int Count => (int)(_high >> CountShift);

        public static ulong WithLength(ulong high, int length) => high | ((ulong)length << LengthShift);

        public readonly bool Holds(ulong low, ulong high) => _low == low && ((_high ^ high) << (64 - CountShift)) == 0;

        public void Set(ulong low, ulong high, ReadOnlySpan<int> ids, float margin)
        {
            _low = low;
            _high = high | ((ulong)ids.Length << CountShift);
            ulong first = ids.Length > 0 ? (uint)ids[0] : 0, second = ids.Length > 1 ? (uint)ids[1] : 0;
            ulong third = ids.Length > 2 ? (uint)ids[2] : 0, fourth = ids.Length > 3 ? (uint)ids[3] : 0;
            _ids01 = first | (second << 24) | (third << 48);
            _ids23 = (uint)(third >> 16) | ((uint)fourth << 8);
            Margin = margin;
        }

        /// <summary>Writes all four; those past the count mean nothing.</summary>
        public readonly void CopyIds(Span<int> four)
        {
            const int Mask = (1 << 24) - 1;
            four[3] = (int)(_ids23 >> 8);
            four[2] = (int)((_ids01 >> 48) | ((ulong)(_ids23 & 0xFF) << 16));
            four[1] = (int)(_ids01 >> 24) & Mask;
            four[0] = (int)_ids01 & Mask;
        }
    }

    private struct LongEntry
    {
        public short KeyLength;
        public short Count;
        public float Margin;
        public LongKey Key;
        public LongIds Ids;
    }

    /// <summary>Appends the ids of a piece that is known.</summary>
    public bool TryAppend(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        if (piece.Length > ShortKeyLength)
            return TryAppendLong(piece, scratch);
        ReadKey(piece, out ulong low, out ulong high);
        ref ShortEntry entry = ref Find(low, high);
        if (Unsafe.IsNullRef(ref entry))
            return false;
        entry.CopyIds(scratch.Reserve(MaxShortIds));
        scratch.Count += entry.Count;
        return true;
    }

    /// <summary>The ids of a piece that is known, and the margin they were stored with.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="ids">Room for <see cref="MaxIds"/>.</param>
    /// <param name="count">How many there are; −1 where the piece is not known.</param>
    /// <param name="margin">The margin.</param>
    public bool TryGet(ReadOnlySpan<byte> piece, Span<int> ids, out int count, out float margin)
    {
        count = -1;
        margin = 0;
        if (piece.Length > ShortKeyLength)
        {
            if (piece.Length > MaxKeyLength || _long is null)
                return false;
            ref readonly LongEntry known = ref _long[LongSlotOf(piece)];
            if (known.KeyLength != piece.Length || !piece.SequenceEqual(((ReadOnlySpan<byte>)known.Key)[..piece.Length]))
                return false;
            count = known.Count;
            margin = known.Margin;
            ((ReadOnlySpan<int>)known.Ids)[..count].CopyTo(ids);
            return true;
        }
        ReadKey(piece, out ulong low, out ulong high);
        ref ShortEntry entry = ref Find(low, high);
        if (Unsafe.IsNullRef(ref entry))
            return false;
        count = entry.Count;
        margin = entry.Margin;
        entry.CopyIds(ids);
        return true;
    }

    /// <summary>Remembers the ids of a piece that is not known, where both fit, with a number of the caller's.</summary>
    public void Store(ReadOnlySpan<byte> piece, ReadOnlySpan<int> ids, float margin = 0)
    {
        if (piece.IsEmpty)
            return;
        if (piece.Length > ShortKeyLength)
        {
            StoreLong(piece, ids, margin);
            return;
        }
        if (ids.Length > MaxShortIds)
            return;
        ReadKey(piece, out ulong low, out ulong high);
        int bucket = BucketOf(low, high);
        ref ShortEntry first = ref _short[bucket];
        // One that is known comes again with another margin.
        ref ShortEntry entry = ref first.Holds(low, high) ? ref first : ref _short[bucket + 1];
        entry.Set(low, high, ids, margin);
    }

    /// <summary>The entry of a short piece, moved to the front of its bucket; a null reference where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ShortEntry Find(ulong low, ulong high)
    {
        int bucket = BucketOf(low, high);
        ref ShortEntry first = ref _short[bucket];
        if (first.Holds(low, high))
            return ref first;
        ref ShortEntry second = ref _short[bucket + 1];
        if (!second.Holds(low, high))
            return ref Unsafe.NullRef<ShortEntry>();
        (first, second) = (second, first);
        return ref first;
    }

    private bool TryAppendLong(ReadOnlySpan<byte> piece, EncodeScratch scratch)
    {
        if (piece.Length > MaxKeyLength || _long is null)
            return false;
        ref readonly LongEntry entry = ref _long[LongSlotOf(piece)];
        if (entry.KeyLength != piece.Length || !piece.SequenceEqual(((ReadOnlySpan<byte>)entry.Key)[..piece.Length]))
            return false;
        scratch.AddRange(((ReadOnlySpan<int>)entry.Ids)[..entry.Count]);
        return true;
    }

    private void StoreLong(ReadOnlySpan<byte> piece, ReadOnlySpan<int> ids, float margin)
    {
        if (piece.Length > MaxKeyLength || ids.Length > MaxIds)
            return;
        _long ??= new LongEntry[LongSlots];
        ref LongEntry entry = ref _long[LongSlotOf(piece)];
        entry.KeyLength = (short)piece.Length;
        entry.Count = (short)ids.Length;
        entry.Margin = margin;
        piece.CopyTo(entry.Key);
        ids.CopyTo(entry.Ids);
    }

    /// <summary>Up to 15 bytes and their number as two words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadKey(ReadOnlySpan<byte> piece, out ulong low, out ulong high)
    {
        int n = piece.Length;
        high = 0;
        if (n >= 8)
        {
            low = BinaryPrimitives.ReadUInt64LittleEndian(piece);
            // The bytes after the eighth; in two steps, since a shift by 64 is none.
            high = BinaryPrimitives.ReadUInt64LittleEndian(piece[(n - 8)..]) >> (8 * (ShortKeyLength - n)) >> 8;
        }
        else if (n >= 4)
        {
            low = BinaryPrimitives.ReadUInt32LittleEndian(piece) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(piece[(n - 4)..]) << 32);
        }
        else
        {
            low = n == 0 ? 0u : piece[0] | ((uint)piece[n >> 1] << 8) | ((uint)piece[n - 1] << 16);
        }
        high = ShortEntry.WithLength(high, n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BucketOf(ulong low, ulong high)
    {
        ulong h = (low ^ BitOperations.RotateLeft(high, 23)) * 0x9E3779B97F4A7C15;
        h ^= h >> 29;
        h *= 0xBF58476D1CE4E5B9;
        return (int)(h >> (64 - BucketBits)) << 1;
    }

    private static int LongSlotOf(ReadOnlySpan<byte> piece)
    {
        ulong h = (ulong)piece.Length;
        ulong last = BinaryPrimitives.ReadUInt64LittleEndian(piece[^8..]);
        for (; piece.Length > 8; piece = piece[8..])
            h = BitOperations.RotateLeft((h ^ BinaryPrimitives.ReadUInt64LittleEndian(piece)) * 0x9E3779B97F4A7C15, 29);
        h = (h ^ last) * 0x9E3779B97F4A7C15;
        h ^= h >> 31;
        h *= 0xBF58476D1CE4E5B9;
        return (int)(h >> 52);
    }
}
