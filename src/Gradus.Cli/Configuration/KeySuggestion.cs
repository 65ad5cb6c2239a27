namespace Gradus.Cli.Configuration;

/// <summary>What to write instead of a name that does not exist.</summary>
internal static class KeySuggestion
{
    private const int LongestName = 64;
    private const int MostNames = 20;

    /// <summary>
    /// The nearest name where one is within a third of its letters (insertions, deletions, substitutions and swaps of neighbours),
    /// else the list of all.
    /// </summary>
    /// <param name="name">The name that was given.</param>
    /// <param name="names">The names there are.</param>
    /// <param name="what">What they are, in the plural: <c>keys</c>, <c>sizes</c>.</param>
    public static string For(string name, IEnumerable<string> names, string what)
    {
        string[] all = [.. names];
        if (all.Length == 0)
            return $"there are no {what} here";
        string nearest = all.MinBy(n => Distance(Plain(name), Plain(n)))!;
        if (Distance(Plain(name), Plain(nearest)) <= Math.Max(1, Math.Max(name.Length, nearest.Length) / 3))
            return $"did you mean {ConfigurationNode.Quote(nearest)}?";
        return $"{what} here: {string.Join(", ", all.Take(MostNames))}{(all.Length > MostNames ? ", …" : "")}";
    }

    // BatchSize, batch-size and batch_size differ in spelling only.
    private static string Plain(string name) => name.Replace('-', '_').ToLowerInvariant();

    /// <summary>The optimal string alignment distance, as R. Lowrance and R. A. Wagner's (1975) without repeated edits.</summary>
    public static int Distance(string a, string b)
    {
        if (a.Length > LongestName || b.Length > LongestName)
            return a == b ? 0 : Math.Max(a.Length, b.Length);
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int change = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(change, 1 + Math.Min(d[i - 1, j], d[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
