using System.Text;

namespace Gradus.Generation.Structure.Json;

/// <summary>Writes the inside of a JSON string with no more escapes than must be.</summary>
internal static class JsonText
{
    public static byte[] Write(string text)
    {
        StringBuilder result = new(text.Length + 8);
        foreach (char c in text)
        {
            if (c is '"' or '\\')
                result.Append('\\').Append(c);
            else if (c < ' ')
                result.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                result.Append(c);
        }
        return Encoding.UTF8.GetBytes(result.ToString());
    }
}
