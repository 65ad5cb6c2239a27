// Reads JSON as runs really leave it: numbers may be "NaN", or the bare NaN and Infinity that other writers put although JSON
// has no such literals. Everything else that is not JSON is an error that the caller reports.
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Reports;

internal static class TolerantJson
{
    /// <summary>Files above this size, in bytes, are not a run's: they are refused before they fill the memory.</summary>
    private const long LargestFile = 256L << 20;

    private static readonly string[] NonFinite = ["NaN", "Infinity", "-Infinity"];

    /// <summary>Parses one value; bare NaN and Infinity are read as numbers.</summary>
    /// <exception cref="JsonException">The text is not JSON, or not of this type.</exception>
    public static T? Parse<T>(string text, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(text, type);
        }
        catch (JsonException) when (QuoteNonFinite(text) is { } quoted)
        {
            return JsonSerializer.Deserialize(quoted, type);
        }
    }

    /// <summary>Reads a whole file, or says in <paramref name="problems"/> why it cannot be read. An absent file is no problem.</summary>
    public static T? Read<T>(string path, string shownAs, JsonTypeInfo<T> type, List<string> problems)
        where T : class
    {
        try
        {
            using FileStream stream = OpenShared(path);
            if (stream.Length > LargestFile)
            {
                problems.Add($"{shownAs} has {stream.Length >> 20} MiB, more than the report reads ({LargestFile >> 20} MiB). It is left out.");
                return null;
            }
            using StreamReader reader = new(stream, Encoding.UTF8);
            string text = reader.ReadToEnd();
            if (string.IsNullOrWhiteSpace(text))
            {
                problems.Add($"{shownAs} is empty. It is left out.");
                return null;
            }
            return Parse(text, type);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException e)
        {
            problems.Add($"{shownAs} is not readable at line {(e.LineNumber ?? 0) + 1}: it is cut off or not of the expected form. It is left out.");
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{shownAs} cannot be opened ({e.GetType().Name}). It is left out.");
            return null;
        }
    }

    /// <summary>Opens for reading while a trainer may still be writing.</summary>
    public static FileStream OpenShared(string path) =>
        new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>The text of a value as a reader wants to see it: strings without quotes, everything else as written.</summary>
    public static string Show(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
            return value.GetRawText();
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException) // an escaped surrogate without its other half
        {
            return value.GetRawText();
        }
    }

    /// <summary>A property's name; a name that is no valid text is shown as such.</summary>
    public static string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return "(a key that is not valid text)";
        }
    }

    /// <summary>The text with bare NaN and ±Infinity in quotes, or null where there is none outside of strings.</summary>
    internal static string? QuoteNonFinite(string text)
    {
        StringBuilder? quoted = null;
        int copied = 0;
        bool inString = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (inString && text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == '"')
            {
                inString = !inString;
            }
            else if (!inString && text[i] is 'N' or 'I' or '-' && LiteralAt(text, i) is { } literal)
            {
                quoted ??= new StringBuilder(text.Length + 16);
                quoted.Append(text, copied, i - copied).Append('"').Append(literal).Append('"');
                copied = i + literal.Length;
                i = copied - 1;
            }
        }
        return quoted?.Append(text, copied, text.Length - copied).ToString();
    }

    private static string? LiteralAt(string text, int index) =>
        Array.Find(NonFinite, literal => string.CompareOrdinal(text, index, literal, 0, literal.Length) == 0);
}
