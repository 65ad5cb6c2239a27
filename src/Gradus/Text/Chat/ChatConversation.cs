using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat.Jinja;

namespace Gradus.Text.Chat;

/// <summary>What a chat template renders: messages and, where the model takes them, tools and documents. Immutable.</summary>
public sealed class ChatConversation
{
    /// <summary>A conversation.</summary>
    /// <param name="messages">The messages in order.</param>
    /// <param name="tools">The tools as JSON schemas, in the form the model expects (mostly <c>{"type": "function", "function": {…}}</c>); null for none.</param>
    /// <param name="documents">Documents for retrieval-augmented models, mostly objects with <c>title</c> and <c>text</c>; null for none.</param>
    public ChatConversation(IEnumerable<ChatMessage> messages, JsonArray? tools = null, JsonArray? documents = null)
        : this([.. messages], JsonValues.From(tools), JsonValues.From(documents))
    {
    }

    private ChatConversation(ChatMessage[] messages, Value tools, Value documents) =>
        (Messages, Tools, Documents) = (messages, tools, documents);

    /// <summary>The messages in order.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; }

    internal Value Tools { get; }

    internal Value Documents { get; }

    /// <summary>Other messages with the tools and documents of this conversation.</summary>
    /// <param name="messages">The messages in order.</param>
    public ChatConversation With(IEnumerable<ChatMessage> messages) => new([.. messages], Tools, Documents);

    /// <summary>
    /// Reads a conversation: an array of messages, or an object with <c>messages</c> and optionally <c>tools</c> and <c>documents</c>.
    /// </summary>
    /// <param name="conversation">The array or object.</param>
    /// <exception cref="FormatException">It has another form; the message says which element is wrong.</exception>
    public static ChatConversation FromJson(JsonElement conversation)
    {
        if (conversation.ValueKind == JsonValueKind.Array)
            return new ChatConversation(ReadMessages(conversation), NoneValue.Instance, NoneValue.Instance);
        if (conversation.ValueKind != JsonValueKind.Object || !conversation.TryGetProperty("messages", out JsonElement messages) || messages.ValueKind != JsonValueKind.Array)
            throw new FormatException("A conversation has to be a JSON array of messages or an object with an array 'messages'.");
        return new ChatConversation(ReadMessages(messages), ReadList(conversation, "tools"), ReadList(conversation, "documents"));
    }

    private static ChatMessage[] ReadMessages(JsonElement messages)
    {
        ChatMessage[] read = new ChatMessage[messages.GetArrayLength()];
        for (int i = 0; i < read.Length; i++)
        {
            try
            {
                read[i] = ChatMessage.FromJson(messages[i]);
            }
            catch (FormatException error)
            {
                throw new FormatException($"Message {i} of the conversation: {error.Message}", error);
            }
        }
        return read;
    }

    private static Value ReadList(JsonElement conversation, string name)
    {
        if (!conversation.TryGetProperty(name, out JsonElement list) || list.ValueKind == JsonValueKind.Null)
            return NoneValue.Instance;
        return list.ValueKind == JsonValueKind.Array
            ? JsonValues.From(list)
            : throw new FormatException($"'{name}' of a conversation has to be an array.");
    }
}
