using System.Text.Json;

namespace Gradus.Training.Data.Formats;

/// <summary>
/// The fields of a record as a format reads them. What is left over and would change what is learned is refused by name; what else is
/// left over can be reported (<see cref="Unread"/>).
/// </summary>
internal sealed class RecordFields(DataRecord record)
{
    // What some format means something by: never left out in silence.
    private static readonly HashSet<string> Meaningful = new(StringComparer.OrdinalIgnoreCase)
    {
        "messages", "conversations", "conversation", "prompt", "completion", "instruction", "instructions", "input", "inputs", "output", "outputs", "response",
        "context", "dialogue", "summary", "question", "answer", "query", "system", "system_prompt", "system_message", "history", "tools", "functions", "function_call",
        "tool_calls", "documents", "chosen", "rejected", "weight", "weights", "train", "loss_mask", "reasoning", "reasoning_content", "thinking", "chat_template_kwargs",
        "image", "images", "audio", "audios", "video", "videos", "suffix",
    };

    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>The record.</summary>
    public DataRecord Record => record;

    /// <summary>The value of a field, or null where it is missing or null.</summary>
    public JsonElement? Value(string field)
    {
        _read.Add(field);
        return record.Has(field) ? record.Json.GetProperty(field) : null;
    }

    /// <summary>The text of a field.</summary>
    /// <exception cref="InvalidDataException">It is missing or null.</exception>
    public string Text(string field)
    {
        _read.Add(field);
        return record.Text(field);
    }

    /// <summary>The text of a field, or null where it is missing, null or empty.</summary>
    public string? OptionalText(string field) => Value(field) is { } value && DataRecord.TextOf(value) is { Length: > 0 } text ? text : null;

    /// <summary>Notes a field as read.</summary>
    public void Accept(string field) => _read.Add(field);

    /// <summary>The fields that no format reads and that hold something.</summary>
    public IEnumerable<string> Unread => record.Json.EnumerateObject().Where(p => !_read.Contains(p.Name) && !IsEmpty(p.Value)).Select(p => p.Name);

    /// <summary>Refuses what is left over and would change what is learned.</summary>
    /// <param name="format">What records of the format are called, for the message.</param>
    /// <exception cref="InvalidDataException">There is such a field.</exception>
    public void RefuseRest(string format)
    {
        if (Unread.FirstOrDefault(Meaningful.Contains) is { } field)
            throw record.Wrong($"the field \"{field}\" would change what is learned, and records of {format} have no place for it; rename it with columns, or take it out.");
    }

    internal static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };
}
