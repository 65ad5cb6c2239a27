namespace Gradus.Text.Chat;

/// <summary>
/// The chat template of a model that has none: ChatML where its vocabulary has the marks of a turn, else roles written out, every answer ended
/// by the tokenizer's own end of text. Whoever trains with it stores it with the model.
/// </summary>
public static class DefaultChatTemplate
{
    private const string Plain =
        """
        {%- if bos_token is defined %}
            {{- bos_token }}
        {%- endif %}
        {%- for message in messages %}
            {%- if message.role == 'assistant' %}
                {{- 'Assistant:' }}
                {%- generation %}
                    {{- ' ' + message.content }}
                    {{- eos_token if eos_token is defined else '' }}
                {%- endgeneration %}
                {{- '\n' }}
            {%- else %}
                {{- message.role | capitalize + ': ' + message.content + '\n' }}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- 'Assistant:' }}
        {%- endif %}
        """;

    /// <summary>The source of the template for a tokenizer.</summary>
    /// <param name="tokenizer">The tokenizer; a template of its own is not looked at.</param>
    public static string For(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return IsMark("<|im_start|>") && IsMark("<|im_end|>") ? ChatTemplate.ChatMl : Plain;

        bool IsMark(string token) => tokenizer.TokenToId(token) is { } id && tokenizer.IsSpecial(id);
    }

    /// <summary>The tokenizer with a template: its own, or the one for it.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    public static Tokenizer Ensure(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.Parts.ChatTemplate is null ? new Tokenizer(tokenizer.Parts with { ChatTemplate = For(tokenizer) }) : tokenizer;
    }
}
