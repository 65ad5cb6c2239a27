using Gradus.Text.Chat.Jinja;

namespace Gradus.Text.Chat;

/// <summary>
/// Turns the marks of a traced rendering into role spans, by the rules that <see cref="ChatTemplate.RenderWithRoles"/> states.
/// Marks can be as many as a hostile template likes, so every look-up is a binary search over disjoint, sorted ranges.
/// </summary>
internal sealed class RoleTracer
{
    /// <summary>What all renderings of prompts together may cost, as a multiple of the limit on the steps of one.</summary>
    private const int PromptBudget = 4;

    private readonly ChatTemplate _template;
    private readonly ChatConversation _conversation;
    private readonly ChatRenderOptions _options;
    private readonly string _text;
    private readonly Mark[] _content;
    private readonly Mark[] _turns;
    private readonly Mark[] _generations;
    private readonly Dictionary<int, (string Prompted, string Prompt)?> _prompts = [];
    private string _lastPrompt = "";
    private long _promptSteps;

    public RoleTracer(ChatTemplate template, ChatConversation conversation, ChatRenderOptions options, MarkedBuilder output)
    {
        (_template, _conversation, _options) = (template, conversation, options);
        _text = output.ToString();
        ILookup<MarkKind, Mark> marks = output.Marks.ToLookup(m => m.Kind);
        _content = Merged(marks[MarkKind.Content]);
        _turns = Outermost(marks[MarkKind.Turn]);
        _generations = Outermost(marks[MarkKind.Generation]);
    }

    public ChatRendering Trace()
    {
        List<RoleSpan> messages = [.. _turns.Select(Span)];
        foreach (Mark content in _content)
        {
            if (Covering(_turns, content.Start, content.End)?.Message != content.Message)
                messages.Add(Span(content));
        }
        messages.Sort(static (a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : b.Length.CompareTo(a.Length));
        IEnumerable<RoleSpan> assistant = _template.HasGenerationBlocks ? Generated() : Written(messages);
        return new ChatRendering(_text, messages, [.. assistant.SelectMany(WithoutOthers)]);
    }

    /// <summary>Generation blocks, each given to the message whose turn it lies in, or else whose content lies in it.</summary>
    private IEnumerable<RoleSpan> Generated()
    {
        int lastAssistant = _conversation.Messages.Count - 1;
        while (lastAssistant >= 0 && !IsAssistant(lastAssistant))
            lastAssistant--;
        foreach (Mark block in _generations)
        {
            int message = Covering(_turns, block.Start, block.End)?.Message
                ?? Within(block.Start, block.End).Where(c => IsAssistant(c.Message)).Select(c => (int?)c.Message).FirstOrDefault()
                ?? lastAssistant;
            if (message >= 0)
                yield return Span(block with { Message = message });
        }
    }

    private IEnumerable<RoleSpan> Written(List<RoleSpan> messages)
    {
        HashSet<int> withTurn = [.. _turns.Select(t => t.Message)];
        int end = 0;
        foreach (RoleSpan span in messages)
        {
            bool isTurn = Covering(_turns, span.Start, span.End)?.Message == span.Message;
            // Elsewhere than in its own turn, such as a function's name in the header of its result, nothing was written by the assistant.
            if (!IsAssistant(span.Message) || span.Start < end || (!isTurn && withTurn.Contains(span.Message)))
                continue;
            (int from, int to) = isTurn ? (AnswerStart(span), AnswerEnd(span)) : (span.Start, span.End);
            end = span.End;
            if (to > from)
                yield return span with { Start = from, Length = to - from };
        }
    }

    /// <summary>Where in its turn the model starts to write: behind the generation prompt.</summary>
    private int AnswerStart(RoleSpan turn)
    {
        ReadOnlySpan<char> text = _text.AsSpan(turn.Start, turn.Length);
        if (_lastPrompt.Length > 0 && text.StartsWith(_lastPrompt))
            return turn.Start + _lastPrompt.Length;
        int content = ContentOf(turn).Select(c => c.Start).DefaultIfEmpty(turn.End).First();
        if (!_prompts.TryGetValue(turn.Message, out (string, string)? prefix))
            _prompts[turn.Message] = prefix = Prompt(turn.Message);
        if (prefix is not (string prompted, string prompt))
            return content;
        if (prompted.Length >= turn.Start && prompted.Length <= turn.End && _text.StartsWith(prompted, StringComparison.Ordinal))
        {
            _lastPrompt = prompted[turn.Start..];
            return prompted.Length;
        }
        _lastPrompt = prompt;
        if (prompt.Length == 0)
            return turn.Start;
        int header = text.CommonPrefixLength(prompt);
        if (header < prompt.Length)
        {
            // A prompt that goes on where this turn does not (with <think>) may share the first characters of a marker: go back before it.
            header = Math.Min(header, content - turn.Start);
            int open = prompt.AsSpan(0, header).LastIndexOfAny('<', '[');
            if (open >= 0 && !prompt.AsSpan(open, header - open).ContainsAny('>', ']'))
                header = open;
        }
        return header > 0 ? turn.Start + header : content;
    }

    /// <summary>The end of the turn, without the white space that follows an end-of-turn token.</summary>
    private int AnswerEnd(RoleSpan turn)
    {
        int content = ContentOf(turn).Select(c => c.End).DefaultIfEmpty(turn.Start).Last();
        int end = turn.End;
        while (end > content && PythonText.IsSpace(_text[end - 1]))
            end--;
        return end > content ? end : turn.End;
    }

    /// <summary>The conversation before a message with the generation prompt, and the prompt alone; null where the template refuses it.</summary>
    private (string Prompted, string Prompt)? Prompt(int message)
    {
        long limit = (_options.Limits ?? ChatTemplateLimits.Default).MaxSteps;
        if (_promptSteps > PromptBudget * limit)
            throw new ChatTemplateException($"finding what the assistant writes in {_conversation.Messages.Count} messages takes more than {PromptBudget} times {limit} steps (MaxSteps)", 1, 1);
        try
        {
            MarkedBuilder prompted = RunPrompt(message, true), plain = RunPrompt(message, false);
            (string with, string without) = (prompted.ToString(), plain.ToString());
            // Where the two part inside a printed piece, the piece as a whole belongs to the prompt.
            int same = with.AsSpan().CommonPrefixLength(without);
            if (same < with.Length && same < without.Length)
                same = prompted.Pieces.Intersect(plain.Pieces).Where(p => p <= same).DefaultIfEmpty(0).Max();
            int tail = 0;
            while (tail < Math.Min(with.Length, without.Length) - same && with[^(tail + 1)] == without[^(tail + 1)])
                tail++;
            return (with, with[same..^tail]);
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }

    private MarkedBuilder RunPrompt(int messages, bool withPrompt)
    {
        RenderContext context = ChatTemplate.Prepare(_conversation, messages, _options with { AddGenerationPrompt = withPrompt }, false);
        try
        {
            return _template.Run(context);
        }
        finally
        {
            _promptSteps += context.Steps;
        }
    }

    /// <summary>
    /// A span without the characters that come from a message of another role. What follows them is kept only where
    /// the assistant's content goes on: else it is the frame around a tool's result.
    /// </summary>
    private IEnumerable<RoleSpan> WithoutOthers(RoleSpan span)
    {
        int start = span.Start;
        foreach (Mark other in Within(span.Start, span.End))
        {
            if (IsAssistant(other.Message))
                continue;
            if (other.Start > start && IsKept(start, other.Start))
                yield return span with { Start = start, Length = other.Start - start };
            start = other.End;
        }
        if (start < span.End && IsKept(start, span.End))
            yield return span with { Start = start, Length = span.End - start };

        bool IsKept(int from, int to) => from == span.Start || Within(from, to).Any(c => IsAssistant(c.Message));
    }

    private IEnumerable<Mark> ContentOf(RoleSpan turn) => Within(turn.Start, turn.End).Where(c => c.Message == turn.Message);

    /// <summary>The content that overlaps a range, in order.</summary>
    private IEnumerable<Mark> Within(int start, int end)
    {
        for (int i = FirstEndingAfter(_content, start); i < _content.Length && _content[i].Start < end; i++)
            yield return _content[i];
    }

    private static Mark? Covering(Mark[] ranges, int start, int end)
    {
        int index = FirstEndingAfter(ranges, start);
        return index < ranges.Length && ranges[index].Start <= start && end <= ranges[index].End ? ranges[index] : null;
    }

    private static int FirstEndingAfter(Mark[] ranges, int position)
    {
        int low = 0, high = ranges.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = ranges[middle].End > position ? (low, middle) : (middle + 1, high);
        }
        return low;
    }

    private bool IsAssistant(int message) => _conversation.Messages[message].Role == "assistant";

    private RoleSpan Span(Mark mark) => new(mark.Message, _conversation.Messages[mark.Message].Role, mark.Start, mark.Length);

    /// <summary>Content in order of position, neighbours of one message joined.</summary>
    private static Mark[] Merged(IEnumerable<Mark> marks)
    {
        List<Mark> merged = [];
        foreach (Mark mark in marks.OrderBy(m => m.Start).ThenByDescending(m => m.Length))
        {
            if (merged.Count > 0 && merged[^1] is var last && last.Message == mark.Message && mark.Start <= last.End)
                merged[^1] = last with { Length = Math.Max(last.End, mark.End) - last.Start };
            else if (merged.Count == 0 || mark.Start >= merged[^1].End)
                merged.Add(mark);
        }
        return [.. merged];
    }

    /// <summary>Ranges in order of position, without those that lie inside another.</summary>
    private static Mark[] Outermost(IEnumerable<Mark> marks)
    {
        List<Mark> kept = [];
        foreach (Mark mark in marks.OrderBy(m => m.Start).ThenByDescending(m => m.Length))
        {
            if (kept.Count == 0 || mark.Start >= kept[^1].End)
                kept.Add(mark);
        }
        return [.. kept];
    }
}
