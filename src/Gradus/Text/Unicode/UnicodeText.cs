using Gradus.Text.Chat.Jinja;

namespace Gradus.Text;

/// <summary>What Unicode says about whole texts, the same on every system, with or without its globalization data.</summary>
public static class UnicodeText
{
    /// <summary>A normal form of a text (Unicode Standard Annex 15).</summary>
    /// <param name="text">The text.</param>
    /// <param name="form">The form.</param>
    public static string Normalize(string text, NormalForm form)
    {
        ArgumentNullException.ThrowIfNull(text);
        return System.Text.Ascii.IsValid(text) ? text : NormalizationForms.Normalize(text, form);
    }

    /// <summary>A text in lower case by Unicode's full mapping, where İ becomes two characters and Σ at the end of a word ς.</summary>
    /// <param name="text">The text.</param>
    public static string ToLower(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TextCase.Lower(text);
    }
}
