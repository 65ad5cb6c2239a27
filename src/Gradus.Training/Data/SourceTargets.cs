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
    /// <exception cref="InvalidDataException">The record has none of the known shapes, or more than one answer.</exception>
    public static (string Source, string Target) Parse(TextFiles.Record record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Has("source"))
            return (record.Text("source"), record.Text("target"));
        IReadOnlyList<ChatMessage> messages = Conversations.Parse(record).Messages;
        return messages.Count > 1 && messages[^1].Role == "assistant" && messages.Count(m => m.Role == "assistant") == 1
            ? (SourceText.Join(messages.SkipLast(1)), messages[^1].Text ?? "")
            : throw new InvalidDataException($"{record.Path}: line {record.Line}: not a source and its target; give one request and one answer.");
    }

    /// <summary>The pairs of files, tokenized.</summary>
    /// <param name="paths">Files of JSON lines.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="startToken">The token that begins every target.</param>
    /// <exception cref="InvalidDataException">A record cannot be read; the message names the file and line.</exception>
    public static IEnumerable<Example> Tokenize(IEnumerable<string> paths, Tokenizer tokenizer, int startToken)
    {
        ArgumentNullException.ThrowIfNull(paths);
        return paths.SelectMany(TextFiles.Records).Select(Parse).Select(p => Tokenize(p.Source, p.Target, tokenizer, startToken));
    }

    /// <summary>A pair as the model sees it: the decoder reads the target one place to the right, behind the start token.</summary>
    public static Example Tokenize(string source, string target, Tokenizer tokenizer, int startToken) =>
        new([startToken, .. SourceText.Encode(target, tokenizer)]) { Source = SourceText.Encode(source, tokenizer) };
}
