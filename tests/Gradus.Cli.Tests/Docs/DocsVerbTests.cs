using Gradus.Cli.Docs;
using Gradus.Cli.Tests.Packages;

namespace Gradus.Cli.Tests.Docs;

public sealed class DocsVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-docs").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Writing fails for a link to what is not there, so this also holds every link of README and docs.</summary>
    [Fact]
    public void EveryPageOfTheRepositoryIsWrittenAndEveryLinkLeadsSomewhere()
    {
        int pages = new DocumentSite(PackageFeed.Repository).Write(_folder);
        Assert.True(pages > Directory.GetFiles(Path.Combine(PackageFeed.Repository, "docs"), "*.md", SearchOption.AllDirectories).Length);
        string index = File.ReadAllText(Path.Combine(_folder, "index.html"));
        Assert.Contains("docs/architecture.html", index);
        Assert.DoesNotContain("<script", index);
        Assert.Contains("<h1", File.ReadAllText(Path.Combine(_folder, "docs", "glossary.html")));
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(_folder, "docs", "images")));
    }

    [Fact]
    public void ABrokenLinkIsNamedWithItsPage()
    {
        string root = Path.Combine(_folder, "clone");
        Directory.CreateDirectory(Path.Combine(root, "docs", "images"));
        File.WriteAllText(Path.Combine(root, "README.md"), "# Read me\n\n[code](src/Gone.cs), [page](docs/README.md#there), [web](https://example.org), <b>no markup</b>");
        File.WriteAllText(Path.Combine(root, "docs", "README.md"), "# Documentation");
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => new DocumentSite(root).Write(Path.Combine(_folder, "site")));
        Assert.Equal("README.md: links to src/Gone.cs, which is not there; mend the link.", error.Message);
        Directory.CreateDirectory(Path.Combine(root, "src"));
        File.WriteAllText(Path.Combine(root, "src", "Gone.cs"), "int x = a < b;");
        Assert.Equal(3, new DocumentSite(root).Write(Path.Combine(_folder, "site")));
        Assert.Contains("&lt;b&gt;no markup", File.ReadAllText(Path.Combine(_folder, "site", "README.html")));
        Assert.Contains("href=\"docs/README.html#there\"", File.ReadAllText(Path.Combine(_folder, "site", "README.html")));
        Assert.Contains("a &lt; b", File.ReadAllText(Path.Combine(_folder, "site", "src", "Gone.cs.html")));
    }

    [Fact]
    public void AFolderWithoutDocumentationIsRefused() =>
        Assert.Contains("has no docs/README.md", Assert.Throws<InvalidDataException>(() => new DocumentSite(_folder).Write(Path.Combine(_folder, "site"))).Message);
}
