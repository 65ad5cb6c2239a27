using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Bundle;

/// <summary>What a model with an encoder reads (T5, BART): plain text that ends with the tokenizer's end token (Raffel et al., 2020).</summary>
public static class SourceText
{
    /// <summary>The tokens of a source, or of a target without its start token.</summary>
    /// <param name="text">The text.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <returns>Ids that end with the end token, whether the tokenizer's own template adds it or not.</returns>
    public static int[] Encode(string text, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        int[] ids = tokenizer.Encode(text);
        return tokenizer.EndOfText is { } end && (ids.Length == 0 || ids[^1] != end) ? [.. ids, end] : ids;
    }

    /// <summary>Messages as one text: those that have text, an empty line between them.</summary>
    public static string Join(IEnumerable<ChatMessage> messages) =>
        string.Join("\n\n", messages.Select(m => m.Text).Where(t => !string.IsNullOrEmpty(t)));
}
