// Remembers the ids of pieces already encoded. Text repeats its words, so nearly every piece of prose and code is answered here.
// Direct-mapped and of fixed size: a new piece takes the place of the one in its slot, so memory is bounded and nothing is ever cleared.

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Text;

internal sealed class WordCache
{
    public const int MaxKeyLength = 64;
    private const int ShortKeyLength = 16;
    private const int MaxShortIds = 6;
    private const int MaxLongIds = 30;
    private const int ShortSlots = 1 << 15;
    private const int LongSlots = 1 << 12;

    private readonly ShortEntry[] _short = new ShortEntry[ShortSlots];
    private LongEntry[]? _long;

    [InlineArray(MaxShortIds)]
    private struct ShortIds
    {
        private int _first;
    }

    [InlineArray(MaxLongIds)]
    private struct LongIds
    {
        private int _first;
    }

    [InlineArray(MaxKeyLength)]
    private struct LongKey
    {
        private byte _first;
    }

    private struct ShortEntry
    {
        public ulong Low;
        public ulong High;
        public short KeyLength;
        public short Count;
        public float Margin;
        public ShortIds Ids;
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
        ref readonly ShortEntry entry = ref _short[SlotOf(low, high, piece.Length)];
        if (entry.Low != low || entry.High != high || entry.KeyLength != piece.Length)
            return false;
        if (entry.Count == 1)
            scratch.Add(entry.Ids[0]);
        else
            scratch.AddRange(((ReadOnlySpan<int>)entry.Ids)[..entry.Count]);
        return true;
    }

    /// <summary>The ids of a piece that is known, and the margin they were stored with.</summary>
    public bool TryGet(ReadOnlySpan<byte> piece, out ReadOnlySpan<int> ids, out float margin)
    {
        if (piece.Length > ShortKeyLength)
        {
            if (piece.Length <= MaxKeyLength && _long is not null)
            {
                ref readonly LongEntry known = ref _long[LongSlotOf(piece)];
                ids = ((ReadOnlySpan<int>)known.Ids)[..known.Count];
                margin = known.Margin;
                return known.KeyLength == piece.Length && piece.SequenceEqual(((ReadOnlySpan<byte>)known.Key)[..piece.Length]);
            }
            ids = default;
            margin = 0;
            return false;
        }
        ReadKey(piece, out ulong low, out ulong high);
        ref readonly ShortEntry entry = ref _short[SlotOf(low, high, piece.Length)];
        ids = ((ReadOnlySpan<int>)entry.Ids)[..entry.Count];
        margin = entry.Margin;
        return entry.Low == low && entry.High == high && entry.KeyLength == piece.Length;
    }

    /// <summary>Remembers the ids of a piece, where both fit, with a number of the caller's.</summary>
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
        ref ShortEntry entry = ref _short[SlotOf(low, high, piece.Length)];
        entry.Low = low;
        entry.High = high;
        entry.KeyLength = (short)piece.Length;
        entry.Count = (short)ids.Length;
        entry.Margin = margin;
        ids.CopyTo(entry.Ids);
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
        if (piece.Length > MaxKeyLength || ids.Length > MaxLongIds)
            return;
        _long ??= new LongEntry[LongSlots];
        ref LongEntry entry = ref _long[LongSlotOf(piece)];
        entry.KeyLength = (short)piece.Length;
        entry.Count = (short)ids.Length;
        entry.Margin = margin;
        piece.CopyTo(entry.Key);
        ids.CopyTo(entry.Ids);
    }

    /// <summary>Up to 16 bytes as two words; with the length, no two pieces share them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadKey(ReadOnlySpan<byte> piece, out ulong low, out ulong high)
    {
        int n = piece.Length;
        if (n >= 8)
        {
            low = BinaryPrimitives.ReadUInt64LittleEndian(piece);
            high = BinaryPrimitives.ReadUInt64LittleEndian(piece[(n - 8)..]);
        }
        else if (n >= 4)
        {
            low = BinaryPrimitives.ReadUInt32LittleEndian(piece);
            high = BinaryPrimitives.ReadUInt32LittleEndian(piece[(n - 4)..]);
        }
        else
        {
            low = n == 0 ? 0u : piece[0] | ((uint)piece[n >> 1] << 8) | ((uint)piece[n - 1] << 16);
            high = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SlotOf(ulong low, ulong high, int length)
    {
        ulong h = ((low ^ BitOperations.RotateLeft(high, 23)) + (ulong)length) * 0x9E3779B97F4A7C15;
        h ^= h >> 29;
        h *= 0xBF58476D1CE4E5B9;
        return (int)(h >> 49);
    }

    private static int LongSlotOf(ReadOnlySpan<byte> piece)
    {
        ulong h = (ulong)piece.Length;
        while (piece.Length >= 8)
        {
            h = BitOperations.RotateLeft((h ^ BinaryPrimitives.ReadUInt64LittleEndian(piece)) * 0x9E3779B97F4A7C15, 29);
            piece = piece[8..];
        }
        foreach (byte b in piece)
            h = (h ^ b) * 0x9E3779B97F4A7C15;
        h ^= h >> 31;
        h *= 0xBF58476D1CE4E5B9;
        return (int)(h >> 52);
    }
}
