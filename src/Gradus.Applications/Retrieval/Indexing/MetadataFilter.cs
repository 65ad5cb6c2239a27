using System.Globalization;
using System.Text.RegularExpressions;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Conditions on a document's metadata, all of which have to hold: <c>status=Final</c>, <c>year&gt;=2020</c>, <c>name=contracts/*</c>.</summary>
public sealed partial class MetadataFilter
{
    private readonly List<(string Key, string Operator, string Value)> _conditions = [];

    private MetadataFilter()
    {
    }

    /// <summary>Reads conditions of the form KEY OPERATOR VALUE with = != &lt; &lt;= &gt; &gt;=. In a value * stands for any characters; the key <c>name</c> is the document's path.</summary>
    /// <returns>The filter, or null where there are no conditions.</returns>
    /// <exception cref="FormatException">One is no condition.</exception>
    public static MetadataFilter? Parse(IEnumerable<string> conditions)
    {
        ArgumentNullException.ThrowIfNull(conditions);
        MetadataFilter filter = new();
        foreach (string condition in conditions)
        {
            Match match = Condition().Match(condition);
            if (!match.Success)
                throw new FormatException($"`{condition}` is no condition; write it like status=Final, year>=2020 or name=contracts/*.");
            filter._conditions.Add((match.Groups[1].Value.ToLowerInvariant(), match.Groups[2].Value, match.Groups[3].Value.Trim()));
        }
        return filter._conditions.Count == 0 ? null : filter;
    }

    /// <summary>Whether a document meets all conditions. A key that it lacks meets only !=.</summary>
    public bool Matches(string name, IReadOnlyDictionary<string, string> metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        foreach ((string key, string comparison, string value) in _conditions)
        {
            string? actual = key == "name" ? name : metadata.GetValueOrDefault(key);
            if (actual is null ? comparison != "!=" : !Holds(actual, comparison, value))
                return false;
        }
        return true;
    }

    private static bool Holds(string actual, string comparison, string value)
    {
        bool equal = System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(value, actual);
        if (comparison is "=" or "!=")
            return equal == (comparison == "=");
        int order = double.TryParse(actual, NumberStyles.Float, CultureInfo.InvariantCulture, out double a) && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double b)
            ? a.CompareTo(b)
            : string.CompareOrdinal(actual, value);
        return comparison switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    [GeneratedRegex(@"^\s*([\p{L}_][\p{L}\p{N}_.-]*)\s*(!=|<=|>=|=|<|>)(.*)$", RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Condition();
}
