using System.Text;

namespace Gradus.Files;

/// <summary>
/// The errors of readers of untrusted files: one line that says which file, where in it, what is wrong and what to do.
/// Text that comes from the file is shortened and its control characters are escaped.
/// </summary>
internal static class Malformed
{
    private const int LongestQuote = 120;

    /// <summary>An error about a file as a whole.</summary>
    public static InvalidDataException File(string path, string what) => new($"{path}: {what}");

    /// <summary>An error about one tensor of a file.</summary>
    public static InvalidDataException Tensor(string path, string name, string what) => new($"{path}: tensor {Quote(name)} {what}");

    /// <summary>The first line of a message of the runtime.</summary>
    public static string FirstLine(string message) => message.Split('\r', '\n')[0];

    /// <summary>Text from a file, fit for one line of an error message.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new("'");
        foreach (char c in text.Length > LongestQuote ? text.AsSpan(0, LongestQuote) : text)
        {
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029')
                quoted.Append($"\\u{(int)c:x4}");
            else
                quoted.Append(c);
        }
        if (text.Length > LongestQuote)
            quoted.Append('…');
        return quoted.Append('\'').ToString();
    }
}
