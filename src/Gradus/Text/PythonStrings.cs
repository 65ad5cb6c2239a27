using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Text.Chat.Jinja;

namespace Gradus.Text;

/// <summary>Texts as Python writes and changes them, for formats that Python programs define.</summary>
public static class PythonStrings
{
    /// <summary>A value as <c>str</c> writes it; numbers written with a point or an exponent are floats.</summary>
    public static string Str(JsonNode? value) => Printer.Text(TextTemplate.NewContext(), JsonValues.From(value));

    /// <summary>A value as <c>json.dumps</c> writes it with an indent of two spaces and characters beyond ASCII as they are.</summary>
    public static string Json(JsonNode? value) => JsonPrinter.Indented(TextTemplate.NewContext(), JsonValues.From(value), 2);

    /// <summary><c>str.upper</c>: ß becomes SS.</summary>
    public static string Upper(string text) => TextCase.Upper(text);

    /// <summary><c>str.capitalize</c>: the first character in title case, the rest in lower case.</summary>
    public static string Capitalize(string text) => TextMethods.Capitalize(text);

    /// <summary><c>str.isdigit</c>: one character at least, and each a digit of some script, raised ones too.</summary>
    public static bool IsDigit(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) < 0)
                return false;
        }
        return true;
    }
}
