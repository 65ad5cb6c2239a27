using System.Buffers;
using System.Text.RegularExpressions;

namespace Gradus.Files.Hub;

/// <summary>A model on the hub: <c>org/name</c> or <c>name</c>, and a branch, tag or commit.</summary>
/// <param name="Repository">The repository's id.</param>
/// <param name="Revision">Branch, tag or commit hash.</param>
public readonly partial record struct HubModel(string Repository, string Revision)
{
    private static readonly SearchValues<char> Unsafe = SearchValues.Create("\\:*?\"<>|");

    /// <summary>The name of the repository's folder in the hub's cache.</summary>
    public string CacheName => $"models--{Repository.Replace("/", "--", StringComparison.Ordinal)}";

    /// <summary>Parses <c>org/name[@revision]</c>; without a revision it is <c>main</c>.</summary>
    public static bool TryParse(string text, out HubModel model)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split('@', 2);
        model = new HubModel(parts[0], parts.Length == 2 ? parts[1] : "main");
        return RepositoryId().IsMatch(model.Repository) && !model.Repository.Contains("--", StringComparison.Ordinal)
            && !model.Repository.Contains("..", StringComparison.Ordinal) && IsSafePath(model.Revision);
    }

    /// <summary>Parses <c>org/name[@revision]</c>.</summary>
    /// <exception cref="ArgumentException">The text is no model's name.</exception>
    public static HubModel Parse(string text) => TryParse(text, out HubModel model)
        ? model
        : throw new ArgumentException($"{Malformed.Quote(text)} is not a model on the hub (org/name or org/name@revision).", nameof(text));

    /// <summary>Whether a text is a relative path that stays inside its folder on every system.</summary>
    internal static bool IsSafePath(string path) => path.Length is > 0 and <= 1000
        && path.AsSpan().IndexOfAny(Unsafe) < 0 && !path.Any(char.IsControl)
        && Array.TrueForAll(path.Split('/'), segment => segment.Length is > 0 and <= 255 && segment is not ("." or ".."));

    /// <inheritdoc/>
    public override string ToString() => $"{Repository}@{Revision}";

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,95})?\z")]
    private static partial Regex RepositoryId();
}
