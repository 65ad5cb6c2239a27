using System.IO.Compression;
using System.Text;
using DocumentFormat.OpenXml;
using DocumentFormat.OpenXml.Packaging;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Documents;
using Gradus.Testing;
using UglyToad.PdfPig.Core;
using UglyToad.PdfPig.Fonts.Standard14Fonts;
using UglyToad.PdfPig.Writer;
using W = DocumentFormat.OpenXml.Wordprocessing;

namespace Gradus.Applications.Tests.Retrieval;

public sealed class DocumentReaderTests
{
    [Fact]
    public void MarkdownKeepsItsTextAndItsHeadings()
    {
        const string text = "---\ntitle: Tides\n---\nBefore.\n\n# The tide\n\nIt *rises*.\n\n## Twice `a` day\n\nYes.\n\nOther\n-----\n\n```\n# no heading\n```\n";
        SourceDocument document = Read("a.md", text);
        Assert.Equal(text, document.Text);
        Assert.Equal("Tides", document.Metadata["title"]);
        Assert.Equal([[], ["The tide"], ["The tide", "Twice a day"], ["The tide", "Other"]], document.Sections.Select(s => s.Headings.ToArray()));
        Assert.StartsWith("## Twice", text[document.Sections[2].Start..], StringComparison.Ordinal);
    }

    [Fact]
    public void HtmlGivesWhatAReaderSees()
    {
        SourceDocument document = Read("a.html", "<html><head><title>T</title><meta name=author content=Ada><style>x{}</style></head><body><h1>One <b>two</b></h1><p>First\n  line</p><script>no()</script><ul><li>a</li><li>b</li></ul><h2>Sub</h2><pre>x\n  y</pre><table><tr><td>1</td><td>2</td></tr></table></body></html>");
        Assert.Equal("One two\n\nFirst line\n\na\nb\n\nSub\n\nx\n  y\n\n1\t2", document.Text.Trim());
        Assert.Equal(["One two", "Sub"], document.Sections[^1].Headings);
        Assert.Equal(("T", "Ada"), (document.Metadata["title"], document.Metadata["author"]));
    }

    [Fact]
    public void APageThatNestsWithoutEndIsRead()
    {
        SourceDocument document = Read("a.html", string.Concat(Enumerable.Repeat("<div>", 20_000)) + "deep");
        Assert.Contains("deep", document.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void RestructuredTextHasSectionsAndFields()
    {
        SourceDocument document = Read("a.rst", "PEP: 8\nTitle: Style\nStatus: Final\n\nAbstract\n========\n\nText.\n\nSub\n---\n\nMore.\n\n====\nBig\n====\n\nEnd.\n");
        Assert.Equal(("Style", "Final"), (document.Metadata["title"], document.Metadata["status"]));
        Assert.Equal(["Style", "Abstract", "Sub"], document.Sections.First(s => s.Headings.Contains("Sub")).Headings);
        Assert.Contains("Big", document.Sections[^1].Headings);
    }

    [Fact]
    public void TablesAndJsonBecomeLinesOfNamesAndValues()
    {
        Assert.Equal("name: Ada\ncity: \"Rome\", north\n\nname: Bo\ncity: Oslo", Read("a.csv", "name,city\nAda,\"\"\"Rome\"\", north\"\nBo,Oslo\n").Text.Trim());
        Assert.Equal("a: 1\nb.c: x\nb.c: y", Read("a.json", """{"a": 1, "b": {"c": ["x", "y"]}}""").Text.Trim());
        SourceDocument lines = Read("a.jsonl", "{\"a\": 1}\n\n{\"a\": 2}\n");
        Assert.Equal(2, lines.Sections.Count);
        Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => Read("a.jsonl", "{}\n{")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CodeKnowsTheDeclarationAroundALine()
    {
        SourceDocument document = Read("a.cs", "namespace A\n{\n    class Boat\n    {\n        void Sail()\n        {\n            go();\n        }\n    }\n}\n");
        Section section = document.Sections[document.SectionAt(document.Text.IndexOf("go()", StringComparison.Ordinal))];
        Assert.Equal(["namespace A", "class Boat", "void Sail()"], section.Headings);
    }

    [Fact]
    public void PdfHasPagesAndHeadings()
    {
        using PdfDocumentBuilder builder = new();
        PdfDocumentBuilder.AddedFont font = builder.AddStandard14Font(Standard14Font.Helvetica);
        for (int page = 1; page <= 2; page++)
        {
            PdfPageBuilder added = builder.AddPage(595, 842);
            added.AddText($"Chapter {page}", 20, new PdfPoint(50, 780), font);
            added.AddText("The tide rises twice a day,", 11, new PdfPoint(50, 740), font);
            added.AddText($"and page {page} says so.", 11, new PdfPoint(50, 726), font);
        }
        SourceDocument document = DocumentReader.For("a.pdf")!.Read(builder.Build(), "a.pdf", new ReadingLimits());
        Section second = document.Sections[document.SectionAt(document.Text.IndexOf("page 2", StringComparison.Ordinal))];
        Assert.Equal((2, "Chapter 2"), (second.Page, second.Headings[^1]));
        Assert.Contains("twice a day,\nand page 1", document.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void WordDocumentsHaveHeadingsAndTables()
    {
        using MemoryStream stream = new();
        using (WordprocessingDocument word = WordprocessingDocument.Create(stream, WordprocessingDocumentType.Document))
        {
            MainDocumentPart main = word.AddMainDocumentPart();
            main.Document = new W.Document(new W.Body(
                new W.Paragraph(new W.ParagraphProperties(new W.ParagraphStyleId { Val = "Heading1" }), new W.Run(new W.Text("Tides"))),
                new W.Paragraph(new W.Run(new W.Text("They rise "), new W.Text("twice."))),
                new W.Table(new W.TableRow(new W.TableCell(new W.Paragraph(new W.Run(new W.Text("a")))), new W.TableCell(new W.Paragraph(new W.Run(new W.Text("b"))))))));
            word.PackageProperties.Title = "All";
        }
        SourceDocument document = DocumentReader.For("a.docx")!.Read(stream.ToArray(), "a.docx", new ReadingLimits());
        Assert.Contains("They rise twice.", document.Text, StringComparison.Ordinal);
        Assert.Contains("a\tb", document.Text, StringComparison.Ordinal);
        Assert.Equal(["Tides"], document.Sections[^1].Headings);
        Assert.Equal("All", document.Metadata["title"]);
    }

    [Fact]
    public void HostileFilesAreOneLineAndTheRestIsIndexed()
    {
        using RetrievalFolder folder = new();
        folder.Write("good.md", "# Good\n\nThe tide rises.");
        folder.Write("broken.pdf", "%PDF-1.7\nnonsense");
        folder.Write("bomb.docx", Bomb());
        folder.Write("notzip.docx", "PK but not really");
        folder.Write("binary.txt", [1, 0, 2, 0, 0, 0, 9, 0, 0, 3]);
        folder.Write("large.txt", new string('a', 300_000));
        folder.Write("latin.txt", [.. "caf"u8, 0xE9, .. " tide"u8]);
        folder.Write("two\nlines.txt", "tide");
        Directory.CreateSymbolicLink(Path.Combine(folder.Documents, "loop"), folder.Documents);
        using Applications.Retrieval.Indexing.RetrievalIndex index = Applications.Retrieval.Indexing.RetrievalIndex.OpenOrCreate(folder.IndexPath);
        Applications.Retrieval.Indexing.IndexingResult result = new Applications.Retrieval.Indexing.Indexer(index, limits: new ReadingLimits(MaxBytes: 250_000)).Run(folder.Documents);
        Assert.Equal(["good.md", "latin.txt", "two\nlines.txt"], index.Documents().Select(d => d.Name).Order(StringComparer.Ordinal));
        Assert.Equal(["binary.txt", "bomb.docx", "broken.pdf", "large.txt", "loop", "notzip.docx"], result.Remarks.Where(r => r.Skipped).Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.All(result.Remarks, r => Assert.DoesNotContain('\n', r.Reason));
        Assert.Contains("zip bomb", result.Remarks.Single(r => r.Name == "bomb.docx").Reason, StringComparison.Ordinal);
        Assert.Equal("café tide", index.DocumentText("latin.txt"));
    }

    [Theory]
    [InlineData("utf-16le", true)]
    [InlineData("utf-16be", true)]
    [InlineData("utf-16le", false)]
    [InlineData("utf-8", true)]
    public void UnicodeIsRecognised(string name, bool mark)
    {
        Encoding encoding = Encoding.GetEncoding(name);
        SourceDocument document = DocumentReader.For("a.txt")!.Read((byte[])[.. mark ? encoding.Preamble : [], .. encoding.GetBytes("The tide rises twice.")], "a.txt", new ReadingLimits());
        Assert.Equal("The tide rises twice.", document.Text);
    }

    [Theory]
    [MemberData(nameof(Chunkers))]
    public void ChunksCoverTheTextWithinTheirSize(Chunker chunker, int size)
    {
        string text = string.Join("\n\n", Enumerable.Range(0, 40).Select(i => (i % 7 == 0 ? $"# Heading {i}\n\n" : "") + string.Join(' ', Enumerable.Range(0, 5 + (i * 3)).Select(w => $"word{w}{(w % 9 == 8 ? "." : "")}"))));
        SourceDocument document = Read("a.md", text + new string('x', 3000));
        IReadOnlyList<Chunk> chunks = chunker.Split(document);
        bool[] covered = new bool[document.Text.Length];
        foreach (Chunk chunk in chunks)
        {
            Assert.InRange(chunk.Length, 1, size);
            Array.Fill(covered, true, chunk.Start, chunk.Length);
        }
        Assert.All(Enumerable.Range(0, covered.Length).Where(i => !covered[i]), i => Assert.True(char.IsWhiteSpace(document.Text[i])));
        Assert.Equal(chunks.OrderBy(c => c.Start).Select(c => c.Start), chunks.Select(c => c.Start));
    }

    public static TheoryData<Chunker, int> Chunkers() => new()
    {
        { new RecursiveChunker(200, 40), 200 }, { new HeadingChunker(300), 300 }, { new SentenceChunker(3, 1, 500), 500 }, { new CodeChunker(250), 250 }, { new RecursiveChunker(50, 0), 50 },
    };

    [SharedFact("data", "rag-peps")]
    public void PepsAreReadWithTheirFieldsAndSections()
    {
        string[] files = Directory.GetFiles(SharedFolder.Find("data", "rag-peps", "peps")!, "*.rst");
        Assert.True(files.Length > 100);
        Assert.All(files, file =>
        {
            SourceDocument document = DocumentReader.ReadFile(file);
            Assert.True(document.Metadata.ContainsKey("status"), file);
            Assert.True(document.Sections.Count > 3, file);
        });
    }

    private static SourceDocument Read(string name, string text) => DocumentReader.For(name)!.Read(Encoding.UTF8.GetBytes(text), name, new ReadingLimits());

    private static byte[] Bomb()
    {
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            using Stream entry = archive.CreateEntry("word/document.xml", CompressionLevel.Optimal).Open();
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 100; i++)
                entry.Write(zeros);
        }
        return stream.ToArray();
    }
}
