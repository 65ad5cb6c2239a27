// The documentation as a folder of HTML pages that opens from a disk or a web server, without a script and without a request to
// elsewhere. Every page of Markdown becomes one of HTML; a source file that a page links to becomes a page too, so that no link
// leaves the site but those to the web. A link to something that is not there is an error: the documentation fell behind.
// It leaves out search and versions.
using Markdig;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace Gradus.Cli.Docs;

/// <summary>Writes the site of a repository's documentation.</summary>
/// <param name="root">The repository: its README.md, CONTRIBUTING.md, CHANGELOG.md and docs/.</param>
internal sealed class DocumentSite(string root)
{
    private static readonly MarkdownPipeline Markdown = new MarkdownPipelineBuilder()
        .UsePipeTables().UseAutoLinks().UseAutoIdentifiers(Markdig.Extensions.AutoIdentifiers.AutoIdentifierOptions.GitHub).UseEmphasisExtras().DisableHtml().Build();

    private readonly string _root = Path.GetFullPath(root);
    private readonly List<string> _problems = [];
    private readonly SortedSet<string> _linked = new(StringComparer.Ordinal);

    /// <summary>Writes all pages into a folder, made where it is absent.</summary>
    /// <param name="folder">The folder of the site.</param>
    /// <returns>The number of pages.</returns>
    /// <exception cref="InvalidDataException">There is no documentation there, or a page links to what is not there; one line for each.</exception>
    public int Write(string folder)
    {
        if (!File.Exists(Path.Combine(_root, "docs", "README.md")))
            throw new InvalidDataException($"{root}: has no docs/README.md; give the folder of a clone of the repository.");
        DocumentPage[] pages = [.. Pages().Select(Read)];
        List<(string Path, string Text)> files = [];
        foreach (DocumentPage page in pages)
            files.Add((HtmlPath(page.Path), (page with { Body = Body(page) }).Build(pages)));
        // Pages add what they link to while they are rendered.
        foreach (string source in _linked)
            files.Add((source + ".html", DocumentPage.OfSource(source, Text(source)).Build(pages)));
        if (_problems.Count > 0)
            throw new InvalidDataException(string.Join('\n', _problems));
        foreach ((string path, string text) in files)
            WriteFile(folder, path, to => File.WriteAllText(to, text));
        foreach (string image in Directory.GetFiles(Path.Combine(_root, "docs", "images")))
            WriteFile(folder, "docs/images/" + Path.GetFileName(image), to => File.Copy(image, to, overwrite: true));
        WriteFile(folder, "index.html", to => File.WriteAllText(to, files[0].Text));
        return files.Count;
    }

    private static void WriteFile(string folder, string path, Action<string> write)
    {
        string full = Path.Combine(folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        write(full);
    }

    private IEnumerable<string> Pages()
    {
        string[] first = ["README.md", "docs/README.md"], last = ["CONTRIBUTING.md", "CHANGELOG.md"];
        string[] others = [.. Directory.EnumerateFiles(Path.Combine(_root, "docs"), "*.md", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_root, f).Replace('\\', '/')).Except(first).OrderBy(f => f.Count(c => c == '/')).ThenBy(f => f, StringComparer.Ordinal)];
        return first.Concat(others).Concat(last).Where(f => File.Exists(FullPath(f)));
    }

    private DocumentPage Read(string path)
    {
        MarkdownDocument document = Markdig.Markdown.Parse(File.ReadAllText(FullPath(path)), Markdown);
        string title = document.Descendants<HeadingBlock>().FirstOrDefault()?.Inline?.Descendants<LiteralInline>().Select(l => l.Content.ToString()).Aggregate("", (a, b) => a + b) is { Length: > 0 } text
            ? text : path;
        return new DocumentPage(path, title) { Document = document };
    }

    private string Body(DocumentPage page)
    {
        MarkdownDocument document = page.Document!;
        foreach (LinkInline link in document.Descendants<LinkInline>())
            link.Url = Resolve(page.Path, link.Url ?? "", link.IsImage);
        return document.ToHtml(Markdown);
    }

    /// <summary>Where a link of a page leads in the site; itself where it leads to the web or stays on the page.</summary>
    private string Resolve(string page, string url, bool image)
    {
        if (url.StartsWith('#') || url.Contains("://", StringComparison.Ordinal) || url.StartsWith("mailto:", StringComparison.Ordinal))
            return url;
        (string path, string fragment) = url.IndexOf('#', StringComparison.Ordinal) is var at and >= 0 ? (url[..at], url[at..]) : (url, "");
        string target = Path.GetRelativePath(_root, Path.GetFullPath(Path.Combine(_root, Path.GetDirectoryName(page)!, path))).Replace('\\', '/');
        string full = FullPath(target);
        if (target.StartsWith("..", StringComparison.Ordinal) || (!File.Exists(full) && !Directory.Exists(full)))
        {
            _problems.Add($"{page}: links to {url}, which is not there; mend the link.");
            return url;
        }
        if (image)
            return url;
        if (!target.EndsWith(".md", StringComparison.Ordinal))
            _linked.Add(target);
        return Up(page) + HtmlPath(target) + fragment;
    }

    // A folder is shown as the list of what is in it.
    private string Text(string path) => Directory.Exists(FullPath(path))
        ? string.Join('\n', Directory.EnumerateFileSystemEntries(FullPath(path)).Select(f => Path.GetFileName(f)).Where(f => f is not ("bin" or "obj")).Order(StringComparer.Ordinal))
        : File.ReadAllText(FullPath(path));

    private string FullPath(string path) => Path.Combine(_root, path);

    private static string HtmlPath(string path) => path.EndsWith(".md", StringComparison.Ordinal) ? path[..^3] + ".html" : path + ".html";

    private static string Up(string page) => string.Concat(Enumerable.Repeat("../", page.Count(c => c == '/')));
}
