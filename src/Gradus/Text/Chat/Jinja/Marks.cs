using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>What a mark says about a range of text.</summary>
internal enum MarkKind : byte
{
    /// <summary>Printed from a message's fields (its role and name excepted).</summary>
    Content,

    /// <summary>Printed by a loop iteration that belongs to a message: header, content and terminator.</summary>
    Turn,

    /// <summary>Printed by a generation block.</summary>
    Generation,
}

/// <summary>A range of a string and where it came from. Message is −1 where no single message is known.</summary>
internal readonly record struct Mark(MarkKind Kind, int Message, int Start, int Length)
{
    public int End => Start + Length;
}

/// <summary>Collects output with the marks of what is appended, and the places where pieces begin.</summary>
internal sealed class MarkedBuilder(RenderContext context, int limit)
{
    private readonly StringBuilder _text = new();
    private readonly List<Mark> _marks = [];
    private List<int>? _pieces;

    public int Length => _text.Length;

    public List<Mark> Marks => _marks;

    /// <summary>The start of every non-empty piece, where asked for by <see cref="RecordPieces"/>.</summary>
    public IReadOnlyList<int> Pieces => _pieces ?? [];

    public void RecordPieces() => _pieces = [];

    public void Append(string text)
    {
        if (text.Length == 0)
            return;
        if (text.Length > limit - _text.Length)
            throw context.Error($"the output passes the limit of {limit} characters (MaxOutput)");
        context.ChargeCharacters(text.Length);
        _pieces?.Add(_text.Length);
        _text.Append(text);
    }

    public void Append(TextValue text)
    {
        int start = _text.Length;
        Append(text.Text);
        if (text.Marks.Length == 0)
            return;
        context.Charge(text.Marks.Length);
        foreach (Mark mark in text.Marks)
            _marks.Add(mark with { Start = start + mark.Start });
    }

    /// <summary>Marks everything appended since a length.</summary>
    public void Mark(MarkKind kind, int message, int start)
    {
        if (_text.Length > start)
            _marks.Add(new Mark(kind, message, start, _text.Length - start));
    }

    public TextValue ToValue() => new(_text.ToString(), [.. _marks]);

    public override string ToString() => _text.ToString();
}
