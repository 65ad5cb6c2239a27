// The character classes that published pre-token patterns speak of, as one byte of flags per code point.
// Source: Unicode general categories (UAX #44) as .NET carries them; white space is the White_Space property, as in Rust's and Oniguruma's \s.
// Text here is always well-formed UTF-8: every caller transcodes or validates first.

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Text;

internal static class CharacterClasses
{
    public const byte Letter = 1, Number = 2, Space = 4, Other = 8, NewLine = 16;

    /// <summary>The o200k pattern's two overlapping sets: Lu Lt Lm Lo M, and Ll Lm Lo M.</summary>
    public const byte UpperSet = 32, LowerSet = 64, Mark = 128;

    private static readonly byte[] Basic = BuildBasic();

    /// <summary>Flags of a byte below 0x80; zero for all others, which callers decode.</summary>
    private static readonly byte[] AsciiFlags = BuildAscii();

    public static ReadOnlySpan<byte> Ascii => AsciiFlags;

    public static byte Of(int codePoint)
    {
        return codePoint < Basic.Length ? Basic[codePoint] : Flags(codePoint);
    }

    /// <summary>Decodes the code point at <paramref name="i"/>; the text is well-formed UTF-8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decode(ReadOnlySpan<byte> text, int i, out int length)
    {
        int b = text[i];
        if (b < 0x80)
        {
            length = 1;
            return b;
        }
        return DecodeMulti(text, i, b, out length);
    }

    /// <summary>The flags of the character at <paramref name="i"/> and its length in bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte At(ReadOnlySpan<byte> text, int i, out int length)
    {
        byte b = text[i];
        if (b < 0x80)
        {
            length = 1;
            return AsciiFlags[b];
        }
        return Of(DecodeMulti(text, i, b, out length));
    }

    /// <summary>The end of the run of characters that have any flag of <paramref name="mask"/>, from <paramref name="i"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Run(ReadOnlySpan<byte> text, int i, byte mask)
    {
        byte[] ascii = AsciiFlags;
        while (i < text.Length)
        {
            byte b = text[i];
            if (b < 0x80)
            {
                if ((ascii[b] & mask) == 0)
                    return i;
                i++;
                continue;
            }
            if ((Of(DecodeMulti(text, i, b, out int length)) & mask) == 0)
                return i;
            i += length;
        }
        return i;
    }

    /// <summary>The length in bytes of the character whose lead byte is given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int LengthOf(byte lead) => lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    /// <summary>The start of the character that ends before <paramref name="end"/>.</summary>
    public static int Previous(ReadOnlySpan<byte> text, int end)
    {
        int i = end - 1;
        while (i > 0 && (text[i] & 0xC0) == 0x80)
            i--;
        return i;
    }

    public static bool IsWhiteSpace(int codePoint) => (Of(codePoint) & Space) != 0;

    /// <summary>Oniguruma's and Rust's \w: alphabetic, mark, decimal digit, connector punctuation or joiner.</summary>
    public static bool IsWord(int codePoint)
    {
        UnicodeCategory c = CharUnicodeInfo.GetUnicodeCategory(codePoint);
        return c <= UnicodeCategory.DecimalDigitNumber || c is UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
            || codePoint is 0x200C or 0x200D || codePoint is >= 0x24B6 and <= 0x24E9;
    }

    /// <summary>Unicode punctuation, or one of ASCII's own: what BERT splits off.</summary>
    public static bool IsPunctuation(int codePoint)
    {
        if (codePoint < 0x80)
            return codePoint is (> 32 and < 48) or (> 57 and < 65) or (> 90 and < 97) or (> 122 and < 127);
        return CharUnicodeInfo.GetUnicodeCategory(codePoint) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;
    }

    private static int DecodeMulti(ReadOnlySpan<byte> text, int i, int b, out int length)
    {
        if (b < 0xE0 && i + 1 < text.Length)
        {
            length = 2;
            return ((b & 0x1F) << 6) | (text[i + 1] & 0x3F);
        }
        if (b < 0xF0 && i + 2 < text.Length)
        {
            length = 3;
            return ((b & 0x0F) << 12) | ((text[i + 1] & 0x3F) << 6) | (text[i + 2] & 0x3F);
        }
        if (i + 3 < text.Length)
        {
            length = 4;
            return ((b & 0x07) << 18) | ((text[i + 1] & 0x3F) << 12) | ((text[i + 2] & 0x3F) << 6) | (text[i + 3] & 0x3F);
        }
        // Only a caller that broke the contract comes here; one byte at a time still ends.
        length = 1;
        return Rune.ReplacementChar.Value;
    }

    private static byte[] BuildBasic()
    {
        byte[] table = new byte[0x10000];
        for (int c = 0; c < table.Length; c++)
            table[c] = Flags(c);
        return table;
    }

    private static byte[] BuildAscii()
    {
        byte[] table = new byte[256];
        for (int c = 0; c < 128; c++)
            table[c] = Flags(c);
        return table;
    }

    private static byte Flags(int c)
    {
        if (c is '\r' or '\n')
            return Space | NewLine;
        if (c is (>= 9 and <= 13) or 0x85)
            return Space;
        return CharUnicodeInfo.GetUnicodeCategory(c) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => Letter | UpperSet,
            UnicodeCategory.LowercaseLetter => Letter | LowerSet,
            UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter | UpperSet | LowerSet,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Other | Mark | UpperSet | LowerSet,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
            UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => Space,
            _ => Other,
        };
    }
}
