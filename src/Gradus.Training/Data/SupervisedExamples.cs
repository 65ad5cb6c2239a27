using System.Globalization;
using Gradus.Bundle;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Training.Data;

/// <summary>
/// Makes examples of records for supervised fine-tuning: conversations as the model's template writes them, documents as they are, and, for
/// models with an encoder, pairs of source and target. What a template would leave out is refused by name; what is too long, or has nothing
/// to learn, is counted with its lines.
/// </summary>
public sealed class SupervisedExamples
{
    private readonly Tokenizer _tokenizer;
    private readonly ChatEncoder? _chat;
    private readonly int? _startToken;
    private readonly ExampleLimits _limits;
    private readonly HashSet<int> _ends;
    private int? _tasks;

    /// <summary>For models that read and write one sequence.</summary>
    /// <param name="chat">The model's tokenizer, and the template that it is stored with.</param>
    /// <param name="limits">How long examples may be.</param>
    public SupervisedExamples(ChatEncoder chat, ExampleLimits limits)
        : this((chat ?? throw new ArgumentNullException(nameof(chat))).Tokenizer, chat, null, limits)
    {
    }

    /// <summary>For models with an encoder.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="startToken">The token that begins every target.</param>
    /// <param name="limits">How long examples may be.</param>
    public SupervisedExamples(Tokenizer tokenizer, int startToken, ExampleLimits limits)
        : this(tokenizer, null, startToken, limits)
    {
        if (limits.TooLong == TooLong.Split)
            throw new InvalidDataException("too_long: a source and its target cannot be split; use keep_answer or drop.");
    }

    private SupervisedExamples(Tokenizer tokenizer, ChatEncoder? chat, int? startToken, ExampleLimits limits)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(limits);
        (_tokenizer, _chat, _startToken, _limits) = (tokenizer, chat, startToken, limits);
        _ends = [.. tokenizer.Parts.AddedTokens.Select(t => t.Id)];
        if (tokenizer.EndOfText is { } end)
            _ends.Add(end);
    }

    /// <summary>Has records say the number of their task, for an adapter that has virtual tokens for several.</summary>
    /// <param name="tasks">How many tasks there are; null where nobody asks.</param>
    public SupervisedExamples WithTasks(int? tasks)
    {
        _tasks = tasks;
        return this;
    }

    /// <summary>The examples of files.</summary>
    /// <param name="paths">Files of records.</param>
    /// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
    /// <exception cref="InvalidDataException">A file or record cannot be read, or says what the template has no place for; the message names the file and line.</exception>
    public ExampleReport Read(IEnumerable<string> paths, IReadOnlyDictionary<string, string>? columns = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ExampleReport report = new(_limits);
        foreach (DataRecord record in paths.SelectMany(p => TextFiles.Records(p, columns)))
        {
            report.Records++;
            if (_startToken is null && !Conversations.IsConversation(record) && record.Has("text"))
                AddDocument(record, report);
            else
                Add(record, _startToken is { } start ? Pair(record, start) : Conversation(record, report), report);
        }
        return report;
    }

    /// <summary>A conversation whose answers behind its prompt are learned, of any length.</summary>
    /// <param name="record">The record that it came from, for messages.</param>
    /// <param name="conversation">Prompt and answers.</param>
    /// <param name="prompt">Messages of the prompt.</param>
    /// <exception cref="InvalidDataException">The template has no place for a message; the message names file and line.</exception>
    public Example Encode(DataRecord record, ChatConversation conversation, int prompt)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(conversation);
        IReadOnlyList<ChatMessage> messages = conversation.Messages;
        if (_startToken is { } start)
            return SourceTargets.Tokenize(SourceText.Join(messages.Take(prompt)), SourceText.Join(messages.Skip(prompt)), _tokenizer, start);
        Example example = Tokenized(record, new TrainingConversation(conversation, [.. messages.Select((m, i) => i >= prompt && m.Role == "assistant")], false, []), new ExampleReport(_limits));
        return example.HasTarget ? example : throw record.Wrong("an answer has no tokens of its own; leave the record out.");
    }

    private void Add(DataRecord record, Example example, ExampleReport report)
    {
        if (!example.HasTarget)
        {
            report.WithoutAnswer.Add(record);
            return;
        }
        IReadOnlyList<Example> fitting = _limits.Fit(example, _tokenizer.BosId);
        if (fitting.Count == 0)
            report.TooLong.Add(record);
        else if (fitting.Count > 1 || fitting[0].TotalTokens < example.TotalTokens)
            report.Shortened.Add(record);
        report.Add(_tasks is null ? fitting : [.. fitting.Select(e => e with { Task = TaskOf(record, _tasks.Value) })]);
    }

    private static int TaskOf(DataRecord record, int tasks)
    {
        if (tasks == 1 && !record.Has("task_id"))
            return 0;
        string text = record.Text("task_id");
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int task) && task < tasks
            ? task
            : throw record.Wrong($"the field \"task_id\" is {text}; it must be a number from 0 to {tasks - 1} (method.tasks).");
    }

    // A document has no answer to keep: a long one becomes several examples.
    private void AddDocument(DataRecord record, ExampleReport report)
    {
        Example[] pieces = [.. ExampleLimits.Pieces(new Example(_tokenizer.EncodeDocument(record.Text("text"))), _limits.Tokens)];
        if (pieces.Length == 0)
            report.WithoutAnswer.Add(record);
        report.Add(pieces);
    }

    private Example Pair(DataRecord record, int start)
    {
        (string source, string target) = SourceTargets.Parse(record);
        return SourceTargets.Tokenize(source, target, _tokenizer, start);
    }

    private Example Conversation(DataRecord record, ExampleReport report)
    {
        TrainingConversation conversation = Conversations.Parse(record);
        report.NoteUnread(conversation.Unread);
        if (conversation.HasEmptyAnswer && conversation.Trained.Contains(true))
            report.EmptyAnswers.Add(record);
        return Tokenized(record, conversation, report);
    }

    private Example Tokenized(DataRecord record, TrainingConversation conversation, ExampleReport report)
    {
        try
        {
            ChatRendering rendering = _chat!.Render(conversation.Conversation);
            CheckPlaces(record, conversation, rendering);
            (int[] ids, bool[] learned) = _chat.EncodeWithAssistant(rendering, conversation.Trained);
            return Ended(conversation, new Example(ids, learned), report);
        }
        catch (ChatTemplateException e)
        {
            throw record.Wrong(e.Message);
        }
    }

    // Templates leave out what they do not know, without a word.
    private void CheckPlaces(DataRecord record, TrainingConversation conversation, ChatRendering rendering)
    {
        IReadOnlyList<ChatMessage> messages = conversation.Conversation.Messages;
        if (conversation.HasTools && !Knows("tools"))
            throw record.Wrong("the record has tools, but the model's chat template has no place for them; use a model whose template has, or take them out.");
        foreach (string field in new[] { "tool_calls", "reasoning_content" })
        {
            if (messages.Any(m => m.ToJson()[field] is not null) && !Knows(field))
                throw record.Wrong($"a turn has {field}, but the model's chat template has no place for it; use a model whose template has, or take it out.");
        }
        HashSet<int> printed = [.. rendering.Messages.Select(m => m.Message)];
        for (int i = 0; i < messages.Count; i++)
        {
            if (!printed.Contains(i) && messages[i].Text?.Trim() is { Length: > 0 } text && !rendering.Text.Contains(text, StringComparison.Ordinal))
                throw record.Wrong($"the model's chat template leaves out message {i + 1} ({messages[i].Role}); take it out, or use a template that has a place for it.");
        }
    }

    private bool Knows(string name) => _chat!.Template.Source.Contains(name, StringComparison.Ordinal);

    // An answer that ends with no end token teaches a model to write on for ever.
    private Example Ended(TrainingConversation conversation, Example example, ExampleReport report)
    {
        int last = Array.LastIndexOf(example.Counts!, true);
        bool answered = conversation.Conversation.Messages[^1].Role == "assistant" && conversation.Trained[^1];
        if (last < 0 || !answered || _ends.Contains(example.Ids[last]))
            return example;
        if (last + 1 < example.Ids.Length && _ends.Contains(example.Ids[last + 1]))
        {
            report.EndOutsideMarks = true;
            example.Counts![last + 1] = true;
            return example;
        }
        if (_tokenizer.EndOfText is not { } end)
        {
            report.NoEnd = true;
            return example;
        }
        report.EndAdded = _tokenizer.IdToToken(end);
        bool[] counts = WithoutBlankEnds(example);
        last = Array.LastIndexOf(counts, true);
        return last < 0 ? example : new Example([.. example.Ids[..(last + 1)], end], [.. counts[..(last + 1)], true]);
    }

    // The white space that a template without an end token puts behind an answer is not what ends it.
    private bool[] WithoutBlankEnds(Example example)
    {
        bool[] counts = [.. example.Counts!];
        for (int i = counts.Length - 1; i > 0; i--)
        {
            if (counts[i] && (i + 1 == counts.Length || !counts[i + 1]) && string.IsNullOrWhiteSpace(_tokenizer.Decode([example.Ids[i]])))
                counts[i] = false;
        }
        return counts;
    }
}
