using System.Text;

namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// Fills the slots of a sentence. <c>{noun}</c> is the slot's value, <c>{Noun}</c> the value with a capital,
/// <c>{a noun}</c> and <c>{A noun}</c> the value with its indefinite article. A slot that is not bound is an error in a plot.
/// </summary>
internal static class Template
{
    public static string Fill(string template, Dictionary<string, string> slots)
    {
        var text = new StringBuilder(template.Length + 32);
        for (int i = 0; i < template.Length; i++)
        {
            if (template[i] != '{')
            {
                text.Append(template[i]);
                continue;
            }
            int close = template.IndexOf('}', i);
            text.Append(Value(template[(i + 1)..close], slots, template));
            i = close;
        }
        return text.ToString();
    }

    public static string Capitalized(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];

    // Every word of the pools takes "an" exactly when its first letter is a vowel; there is no "hour" or "unicorn" after {a …}.
    private static string WithArticle(string noun) => ("aeiou".Contains(noun[0], StringComparison.Ordinal) ? "an " : "a ") + noun;

    private static string Value(string slot, Dictionary<string, string> slots, string template)
    {
        if (slot.StartsWith("a ", StringComparison.Ordinal))
            return WithArticle(Value(slot[2..], slots, template));
        if (slot.StartsWith("A ", StringComparison.Ordinal))
            return Capitalized(WithArticle(Value(slot[2..], slots, template)));
        if (slots.TryGetValue(slot, out string? value))
            return value;
        if (slots.TryGetValue(char.ToLowerInvariant(slot[0]) + slot[1..], out value))
            return Capitalized(value);
        throw new InvalidOperationException($"Slot {{{slot}}} of \"{template}\" is not bound.");
    }
}
