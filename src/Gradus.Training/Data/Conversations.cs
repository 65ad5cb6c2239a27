using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat;
using Gradus.Training.Data.Formats;

namespace Gradus.Training.Data;

/// <summary>
/// Conversations to learn from, in the shapes in which they are published: <c>messages</c> (OpenAI), <c>conversations</c> (ShareGPT),
/// <c>instruction/input/output</c> with <c>history</c> (Alpaca), <c>instruction/context/response</c> (Dolly), <c>prompt/completion</c> (text or messages),
/// <c>dialogue/summary</c> and <c>source/target</c>, each perhaps with <c>system</c> and <c>tools</c>. Other names are mapped by columns.
/// What a record says is learned or refused by name, never left out in silence.
/// </summary>
public static class Conversations
{
    /// <summary>What a user asks when a record holds a dialogue and its summary.</summary>
    public const string SummaryRequest = "Summarize this dialogue.";

    private const string Known = "messages, conversations, instruction and output, prompt and completion, dialogue and summary, or source and target";

    /// <summary>The conversations of files.</summary>
    /// <param name="paths">Files of records.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">A file or record cannot be read; the message names the file and line.</exception>
    public static IEnumerable<ChatConversation> Read(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return paths.SelectMany(p => TextFiles.Records(p, columns)).Select(r => Parse(r).Conversation);
    }

    /// <summary>What a record says, without the marks of a template: its <c>text</c>, or each message of its conversation.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes.</exception>
    public static IEnumerable<string> Texts(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Has("text"))
            return [record.Text("text")];
        return IsConversation(record)
            ? Parse(record).Conversation.Messages.Select(m => m.Text ?? "")
            : throw record.Wrong($"the field \"text\" is missing, and it is no conversation; the record has {record.Fields()}. Map its columns (\"columns\": {{\"NAME\": \"text\"}}).");
    }

    /// <summary>Whether a record has the shape of a conversation; a document has <c>text</c> instead.</summary>
    public static bool IsConversation(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return record.Has("messages") || record.Has("conversations") || HasOtherShape(record);
    }

    private static bool HasOtherShape(DataRecord record) =>
        record.Has("instruction") || (record.Has("prompt") && record.Has("completion"))
        || (record.Has("dialogue") && record.Has("summary")) || (record.Has("source") && record.Has("target"));

    /// <summary>The conversation of a record.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes, or says what its shape has no place for.</exception>
    public static TrainingConversation Parse(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        RecordFields fields = new(record);
        TurnReader turns = new(fields);
        string format = ReadTurns(fields, turns);
        turns.AddSystem(fields.OptionalText("system"));
        JsonArray? tools = ToolFields.Tools(fields);
        // The prompt that a data set repeats beside its messages says nothing new.
        if (fields.Record.Has("prompt") && turns.Messages.FirstOrDefault(m => m.Role == "user")?.Text is { } asked && DataRecord.TextOf(record.Json.GetProperty("prompt")) == asked)
            fields.Accept("prompt");
        fields.RefuseRest(format);
        return new TrainingConversation(
            new ChatConversation(turns.Messages, tools), turns.Trained, tools is not null, [.. fields.Unread, .. turns.Unread.Select(f => $"{format}[].{f}")])
        {
            HasEmptyAnswer = turns.HasEmptyAnswer,
        };
    }

    // What records of the shape are called.
    private static string ReadTurns(RecordFields fields, TurnReader turns)
    {
        DataRecord record = fields.Record;
        foreach (string list in new[] { "messages", "conversations" })
        {
            // An empty list beside another shape is a column that this record does not use.
            if (fields.Value(list) is not { } given || (RecordFields.IsEmpty(given) && HasOtherShape(record)))
                continue;
            turns.Read(given, list);
            return list;
        }
        if (record.Has("instruction"))
            return ReadInstruction(fields, turns);
        if (record.Has("prompt") && record.Has("completion"))
        {
            Side("prompt", "user", trained: false);
            Side("completion", "assistant", trained: true);
            return "prompt and completion";
        }
        if (record.Has("dialogue") && record.Has("summary"))
        {
            turns.Add("user", Join(Request(fields.OptionalText("section")), fields.Text("dialogue")));
            turns.Add("assistant", fields.Text("summary"));
            return "dialogue and summary";
        }
        if (record.Has("source") && record.Has("target"))
        {
            turns.Add("user", fields.Text("source"));
            turns.Add("assistant", fields.Text("target"));
            return "source and target";
        }
        throw record.Wrong($"not a conversation; the record has {record.Fields()}, and needs {Known}. Map other names with columns (\"columns\": {{\"question\": \"prompt\", \"answer\": \"completion\"}}).");

        // Text, or messages; the answers inside a prompt are not learned.
        void Side(string field, string role, bool trained)
        {
            JsonElement value = fields.Value(field)!.Value;
            if (value.ValueKind == JsonValueKind.Array)
                turns.Read(value, field, trained);
            else if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("role", out _))
                turns.ReadOne(value, field, trained);
            else
                turns.Add(role, fields.Text(field), trained);
        }
    }

    // Alpaca says input and output, Dolly context and response.
    private static string ReadInstruction(RecordFields fields, TurnReader turns)
    {
        bool dolly = fields.Record.Has("response") && !fields.Record.Has("output");
        if (fields.Value("history") is { } history && !RecordFields.IsEmpty(history))
            ReadHistory(fields, turns, history);
        string? input = fields.OptionalText(dolly && !fields.Record.Has("input") ? "context" : "input");
        turns.Add("user", Join(fields.Text("instruction"), input));
        turns.Add("assistant", fields.Text(dolly ? "response" : "output"));
        return dolly ? "instruction and response" : "instruction and output";
    }

    // Earlier turns, pairs of what the user and the assistant said; they are learned like the last one.
    private static void ReadHistory(RecordFields fields, TurnReader turns, JsonElement history)
    {
        if (history.ValueKind != JsonValueKind.Array)
            throw fields.Record.Wrong("history must be a list of pairs [user, assistant].");
        foreach (JsonElement pair in history.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2 || pair.EnumerateArray().Any(t => t.ValueKind != JsonValueKind.String))
                throw fields.Record.Wrong("history must be a list of pairs [user, assistant], each of two texts.");
            turns.Add("user", pair[0].GetString()!);
            turns.Add("assistant", pair[1].GetString()!);
        }
    }

    private static string Request(string? section) =>
        string.IsNullOrEmpty(section) ? SummaryRequest : $"Summarize this dialogue for the section {section}.";

    private static string Join(string request, string? input) => string.IsNullOrEmpty(input) ? request : $"{request}\n\n{input}";
}
