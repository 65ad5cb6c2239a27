using System.Runtime.CompilerServices;

namespace Gradus.Testing;

/// <summary>The list of golden cases that the code cannot run yet (tests/golden-pending.txt), each with its reason.</summary>
public static class PendingGoldens
{
    /// <summary>What marks the pending cases of an area.</summary>
    public static IReadOnlyDictionary<string, string> Of(string area) => File.ReadLines(ListFile())
        .Where(l => l.Length > 0 && l[0] != '#')
        .Select(l => l.Split(' ', 3))
        .Where(p => p[0] == area)
        .ToDictionary(p => p[1], p => p[2], StringComparer.Ordinal);

    private static string ListFile([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "golden-pending.txt");
}
