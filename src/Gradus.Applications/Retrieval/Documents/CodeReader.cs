// Purpose: source code of any language that is indented: a section is a declaration, its path the lines that open the blocks around it.
// Left out: grammars of languages. A line opens a block when the next line with text is indented deeper.

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Source code: the lines that open blocks are the headings.</summary>
public sealed class CodeReader : DocumentReader
{
    private const int Levels = 3;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } =
    [
        ".cs", ".fs", ".vb", ".java", ".kt", ".scala", ".py", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".c", ".h", ".cpp", ".hpp", ".cc", ".go", ".rs", ".rb", ".php",
        ".swift", ".m", ".sql", ".sh", ".ps1", ".yaml", ".yml", ".toml", ".xml", ".lua", ".r", ".jl", ".css", ".proto",
    ];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string text = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        HeadingPath path = new();
        List<(int Start, int Indent, string Text)> lines = Lines(text);
        for (int i = 0; i + 1 < lines.Count; i++)
        {
            (int start, int indent, string line) = Opener(lines, i);
            if (line.Length > 0 && indent / 2 < Levels * 2)
                path.Add(start, indent + 1, line);
        }
        return new SourceDocument(text, path.Sections, new Dictionary<string, string>()) { Remarks = remarks };
    }

    // A brace on a line of its own belongs to the line before it.
    private static (int Start, int Indent, string Text) Opener(List<(int Start, int Indent, string Text)> lines, int i)
    {
        (int Start, int Indent, string Text) line = lines[i];
        if (line.Text is "{" or "}" or ")" || !line.Text.Any(char.IsLetter))
            return (0, 0, "");
        int next = i + 1;
        if (lines[next].Text == "{" && next + 1 < lines.Count)
            next++;
        return lines[next].Indent > line.Indent ? line with { Text = line.Text.TrimEnd('{', ':', ' ') } : (0, 0, "");
    }

    private static List<(int Start, int Indent, string Text)> Lines(string text)
    {
        List<(int, int, string)> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start) is var found && found < 0 ? text.Length : found;
            int at = start, indent = 0;
            while (at < end && text[at] is ' ' or '\t')
                indent += text[at++] == '\t' ? 4 : 1;
            string line = text[at..end].TrimEnd();
            if (line.Length > 0)
                lines.Add((start, indent, line));
            start = end + 1;
        }
        return lines;
    }
}
