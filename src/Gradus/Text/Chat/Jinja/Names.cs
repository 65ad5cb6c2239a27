namespace Gradus.Text.Chat.Jinja;

/// <summary>Suggestions for misspelt names.</summary>
internal static class Names
{
    /// <summary>"; the nearest is 'x'" where a known name is at most two edits away, else "; there are …".</summary>
    public static string Nearest(string name, IEnumerable<string> known)
    {
        string[] names = [.. known.Order(StringComparer.Ordinal)];
        string? nearest = name.Length > 40 ? null : names.Where(k => k.Length > 2).MinBy(k => Distance(name, k));
        return nearest is not null && Distance(name, nearest) <= 2
            ? $"; the nearest is '{nearest}'"
            : $"; there are {string.Join(", ", names)}";
    }

    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = row[j];
                row[j] = cost;
            }
        }
        return row[^1];
    }
}
