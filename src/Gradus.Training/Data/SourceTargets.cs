using Gradus.Bundle;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Training.Data;

/// <summary>
/// Pairs of a source and a target, from which an encoder-decoder model learns (Sutskever et al., 2014; Raffel et al., 2020): records of
/// <c>source/target</c>, and the conversations of <see cref="Conversations"/> that are one request and one answer.
/// </summary>
public static class SourceTargets
{
    /// <summary>The pair of a record.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes, more than one answer, or tools.</exception>
    public static (string Source, string Target) Parse(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        TrainingConversation conversation = Conversations.Parse(record);
        IReadOnlyList<ChatMessage> messages = conversation.Conversation.Messages;
        if (conversation.HasTools || messages.Any(m => m.ToJson()["tool_calls"] is not null))
            throw record.Wrong("tools have no place in the source of a model with an encoder; take them out.");
        if (messages.Count > 0 && messages[^1].Role == "assistant" && !conversation.Trained[^1])
            throw record.Wrong("its only answer is not to be learned (weight 0); leave the record out.");
        return messages.Count > 1 && messages[^1].Role == "assistant" && messages.Count(m => m.Role == "assistant") == 1
            ? (SourceText.Join(messages.SkipLast(1)), messages[^1].Text ?? "")
            : throw record.Wrong("not a source and its target; give one request and one answer.");
    }

    /// <summary>A pair as the model sees it: the decoder reads the target one place to the right, behind the start token.</summary>
    public static Example Tokenize(string source, string target, Tokenizer tokenizer, int startToken) =>
        new([startToken, .. SourceText.Encode(target, tokenizer)]) { Source = SourceText.Encode(source, tokenizer) };
}
