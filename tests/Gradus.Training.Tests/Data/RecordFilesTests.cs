using System.IO.Compression;
using System.Text;
using Gradus.Training.Data;
using Parquet.Schema;
using Parquet.Serialization;
using ZstdSharp;

namespace Gradus.Training.Tests.Data;

/// <summary>Records in every form that people have them in.</summary>
public sealed class RecordFilesTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.jsonl", "{\"q\": \"a\", \"n\": 1}\n\n{\"q\": \"b\", \"n\": 2}\n", "1 3")]
    [InlineData("a.ndjson", "{\"q\": \"a\", \"n\": 1}\n{\"q\": \"b\", \"n\": 2}", "1 2")]
    [InlineData("a.json", "[\n{\"q\": \"a\", \"n\": 1},\n{\"q\": \"b\", \"n\": 2}\n]\n", "2 3")]
    [InlineData("b.jsonl", "[{\"q\": \"a\", \"n\": 1}, {\"q\": \"b\", \"n\": 2}]", "1 1")]
    [InlineData("pretty.json", "[\n  {\n    \"q\": \"a\",\n    \"n\": 1\n  },\n  {\n    \"q\": \"b\",\n    \"n\": 2\n  }\n]", "2 6")]
    [InlineData("pretty.jsonl", "{\n  \"q\": \"a\",\n  \"n\": 1\n}\n{\n  \"q\": \"b\",\n  \"n\": 2\n}\n", "1 5")]
    [InlineData("a.csv", "q,n\r\na,1\r\n\r\nb,2\r\n", "2 4")]
    [InlineData("b.csv", "q;n\na;1\nb;2", "2 3")]
    [InlineData("a.tsv", "q\tn\na\t1\nb\t2\n", "2 3")]
    [InlineData("quoted.csv", "\"q\",\"n\"\n\"a\",\"1\"\n\"b\",\"2\"\n", "2 3")]
    public void TwoRecordsAreReadWithTheirLines(string name, string text, string lines)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Two(_folder.Write(name, utf8), lines);
        Two(_folder.Write($"marked-{name}", [.. Encoding.UTF8.Preamble, .. utf8]), lines);
        Two(_folder.Write($"{name}.gz", Gzip(utf8)), lines);
        Two(_folder.Write($"nameless-{name}", Gzip(utf8)), lines);
        Two(_folder.Write($"{name}.zst", Zstandard(utf8)), lines);
        Two(_folder.Write($"utf16-{name}", [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes(text)]), lines);
    }

    [Fact]
    public void FieldsOfTablesHoldSeparatorsQuotesAndLineEnds()
    {
        string path = _folder.Write("a.csv", "prompt,completion,empty\n\"Where, is \"\"the\"\" cat?\",\"On\nthe red hat.\",\n x ,5 \"inch\",\"\"\n");
        DataRecord[] records = [.. TextFiles.Records(path)];
        Assert.Equal(["Where, is \"the\" cat?", "On\nthe red hat.", ""], records[0].Json.EnumerateObject().Select(p => p.Value.GetString()));
        Assert.Equal([" x ", "5 \"inch\"", ""], records[1].Json.EnumerateObject().Select(p => p.Value.GetString()));
        Assert.Equal([2L, 4], records.Select(r => r.Line));
    }

    [Theory]
    [InlineData("a.jsonl", "{\"a\":1}\n{\"a\":NaN}\n", "line 2: not a JSON object (column 6: 'N'")]
    [InlineData("a.jsonl", "{\"a\":\"b\"},\n{\"a\":\"c\"}", "take the comma out")]
    [InlineData("a.jsonl", "{\"a\":1, \"a\":2}\n", "line 1: not a JSON object")]
    [InlineData("a.json", "[\n{\"a\": 1}\n{\"a\": 2}\n]", "line 3: not a JSON object (column 1: a comma is missing")]
    [InlineData("a.json", "[\n{\"a\": 1},\n{\"a\": 2,}\n]", "line 3: not a JSON object (column 9: ")]
    [InlineData("a.json", "[\n{\"a\": 1},\n]", "line 3: not a JSON object (column 1: a record must begin with {")]
    [InlineData("a.json", "[{\"a\": 1}", "is not closed with ]")]
    [InlineData("a.json", "[{\"a\": 1}] x", "something follows the list")]
    [InlineData("a.json", "{\n\"a\": [1,\n", "line 1: not a JSON object (column 1: it is not closed")]
    [InlineData("a.json", "{\n\"a\": -Infinity\n}", "line 2: not a JSON object (column 7: ")]
    [InlineData("a.csv", "a,b\n1,2,3\n", "line 2: 3 fields, but the header has 2 (a, b)")]
    [InlineData("a.csv", "a,b\n1,\"2\n3\n", "line 2: a quoted field that begins here does not end")]
    [InlineData("a.csv", "a,b\n1,\"2\" x\n", "line 2: text follows a closing quote (column 6)")]
    [InlineData("a.csv", "a,a\n1,2\n", "two columns are called \"a\"")]
    [InlineData("a.csv", "a,b\n", "the file is empty")]
    [InlineData("a.parquet", "PAR1 and nothing", "not a Parquet file that can be read")]
    [InlineData("a.jsonl", "PAR1 and nothing", "is a Parquet file")]
    [InlineData("a.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer")]
    [InlineData("a.jsonl", "PK\u0003\u0004", "is a ZIP archive")]
    [InlineData("a.jsonl", "{\0\"\0a\0\"\0:\0", "zero bytes: UTF-16 without a byte order mark")]
    [InlineData("a.txt", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n", "line 1: holds JSON records, but its name is that of plain text; call it .jsonl")]
    public void WhatCannotBeReadIsNamedWithItsPlace(string name, string text, string problem)
    {
        string path = _folder.Write(name, text);
        string message = Assert.Throws<InvalidDataException>(() =>
            (name.EndsWith(".txt", StringComparison.Ordinal) ? TextFiles.Documents([path]) : TextFiles.Records(path).Select(r => r.Path)).ToList()).Message;
        Assert.StartsWith($"{path}: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void AMissingRelativePathSaysWhereItWasLookedFor()
    {
        string message = Assert.Throws<InvalidDataException>(() => TextFiles.Records("no/such.jsonl").ToList()).Message;
        Assert.StartsWith($"no/such.jsonl: no such file; looked in {Directory.GetCurrentDirectory()}", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ParquetIsReadWithItsListsAndObjects()
    {
        ParquetSchema schema = new(
            new DataField<string>("prompt"), new DataField<int?>("n"),
            new ListField("messages", new StructField("element", new DataField<string>("role"), new DataField<string>("content"))));
        Dictionary<string, object> Turn(string role, string content) => new() { ["role"] = role, ["content"] = content };
        Dictionary<string, object?>[] rows =
        [
            new() { ["prompt"] = "P", ["n"] = 3, ["messages"] = new List<IDictionary<string, object>> { Turn("user", "Q"), Turn("assistant", "A") } },
            new() { ["prompt"] = "P", ["n"] = null, ["messages"] = new List<IDictionary<string, object>> { Turn("user", "R"), Turn("assistant", "B") } },
        ];
        using (FileStream stream = File.Create(_folder["a.parquet"]))
            await ParquetSerializer.SerializeUntypedAsync(rows!, schema, stream);
        DataRecord[] records = [.. TextFiles.Records(_folder["a.parquet"])];
        Assert.Equal([1L, 2], records.Select(r => r.Line));
        Assert.Equal(3, records[0].Json.GetProperty("n").GetInt32());
        Assert.False(records[1].Has("n"));
        Assert.Equal("[{\"role\":\"user\",\"content\":\"R\"},{\"role\":\"assistant\",\"content\":\"B\"}]", records[1].Text("messages"));
    }

    [Fact]
    public void ColumnsRenameFields()
    {
        Dictionary<string, string> columns = new() { ["question"] = "prompt", ["answer"] = "completion" };
        string path = _folder.Write("a.jsonl", "{\"question\": \"Q\", \"answer\": \"A\", \"id\": 7}\n");
        Assert.Equal("Q A", string.Join(' ', Assert.Single(Conversations.Read([path], columns)).Messages.Select(m => m.Text)));
        Assert.Contains("line 1: columns: there is no field \"question\"; the record has prompt", Wrong("{\"prompt\": \"Q\"}"), StringComparison.Ordinal);
        Assert.Contains("two fields would be called \"prompt\"", Wrong("{\"question\": \"Q\", \"prompt\": \"P\", \"answer\": \"A\"}"), StringComparison.Ordinal);

        string Wrong(string record) => Assert.Throws<InvalidDataException>(() => TextFiles.Records(_folder.Write("b.jsonl", record), columns).ToList()).Message;
    }

    private static void Two(string path, string lines)
    {
        DataRecord[] records = [.. TextFiles.Records(path)];
        Assert.Equal("a 1|b 2", string.Join('|', records.Select(r => $"{r.Text("q")} {r.Text("n")}")));
        Assert.Equal(lines, string.Join(' ', records.Select(r => r.Line)));
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using MemoryStream stream = new();
        using (GZipStream gzip = new(stream, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return stream.ToArray();
    }

    private static byte[] Zstandard(byte[] bytes)
    {
        using MemoryStream stream = new();
        using (CompressionStream zstandard = new(stream))
            zstandard.Write(bytes);
        return stream.ToArray();
    }
}
