// Purpose: Python's re over .NET's engine, for task files and templates that hold Python patterns.
// Source: https://docs.python.org/3/library/re.html. Left out: (?P>…)-like extensions of the module regex, conditional groups by name,
// and \b, which follows .NET's idea of a word (marks and all connectors belong to it).

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Gradus.Text;

/// <summary>A regular expression in Python's syntax. Matching ends after ten seconds, because patterns come from files of strangers.</summary>
public sealed class PythonRegex
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private readonly List<string?> _names = [null];
    private readonly Regex _regex;

    /// <summary>Compiles a pattern.</summary>
    /// <param name="pattern">The pattern, in Python's syntax.</param>
    /// <param name="dotMatchesAll">re.DOTALL.</param>
    /// <exception cref="FormatException">The pattern is not a regular expression; one line.</exception>
    public PythonRegex(string pattern, bool dotMatchesAll = false)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        Pattern = pattern;
        try
        {
            _regex = new Regex(Translate(pattern), RegexOptions.CultureInvariant | (dotMatchesAll ? RegexOptions.Singleline : RegexOptions.None), Limit);
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"\"{pattern}\" is not a regular expression: {e.Message}", e);
        }
    }

    /// <summary>The pattern as it was given.</summary>
    public string Pattern { get; }

    /// <summary>A pattern that matches a text as it is (re.escape).</summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder escaped = new(text.Length);
        foreach (char c in text)
            escaped.Append("()[]{}?*+-|^$\\.&~# \t\n\r\v\f".Contains(c) ? "\\" : "").Append(c);
        return escaped.ToString();
    }

    /// <summary>re.findall: for every match the texts of its groups, or of the whole match where the pattern has none; empty for a group that took no part.</summary>
    /// <exception cref="FormatException">Matching takes longer than ten seconds.</exception>
    public IReadOnlyList<string[]> FindAll(string text) => Guarded(() =>
    {
        List<string[]> found = [];
        for (Match match = _regex.Match(text); match.Success; match = match.NextMatch())
            found.Add(match.Groups.Count == 1 ? [match.Value] : [.. match.Groups.Values.Skip(1).Select(g => g.Value)]);
        return (IReadOnlyList<string[]>)found;
    });

    /// <summary>re.search: whether the pattern matches somewhere.</summary>
    /// <exception cref="FormatException">Matching takes longer than ten seconds.</exception>
    public bool IsMatch(string text) => Guarded(() => _regex.IsMatch(text));

    /// <summary>re.split without groups.</summary>
    /// <exception cref="FormatException">Matching takes longer than ten seconds.</exception>
    public IReadOnlyList<string> Split(string text) => Guarded(() => _regex.Split(text));

    /// <summary>re.sub.</summary>
    /// <param name="text">The text.</param>
    /// <param name="replacement">What matches become; \1 and \g&lt;name&gt; are groups.</param>
    /// <param name="count">Matches to replace at most; 0 for all.</param>
    /// <exception cref="FormatException">The replacement is wrong, or matching takes longer than ten seconds.</exception>
    public string Replace(string text, string replacement, int count = 0)
    {
        ArgumentNullException.ThrowIfNull(replacement);
        return Guarded(() => _regex.Replace(text, m => Expand(replacement, m), count <= 0 ? -1 : count));
    }

    private T Guarded<T>(Func<T> match)
    {
        try
        {
            return match();
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new FormatException($"\"{Pattern}\" takes more than {Limit.TotalSeconds:0} seconds on a text; write a pattern that backtracks less.", e);
        }
    }

    private string Expand(string replacement, Match match)
    {
        if (!replacement.Contains('\\'))
            return replacement;
        StringBuilder text = new();
        for (int i = 0; i < replacement.Length; i++)
        {
            char c = replacement[i];
            if (c != '\\' || i + 1 == replacement.Length)
            {
                text.Append(c);
                continue;
            }
            char next = replacement[++i];
            int close = next == 'g' && i + 1 < replacement.Length && replacement[i + 1] == '<' ? replacement.IndexOf('>', i) : -1;
            if (close > 0)
            {
                text.Append(Group(match, replacement[(i + 2)..close]));
                i = close;
            }
            else if (char.IsAsciiDigit(next) && next != '0')
            {
                int length = i + 1 < replacement.Length && char.IsAsciiDigit(replacement[i + 1]) ? 2 : 1;
                text.Append(Group(match, replacement.Substring(i, length)));
                i += length - 1;
            }
            else
            {
                int simple = "abfnrtv\\".IndexOf(next);
                text.Append(simple >= 0 ? "\a\b\f\n\r\t\v\\"[simple].ToString() : char.IsAsciiLetter(next)
                    ? throw new FormatException($"\\{next} means nothing in the replacement \"{replacement}\".")
                    : $"\\{next}");
            }
        }
        return text.ToString();
    }

    private string Group(Match match, string name)
    {
        int index = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : _names.IndexOf(name);
        return index >= 0 && index < match.Groups.Count
            ? match.Groups[index].Value
            : throw new FormatException($"the pattern \"{Pattern}\" has no group {name}.");
    }

    // Groups with names become plain ones, because .NET numbers those after all others and Python in their order.
    private string Translate(string pattern)
    {
        StringBuilder target = new(pattern.Length + 16);
        bool inClass = false;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                char escaped = pattern[++i];
                target.Append(TranslateEscape(escaped, inClass));
            }
            else if (inClass)
            {
                inClass = c != ']' || pattern[i - 1] == '[' || (pattern[i - 1] == '^' && pattern[i - 2] == '[');
                // A bracket within a class is itself; .NET would take -[ for the beginning of a subtraction.
                target.Append(c == '[' ? "\\[" : c.ToString());
            }
            else if (c == '[')
            {
                inClass = true;
                target.Append(c);
            }
            else if (c == '(')
            {
                i = TranslateGroup(pattern, i, target);
            }
            else
            {
                // Python's $ stands before a last line break too, as .NET's does.
                target.Append(c);
            }
        }
        return target.ToString();
    }

    private static string TranslateEscape(char escaped, bool inClass) => (escaped, inClass) switch
    {
        ('Z', false) => "\\z",
        ('w', true) => @"\p{L}\p{N}_",
        ('w', false) => @"[\p{L}\p{N}_]",
        ('W', false) => @"[^\p{L}\p{N}_]",
        ('s', true) => @"\s\x1c-\x1f",
        ('s', false) => @"[\s\x1c-\x1f]",
        ('S', false) => @"[^\s\x1c-\x1f]",
        _ => $"\\{escaped}",
    };

    private int TranslateGroup(string pattern, int open, StringBuilder target)
    {
        bool isSpecial = open + 1 < pattern.Length && pattern[open + 1] == '?';
        if (!isSpecial)
        {
            _names.Add(null);
            target.Append('(');
            return open;
        }
        bool named = string.CompareOrdinal(pattern, open, "(?P<", 0, 4) == 0, reference = string.CompareOrdinal(pattern, open, "(?P=", 0, 4) == 0;
        int end = named ? pattern.IndexOf('>', open) : reference ? pattern.IndexOf(')', open) : -1;
        if (end < 0)
        {
            target.Append('(');
            return open;
        }
        string name = pattern[(open + 4)..end];
        if (named)
        {
            _names.Add(name);
            target.Append('(');
            return end;
        }
        target.Append(CultureInfo.InvariantCulture, $"(?:\\{_names.IndexOf(name)})");
        return end;
    }
}
