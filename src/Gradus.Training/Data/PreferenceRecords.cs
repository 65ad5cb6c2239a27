using System.Globalization;
using System.Text.Json;
using Gradus.Text.Chat;
using Gradus.Training.Data.Formats;

namespace Gradus.Training.Data;

/// <summary>A prompt with a better and a worse answer.</summary>
/// <param name="Prompt">What comes before the answers.</param>
/// <param name="Chosen">The better answer: one turn, or several.</param>
/// <param name="Rejected">The worse answer.</param>
/// <param name="Margin">By how much the better answer is known to be better; 0 where that is not known.</param>
public sealed record PreferencePair(IReadOnlyList<ChatMessage> Prompt, IReadOnlyList<ChatMessage> Chosen, IReadOnlyList<ChatMessage> Rejected, double Margin);

/// <summary>An answer that is known to be good or bad.</summary>
/// <param name="Prompt">What comes before it.</param>
/// <param name="Answer">The answer.</param>
/// <param name="IsGood">Whether it is good.</param>
public sealed record LabelledAnswer(IReadOnlyList<ChatMessage> Prompt, IReadOnlyList<ChatMessage> Answer, bool IsGood);

/// <summary>A prompt that a model is to answer, and what is known about the answer.</summary>
/// <param name="Prompt">The messages.</param>
/// <param name="Expected">The right answer, where the record has one (<c>answer</c>, <c>reference</c>, or the last turn of a conversation); else null.</param>
public sealed record AnswerPrompt(IReadOnlyList<ChatMessage> Prompt, string? Expected);

/// <summary>
/// Reads records of preferences in the shapes in which they are published: <c>prompt</c>, <c>chosen</c> and <c>rejected</c> as texts or messages;
/// <c>chosen</c> and <c>rejected</c> alone, whose common beginning is the prompt, also as the dialogues of Anthropic's HH; <c>conversations</c> or
/// <c>instruction</c> or <c>question</c> with <c>chosen</c> and <c>rejected</c>; several answers with scores (<c>answers</c> and <c>scores</c>, or
/// UltraFeedback's <c>completions</c>), of which the best and the worst make a pair; <c>completion</c> with <c>label</c> (KTO).
/// </summary>
public static class PreferenceRecords
{
    /// <summary>The pair of a record; null where its scores are equal, so that nothing is preferred.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes; the message names file and line.</exception>
    public static PreferencePair? Pair(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        RecordFields fields = new(record);
        if (record.Has("chosen") && record.Has("rejected"))
            return ChosenAndRejected(fields);
        if (record.Has("completions") || (record.Has("answers") && record.Has("scores")))
            return BestAndWorst(fields);
        throw record.Wrong($"no preference; the record has {record.Fields()}, and needs chosen and rejected, answers and scores, or completions. Map other names with columns (\"columns\": {{\"win\": \"chosen\", \"lose\": \"rejected\"}}).");
    }

    /// <summary>The labelled answers of a record: one, or the two of a pair.</summary>
    /// <exception cref="InvalidDataException">The record has none of the known shapes; the message names file and line.</exception>
    public static IReadOnlyList<LabelledAnswer> Labelled(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (!record.Has("label"))
            return Pair(record) is { } pair ? [new(pair.Prompt, pair.Chosen, true), new(pair.Prompt, pair.Rejected, false)] : [];
        RecordFields fields = new(record);
        bool good = IsGood(record);
        List<ChatMessage> prompt = PreferenceFields.Prompt(fields) ?? throw record.Wrong("the record has a label, but no prompt.");
        IReadOnlyList<ChatMessage> answer;
        if (record.Has("completion"))
        {
            answer = Answer(fields, "completion", prompt);
        }
        else
        {
            // The last turn of a conversation is what the label is about.
            answer = prompt.Count > 1 && prompt[^1].Role == "assistant" ? [prompt[^1]] : throw record.Wrong("the record has a label, but neither a completion nor a conversation that ends with an answer.");
            prompt.RemoveAt(prompt.Count - 1);
        }
        return [new LabelledAnswer(prompt, answer, good)];
    }

    /// <summary>The prompt of a record: its <c>prompt</c>, or its conversation up to where the assistant last spoke.</summary>
    /// <exception cref="InvalidDataException">The record has no prompt; the message names file and line.</exception>
    public static AnswerPrompt Prompt(DataRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        RecordFields fields = new(record);
        string? expected = new[] { "answer", "reference" }.Where(record.Has).Select(record.Text).FirstOrDefault();
        if (record.Has("chosen"))
            return new AnswerPrompt(Pair(record)?.Prompt ?? throw record.Wrong("no prompt could be found before the answers."), expected);
        if (PreferenceFields.Prompt(fields) is { } prompt && (record.Has("prompt") || record.Has("question") || record.Has("messages") || record.Has("conversations")))
        {
            while (prompt.Count > 1 && prompt[^1].Role == "assistant")
            {
                expected ??= prompt[^1].Text;
                prompt.RemoveAt(prompt.Count - 1);
            }
            return new AnswerPrompt(prompt, expected ?? (record.Has("completion") ? record.Text("completion") : null));
        }
        IReadOnlyList<ChatMessage> messages = Conversations.Parse(record).Conversation.Messages;
        return messages.Count > 1 && messages[^1].Role == "assistant"
            ? new AnswerPrompt([.. messages.SkipLast(1)], expected ?? messages[^1].Text)
            : new AnswerPrompt(messages, expected);
    }

    private static PreferencePair ChosenAndRejected(RecordFields fields)
    {
        DataRecord record = fields.Record;
        double margin = record.Has("margin") ? Number(record, record.Json.GetProperty("margin"), "margin") : 0;
        if (PreferenceFields.Prompt(fields) is { } prompt && !(prompt.Count == 1 && prompt[0].Role == "system"))
            return new PreferencePair(prompt, Answer(fields, "chosen", prompt), Answer(fields, "rejected", prompt), margin);
        IReadOnlyList<ChatMessage> chosen = PreferenceFields.Turns(fields, fields.Value("chosen")!.Value, "chosen", "assistant");
        IReadOnlyList<ChatMessage> rejected = PreferenceFields.Turns(fields, fields.Value("rejected")!.Value, "rejected", "assistant");
        int common = PreferenceFields.Common(chosen, rejected);
        // Equal conversations have no last answers of their own.
        common = Math.Min(common, Math.Min(chosen.Count, rejected.Count) - 1);
        return common > 0
            ? new PreferencePair([.. PreferenceFields.Prompt(fields) ?? [], .. chosen.Take(common)], [.. chosen.Skip(common)], [.. rejected.Skip(common)], margin)
            : throw record.Wrong("chosen and rejected have no prompt: neither is there a field of its own, nor do they begin alike.");
    }

    private static PreferencePair? BestAndWorst(RecordFields fields)
    {
        DataRecord record = fields.Record;
        List<ChatMessage> prompt = PreferenceFields.Prompt(fields) ?? throw record.Wrong("the record has answers, but no prompt.");
        List<(string Text, double Score)> answers = record.Has("completions") ? Completions(record) : Scored(record);
        if (answers.Count < 2)
            throw record.Wrong("a preference needs at least two answers with scores.");
        // Of equal ones the first.
        (string Text, double Score) best = answers.MaxBy(a => a.Score), worst = answers.MinBy(a => a.Score);
        return best.Score == worst.Score
            ? null
            : new PreferencePair(prompt, [new ChatMessage("assistant", best.Text)], [new ChatMessage("assistant", worst.Text)], 0);
    }

    private static List<(string Text, double Score)> Scored(DataRecord record)
    {
        JsonElement answers = record.Json.GetProperty("answers"), scores = record.Json.GetProperty("scores");
        return answers.ValueKind == JsonValueKind.Array && scores.ValueKind == JsonValueKind.Array && answers.GetArrayLength() == scores.GetArrayLength()
            ? [.. answers.EnumerateArray().Zip(scores.EnumerateArray(), (a, s) => (DataRecord.TextOf(a), Number(record, s, "scores")))]
            : throw record.Wrong("answers and scores must be lists of the same length.");
    }

    private static List<(string Text, double Score)> Completions(DataRecord record)
    {
        JsonElement list = record.Json.GetProperty("completions");
        if (list.ValueKind != JsonValueKind.Array)
            throw record.Wrong("completions must be a list of answers with scores.");
        List<(string, double)> answers = [];
        foreach (JsonElement one in list.EnumerateArray())
        {
            if (one.ValueKind != JsonValueKind.Object || !one.TryGetProperty("response", out JsonElement response))
                throw record.Wrong("completions: an answer needs a response.");
            string? name = new[] { "overall_score", "score", "fine-grained_score" }.FirstOrDefault(n => one.TryGetProperty(n, out JsonElement s) && s.ValueKind is not JsonValueKind.Null);
            answers.Add((DataRecord.TextOf(response), name is null
                ? throw record.Wrong($"completions: an answer has no overall_score, score or fine-grained_score; it has {DataRecord.Names(one)}.")
                : Number(record, one.GetProperty(name), name)));
        }
        return answers;
    }

    // A whole conversation begins with the prompt once more.
    private static IReadOnlyList<ChatMessage> Answer(RecordFields fields, string name, List<ChatMessage> prompt)
    {
        IReadOnlyList<ChatMessage> turns = PreferenceFields.Turns(fields, fields.Value(name)!.Value, name, "assistant");
        int common = PreferenceFields.Common(prompt, turns);
        if (common == prompt.Count && turns.Count > common)
            turns = [.. turns.Skip(common)];
        return turns.Count > 0 && turns[^1].Role == "assistant" && !string.IsNullOrWhiteSpace(turns[^1].Text)
            ? turns
            : throw fields.Record.Wrong($"{name} does not end with an answer of the assistant.");
    }

    private static bool IsGood(DataRecord record)
    {
        JsonElement label = record.Json.GetProperty("label");
        return label.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number when label.TryGetInt32(out int n) && n is 0 or 1 => label.GetInt32() == 1,
            JsonValueKind.String when bool.TryParse(label.GetString(), out bool flag) => flag,
            _ => throw record.Wrong($"the label is {label.GetRawText()}; it must be true or false."),
        };
    }

    private static double Number(DataRecord record, JsonElement value, string name) =>
        double.TryParse(DataRecord.TextOf(value), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? number
            : throw record.Wrong($"{name}: {DataRecord.TextOf(value)} is no number.");
}
