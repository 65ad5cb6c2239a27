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

    /// <summary>What the template writes after an assistant's answer, white space around it left out; empty where it writes nothing.</summary>
    /// <param name="options">Tokens and variables; the defaults where null.</param>
    /// <exception cref="ChatTemplateException">The template fails on a conversation of a question and an answer.</exception>
    public string EndOfAnswer(ChatRenderOptions? options = null)
    {
        const string Answer = "An answer that no template holds: 7c1f.";
        ChatConversation conversation = new([new ChatMessage("user", "A question."), new ChatMessage("assistant", Answer)]);
        string text = Render(conversation, (options ?? new()) with { AddGenerationPrompt = false });
        int at = text.LastIndexOf(Answer, StringComparison.Ordinal);
        return at < 0 ? "" : text[(at + Answer.Length)..].Trim();
    }

    /// <summary>The token that the template ends an assistant's answer with: the first of what follows it, if that is an added token of the tokenizer.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <returns>The id, or null: a model that is trained with such a template does not learn to end its answers.</returns>
    /// <exception cref="ChatTemplateException">The template fails on a conversation of a question and an answer.</exception>
    public int? EndOfAnswerId(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        SpecialTokens special = tokenizer.Parts.SpecialTokens;
        string end = EndOfAnswer(new ChatRenderOptions(BosToken: special.Bos, EosToken: special.Eos));
        return end.Length > 0 && tokenizer.Encode(end, addSpecialTokens: false) is [int first, ..] && tokenizer.IsAdded(first) ? first : null;
    }
}
