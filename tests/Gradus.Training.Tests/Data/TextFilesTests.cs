using System.IO.Compression;
using System.Text;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class TextFilesTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ATextIsOneDocumentAsItIs()
    {
        string text = "Grüße 🦉\r\nzweite Zeile\n\n\tEnde ohne Zeilenende";
        Assert.Equal([text], TextFiles.Documents([_folder.Write("a.txt", text)]));
        Assert.Equal([text], TextFiles.Documents([_folder.Write("a.txt.gz", Compressed(Encoding.UTF8.GetBytes(text)))]));
        Assert.Equal([text], TextFiles.Documents([_folder.Write("bom.txt", [.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(text)])]));
        Assert.Equal(["one", "two"], TextFiles.Documents([_folder.Write("1.txt", "one"), _folder.Write("2.unknown", "two")]));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void JSONLinesAreADocumentEach(string end)
    {
        string lines = string.Join(end, """{"text": "eins\nzwei 🦉"}""", "", """  {"id": 5, "text": ""}  """, """{"text": "\ud83e\udd89"}""");
        string[] expected = ["eins\nzwei 🦉", "", "🦉"];
        Assert.Equal(expected, TextFiles.Documents([_folder.Write("a.jsonl", lines)]));
        Assert.Equal(expected, TextFiles.Documents([_folder.Write("b.JSONL", lines + end)]));
        Assert.Equal(expected, TextFiles.Documents([_folder.Write("c.jsonl", [.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(lines)])]));
        Assert.Equal(expected, TextFiles.Documents([_folder.Write("d.jsonl.gz", Compressed(Encoding.UTF8.GetBytes(lines)))]));
        Assert.Equal([1L, 3, 4], TextFiles.Records(_folder["a.jsonl"]).Select(r => r.Line));
    }

    [Fact]
    public void MissingAndEmptyFilesAndFoldersAreRefused()
    {
        Refused("missing.txt: no such file", "missing.txt");
        Refused("missing.jsonl: no such file", "missing.jsonl");
        Directory.CreateDirectory(_folder["folder.txt"]);
        Refused("folder.txt: is a folder", "folder.txt");
        Refused("empty.txt: the file is empty", "empty.txt", []);
        Refused("bom.txt: the file is empty", "bom.txt", [.. Encoding.UTF8.Preamble]);
        Refused("empty.jsonl: the file is empty", "empty.jsonl", []);
        Refused("blank.jsonl: the file is empty", "blank.jsonl", "\n \r\n\t"u8.ToArray());
        Refused("empty.txt.gz: the file is empty", "empty.txt.gz", Compressed([]));
    }

    [Fact]
    public void TextThatIsNotUTF8IsRefusedWithItsLine()
    {
        byte[] latin = Encoding.Latin1.GetBytes("eins\nzwei\ngrün\n");
        Refused("latin.txt: line 3: not UTF-8", "latin.txt", latin);
        Refused("latin.txt.gz: line 3: not UTF-8", "latin.txt.gz", Compressed(latin));
        // A byte order mark does not make it better.
        Refused("marked.txt: line 3: not UTF-8", "marked.txt", [.. Encoding.UTF8.Preamble, .. latin]);
        Refused("cut.txt: line 1: not UTF-8", "cut.txt", Encoding.UTF8.GetBytes("€")[..2]);
        Refused("latin.jsonl: line 2: not UTF-8", "latin.jsonl", Encoding.Latin1.GetBytes("{\"text\": \"a\"}\n{\"text\": \"ü\"}\n"));
    }

    [Fact]
    public void LinesThatAreNoRecordsAreRefusedWithTheirNumber()
    {
        Refused("a.jsonl: line 2: not a JSON object", "a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"\n"u8.ToArray());
        Refused("b.jsonl: line 1: not a JSON object (column 2: a record must begin with {)", "b.jsonl", "[1, 2]\n"u8.ToArray());
        Refused("c.jsonl: line 3: not a JSON object", "c.jsonl", "{\"text\": \"a\"}\n\nplain words\n"u8.ToArray());
        Refused("d.jsonl: line 2: the field \"text\" is missing, and it is no conversation; the record has words", "d.jsonl", "{\"text\": \"a\"}\n{\"words\": \"b\"}\n"u8.ToArray());
        Refused("e.jsonl: line 1: not a JSON object (column 14", "e.jsonl", "{\"text\": \"5\"},\n"u8.ToArray());
        Refused("f.jsonl: line 1: a text has half a surrogate pair", "f.jsonl", "{\"text\": \"\\ud83e\"}\n"u8.ToArray());
        Refused("g.jsonl: line 1: a text has half a surrogate pair", "g.jsonl", "{\"\\udd89\": 1, \"text\": \"\"}\n"u8.ToArray());
        Refused("h.jsonl: line 1: not a JSON object", "h.jsonl", Encoding.UTF8.GetBytes(new string('[', 100_000)));
    }

    [Fact]
    public void BrokenGzipFilesAreRefused()
    {
        byte[] whole = Compressed(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i * 7919}\n"))));
        Refused("plain.txt.gz: not a whole gzip file", "plain.txt.gz", "just text, not compressed"u8.ToArray());
        Refused("cut.txt.gz: not a whole gzip file", "cut.txt.gz", whole[..(whole.Length / 2)]);
        Refused("cut.jsonl.gz: not a whole gzip file", "cut.jsonl.gz", Compressed("{\"text\": \"a\"}\n"u8.ToArray())[..^12]);
    }

    private void Refused(string message, string name, byte[]? bytes = null)
    {
        string path = bytes is null ? _folder[name] : _folder.Write(name, bytes);
        string said = Assert.Throws<InvalidDataException>(() => TextFiles.Documents([path]).ToList()).Message;
        Assert.StartsWith(Path.Combine(_folder.FullPath, message), said, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said);
    }

    private static byte[] Compressed(byte[] bytes)
    {
        using MemoryStream stream = new();
        using (GZipStream gzip = new(stream, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return stream.ToArray();
    }
}
