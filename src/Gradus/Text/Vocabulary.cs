// A vocabulary as one blob of bytes with an open-addressing table over it: no string and no dictionary entry per token, so that
// 128,000 tokens load in tens of milliseconds and a lookup allocates nothing.

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>
/// The tokens of a model, each with its id from 0 to <see cref="Count"/> − 1. A byte-level vocabulary holds raw bytes, any other the
/// UTF-8 of its tokens. Immutable and safe for use by many threads.
/// </summary>
public sealed class Vocabulary
{
    private const int MaxId = 1 << 24;

    private readonly byte[] _blob;
    private readonly Extent[] _extents;
    private readonly bool[]? _opaque;
    private readonly Slot[] _table;
    private readonly int _mask;
    private readonly Dictionary<string, int>? _opaqueIds;

    private Vocabulary(byte[] blob, Extent[] extents, int maxTokenLength, bool[]? opaque, Slot[] table, Dictionary<string, int>? opaqueIds, bool byteLevel)
    {
        _blob = blob;
        _extents = extents;
        MaxTokenLength = maxTokenLength;
        _opaque = opaque;
        _table = table;
        _mask = table.Length - 1;
        _opaqueIds = opaqueIds;
        IsByteLevel = byteLevel;
    }

    /// <summary>Where a token lies in the blob: its length is one less than the size, which is 0 for an id without a token.</summary>
    private struct Extent
    {
        public int Start;
        public int Size;
    }

    private struct Slot
    {
        public uint Hash;
        public int IdPlusOne;
    }

    /// <summary>One more than the largest id.</summary>
    public int Count => _extents.Length;

    /// <summary>Whether tokens are raw bytes, written in GPT-2's byte alphabet (a space is Ġ), rather than text.</summary>
    public bool IsByteLevel { get; }

    /// <summary>The length in bytes of the longest token.</summary>
    public int MaxTokenLength { get; }

    /// <summary>The bytes of a token (raw bytes, or UTF-8); empty where the id is a hole or out of range.</summary>
    public ReadOnlySpan<byte> GetBytes(int id)
    {
        Extent[] extents = _extents;
        return (uint)id < (uint)extents.Length && extents[id].Size > 0 ? _blob.AsSpan(extents[id].Start, extents[id].Size - 1) : default;
    }

    /// <summary>Whether an id has a token.</summary>
    public bool Contains(int id) => (uint)id < (uint)_extents.Length && _extents[id].Size > 0;

    /// <summary>The id of the token with exactly these bytes, or −1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Find(ReadOnlySpan<byte> token)
    {
        uint hash = HashOf(token);
        int i = (int)hash & _mask;
        while (true)
        {
            ref readonly Slot slot = ref _table[i];
            if (slot.IdPlusOne == 0)
                return -1;
            if (slot.Hash == hash)
            {
                int id = slot.IdPlusOne - 1;
                ref readonly Extent extent = ref _extents[id];
                if (extent.Size - 1 == token.Length && token.SequenceEqual(_blob.AsSpan(extent.Start, token.Length)))
                    return id;
            }
            i = (i + 1) & _mask;
        }
    }

    /// <summary>The id of a token written as a Hugging Face file writes it, or null.</summary>
    public int? Find(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (_opaqueIds is not null && _opaqueIds.TryGetValue(token, out int opaque))
            return opaque;
        byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(token);
        if (!IsByteLevel)
            return Find(utf8) is int id and >= 0 ? id : null;
        byte[] raw = new byte[utf8.Length];
        return ByteAlphabet.TryToBytes(utf8, raw, out int n) && Find(raw.AsSpan(0, n)) is int byteId and >= 0 ? byteId : null;
    }

    /// <summary>A token written as a Hugging Face file writes it (in the byte alphabet for byte-level vocabularies), or null for a hole.</summary>
    public string? GetToken(int id)
    {
        if (!Contains(id))
            return null;
        ReadOnlySpan<byte> bytes = GetBytes(id);
        return IsByteLevel && !IsOpaque(id) ? ByteAlphabet.ToText(bytes) : System.Text.Encoding.UTF8.GetString(bytes);
    }

    /// <summary>Whether a token of a byte-level vocabulary is plain text outside the byte alphabet, which no merge can reach.</summary>
    internal bool IsOpaque(int id) => _opaque is not null && _opaque[id];

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
        ulong tail = 0;
        if (s.Length >= 4)
        {
            tail = BinaryPrimitives.ReadUInt32LittleEndian(s) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(s[^4..]) << 32);
        }
        else
        {
            for (int i = 0; i < s.Length; i++)
                tail = (tail << 8) | s[i];
        }
        h = (h ^ tail) * Prime;
        h ^= h >> 32;
        h *= 0xD6E8FEB86659FD93;
        return (uint)(h >> 32);
    }

    /// <summary>Collects tokens in any order and checks them: no id twice, no token twice, no id without a token.</summary>
    internal sealed class Builder(bool byteLevel, int capacity)
    {
        private byte[] _blob = new byte[Math.Max(64, capacity * 8)];
        private int _used;
        private Extent[] _extents = new Extent[Math.Max(16, capacity)];
        private int _count;
        private int _maxLength;
        private bool[]? _opaque;
        private Dictionary<string, int>? _opaqueIds;

        public int Count => _count;

        /// <summary>Adds a token as a JSON file writes it: byte-level vocabularies are turned back into raw bytes.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void AddText(ReadOnlySpan<byte> utf8, int id)
        {
            if (!byteLevel)
            {
                Add(utf8, id);
                return;
            }
            Reserve(utf8.Length);
            if (ByteAlphabet.TryToBytes(utf8, _blob.AsSpan(_used), out int n))
            {
                Place(id, n);
                return;
            }
            Add(utf8, id);
            _opaque ??= new bool[_extents.Length];
            Array.Resize(ref _opaque, _extents.Length);
            _opaque[id] = true;
            (_opaqueIds ??= new Dictionary<string, int>(StringComparer.Ordinal))[System.Text.Encoding.UTF8.GetString(utf8)] = id;
        }

        /// <summary>Adds a token by its bytes.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Add(ReadOnlySpan<byte> bytes, int id)
        {
            Reserve(bytes.Length);
            bytes.CopyTo(_blob.AsSpan(_used));
            Place(id, bytes.Length);
        }

        /// <summary>Builds the table. With <paramref name="allowDuplicates"/>, the first id of a token that occurs twice is the one found.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public Vocabulary Build(string place, Func<int, bool>? mayBeHole = null, bool allowDuplicates = false)
        {
            Array.Resize(ref _extents, _count);
            if (_opaque is not null)
                Array.Resize(ref _opaque, _count);
            Slot[] table = new Slot[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, _count * 2))];
            int mask = table.Length - 1;
            for (int id = 0; id < _count; id++)
            {
                if (_extents[id].Size == 0)
                {
                    if (mayBeHole is null || !mayBeHole(id))
                        throw Hole(place, id);
                    continue;
                }
                if (_opaque is not null && _opaque[id])
                    continue;
                ReadOnlySpan<byte> token = _blob.AsSpan(_extents[id].Start, _extents[id].Size - 1);
                uint hash = HashOf(token);
                int i = (int)hash & mask;
                bool twice = false;
                while (table[i].IdPlusOne != 0 && !twice)
                {
                    int other = table[i].IdPlusOne - 1;
                    twice = table[i].Hash == hash && _extents[other].Size - 1 == token.Length && token.SequenceEqual(_blob.AsSpan(_extents[other].Start, token.Length));
                    if (twice && !allowDuplicates)
                        throw Twice(place, other, id);
                    i = (i + 1) & mask;
                }
                if (!twice)
                    table[i] = new Slot { Hash = hash, IdPlusOne = id + 1 };
            }
            return new Vocabulary(_blob, _extents, _maxLength, _opaque, table, _opaqueIds, byteLevel);
        }

        private void Reserve(int length)
        {
            if (_used + length > _blob.Length)
                Array.Resize(ref _blob, Math.Max(_used + length, _blob.Length * 2));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Place(int id, int length)
        {
            if (id is < 0 or >= MaxId)
                throw OutOfRange(id, length);
            if (id >= _extents.Length)
                Array.Resize(ref _extents, Math.Max(id + 1, _extents.Length * 2));
            if (_extents[id].Size > 0)
                throw Taken(id, length);
            _extents[id] = new Extent { Start = _used, Size = length + 1 };
            _used += length;
            _count = Math.Max(_count, id + 1);
            _maxLength = Math.Max(_maxLength, length);
        }

        // Apart, so that the loops above compile fast: a tokenizer's first encode waits for that.
        private InvalidDataException Hole(string place, int id) =>
            new($"{place}: no token has id {id}, though ids go up to {_count - 1}. Give every id from 0 on exactly one token.");

        private InvalidDataException Twice(string place, int first, int second) =>
            new($"{place}: the token {Show(_blob.AsSpan(_extents[second].Start, _extents[second].Size - 1))} has two ids, {first} and {second}. Keep one of them.");

        private InvalidDataException OutOfRange(int id, int length) =>
            new($"Vocabulary: the token {Show(_blob.AsSpan(_used, length))} has id {id}; ids lie between 0 and {MaxId - 1}.");

        private InvalidDataException Taken(int id, int length) => new(
            $"Vocabulary: the id {id} has two tokens, {Show(_blob.AsSpan(_extents[id].Start, _extents[id].Size - 1))} and {Show(_blob.AsSpan(_used, length))}. Keep one of them.");

        private string Show(ReadOnlySpan<byte> token)
        {
            string text = byteLevel ? ByteAlphabet.ToText(token) : System.Text.Encoding.UTF8.GetString(token);
            return text.Length > 40 ? $"\"{text[..40]}…\"" : $"\"{text}\"";
        }
    }
}
