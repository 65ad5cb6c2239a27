namespace Gradus.Generation;

/// <summary>How often tokens occur, in a table of the vocabulary that is zero before and after use.</summary>
internal static class Occurrences
{
    /// <summary>Adds every occurrence to the table; ids beyond it are passed over.</summary>
    public static void Count(ReadOnlySpan<int> tokens, Span<int> table)
    {
        foreach (int token in tokens)
        {
            if ((uint)token < (uint)table.Length)
                table[token]++;
        }
    }

    /// <summary>Puts the zeros back.</summary>
    public static void Forget(ReadOnlySpan<int> tokens, Span<int> table)
    {
        foreach (int token in tokens)
        {
            if ((uint)token < (uint)table.Length)
                table[token] = 0;
        }
    }
}
