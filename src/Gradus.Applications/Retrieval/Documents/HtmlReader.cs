// Source: HTML Living Standard, as AngleSharp reads it. What comes out is the text that a person sees. Left out: style sheets and scripts.

using System.Text;
using AngleSharp;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;

namespace Gradus.Applications.Retrieval.Documents;

/// <summary>HTML: its visible text; h1 to h6 are headings, title and meta elements metadata.</summary>
public sealed class HtmlReader : DocumentReader
{
    private static readonly HashSet<string> Hidden = new(StringComparer.OrdinalIgnoreCase)
    {
        "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "nav", "head", "select", "button", "canvas",
    };

    private static readonly HashSet<string> Blocks = new(StringComparer.OrdinalIgnoreCase)
    {
        "p", "div", "section", "article", "main", "header", "footer", "aside", "ul", "ol", "dl", "table", "blockquote", "pre", "figure", "form", "fieldset", "hr",
        "h1", "h2", "h3", "h4", "h5", "h6", "body", "details",
    };

    private static readonly HashSet<string> Lines = new(StringComparer.OrdinalIgnoreCase) { "br", "li", "tr", "dt", "dd", "caption", "figcaption", "summary" };

    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".html", ".htm", ".xhtml"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits)
    {
        string text = Decode(bytes, limits, out IReadOnlyList<string> remarks);
        using IBrowsingContext context = BrowsingContext.New(Configuration.Default);
        using IDocument document = new HtmlParser(new HtmlParserOptions(), context).ParseDocument(text);
        Dictionary<string, string> metadata = [];
        if (document.Title?.Trim() is { Length: > 0 } title)
            metadata["title"] = title;
        foreach (IElement meta in document.QuerySelectorAll("meta[name][content]"))
            metadata[meta.GetAttribute("name")!.Trim().ToLowerInvariant()] = meta.GetAttribute("content")!.Trim();
        StringBuilder visible = new(text.Length / 2);
        HeadingPath path = new();
        if (document.Body is { } body)
            Walk(body, visible, path);
        return new SourceDocument(visible.ToString(), path.Sections, metadata) { Remarks = remarks };
    }

    // A loop, not a recursion: a hostile page nests as deeply as it likes.
    private static void Walk(INode root, StringBuilder text, HeadingPath path)
    {
        int headingStart = 0, preformatted = 0;
        for (INode? node = root; node is not null;)
        {
            bool hidden = node is IElement element && Hidden.Contains(element.LocalName);
            if (node is IElement open && !hidden)
            {
                Break(open, text);
                preformatted += open.LocalName == "pre" ? 1 : 0;
                headingStart = Level(open) > 0 ? text.Length : headingStart;
            }
            else if (node is IText words)
            {
                Append(words.Data, preformatted > 0, text);
            }
            if (!hidden && node.FirstChild is { } child)
            {
                node = child;
                continue;
            }
            while (node is not null && node != root && Close(node) && node.NextSibling is null)
                node = node.Parent;
            node = node is null || node == root ? null : node.NextSibling;
        }

        bool Close(INode node)
        {
            if (node is IElement closed && !Hidden.Contains(closed.LocalName))
            {
                preformatted -= closed.LocalName == "pre" ? 1 : 0;
                if (Level(closed) is > 0 and int level && headingStart < text.Length)
                    path.Add(headingStart, level, text.ToString(headingStart, text.Length - headingStart));
                if (closed.LocalName is "td" or "th" && text.Length > 0 && text[^1] != '\n')
                    text.Append('\t');
                if (closed.LocalName != "br")
                    Break(closed, text);
            }
            return true;
        }
    }

    private static int Level(IElement element) => element.LocalName is ['h', >= '1' and <= '6' and char digit] ? digit - '0' : 0;

    private static void Break(IElement element, StringBuilder text)
    {
        if (Blocks.Contains(element.LocalName))
            EndParagraph(text);
        else if (Lines.Contains(element.LocalName) && text.Length > 0 && text[^1] != '\n')
            text.Append('\n');
    }

    private static void Append(string words, bool preformatted, StringBuilder text)
    {
        if (preformatted)
        {
            text.Append(words);
            return;
        }
        foreach (char c in words)
        {
            if (!char.IsWhiteSpace(c) || c == '\u00A0')
                text.Append(c == '\u00A0' ? ' ' : c);
            else if (text.Length > 0 && !char.IsWhiteSpace(text[^1]))
                text.Append(' ');
        }
    }
}
