// GPT-2's reversible map between bytes and printable characters (encoder.py, bytes_to_unicode): printable Latin-1 stands for itself,
// the other 68 bytes become U+0100 and following, so that a space is written Ġ.

using System.Runtime.CompilerServices;

namespace Gradus.Text;

internal static class ByteAlphabet
{
    private static readonly char[] Chars = BuildChars();
    private static readonly short[] Bytes = BuildBytes();

    /// <summary>The 256 bytes in the order of their characters: the order in which trainers give them ids.</summary>
    public static byte[] InCharacterOrder()
    {
        byte[] order = new byte[256];
        for (int i = 0; i < 256; i++)
            order[i] = (byte)i;
        Array.Sort(order, (a, b) => Chars[a].CompareTo(Chars[b]));
        return order;
    }

    /// <summary>The character that stands for a byte.</summary>
    public static char ToChar(byte b) => Chars[b];

    /// <summary>Bytes written in the alphabet.</summary>
    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        return string.Create(bytes.Length, bytes, static (chars, source) =>
        {
            for (int i = 0; i < chars.Length; i++)
                chars[i] = Chars[source[i]];
        });
    }

    /// <summary>UTF-8 of text in the alphabet back to bytes; false where a character is not of the alphabet. Needs as much room as the text.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryToBytes(ReadOnlySpan<byte> utf8, Span<byte> bytes, out int count)
    {
        short[] table = Bytes;
        count = 0;
        for (int i = 0; i < utf8.Length;)
        {
            byte b = utf8[i];
            int c = b;
            i++;
            if (b >= 0x80)
            {
                // All characters of the alphabet above ASCII take two bytes.
                if (b is < 0xC2 or >= 0xE0 || i >= utf8.Length)
                    return false;
                c = ((b & 0x1F) << 6) | (utf8[i++] & 0x3F);
            }
            int value = (uint)c < (uint)table.Length ? table[c] : -1;
            if (value < 0)
                return false;
            bytes[count++] = (byte)value;
        }
        return true;
    }

    private static char[] BuildChars()
    {
        char[] chars = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            chars[b] = printable ? (char)b : (char)next++;
        }
        return chars;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[256 + 68];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = -1;
        for (int b = 0; b < 256; b++)
            bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
