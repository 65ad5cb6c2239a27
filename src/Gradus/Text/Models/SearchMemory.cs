using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>The places of a piece that the search for its tokens has found to be no boundaries.</summary>
internal sealed class DeadEnds
{
    private ulong[] _bits = new ulong[16];

    public bool this[int place] => (_bits[place >> 6] >> place & 1) != 0;

    public void Begin(int pieceLength)
    {
        int words = (pieceLength >> 6) + 1;
        if (_bits.Length < words)
            _bits = new ulong[Math.Max(words, _bits.Length * 2)];
        else
            _bits.AsSpan(0, words).Clear();
    }

    public void Add(int place) => _bits[place >> 6] |= 1UL << place;
}

/// <summary>Remembers which tokens may stand side by side: direct-mapped and of fixed size, like <see cref="WordCache"/>.</summary>
internal sealed class TokenPairCache
{
    private const int Bits = 16;

    private readonly ulong[] _slots = new ulong[1 << Bits];

    /// <summary>The slot of a pair of ids below 2²⁴. It holds the pair where its bits above the lowest are <paramref name="key"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref ulong Slot(int left, int right, out ulong key)
    {
        key = (((ulong)(uint)left << 24) | (uint)right) + 1;
        return ref _slots[(key * 0x9E3779B97F4A7C15) >> (64 - Bits)];
    }
}
