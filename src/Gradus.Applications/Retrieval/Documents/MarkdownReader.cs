// Source: CommonMark 0.31 (https://spec.commonmark.org/0.31.2/) as Markdig reads it. The text stays as it is in the file.

using Markdig;
using Markdig.Extensions.Yaml;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Markdown: ATX and setext headings; keys of a YAML front matter are metadata.</summary>
public sealed class MarkdownReader : DocumentReader
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UseYamlFrontMatter().UsePreciseSourceLocation().Build();

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".md", ".markdown", ".mdx"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string text = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        HeadingPath path = new();
        Dictionary<string, string> metadata = [];
        try
        {
            foreach (Block block in Markdown.Parse(text, Pipeline))
            {
                if (block is HeadingBlock heading)
                    path.Add(heading.Span.Start, heading.Level, Words(heading));
                else if (block is YamlFrontMatterBlock front)
                    ReadFrontMatter(front, metadata);
            }
        }
        catch (ArgumentException e)
        {
            // Markdig refuses blocks that are nested too deeply; the text is searched all the same.
            return Plain(text, [.. remarks, $"headings are not known: {e.Message.Split('\n')[0]}"]);
        }
        return new SourceDocument(text, path.Sections, metadata) { Remarks = remarks };
    }

    private static string Words(HeadingBlock heading)
    {
        if (heading.Inline is null)
            return "";
        return string.Concat(heading.Inline.Descendants().Select(i => i switch
        {
            LiteralInline literal => literal.Content.ToString(),
            CodeInline code => code.Content,
            LineBreakInline => " ",
            _ => "",
        }));
    }

    // Lines of the form key: value; what is nested deeper is left out.
    private static void ReadFrontMatter(YamlFrontMatterBlock block, Dictionary<string, string> metadata)
    {
        foreach (string line in block.Lines.ToString().Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && !char.IsWhiteSpace(line[0]) && line[(colon + 1)..].Trim().Trim('"', '\'') is { Length: > 0 } value)
                metadata[line[..colon].Trim().ToLowerInvariant()] = value;
        }
    }
}
