using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>A part of a prompt: a message of a conversation, or its text with what follows it in a plain prompt.</summary>
internal sealed record PromptMessage(string Role, string Content, string Delimiter = "");

/// <summary>
/// Puts system instruction, description, solved examples and the question together, as plain text or through a chat template.
/// Source: https://github.com/EleutherAI/lm-evaluation-harness, fewshot_context and build_qa_turn.
/// </summary>
internal sealed class PromptBuilder(HarnessConfig config, EvalOptions options)
{
    /// <summary>The two with a delimiter between them, unless there is white space at the seam or one is empty.</summary>
    public static string Join(string? prefix, string? suffix, string delimiter)
    {
        if (string.IsNullOrEmpty(prefix))
            return suffix ?? "";
        if (string.IsNullOrEmpty(suffix))
            return prefix;
        return NeedsDelimiter(prefix, suffix) ? prefix + delimiter + suffix : prefix + suffix;
    }

    /// <summary>The messages before the questions.</summary>
    public List<PromptMessage> Begin(string description)
    {
        string system = Join(options.SystemInstruction, description, config.FewShotDelimiter);
        return system.Length > 0 ? [new PromptMessage("system", system)] : [];
    }

    /// <summary>A solved example.</summary>
    /// <param name="question">Its question.</param>
    /// <param name="choices">Its choices, or null.</param>
    /// <param name="answer">Its answer: a text, the number of a choice, or a list whose first element counts.</param>
    /// <param name="prefix">What the answer begins with, or null.</param>
    public IEnumerable<PromptMessage> Solved(string question, IReadOnlyList<string>? choices, JsonNode? answer, string? prefix)
    {
        string targetDelimiter = config.FewShot("target_delimiter")?.ToString() ?? config.TargetDelimiter;
        if (answer is null || (answer is JsonValue empty && empty.TryGetValue(out string? nothing) && nothing.Length == 0))
            return Asked(question, prefix, targetDelimiter);
        bool delimits = string.IsNullOrEmpty(prefix) || NeedsDelimiter(question, prefix);
        return
        [
            new PromptMessage("user", question, delimits ? targetDelimiter : ""),
            new PromptMessage("assistant", Join(prefix, AnswerText(choices, answer), " "), config.FewShot("fewshot_delimiter")?.ToString() ?? config.FewShotDelimiter),
        ];
    }

    /// <summary>The question that the model answers.</summary>
    public IEnumerable<PromptMessage> Asked(string question, string? prefix) => Asked(question, prefix, config.TargetDelimiter);

    /// <summary>The question of a task whose choices are contexts: no delimiter of its own.</summary>
    public IEnumerable<PromptMessage> AskedAsContext(string context, string? prefix) => Asked(context, prefix, "");

    /// <summary>The prompt as text.</summary>
    public string Render(IReadOnlyList<PromptMessage> messages, string? prefix)
    {
        if (options.ChatTemplate is null)
            return string.Concat(messages.Select(m => m.Content + m.Delimiter));
        IEnumerable<PromptMessage> turns = options.ShotsAsTurns ? messages : OneTurn(messages);
        return options.ChatTemplate([.. turns.Select(m => new ChatMessage(m.Role, m.Content))], string.IsNullOrEmpty(prefix));
    }

    private static IEnumerable<PromptMessage> Asked(string question, string? prefix, string delimiter)
    {
        if (string.IsNullOrEmpty(prefix))
            return [new PromptMessage("user", question)];
        return [new PromptMessage("user", question, NeedsDelimiter(question, prefix) ? delimiter : ""), new PromptMessage("assistant", prefix)];
    }

    // All but the system message and a begun answer become one message of the user.
    private static List<PromptMessage> OneTurn(IReadOnlyList<PromptMessage> messages)
    {
        List<PromptMessage> turns = [];
        int first = messages[0].Role == "system" ? 1 : 0, end = messages[^1].Role == "assistant" ? messages.Count - 1 : messages.Count;
        if (first == 1)
            turns.Add(messages[0]);
        turns.Add(new PromptMessage("user", string.Concat(messages.Take(end).Skip(first).Select((m, i) => m.Content + (i == end - first - 1 ? "" : m.Delimiter)))));
        turns.AddRange(messages.Skip(end));
        return turns;
    }

    private string AnswerText(IReadOnlyList<string>? choices, JsonNode answer)
    {
        JsonNode? shown = answer is JsonArray list ? list.FirstOrDefault() : answer;
        if (choices is not null && answer is JsonValue && shown!.GetValueKind() == System.Text.Json.JsonValueKind.Number)
        {
            int index = JsonNumber.Whole(shown, "doc_to_target");
            index = index < 0 ? index + choices.Count : index;
            return (uint)index < (uint)choices.Count ? choices[index] : throw config.Wrong("doc_to_target", $"is {shown.ToJsonString()} in a solved example of {choices.Count} choices.");
        }
        return shown is JsonValue value && value.TryGetValue(out string? text)
            ? text
            : throw config.Wrong("doc_to_target", $"is {shown?.ToJsonString() ?? "null"} in a solved example; give a text.");
    }

    private static bool NeedsDelimiter(string prefix, string suffix) =>
        prefix.Length > 0 && !(PythonText.IsSpace(prefix[^1]) || PythonText.IsSpace(suffix[0]));
}
