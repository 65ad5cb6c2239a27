using System.Text.Json;
using System.Text.RegularExpressions;
using Gradus.Text.Chat;

namespace Gradus.Training.Data.Formats;

/// <summary>The prompt and the answers of a record of preferences.</summary>
internal static partial class PreferenceFields
{
    /// <summary>The fields that hold a prompt.</summary>
    private static readonly string[] Prompts = ["prompt", "messages", "conversations", "instruction", "question"];

    /// <summary>What a record says before its answers; null where it has no prompt of its own.</summary>
    public static List<ChatMessage>? Prompt(RecordFields fields)
    {
        List<ChatMessage>? prompt = null;
        if (Prompts.FirstOrDefault(fields.Record.Has) is { } name)
        {
            prompt = [.. Turns(fields, fields.Value(name)!.Value, name, "user")];
            if (name == "instruction" && fields.OptionalText("input") is { } input)
                prompt = [new ChatMessage("user", $"{prompt[0].Text}\n\n{input}")];
        }
        if (fields.OptionalText("system") is { } system)
            (prompt ??= []).Insert(0, new ChatMessage("system", system));
        return prompt;
    }

    /// <summary>An answer, or a whole conversation with it.</summary>
    /// <param name="fields">The record.</param>
    /// <param name="value">A text, a turn, a list of turns, or the text of Anthropic's dialogues.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="role">Who speaks where the value does not say.</param>
    public static IReadOnlyList<ChatMessage> Turns(RecordFields fields, JsonElement value, string name, string role)
    {
        TurnReader turns = new(fields);
        switch (value.ValueKind)
        {
            case JsonValueKind.Array:
                turns.Read(value, name);
                return turns.Messages;
            case JsonValueKind.Object:
                turns.ReadOne(value, name, trained: true);
                return turns.Messages;
            default:
                string text = DataRecord.TextOf(value);
                return Speaker().Match(text) is { Success: true, Index: 0 } ? Dialogue(text) : [new ChatMessage(role, text)];
        }
    }

    /// <summary>How many messages two conversations begin with alike.</summary>
    public static int Common(IReadOnlyList<ChatMessage> a, IReadOnlyList<ChatMessage> b)
    {
        int same = 0;
        while (same < Math.Min(a.Count, b.Count) && a[same].Role == b[same].Role && a[same].Text == b[same].Text)
            same++;
        return same;
    }

    // "\n\nHuman: …\n\nAssistant: …", as in Anthropic's files.
    private static List<ChatMessage> Dialogue(string text)
    {
        Match[] marks = [.. Speaker().Matches(text).Cast<Match>()];
        List<ChatMessage> messages = [];
        for (int i = 0; i < marks.Length; i++)
        {
            int start = marks[i].Index + marks[i].Length, end = i + 1 < marks.Length ? marks[i + 1].Index : text.Length;
            messages.Add(new ChatMessage(marks[i].Groups["who"].Value == "Human" ? "user" : "assistant", text[start..end].Trim()));
        }
        return messages;
    }

    [GeneratedRegex(@"(?:\A|\n)\s*\n?(?<who>Human|Assistant): ?", RegexOptions.CultureInvariant)]
    private static partial Regex Speaker();
}
