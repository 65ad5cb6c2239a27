using System.Runtime.CompilerServices;

namespace Gradus.Text;

/// <summary>
/// Knows which pairs of neighbouring characters occur inside tokens. Between two characters that no token holds side by side no merge
/// can ever cross. May say yes wrongly (it hashes), never no.
/// </summary>
internal sealed class PairFilter
{
    private const int Bits = 18;
    private readonly ulong[] _bits = new ulong[(1 << Bits) / 64];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public PairFilter(Vocabulary vocabulary)
    {
        for (int id = 0; id < vocabulary.Count; id++)
        {
            ReadOnlySpan<byte> token = vocabulary.GetBytes(id);
            int previous = -1;
            for (int i = 0; i < token.Length;)
            {
                int c = CharacterClasses.Decode(token, i, out int length);
                if (previous >= 0)
                {
                    int bit = BitOf(previous, c);
                    _bits[bit >> 6] |= 1UL << (bit & 63);
                }
                previous = c;
                i += length;
            }
        }
    }

    /// <summary>The first place after <paramref name="start"/> where the text may be cut, or its end.</summary>
    public int Next(ReadOnlySpan<byte> text, int start)
    {
        int previous = CharacterClasses.Decode(text, start, out int length);
        int i = start + length;
        while (i < text.Length)
        {
            int c = CharacterClasses.Decode(text, i, out length);
            int bit = BitOf(previous, c);
            if ((_bits[bit >> 6] & (1UL << (bit & 63))) == 0)
                return i;
            previous = c;
            i += length;
        }
        return i;
    }

    private static int BitOf(int a, int b)
    {
        // ASCII pairs have a bit each; all others share the rest.
        if ((a | b) < 128)
            return (a << 7) | b;
        uint h = ((uint)a * 0x9E3779B1u) ^ ((uint)b * 0x85EBCA77u);
        h ^= h >> 15;
        h *= 0xC2B2AE3Du;
        return (1 << 14) + (int)((h >> 8) % ((1 << Bits) - (1 << 14)));
    }
}
