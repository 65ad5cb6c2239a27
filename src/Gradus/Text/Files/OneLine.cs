using System.Text;

namespace Gradus.Text;

/// <summary>Keeps messages about files to one line of moderate length, whatever texts of the file they quote.</summary>
internal static class OneLine
{
    private const int MaxLength = 500;

    /// <summary>The message with control characters and line separators written as escapes, and without its tail where it is very long.</summary>
    public static string Of(string message)
    {
        if (Is(message))
            return message;
        StringBuilder line = new(Math.Min(message.Length, MaxLength));
        foreach (char c in message)
        {
            if (line.Length >= MaxLength)
                return line.Append('…').ToString();
            if (Breaks(c))
                line.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
            else
                line.Append(c);
        }
        return line.ToString();
    }

    /// <summary>Whether a message is already so.</summary>
    public static bool Is(string message) => message.Length <= MaxLength && !message.Any(Breaks);

    private static bool Breaks(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
