namespace Gradus.Text;

/// <summary>
/// Takes white space out of the ranges of tokens, as ByteLevel and RobertaProcessing ask for: as many characters as the token, as the
/// vocabulary writes it, begins and ends with. So a line break, which the byte alphabet writes as a letter, stays in.
/// </summary>
internal static class OffsetTrimming
{
    /// <summary>The character that stands for a space in the byte alphabet.</summary>
    private const int Space = 'Ġ';

    /// <summary>Trims a range of the original text, in bytes.</summary>
    /// <param name="text">The original text.</param>
    /// <param name="token">The token: raw bytes where <paramref name="isRaw"/>, else UTF-8.</param>
    /// <param name="isRaw">Whether the token is bytes that the byte alphabet stands for.</param>
    /// <param name="keepFirst">Whether one space at the beginning is left, being the one that was put there.</param>
    /// <param name="start">Where the range begins.</param>
    /// <param name="end">Where it ends.</param>
    public static void Apply(ReadOnlySpan<byte> text, ReadOnlySpan<byte> token, bool isRaw, bool keepFirst, ref int start, ref int end)
    {
        int leading = isRaw ? token.Length - token.TrimStart((byte)' ').Length : CountLeading(token);
        int trailing = isRaw ? token.Length - token.TrimEnd((byte)' ').Length : CountTrailing(token);
        if (leading > 0 && keepFirst)
            leading--;
        while (leading-- > 0 && start < end)
            start = Math.Min(end, start + CharacterClasses.LengthOf(text[start]));
        while (trailing-- > 0 && end > start)
            end = Math.Max(start, CharacterClasses.Previous(text, end));
    }

    private static int CountLeading(ReadOnlySpan<byte> token)
    {
        int count = 0;
        for (int i = 0; i < token.Length && IsSpace(CharacterClasses.Decode(token, i, out int length)); i += length)
            count++;
        return count;
    }

    private static int CountTrailing(ReadOnlySpan<byte> token)
    {
        int count = 0;
        for (int end = token.Length; end > 0; count++)
        {
            int last = CharacterClasses.Previous(token, end);
            if (!IsSpace(CharacterClasses.Decode(token, last, out _)))
                break;
            end = last;
        }
        return count;
    }

    private static bool IsSpace(int codePoint) => codePoint == Space || CharacterClasses.IsWhiteSpace(codePoint);
}
