namespace Gradus.Text.Chat;

public sealed partial class ChatTemplate
{
    private const string ForTools = "tool_use";

    /// <summary>The chat template that came with a tokenizer: of several the one named default, or <c>tool_use</c> where there are tools and that one.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="withTools">Whether the conversation has tools.</param>
    /// <returns>The template, or null where the tokenizer has none.</returns>
    /// <exception cref="InvalidDataException">The template is empty or cannot be parsed, or of several none is the default; the message names the file.</exception>
    public static ChatTemplate? Of(Tokenizer tokenizer, bool withTools = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        TokenizerParts parts = tokenizer.Parts;
        string place = parts.ChatTemplateFile ?? "the tokenizer";
        string? source = withTools && parts.OtherChatTemplates.TryGetValue(ForTools, out string? tools) ? tools : parts.ChatTemplate;
        if (source is null && parts.OtherChatTemplates.Count == 0)
            return null;
        if (source is null)
            throw new InvalidDataException($"{place}: of the chat templates {string.Join(", ", parts.OtherChatTemplates.Keys.Order(StringComparer.Ordinal))} none is named default; name the one to use so.");
        if (string.IsNullOrWhiteSpace(source))
            throw new InvalidDataException($"{place}: the chat template is empty; take it out, or put the model's own there.");
        try
        {
            return Parse(source);
        }
        catch (ChatTemplateException e)
        {
            throw new InvalidDataException($"{place}: {e.Message}", e);
        }
    }
}
