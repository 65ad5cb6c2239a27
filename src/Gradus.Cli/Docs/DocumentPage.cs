using Gradus.Cli.Console;
using Gradus.Cli.Reports;
using Markdig.Syntax;

namespace Gradus.Cli.Docs;

/// <summary>One page of the documentation's site: the list of all pages, and its own text.</summary>
/// <param name="Path">Its file, from the repository's root, with slashes.</param>
/// <param name="Title">Its first heading.</param>
internal sealed record DocumentPage(string Path, string Title)
{
    /// <summary>The parsed page; null for a source file.</summary>
    public MarkdownDocument? Document { get; init; }

    /// <summary>The page's text as HTML.</summary>
    public string Body { get; init; } = "";

    /// <summary>A page that shows a source file as it is.</summary>
    public static DocumentPage OfSource(string path, string text)
    {
        HtmlWriter html = new();
        html.Add($"<h1>{path}</h1><pre><code>{text}</code></pre>");
        return new DocumentPage(path, path) { Body = html.ToString() };
    }

    /// <summary>The whole HTML page.</summary>
    /// <param name="pages">All pages, in the order of the list.</param>
    public string Build(IReadOnlyList<DocumentPage> pages)
    {
        HtmlWriter html = new();
        html.Add($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: file:; base-uri 'none'; form-action 'none'">
            <title>{Title} · Gradus</title>
            <style>
            """);
        html.Trusted(EmbeddedText.Read("Gradus.Cli.Docs.docs.css"));
        html.Add($"""</style></head><body><a class="skip" href="#main">Skip to the content</a><div class="layout"><nav aria-label="Pages"><details open><summary>Gradus</summary><ol>""");
        string up = string.Concat(Enumerable.Repeat("../", Path.Count(c => c == '/')));
        foreach (DocumentPage page in pages)
        {
            string address = up + page.Path[..^3] + ".html", depth = page.Path.Contains("/stages/", StringComparison.Ordinal) || page.Path.Contains("/path/", StringComparison.Ordinal) ? "deep" : "top";
            if (page.Path == Path)
                html.Add($"""<li class="{depth}"><a aria-current="page" href="{address}">{page.Title}</a></li>""");
            else
                html.Add($"""<li class="{depth}"><a href="{address}">{page.Title}</a></li>""");
        }
        html.Add($"""</ol></details></nav><main id="main" tabindex="-1">""");
        html.Trusted(Body);
        html.Add($"</main></div></body></html>\n");
        return html.ToString();
    }
}
