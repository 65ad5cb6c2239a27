namespace Gradus.Text.Chat.Jinja;

/// <summary>A string. Python counts code points, .NET UTF-16 units: the two differ only where the text has surrogates.</summary>
internal sealed class TextValue(string text, Mark[] marks, bool isMarkup = false) : Value
{
    private int _codePoints = -1;

    public static TextValue Empty { get; } = new("", []);

    public string Text { get; } = text;

    /// <summary>Where ranges of the text came from; positions in UTF-16 characters.</summary>
    public Mark[] Marks { get; } = marks;

    /// <summary>
    /// Whether <c>safe</c> or <c>escape</c> made it: even with auto-escaping off, + then escapes the other side for HTML, and
    /// published templates print what comes of it. Formatting, join and ~ give plain text again.
    /// </summary>
    public bool IsMarkup => isMarkup;

    public override string TypeName => isMarkup ? "Markup" : "str";

    public override bool IsTrue => Text.Length > 0;

    public override int? Count => CodePoints;

    /// <summary>The number of code points; a lone surrogate counts as one.</summary>
    public int CodePoints => _codePoints >= 0 ? _codePoints : _codePoints = PythonText.CountCodePoints(Text);

    public bool HasSurrogatePairs => CodePoints != Text.Length;

    /// <summary>The message whose content is in this text, where it is only one; else −1.</summary>
    public override int Message
    {
        get
        {
            int message = -1;
            foreach (Mark mark in Marks)
            {
                if (mark.Kind != MarkKind.Content || mark.Message == message)
                    continue;
                if (message >= 0)
                    return -1;
                message = mark.Message;
            }
            return message;
        }
    }

    /// <summary>A part by UTF-16 position; marks are clipped to it.</summary>
    public TextValue Part(RenderContext context, int start, int length)
    {
        if (start == 0 && length == Text.Length)
            return this;
        string part = Text.Substring(start, length);
        if (Marks.Length == 0 || length == 0)
            return new TextValue(part, [], isMarkup);
        context.Charge(Marks.Length);
        List<Mark> kept = [];
        foreach (Mark mark in Marks)
        {
            int from = Math.Max(mark.Start, start), to = Math.Min(mark.End, start + length);
            if (to > from)
                kept.Add(mark with { Start = from - start, Length = to - from });
        }
        return new TextValue(part, [.. kept], isMarkup);
    }

    /// <summary>A text computed from this one: counts as content of the same message as a whole.</summary>
    public TextValue Derive(RenderContext context, string text)
    {
        context.ChargeCharacters(text.Length);
        return text == Text ? this : FromMessage(text, Message).AsMarkup(isMarkup);
    }

    /// <summary>The same text as markup or as plain text.</summary>
    public TextValue AsMarkup(bool markup) => markup == isMarkup ? this : new TextValue(Text, Marks, markup);

    /// <summary>This text as markup: escaped for HTML unless it is markup already.</summary>
    public TextValue Escape(RenderContext context)
    {
        if (isMarkup)
            return this;
        string escaped = Text
            .Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("'", "&#39;", StringComparison.Ordinal)
            .Replace("\"", "&#34;", StringComparison.Ordinal);
        return Derive(context, escaped).AsMarkup(true);
    }

    /// <summary>left + right.</summary>
    public static TextValue Add(RenderContext context, TextValue left, TextValue right) => left.IsMarkup || right.IsMarkup
        ? Concat(context, left.Escape(context), right.Escape(context)).AsMarkup(true)
        : Concat(context, left, right);

    /// <summary>A text that comes from a message as a whole; from none where the message is negative.</summary>
    public static TextValue FromMessage(string text, int message) =>
        new(text, message < 0 || text.Length == 0 ? [] : [new Mark(MarkKind.Content, message, 0, text.Length)]);

    public static TextValue Concat(RenderContext context, TextValue left, TextValue right)
    {
        if (left.Text.Length == 0)
            return right;
        if (right.Text.Length == 0)
            return left;
        context.ChargeCharacters((long)left.Text.Length + right.Text.Length);
        string text = left.Text + right.Text;
        if (left.Marks.Length + right.Marks.Length == 0)
            return new TextValue(text, []);
        context.Charge(left.Marks.Length + right.Marks.Length);
        Mark[] marks = new Mark[left.Marks.Length + right.Marks.Length];
        left.Marks.CopyTo(marks, 0);
        for (int i = 0; i < right.Marks.Length; i++)
            marks[left.Marks.Length + i] = right.Marks[i] with { Start = right.Marks[i].Start + left.Text.Length };
        return new TextValue(text, marks);
    }

    /// <summary>The UTF-16 position of a code point index in [0, CodePoints].</summary>
    public int Utf16Position(int codePoint) =>
        HasSurrogatePairs ? PythonText.Utf16Position(Text, codePoint) : codePoint;

    public override Value? Attribute(RenderContext context, string name) =>
        TextMethods.Table.TryGetValue(name, out NativeFunction? method) ? new FunctionValue(name, this, method) : null;

    public override Value? Item(RenderContext context, Value key)
    {
        if (key is SliceValue slice)
            return Slice(context, slice);
        if (!Numbers.TryIndex(key, CodePoints, out int index))
            return null;
        int start = Utf16Position(index);
        return Part(context, start, Utf16Position(index + 1) - start);
    }

    public override IEnumerable<Value> Iterate(RenderContext context)
    {
        for (int i = 0; i < Text.Length;)
        {
            context.Step();
            int length = char.IsSurrogatePair(Text, i) ? 2 : 1;
            yield return Part(context, i, length).AsMarkup(false);
            i += length;
        }
    }

    private TextValue Slice(RenderContext context, SliceValue slice)
    {
        (int start, int count, int step) = slice.Resolve(context, CodePoints);
        if (count == 0)
            return Empty;
        if (step == 1)
        {
            int from = Utf16Position(start);
            int to = Utf16Position(start + count);
            context.ChargeCharacters(to - from);
            return Part(context, from, to - from);
        }
        List<string> points = PythonText.SplitCodePoints(Text);
        context.Charge(points.Count);
        string[] picked = new string[count];
        for (int i = 0; i < count; i++)
            picked[i] = points[start + (i * step)];
        return Derive(context, string.Concat(picked));
    }
}
