using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Cli.Verbs;

/// <summary>What a text goes on from.</summary>
/// <param name="Text">The prompt; null where it is a conversation.</param>
/// <param name="Conversation">The conversation to answer, or null.</param>
/// <param name="Record">The line of a file of JSON lines that it comes from, whose other fields go into the output; or null.</param>
/// <param name="Source">Where it comes from, for messages.</param>
internal sealed record PromptItem(string? Text, ChatConversation? Conversation, JsonObject? Record, string Source)
{
    /// <summary>The request, and how many of the oldest tokens are not in it; null where none may be left out.</summary>
    /// <param name="bundle">The model.</param>
    /// <param name="overflow">What becomes of a prompt that is too long.</param>
    /// <param name="newTokens">Tokens of the answer at most, for which room is made up to a quarter of the context.</param>
    public (GenerationRequest Request, int? LeftOut) Request(ModelBundle bundle, OverflowPolicy overflow, int newTokens)
    {
        try
        {
            List<ChatMessage>? messages = Conversation is null ? null : [.. Conversation.Messages];
            GenerationRequest whole = Answer();
            if (overflow == OverflowPolicy.Error)
                return (whole, null);
            int room = Math.Min(newTokens, bundle.ContextLength / 4);
            GenerationRequest fitted = messages is null
                ? whole.TruncateLeft(bundle.Generative, room, bundle.Tokenizer.BosId)
                : ConversationWindow.Fit(messages, Answer, r => bundle.Fits(r, room));
            return (fitted, whole.TokensRead - fitted.TokensRead);

            GenerationRequest Answer() => messages is null ? bundle.Continue(Text!) : bundle.Answer(Conversation!.With(messages));
        }
        catch (ArgumentException e) when (Record is not null)
        {
            throw new InvalidDataException($"{Source}: {e.Message}");
        }
    }
}

/// <summary>Prompts from an option, from a pipe, from files of text, or from JSON lines.</summary>
internal static class PromptInput
{
    /// <summary>The prompts of a verb.</summary>
    /// <param name="context">Standard input.</param>
    /// <param name="prompt">The option's text, or null.</param>
    /// <param name="files">Files of text, each one prompt, or of JSON lines (.jsonl), each line one.</param>
    /// <exception cref="UsageException">Both are given.</exception>
    /// <exception cref="InvalidDataException">A file cannot be read; the message names file and line.</exception>
    public static IEnumerable<PromptItem> Read(CommandContext context, string? prompt, IReadOnlyList<string> files)
    {
        if (prompt is not null && files.Count > 0)
            throw new UsageException("--prompt and --input are both prompts; give one of them.");
        if (files.Count == 0)
            return [new PromptItem(prompt ?? (context.InputIsTerminal ? "" : WithoutLastLineEnd(TextInput.ReadAll(context, TextInput.StandardInput))), null, null, "the prompt")];
        return files.SelectMany(f => f.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
            ? Lines(f)
            : [new PromptItem(WithoutLastLineEnd(TextInput.ReadAll(context, f)), null, null, TextInput.Name(f))]);
    }

    private static IEnumerable<PromptItem> Lines(string path)
    {
        int number = 0;
        foreach (string line in TextFiles.ReadAll(path).Split('\n'))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
                yield return Parse(line, $"{path}: line {number}");
        }
    }

    private static PromptItem Parse(string line, string source)
    {
        try
        {
            JsonNode? node = JsonNode.Parse(line);
            if (node is JsonValue value && value.TryGetValue(out string? whole))
                return new PromptItem(whole, null, [], source);
            if (node is not JsonObject record)
                throw new InvalidDataException($"{source}: neither an object nor a text.");
            if (record["prompt"] is JsonValue text && text.TryGetValue(out string? prompt))
                return new PromptItem(prompt, null, record, source);
            if (record["messages"] is not JsonArray)
                throw new InvalidDataException($"{source}: has neither a text \"prompt\" nor a list \"messages\".");
            using JsonDocument document = JsonDocument.Parse(line);
            return new PromptItem(null, ChatConversation.FromJson(document.RootElement), record, source);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: no JSON: {e.Message.ReplaceLineEndings(" ")}");
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{source}: {e.Message}");
        }
    }

    private static string WithoutLastLineEnd(string text)
    {
        if (text.EndsWith('\n'))
            text = text[..^1];
        return text.EndsWith('\r') ? text[..^1] : text;
    }
}
