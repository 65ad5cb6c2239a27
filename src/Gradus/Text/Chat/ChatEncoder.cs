using System.Text.Json.Nodes;

namespace Gradus.Text.Chat;

/// <summary>Conversations as tokens, as a model's chat template writes them. Safe for use by many threads at once.</summary>
public sealed class ChatEncoder
{
    private readonly ChatRenderOptions _options;

    /// <summary>Puts a tokenizer and a template together.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">The model's template.</param>
    public ChatEncoder(Tokenizer tokenizer, ChatTemplate template)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(template);
        Tokenizer = tokenizer;
        Template = template;
        _options = new ChatRenderOptions(
            BosToken: tokenizer.BosId is { } bos ? tokenizer.IdToToken(bos) : null,
            EosToken: tokenizer.EosId is { } eos ? tokenizer.IdToToken(eos) : null);
    }

    /// <summary>The tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The template.</summary>
    public ChatTemplate Template { get; }

    /// <summary>The tokens after which the assistant is to answer a conversation.</summary>
    /// <param name="conversation">Messages and tools.</param>
    /// <param name="variables">Further variables of the template, such as <c>enable_thinking</c>.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public int[] EncodePrompt(ChatConversation conversation, IReadOnlyDictionary<string, JsonNode?>? variables = null) =>
        Tokenizer.Encode(RenderPrompt(conversation, variables), addSpecialTokens: false);

    /// <summary>The text after which the assistant is to answer a conversation.</summary>
    /// <param name="conversation">Messages and tools.</param>
    /// <param name="variables">Further variables of the template, such as <c>enable_thinking</c>.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public string RenderPrompt(ChatConversation conversation, IReadOnlyDictionary<string, JsonNode?>? variables = null) =>
        Template.Render(conversation, _options with { AddGenerationPrompt = true, Variables = variables });

    /// <summary>The tokens of a whole conversation, and which of them the assistant wrote, the token that ends its turn included.</summary>
    /// <param name="conversation">Messages and tools.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public (int[] Ids, bool[] Assistant) EncodeWithAssistant(ChatConversation conversation) => EncodeWithAssistant(Render(conversation));

    /// <summary>A whole conversation as the template writes it, with what came from which message.</summary>
    /// <param name="conversation">Messages and tools.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public ChatRendering Render(ChatConversation conversation) => Template.RenderWithRoles(conversation, _options);

    /// <summary>The tokens of a rendered conversation, and which of them the assistant wrote in the messages that are chosen.</summary>
    /// <param name="rendering">The rendered conversation.</param>
    /// <param name="chosen">For every message whether it is; null for all.</param>
    public (int[] Ids, bool[] Assistant) EncodeWithAssistant(ChatRendering rendering, IReadOnlyList<bool>? chosen = null)
    {
        ArgumentNullException.ThrowIfNull(rendering);
        TokenEncoding encoding = Tokenizer.EncodeWithOffsets(rendering.Text, addSpecialTokens: false);
        RoleSpan[] spans = [.. rendering.Assistant.Where(s => chosen is null || chosen[s.Message])];
        bool[] assistant = new bool[encoding.Length];
        int span = 0;
        for (int i = 0; i < assistant.Length; i++)
        {
            while (span < spans.Length && spans[span].End <= encoding.Offsets[i].Start)
                span++;
            assistant[i] = span < spans.Length && encoding.Offsets[i].End > spans[span].Start;
        }
        return (encoding.Ids, assistant);
    }

    /// <summary>The special token that the template puts behind the assistant's words; none where it puts none.</summary>
    /// <exception cref="ChatTemplateException">The template refuses a conversation of one question and one answer.</exception>
    public IReadOnlyList<int> AnswerEnd
    {
        get
        {
            (int[] ids, bool[] assistant) = EncodeWithAssistant(new ChatConversation([new ChatMessage("user", "Hello"), new ChatMessage("assistant", "Hello")]));
            int last = Array.LastIndexOf(assistant, true);
            return last >= 0 && Tokenizer.IsSpecial(ids[last]) ? [ids[last]] : [];
        }
    }
}
