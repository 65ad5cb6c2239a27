using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>The distinct pieces of a corpus and how often each occurs: an open-addressing table over one arena of bytes.</summary>
internal sealed class WordCounts
{
    private byte[] _bytes = new byte[1 << 16];
    private int[] _start = new int[1 << 12];
    private long[] _count = new long[1 << 12];
    private uint[] _hash = new uint[1 << 12];
    private int[] _table = new int[1 << 13];

    /// <summary>The number of distinct pieces.</summary>
    public int Distinct { get; private set; }

    /// <summary>The bytes of all text counted, as it was before normalization.</summary>
    public long TextBytes { get; set; }

    public ReadOnlySpan<byte> Word(int index) => _bytes.AsSpan(_start[index], _start[index + 1] - _start[index]);

    public long Count(int index) => _count[index];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(ReadOnlySpan<byte> word, long times = 1)
    {
        uint hash = HashOf(word);
        int mask = _table.Length - 1;
        int i = (int)hash & mask;
        while (_table[i] != 0)
        {
            int index = _table[i] - 1;
            if (_hash[index] == hash && Word(index).SequenceEqual(word))
            {
                _count[index] += times;
                return;
            }
            i = (i + 1) & mask;
        }
        Append(word, hash, times);
        _table[i] = Distinct;
        if (Distinct * 2 > _table.Length)
            Rehash();
    }

    /// <summary>Adds everything another table counted.</summary>
    public void Add(WordCounts other)
    {
        TextBytes += other.TextBytes;
        for (int i = 0; i < other.Distinct; i++)
            Add(other.Word(i), other.Count(i));
    }

    /// <summary>The indices of all pieces in the order of their bytes, which no order of counting changes.</summary>
    public int[] InByteOrder()
    {
        int[] order = new int[Distinct];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;
        Array.Sort(order, (a, b) => Word(a).SequenceCompareTo(Word(b)));
        return order;
    }

    private void Append(ReadOnlySpan<byte> word, uint hash, long times)
    {
        if (Distinct + 2 > _start.Length)
        {
            Array.Resize(ref _start, _start.Length * 2);
            Array.Resize(ref _count, _start.Length);
            Array.Resize(ref _hash, _start.Length);
        }
        int at = _start[Distinct];
        if (at + word.Length > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max((long)at + word.Length, _bytes.Length * 2L)));
        word.CopyTo(_bytes.AsSpan(at));
        _hash[Distinct] = hash;
        _count[Distinct] = times;
        _start[++Distinct] = at + word.Length;
    }

    private void Rehash()
    {
        _table = new int[_table.Length * 2];
        int mask = _table.Length - 1;
        for (int index = 0; index < Distinct; index++)
        {
            int i = (int)_hash[index] & mask;
            while (_table[i] != 0)
                i = (i + 1) & mask;
            _table[i] = index + 1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint HashOf(ReadOnlySpan<byte> s)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        ulong h = (ulong)s.Length * Prime;
        while (s.Length > 8)
        {
            h = BitOperations.RotateLeft((h ^ BinaryPrimitives.ReadUInt64LittleEndian(s)) * Prime, 29);
            s = s[8..];
        }
        ulong tail = s.Length switch
        {
            >= 4 => BinaryPrimitives.ReadUInt32LittleEndian(s) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(s[^4..]) << 32),
            > 0 => s[0] | ((ulong)s[s.Length >> 1] << 8) | ((ulong)s[^1] << 16),
            _ => 0,
        };
        h = (h ^ tail) * Prime;
        h ^= h >> 32;
        return (uint)((h * 0xD6E8FEB86659FD93) >> 32);
    }
}
