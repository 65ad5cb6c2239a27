// Source: reStructuredText, https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#sections: a title is underlined, or over- and
// underlined, by one repeated mark; the order in which styles appear makes the levels. A field list at the top is metadata.

using System.Text.RegularExpressions;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>reStructuredText: sections by their underlines; the field list at the top (as in a PEP) is metadata.</summary>
public sealed partial class RestReader : DocumentReader
{
    private const string Marks = "=-`:.'\"~^_*+#<>!$%&(),/;?@[\\]{|}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".rst", ".rest"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string text = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        HeadingPath path = new();
        Dictionary<string, string> metadata = [];
        List<string> styles = [];
        List<(int Start, string Text)> lines = Lines(text);
        ReadFields(lines, metadata);
        if (metadata.GetValueOrDefault("title") is { } title)
            path.Add(0, 1, title);
        for (int i = 0; i + 1 < lines.Count; i++)
        {
            string line = lines[i].Text;
            bool over = i > 0 && Mark(lines[i - 1].Text) is { } above && lines[i + 1].Text.TrimEnd() == lines[i - 1].Text.TrimEnd() && above != default;
            if (line.Trim().Length == 0 || Mark(line) is not null || Mark(lines[i + 1].Text) is not { } mark)
                continue;
            if (!over && (char.IsWhiteSpace(line[0]) || lines[i + 1].Text.TrimEnd().Length < line.TrimEnd().Length))
                continue;
            string style = over ? $"{mark}{mark}" : $"{mark}";
            if (!styles.Contains(style))
                styles.Add(style);
            path.Add(over ? lines[i - 1].Start : lines[i].Start, styles.IndexOf(style) + 2, line.Trim());
        }
        return new SourceDocument(text, path.Sections, metadata) { Remarks = remarks };
    }

    private static char? Mark(string line)
    {
        string trimmed = line.TrimEnd();
        return trimmed.Length >= 3 && Marks.Contains(trimmed[0], StringComparison.Ordinal) && trimmed.All(c => c == trimmed[0]) ? trimmed[0] : null;
    }

    private static void ReadFields(List<(int Start, string Text)> lines, Dictionary<string, string> metadata)
    {
        string? key = null;
        foreach ((_, string line) in lines)
        {
            if (Field().Match(line) is { Success: true } field)
                metadata[key = field.Groups["key"].Value.ToLowerInvariant()] = field.Groups["value"].Value.Trim();
            else if (key is not null && line.Length > 0 && char.IsWhiteSpace(line[0]) && line.Trim().Length > 0)
                metadata[key] = $"{metadata[key]} {line.Trim()}".Trim();
            else if (line.Trim().Length > 0 || key is not null)
                return;
        }
    }

    private static List<(int Start, string Text)> Lines(string text)
    {
        List<(int, string)> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start) is var found && found < 0 ? text.Length : found;
            lines.Add((start, text[start..end].TrimEnd('\r')));
            start = end + 1;
        }
        return lines;
    }

    [GeneratedRegex(@"^:?(?<key>[A-Za-z][A-Za-z-]{0,40}):(?:\s+(?<value>.*)|\s*$)", RegexOptions.NonBacktracking)]
    private static partial Regex Field();
}
