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
                int bit = BitOf(token.Slice(i - left, left), token.Slice(i, right));
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
        for (int left = 1; left <= MaxSide && left <= i - start; left++)
        {
            for (int right = 1; right <= MaxSide && right <= piece.Length - i; right++)
            {
                if (!_present[(left * (MaxSide + 1)) + right])
                    continue;
                int bit = BitOf(piece.Slice(i - left, left), piece.Slice(i, right));
                if ((_bits[bit >> 6] & (1UL << (bit & 63))) != 0)
                    return true;
            }
        }
        return false;
    }

    private static int BitOf(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        ulong h = (ulong)((left.Length << 2) | right.Length);
        foreach (byte b in left)
            h = (h << 8) | b;
        foreach (byte b in right)
            h = (h << 8) | b;
        return (int)((h * 0x9E3779B97F4A7C15) >> (64 - Bits));
    }
}
