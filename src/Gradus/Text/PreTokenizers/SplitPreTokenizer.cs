using System.Text.Json;

namespace Gradus.Text;

/// <summary>Splits by a regular expression or a fixed text.</summary>
public sealed class SplitPreTokenizer : PreTokenizer
{
    private readonly string _pattern;
    private readonly bool _isRegex;
    private readonly SplitBehavior _behavior;
    private readonly bool _invert;
    private readonly TextPattern _matcher;

    /// <summary>A splitter by a pattern.</summary>
    /// <param name="pattern">A regular expression in the syntax of tokenizer.json (Oniguruma), or a fixed text.</param>
    /// <param name="isRegex">Whether <paramref name="pattern"/> is a regular expression.</param>
    /// <param name="behavior">What happens to the matches.</param>
    /// <param name="invert">Whether the text between the matches counts as the matches.</param>
    /// <exception cref="InvalidDataException">The regular expression cannot be read.</exception>
    public SplitPreTokenizer(string pattern, bool isRegex = true, SplitBehavior behavior = SplitBehavior.Isolated, bool invert = false)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        _pattern = pattern;
        _isRegex = isRegex;
        _behavior = behavior;
        _invert = invert;
        Splitter = isRegex ? PatternSplitter.ForPattern(pattern) : null;
        _matcher = TextPattern.Create(pattern, isRegex);
    }

    /// <summary>The hand-written splitter, where the pattern is a known one; it matches every character of a text.</summary>
    internal PatternSplitter? Splitter { get; }

    /// <summary>Whether every match, and every part between, is a piece.</summary>
    internal bool Isolates => _behavior == SplitBehavior.Isolated || (_behavior == SplitBehavior.Removed && _invert);

    internal override void Apply(EncodeScratch scratch)
    {
        if (Splitter is not null && Isolates)
        {
            Isolate(scratch, Splitter);
            return;
        }
        scratch.NextPieces.Clear();
        foreach (TextPiece piece in scratch.Pieces)
        {
            scratch.Matches.Clear();
            _matcher.Collect(scratch.Text.Span[piece.Start..piece.End], piece.Start, _invert, scratch.Matches);
            scratch.Matches.AppendTo(scratch.NextPieces, _behavior);
        }
        scratch.TakeNextPieces();
    }

    /// <summary>Splits every piece by a hand-written splitter.</summary>
    internal static void Isolate(EncodeScratch scratch, PatternSplitter splitter)
    {
        scratch.NextPieces.Clear();
        foreach (TextPiece piece in scratch.Pieces)
        {
            ReadOnlySpan<byte> text = scratch.Text.Span[piece.Start..piece.End];
            for (int i = 0; i < text.Length;)
            {
                int end = splitter.Next(text, i);
                scratch.NextPieces.Add(new TextPiece(piece.Start + i, piece.Start + end));
                i = end;
            }
        }
        scratch.TakeNextPieces();
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Split");
        TextPattern.Write(writer, _pattern, _isRegex);
        writer.WriteString("behavior", _behavior.ToString());
        writer.WriteBoolean("invert", _invert);
        writer.WriteEndObject();
    }
}
