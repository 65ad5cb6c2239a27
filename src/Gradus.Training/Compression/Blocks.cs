using Gradus.Nn;

namespace Gradus.Training.Compression;

/// <summary>Which linear layers lie in one block of a model: those with the same path up to a number.</summary>
internal static class Blocks
{
    /// <summary>The layers of each block, in the order of the first of them.</summary>
    public static IEnumerable<IReadOnlyCollection<Linear>> Of(IEnumerable<Linear> layers) => layers
        .Where(l => PrefixOf(l.Path) is not null)
        .GroupBy(l => PrefixOf(l.Path)!, StringComparer.Ordinal)
        .Select(g => (IReadOnlyCollection<Linear>)[.. g]);

    /// <summary>A path up to its first number, <c>model.layers.3</c>; null where it has none.</summary>
    public static string? PrefixOf(string path)
    {
        string[] parts = path.Split('.');
        int number = Array.FindIndex(parts, p => p.Length > 0 && p.All(char.IsAsciiDigit));
        return number < 0 ? null : string.Join('.', parts.Take(number + 1));
    }
}
