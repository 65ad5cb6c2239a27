using System.Text.Json;
using Gradus.Text.Chat;

namespace Gradus.Training.Data;

/// <summary>
/// Conversations to learn from, in the shapes in which they are published: <c>messages</c>, <c>conversations</c> (ShareGPT),
/// <c>instruction/input/output</c> (Alpaca), <c>instruction/context/response</c> (Dolly), <c>prompt/completion</c>, and <c>dialogue/summary</c>.
/// </summary>
public static class Conversations
{
    /// <summary>What a user asks when a record holds a dialogue and its summary.</summary>
    public const string SummaryRequest = "Summarize this dialogue.";

    // The field that tells each shape of a conversation.
    private static readonly string[] Shapes = ["messages", "conversations", "instruction", "completion", "dialogue"];

    private static readonly Dictionary<string, string> ShareGptRoles = new(StringComparer.Ordinal)
    {
        ["human"] = "user",
        ["gpt"] = "assistant",
        ["system"] = "system",
        ["function_call"] = "assistant",
        ["observation"] = "tool",
        ["user"] = "user",
        ["assistant"] = "assistant",
    };

    /// <summary>The conversations of files.</summary>
    /// <exception cref="InvalidDataException">A file or record cannot be read; the message names the file and line.</exception>
    public static IEnumerable<ChatConversation> Read(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return paths.SelectMany(TextFiles.Records).Select(Parse);
    }

    /// <summary>What a record says, without the marks of a template: its <c>text</c>, or each message of its conversation.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes.</exception>
    public static IEnumerable<string> Texts(TextFiles.Record record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return Shapes.Any(record.Has) ? Parse(record).Messages.Select(m => m.Text ?? "") : [record.Text("text")];
    }

    /// <summary>The conversation of a record.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes.</exception>
    public static ChatConversation Parse(TextFiles.Record record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Has("messages"))
            return Messages(record);
        if (record.Has("conversations"))
            return ShareGpt(record);
        if (record.Has("instruction"))
        {
            // Alpaca says input and output, Dolly context and response.
            return Turn(
                Join(record.Text("instruction"), Optional(record, "input") ?? Optional(record, "context")),
                record.Text(record.Has("response") ? "response" : "output"),
                Optional(record, "system"));
        }

        if (record.Has("prompt") && record.Has("completion"))
            return Turn(record.Text("prompt"), record.Text("completion"));
        if (record.Has("dialogue"))
            return Turn(Join(Request(Optional(record, "section")), record.Text("dialogue")), record.Text("summary"));
        throw new InvalidDataException($"{record.Path}: line {record.Line}: not a conversation; the record needs messages, conversations, instruction and output, prompt and completion, or dialogue and summary.");
    }

    /// <summary>The conversations of files, tokenized as the model's template writes them.</summary>
    /// <param name="paths">Files of JSON lines.</param>
    /// <param name="chat">The model's tokenizer and template.</param>
    /// <exception cref="InvalidDataException">A record cannot be read, or the template refuses it; the message names the file and line.</exception>
    public static IEnumerable<Example> Tokenize(IEnumerable<string> paths, ChatEncoder chat)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return paths.SelectMany(TextFiles.Records).Select(record =>
        {
            try
            {
                return Tokenize(Parse(record), chat);
            }
            catch (ChatTemplateException e)
            {
                throw new InvalidDataException($"{record.Path}: line {record.Line}: {e.Message}", e);
            }
        });
    }

    /// <summary>
    /// Tokenizes a conversation as the model's template writes it. Only what the assistant wrote counts, the token that ends its
    /// turn included.
    /// </summary>
    public static Example Tokenize(ChatConversation conversation, ChatEncoder chat)
    {
        ArgumentNullException.ThrowIfNull(chat);
        (int[] ids, bool[] assistant) = chat.EncodeWithAssistant(conversation);
        return new Example(ids, assistant);
    }

    private static ChatConversation Messages(TextFiles.Record record)
    {
        try
        {
            return ChatConversation.FromJson(record.Json);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidDataException)
        {
            throw new InvalidDataException($"{record.Path}: line {record.Line}: {e.Message}", e);
        }
    }

    private static ChatConversation ShareGpt(TextFiles.Record record)
    {
        JsonElement turns = record.Json.GetProperty("conversations");
        if (turns.ValueKind != JsonValueKind.Array)
            throw new InvalidDataException($"{record.Path}: line {record.Line}: conversations must be a list.");
        List<ChatMessage> messages = [];
        foreach (JsonElement turn in turns.EnumerateArray())
        {
            string from = Field(turn, "from"), value = Field(turn, "value");
            if (!ShareGptRoles.TryGetValue(from, out string? role))
                throw new InvalidDataException($"{record.Path}: line {record.Line}: from \"{from}\" is unknown; known are {string.Join(", ", ShareGptRoles.Keys)}.");
            messages.Add(new ChatMessage(role, value));
        }
        return new ChatConversation(messages);

        string Field(JsonElement turn, string name) =>
            turn.ValueKind == JsonValueKind.Object && turn.TryGetProperty(name, out JsonElement v) && v.ValueKind == JsonValueKind.String
                ? v.GetString()!
                : throw new InvalidDataException($"{record.Path}: line {record.Line}: a turn needs the texts from and value.");
    }

    private static ChatConversation Turn(string user, string assistant, string? system = null)
    {
        List<ChatMessage> messages = [new("user", user), new("assistant", assistant)];
        if (!string.IsNullOrEmpty(system))
            messages.Insert(0, new ChatMessage("system", system));
        return new ChatConversation(messages);
    }

    private static string Request(string? section) =>
        string.IsNullOrEmpty(section) ? SummaryRequest : $"Summarize this dialogue for the section {section}.";

    private static string Join(string request, string? input) => string.IsNullOrEmpty(input) ? request : $"{request}\n\n{input}";

    private static string? Optional(TextFiles.Record record, string field) =>
        record.Json.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
