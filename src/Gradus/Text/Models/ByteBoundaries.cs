using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>
/// Knows where a byte-level vocabulary can be cut between two characters outside ASCII: where no token holds the end of the one and the
/// start of the other, no merge can cross. Texts without spaces then become short, well-remembered parts. May say that a token crosses
/// where none does (it hashes), never the reverse.
/// </summary>
internal sealed class ByteBoundaries
{
    private const int Bits = 20;

    /// <summary>As many bytes on either side as a character in the basic plane has.</summary>
    private const int MaxSide = 3;

    private readonly ulong[] _bits = new ulong[(1 << Bits) / 64];

    // Which lengths of the two sides occur at all.
    private readonly bool[] _present = new bool[(MaxSide + 1) * (MaxSide + 1)];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ByteBoundaries(Vocabulary vocabulary)
    {
        for (int id = 0; id < vocabulary.Count; id++)
        {
            ReadOnlySpan<byte> token = vocabulary.GetBytes(id);
            for (int i = 1; i < token.Length; i++)
            {
                if (!IsPlace(token, i))
                    continue;
                int left = Math.Min(i, MaxSide);
                int right = Math.Min(token.Length - i, MaxSide);
                _present[(left * (MaxSide + 1)) + right] = true;
                int bit = BitOf(left, LeftBytes(token, i, left), right, RightBytes(token, i, right));
                _bits[bit >> 6] |= 1UL << (bit & 63);
            }
        }
    }

    /// <summary>The first place after <paramref name="start"/> where the piece may be cut, or its end.</summary>
    public int Next(ReadOnlySpan<byte> piece, int start)
    {
        for (int i = start + 1; i < piece.Length; i++)
        {
            if (IsPlace(piece, i) && !MayCross(piece, start, i))
                return i;
        }
        return piece.Length;
    }

    /// <summary>Between two characters that both lie outside ASCII.</summary>
    private static bool IsPlace(ReadOnlySpan<byte> bytes, int i) => bytes[i] >= 0xC0 && bytes[i - 1] >= 0x80;

    private bool MayCross(ReadOnlySpan<byte> piece, int start, int i)
    {
        int mostRight = Math.Min(MaxSide, piece.Length - i);
        int mostLeft = Math.Min(MaxSide, i - start);
        uint leftBytes = 0;
        for (int left = 1; left <= mostLeft; left++)
        {
            leftBytes |= (uint)piece[i - left] << (8 * (left - 1));
            uint rightBytes = 0;
            for (int right = 1; right <= mostRight; right++)
            {
                rightBytes = (rightBytes << 8) | piece[i + right - 1];
                if (!_present[(left * (MaxSide + 1)) + right])
                    continue;
                int bit = BitOf(left, leftBytes, right, rightBytes);
                if ((_bits[bit >> 6] & (1UL << (bit & 63))) != 0)
                    return true;
            }
        }
        return false;
    }

    private static uint LeftBytes(ReadOnlySpan<byte> bytes, int i, int count)
    {
        uint value = 0;
        for (int k = 1; k <= count; k++)
            value |= (uint)bytes[i - k] << (8 * (k - 1));
        return value;
    }

    private static uint RightBytes(ReadOnlySpan<byte> bytes, int i, int count)
    {
        uint value = 0;
        for (int k = 0; k < count; k++)
            value = (value << 8) | bytes[i + k];
        return value;
    }

    private static int BitOf(int left, uint leftBytes, int right, uint rightBytes)
    {
        ulong key = ((ulong)((left << 2) | right) << 48) | ((ulong)leftBytes << 24) | rightBytes;
        return (int)((key * 0x9E3779B97F4A7C15) >> (64 - Bits));
    }
}
