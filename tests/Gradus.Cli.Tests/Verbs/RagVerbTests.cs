using System.Diagnostics;
using System.Text.Json;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Models;

namespace Gradus.Cli.Tests.Verbs;

public sealed class RagVerbTests(SmallModel models) : IClassFixture<SmallModel>, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("gradus-rag").FullName;

    private string Docs => Path.Combine(_root, "docs");

    private string IndexFile => Path.Combine(_root, "index.db");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void AFolderIsIndexedSearchedAndMeasured()
    {
        Write("tides.md", "# Tides\n\nThe tide rises twice a day, and the moon is the reason for that.");
        Write("kites.md", "# Kites\n\nThe kite of the year is red, and the wind is strong.");
        Write("broken.pdf", "no pdf");
        CommandLineRun first = CommandLineRun.Of("rag", "index", Docs, "--index", IndexFile, "--json");
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("broken.pdf: left out", first.Error, StringComparison.Ordinal);
        using (JsonDocument told = JsonDocument.Parse(first.Output))
            Assert.Equal((2, 1), (told.RootElement.GetProperty("added").GetInt32(), told.RootElement.GetProperty("left_out").GetInt32()));
        CommandLineRun found = CommandLineRun.Of("rag", "search", "why does the tide rise", "--index", IndexFile, "--json").Succeeds();
        Assert.Contains("\"document\":\"tides.md\"", found.Output.Split('\n')[0], StringComparison.Ordinal);
        string questions = Path.Combine(_root, "questions.jsonl");
        File.WriteAllText(questions, "{\"question\": \"tide moon\", \"documents\": [\"tides\"]}\n{\"question\": \"red kite\", \"documents\": [\"kites.md\"]}\n");
        CommandLineRun measured = CommandLineRun.Of("rag", "evaluate", questions, "--index", IndexFile, "--recipe", "keywords", "--recipe", "keywords").Succeeds();
        Assert.Contains("MAP", measured.Output, StringComparison.Ordinal);
        Assert.Contains("1.0000", measured.Output, StringComparison.Ordinal);
    }

    /// <summary>The model is drawn at random: whatever it writes, what is cited stands in the documents, and the same comes out again.</summary>
    [Fact]
    public void ALocalModelAnswersAndMakesVectors()
    {
        string ascii = string.Concat(Enumerable.Range(33, 94).Select(c => (char)c).Except(SmallModel.Alphabet));
        string model = models.WriteModel("long", new LlamaConfig(HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 1, NumAttentionHeads: 2, MaxPositionEmbeddings: 4096, InitializerRange: 0.4f, EosTokenId: 0), ascii);
        Write("tides.md", "# Tides\n\nThe tide rises twice a day.");
        Write("kites.md", "# Kites\n\nThe kite is red.");
        CommandLineRun indexed = CommandLineRun.Of("rag", "index", Docs, "--index", IndexFile, "--embed", model).Succeeds();
        Assert.Contains("16 elements", indexed.Output, StringComparison.Ordinal);
        string[] ask = ["rag", "ask", model, "when does the tide rise", "--index", IndexFile, "--max-tokens", "12", "--json"];
        CommandLineRun answer = CommandLineRun.Of(ask).Succeeds();
        using JsonDocument told = JsonDocument.Parse(answer.Output);
        Assert.NotEmpty(told.RootElement.GetProperty("passages").EnumerateArray());
        Assert.All(told.RootElement.GetProperty("citations").EnumerateArray(), c =>
            Assert.Contains(c.GetProperty("quote").GetString()!, File.ReadAllText(Path.Combine(Docs, c.GetProperty("document").GetString()!)), StringComparison.Ordinal));
        Assert.Equal(answer.Output, CommandLineRun.Of(ask).Output);
        Assert.Equal(2, CommandLineRun.Piped("tide\nkite\n", "rag", "chat", model, "--index", IndexFile, "--max-tokens", "4", "--json").Succeeds().Output.TrimEnd('\n').Split('\n').Length);
        CommandLineRun.Of("rag", "index", Docs, "--index", IndexFile, "--embed", "latent").Fails(2, "holds vectors of", "another file");
    }

    [Theory]
    [InlineData("no such index", "rag", "search", "x", "--index", "nowhere.db")]
    [InlineData("no such file or folder", "rag", "index", "nowhere", "--index", "new.db")]
    [InlineData("--chunks is", "rag", "index", ".", "--chunks", "slices", "--index", "new.db")]
    public void WrongUsageIsOneLine(string message, params string[] arguments)
    {
        CommandLineRun run = CommandLineRun.Of([.. arguments.Select(a => a.EndsWith(".db", StringComparison.Ordinal) ? Path.Combine(_root, a) : a)]);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }

    /// <summary>Killed at any moment: the file opens, holds whole documents, and the next run completes it.</summary>
    [Fact]
    public void NothingAcknowledgedIsLostWhenTheProcessIsKilled()
    {
        for (int i = 0; i < 300; i++)
            Write($"d{i}.txt", string.Concat(Enumerable.Repeat($"document number{i} speaks of tides and kites. ", 1500)));
        for (int attempt = 0; attempt < 4; attempt++)
        {
            using Process process = CommandLineRun.Start(["rag", "index", Docs, "--index", IndexFile]);
            process.WaitForExit(300 + (attempt * 350));
            process.Kill();
            process.WaitForExit();
            if (!File.Exists(IndexFile))
                continue;
            using RetrievalIndex opened = RetrievalIndex.OpenOrCreate(IndexFile);
            foreach (IndexedDocument document in opened.Documents())
            {
                Assert.NotEmpty(opened.ChunksOf(document.Name));
                Assert.Contains(opened.SearchKeywords($"number{document.Name[1..^4]}", 500), h => opened.Chunks([h.Chunk])[0].Document == document.Name);
            }
        }
        CommandLineRun last = CommandLineRun.Of("rag", "index", Docs, "--index", IndexFile, "--json").Succeeds();
        using RetrievalIndex index = RetrievalIndex.Open(IndexFile);
        Assert.Equal(300, index.Documents().Count);
        Assert.NotEmpty(last.Output);
    }

    [Fact]
    public void ClientsOfTheModelContextProtocolSearchTheIndex()
    {
        Write("tides.md", "# Tides\n\nThe tide rises twice a day.");
        CommandLineRun.Of("rag", "index", Docs, "--index", IndexFile).Succeeds();
        string requests = string.Concat(
            """{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}""", "\n",
            """{"jsonrpc":"2.0","method":"notifications/initialized"}""", "\n",
            """{"jsonrpc":"2.0","id":2,"method":"tools/list"}""", "\n",
            """{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"search","arguments":{"query":"tide"}}}""", "\n",
            """{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"read_document","arguments":{"document":"none.md"}}}""", "\n");
        using Process process = CommandLineRun.Start(["mcp", "--index", IndexFile]);
        process.StandardInput.Write(requests);
        process.StandardInput.Flush();
        Dictionary<int, JsonElement> answers = [];
        while (answers.Count < 4 && process.StandardOutput.ReadLine() is { } line)
        {
            JsonElement answer = JsonDocument.Parse(line).RootElement;
            if (answer.TryGetProperty("id", out JsonElement id) && answer.TryGetProperty("result", out JsonElement result))
                answers[id.GetInt32()] = result;
        }
        process.StandardInput.Close();
        Assert.True(process.WaitForExit(20_000));
        Assert.Equal(["read_document", "search"], answers[2].GetProperty("tools").EnumerateArray().Select(t => t.GetProperty("name").GetString()!).Order(StringComparer.Ordinal));
        Assert.Contains("rises twice a day", answers[3].GetProperty("content")[0].GetProperty("text").GetString()!, StringComparison.Ordinal);
        Assert.True(answers[4].GetProperty("isError").GetBoolean());
    }

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Docs);
        File.WriteAllText(Path.Combine(Docs, name), text);
    }
}
