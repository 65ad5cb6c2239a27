using System.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>The rules that FineWeb adds (Penedo et al., 2024), with the numbers of its code: lines broken at line feeds alone, blank ones left out.</summary>
/// <param name="MinEndedLines">The least share of lines that end with a mark.</param>
/// <param name="AllowNoneEnded">Whether a text without any such line passes that rule.</param>
/// <param name="MaxShortLines">The largest share of short lines.</param>
/// <param name="ShortLine">The most characters of a short line.</param>
/// <param name="MaxRepeatedCharacters">The largest share of characters in lines that were there before.</param>
/// <param name="MaxNewlines">The most line feeds per word.</param>
public sealed record FineWebQuality(
    double MinEndedLines = 0.12,
    bool AllowNoneEnded = false,
    double MaxShortLines = 0.67,
    int ShortLine = 30,
    double MaxRepeatedCharacters = 0.01,
    double MaxNewlines = 0.3) : DocumentFilter
{
    /// <summary>The marks that end a line; null for Unicode's marks that end sentences.</summary>
    public string? EndMarks { get; init; }

    /// <inheritdoc/>
    public override FilterDecision Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new FilterDecision(Judge(text), text);
    }

    private string? Judge(string text)
    {
        List<TextPart> lines = [];
        int ended = 0, shortLines = 0, start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != '\n')
                continue;
            ReadOnlySpan<char> line = text.AsSpan(start, i - start);
            if (!TextUnits.Trim(line).IsEmpty)
            {
                lines.Add(new TextPart(start, i));
                ended += IsEnded(line) ? 1 : 0;
                shortLines += TextUnits.Length(line) <= ShortLine ? 1 : 0;
            }
            start = i + 1;
        }
        if (lines.Count == 0)
            return "empty";
        double share = ended / (double)lines.Count;
        if (share < MinEndedLines && !(share == 0 && AllowNoneEnded))
            return "line_punct_ratio";
        if (shortLines / (double)lines.Count > MaxShortLines)
            return "short_line_ratio";
        int newlines = text.AsSpan().Count('\n');
        if (GopherRepetition.Repeated(text, lines).Characters / (double)(TextUnits.Length(text) - newlines) > MaxRepeatedCharacters)
            return "char_dup_ratio";
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        return newlines / (double)words.Count > MaxNewlines ? "list_ratio" : null;
    }

    private bool IsEnded(ReadOnlySpan<char> line)
    {
        Rune.DecodeLastFromUtf16(line, out Rune last, out int length);
        return EndMarks is null ? Punctuation.IsTerminal(last) : EndMarks.AsSpan().Contains(line[^length..], StringComparison.Ordinal);
    }
}
