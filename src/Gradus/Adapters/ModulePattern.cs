using System.Text.RegularExpressions;

namespace Gradus.Adapters;

/// <summary>
/// The regular expressions of adapter configurations, in PEFT's readings of them. They come from untrusted files: a match that takes
/// too long is an error. Left out: what only Python's expressions know, such as <c>(?P&lt;name&gt;…)</c>.
/// </summary>
internal static class ModulePattern
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Whether an expression matches all of a path.</summary>
    public static bool MatchesAll(string key, string pattern, string path) => Match(key, $@"\A(?:{pattern})\z", path).Success;

    /// <summary>Whether an expression matches a path or its end behind a dot: how rank_pattern and alpha_pattern name layers.</summary>
    public static bool MatchesEnd(string key, string pattern, string path) => Match(key, $@"\A(.*\.)?({pattern})\z", path).Success;

    /// <summary>Whether a module of modules_to_save is this path or contains it.</summary>
    public static bool Contains(string key, string name, string path) => Match(key, $@"\A(^|.*\.){name}($|\..*)", path).Success;

    /// <summary>The number that follows the last list of layers in a path, or null.</summary>
    /// <param name="lists">Expressions for the list's name; any name where null.</param>
    /// <param name="path">The layer's path.</param>
    public static int? LayerNumber(IReadOnlyList<string>? lists, string path)
    {
        foreach (string list in lists is { Count: > 0 } ? lists : [@"[^.]*"])
        {
            Match match = Match("layers_pattern", $@"\A.*\.(?:{list})\.(?<layer>[0-9]+)\.", path);
            if (match.Success)
                return int.TryParse(match.Groups["layer"].ValueSpan, out int number) ? number : null;
        }
        return null;
    }

    private static Match Match(string key, string pattern, string path)
    {
        try
        {
            return Regex.Match(path, pattern, RegexOptions.CultureInvariant, Longest);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{key}: not a regular expression: {e.Message}", e);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InvalidDataException($"{key}: the regular expression takes more than {Longest.TotalSeconds:0} s on {path}; simplify it.", e);
        }
    }
}
