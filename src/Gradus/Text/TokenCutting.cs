namespace Gradus.Text;

/// <summary>Cuts texts where tokens end, and never within a character.</summary>
internal static class TokenCutting
{
    /// <summary>The length of the longest part from the start of a text that has at most so many tokens.</summary>
    public static int FromStart(TokenEncoding encoding, int length, int maxTokens, out int count)
    {
        count = Math.Min(maxTokens, encoding.Length);
        if (count == encoding.Length)
            return length;
        // A token that shares a character with the next one cannot be the last.
        while (count > 0 && Share(encoding, count))
            count--;
        return count == 0 ? 0 : encoding.Offsets[count - 1].End;
    }

    /// <summary>The start of the longest part at the end of a text that has at most so many tokens.</summary>
    public static int FromEnd(TokenEncoding encoding, int length, int maxTokens, out int count)
    {
        count = Math.Min(maxTokens, encoding.Length);
        int first = encoding.Length - count;
        while (first > 0 && first < encoding.Length && Share(encoding, first))
            first++;
        count = encoding.Length - first;
        // White space that no token covers goes with the token after it.
        return first == 0 ? 0 : count == 0 ? length : encoding.Offsets[first - 1].End;
    }

    private static bool Share(TokenEncoding encoding, int index) => encoding.Offsets[index - 1].End > encoding.Offsets[index].Start;
}
