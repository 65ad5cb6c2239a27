using System.Globalization;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gradus.Cli.Tests.Stages;
using Gradus.Testing;
using Gradus.Training.Data.Registry;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Data sets by their names, from a server on loopback.</summary>
public sealed class DataVerbTests : IDisposable
{
    private static readonly byte[] Text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 9000).Select(i => $"the cat sees {i} birds.\n")));
    private static readonly byte[] Table = Encoding.UTF8.GetBytes("ID,question,answer\n1,\"Where, please?\",There.\n2,Who?,Ben.\n3,What?,That.\n");
    private static readonly byte[] Nested = Encoding.UTF8.GetBytes("""
        {"data": [{"list": [{"q": "Where?", "a": ["Here", "There"]}, {"q": "Who?", "a": ["Ann", "Ben"]}]}, {"list": [{"q": "What?", "a": ["This", "That"]}]}]}
        """);

    private readonly CliProcess _cli = new();
    private readonly LoopbackServer _server;
    private int _asked;

    public DataVerbTests()
    {
        _server = new LoopbackServer(Answer);
        _cli.Write("registry.json", Registry(Hash(Text)));
    }

    /// <summary>Changes the first answers.</summary>
    private Func<int, Request, Response?>? Mischief { get; set; }

    public void Dispose()
    {
        _server.Dispose();
        _cli.Dispose();
    }

    [Fact]
    public void ASetIsListedFetchedOnceAndFoundByRecipes()
    {
        Mischief = (asked, request) => asked == 0 ? new Response(200, Text) { BreakAfter = 100_000 } : null;
        JsonNode before = JsonNode.Parse(Run("data", "list", "--json").Output.Split('\n')[0])!;
        Assert.Equal("birds", (string?)before["name"]);
        Assert.Null(before["files"]!["text.txt"]);
        Run("data", "get", "birds");
        Assert.Equal(Text, File.ReadAllBytes(_cli["store/birds/text.txt"]));
        Assert.Contains(_server.Requests, r => r.Headers.TryGetValue("range", out string? range) && range == "bytes=100000-");
        Assert.Equal(
            "{\"id\":\"1\",\"prompt\":\"Where, please?\",\"completion\":\"There.\"}\n{\"id\":\"2\",\"prompt\":\"Who?\",\"completion\":\"Ben.\"}\n",
            File.ReadAllText(_cli["store/birds/questions/asked.jsonl"]));
        int requests = _server.Requests.Count;
        Run("data", "get", "birds");
        Assert.Equal(requests, _server.Requests.Count);
        Assert.Contains(Path.Combine("store", "birds"), Run("data", "list").Output, StringComparison.Ordinal);
        Run("pretrain", "recipe.json", "--data.train=$data/birds/text.txt", "--training.steps=1").Succeeded();
        Assert.Equal("$data/birds/text.txt", (string?)JsonNode.Parse(File.ReadAllText(_cli["run/recipe.json"]))!["data"]!["train"]![0]);
        Assert.Empty(Directory.EnumerateFiles(_cli["store"], "*.part", SearchOption.AllDirectories));
    }

    [Fact]
    public void ARecipeAsksForWhatIsMissingOrFetchesItByAFlag()
    {
        string message = Run("pretrain", "recipe.json", "--data.train=$data/birds/text.txt").Failed(2);
        Assert.Contains("$data/birds/text.txt: is not in ", message, StringComparison.Ordinal);
        Assert.Contains("fetch it with gradus data get birds, or give --fetch", message, StringComparison.Ordinal);
        Assert.Empty(_server.Requests);
        Run("pretrain", "recipe.json", "--data.train=$data/birds/text.txt", "--training.steps=1", "--fetch").Succeeded();
        Assert.Contains("\"trees\"", Run("pretrain", "recipe.json", "--run=other", "--data.train=$data/trees/a.txt").Failed(2), StringComparison.Ordinal);
        Assert.Contains("no such file; it has text.txt, questions/asked.jsonl", Run("pretrain", "recipe.json", "--run=other", "--data.train=$data/birds/b.txt").Failed(2), StringComparison.Ordinal);
        Assert.Contains("did you mean \"birds\"", Run("data", "get", "brids").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatComesFromAServerIsChecked()
    {
        _cli.Write("registry.json", Registry(new string('0', 64)));
        string message = Run("data", "get", "birds").Failed(1);
        Assert.Contains($"with the SHA-256 {Hash(Text)}, where", message, StringComparison.Ordinal);
        Assert.False(File.Exists(_cli["store/birds/text.txt"]));
        Mischief = (_, _) => new Response(404, []);
        Assert.Contains("cannot be fetched", Run("data", "get", "birds").Failed(1), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutANetworkItSaysWhatToDo()
    {
        _server.Dispose();
        string message = Run("data", "get", "birds").Failed(1);
        Assert.Contains($"or get the file elsewhere and put it at {_cli["store/birds/text.txt"]}", message, StringComparison.Ordinal);
        Directory.CreateDirectory(_cli["data/birds"]);
        File.WriteAllBytes(_cli["data/birds/text.txt"], Text);
        Run("pretrain", "recipe.json", "--data.train=$data/birds/text.txt", "--training.steps=1").Succeeded();
    }

    [Theory]
    [InlineData("\"licence\"", "\"license\"", "unknown key \"license\"")]
    [InlineData("\"birds\"", "\"../birds\"", "a name has letters")]
    [InlineData("text.txt", "../../text.txt", "a file's name has letters")]
    [InlineData("http://127.0.0.1", "http://example.org", "https://")]
    [InlineData("\"size\": ", "\"size\": -", "size must be")]
    [InlineData("\"records\": 2", "\"records\": 0", "records must be a number of 1 or more")]
    [InlineData("\"records\": 2", "\"lines\": 2", "goes with no other conversion")]
    [InlineData("\"records\": 2", "\"each\": \"*\"", "with each give fields")]
    public void AWrongRegistryIsRefused(string what, string instead, string problem)
    {
        _cli.Write("registry.json", Registry(Hash(Text)).Replace(what, instead, StringComparison.Ordinal));
        Assert.Contains(problem, Run("data", "list").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void FilesAreMadeOfPartsFieldsAndLines()
    {
        _cli.Write("registry.json", Shapes);
        Run("data", "get", "shapes").Succeeded();
        Assert.Equal(
            """
            {"town":"Rome","q":"Who?","answers":["Ben","Ann"]}
            {"town":"Bonn","q":"Who?","answers":["Ben","Ann"]}
            {"town":"Bonn","q":"What?","answers":["That","This"]}

            """,
            File.ReadAllText(_cli["store/shapes/questions.jsonl"]));
        Assert.Equal("the cat sees 0 birds.\nthe cat sees 1 birds.\n", File.ReadAllText(_cli["store/shapes/birds.txt"]));
        Assert.Equal(["birds.txt", "questions.jsonl"], Directory.EnumerateFileSystemEntries(_cli["store/shapes"]).Select(Path.GetFileName).Where(n => n![0] != '.').Order(StringComparer.Ordinal));

        _cli.Write("registry.json", Shapes.Replace("\"a.1\"", "\"a.7\"", StringComparison.Ordinal));
        Directory.Delete(_cli["store"], recursive: true);
        Assert.Contains("record 2: there is no \"7\" of \"a.7\"", Run("data", "get", "shapes").Failed(2), StringComparison.Ordinal);
    }

    /// <summary>Two files of one archive, which is fetched once, take turns; their lines are text in Latin-1.</summary>
    [Fact]
    public void FilesOfAZipArchiveAreMadeOfItsEntries()
    {
        _cli.Write("registry.json", Zipped);
        Run("data", "get", "films").Succeeded();
        Assert.Equal(
            """
            {"label":1,"text":"très bien"}
            {"label":0,"text":"dull ."}
            {"label":1,"text":"lovely"}
            {"label":0,"text":"worse"}

            """,
            File.ReadAllText(_cli["store/films/reviews.jsonl"]));
        Assert.Single(_server.Requests);

        _cli.Write("registry.json", Zipped.Replace("films/good", "films/best", StringComparison.Ordinal));
        Directory.Delete(_cli["store"], recursive: true);
        Assert.Contains("the archive has no file \"films/best\"", Run("data", "get", "films").Failed(2), StringComparison.Ordinal);
        _cli.Write("registry.json", Zipped.Replace("\"latin1\"", "\"ebcdic\"", StringComparison.Ordinal));
        Assert.Contains("encoding \"ebcdic\" is unknown", Run("data", "get", "films").Failed(2), StringComparison.Ordinal);
        Directory.Delete(_cli["store"], recursive: true);
        _cli.Write("registry.json", Zipped.Replace("films.zip", "text", StringComparison.Ordinal).Replace(Hash(Archive), Hash(Text), StringComparison.Ordinal).Replace($"\"size\": {Archive.Length}", $"\"size\": {Text.Length}", StringComparison.Ordinal));
        Assert.Contains("is no zip archive", Run("data", "get", "films").Failed(2), StringComparison.Ordinal);
    }

    [Fact]
    public void EveryNameThatARecipeUsesIsInTheRegistryAndNothingPointsOutsideTheRepository()
    {
        string root = Path.GetFullPath(Path.Combine(Here(), "..", "..", "..", ".."));
        string path = Path.Combine(root, "data", "registry.json");
        DataSetRegistry registry = DataSetRegistry.Parse(File.ReadAllText(path), path);
        Assert.True(registry.Sets.Count > 5);
        string[] texts = [.. new[] { "recipes", "docs", "examples", "src/Gradus.Evaluation/Tasks/Library" }.Select(f => Path.Combine(root, f)).Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories)).Append(Path.Combine(root, "README.md"))
            .Where(f => Path.GetExtension(f) is ".json" or ".md" or ".cs" or ".yaml")];
        Assert.All(texts, file =>
        {
            string text = File.ReadAllText(file);
            Assert.DoesNotContain("../shared", text, StringComparison.Ordinal);
            Assert.All(Regex.Matches(text, @"\$data/([A-Za-z0-9._-]+)/([A-Za-z0-9._/-]+[A-Za-z0-9])").Where(m => m.Groups[1].Value != "NAME"), m =>
                Assert.Contains(registry.Find(m.Groups[1].Value)?.Files ?? [], f => f.Name == m.Groups[2].Value));
        });
    }

    private static string Here([CallerFilePath] string here = "") => here;

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private string Registry(string hash) => string.Create(CultureInfo.InvariantCulture, $$"""
        {
          "birds": {
            "what": "Birds.", "for": "Tests.", "licence": "MIT", "source": "https://example.org", "revision": "1",
            "files": {
              "text.txt": { "url": "{{_server.Address}}text", "size": {{Text.Length}}, "sha256": "{{hash}}" },
              "questions/asked.jsonl": {
                "url": "{{_server.Address}}table.csv", "size": {{Table.Length}}, "sha256": "{{Hash(Table)}}",
                "columns": { "ID": "id", "question": "prompt", "answer": "completion" }, "records": 2
              }
            }
          }
        }
        """);

    private string Shapes => string.Create(CultureInfo.InvariantCulture, $$"""
        {
          "shapes": {
            "what": "Shapes.", "for": "Tests.", "licence": "MIT", "source": "https://example.org", "revision": "1",
            "files": {
              "birds.txt": { "url": "{{_server.Address}}text", "size": {{Text.Length}}, "sha256": "{{Hash(Text)}}", "lines": 2 },
              "questions.jsonl": {
                "each": "data.*.list.*", "fields": { "q": "q", "answers": ["a.1", "a.0"] },
                "parts": [
                  { "url": "{{_server.Address}}nested.json", "size": {{Nested.Length}}, "sha256": "{{Hash(Nested)}}", "skip": 1, "records": 1, "add": { "town": "Rome" } },
                  { "url": "{{_server.Address}}nested.json", "size": {{Nested.Length}}, "sha256": "{{Hash(Nested)}}", "skip": 1, "add": { "town": "Bonn" } }
                ]
              }
            }
          }
        }
        """);

    private static readonly byte[] Archive = Zip(("films/good", "tr\u00e8s bien \nlovely\nleft out"), ("films/bad", "dull .\nworse\n"));

    private string Zipped => string.Create(CultureInfo.InvariantCulture, $$"""
        {
          "films": {
            "what": "Reviews.", "for": "Tests.", "licence": "MIT", "source": "https://example.org", "revision": "1",
            "files": {
              "reviews.jsonl": {
                "alternate": true,
                "parts": [
                  { "url": "{{_server.Address}}films.zip", "size": {{Archive.Length}}, "sha256": "{{Hash(Archive)}}", "entry": "films/good", "encoding": "latin1", "line": "text", "records": 2, "add": { "label": 1 } },
                  { "url": "{{_server.Address}}films.zip", "size": {{Archive.Length}}, "sha256": "{{Hash(Archive)}}", "entry": "films/bad", "line": "text", "add": { "label": 0 } }
                ]
              }
            }
          }
        }
        """);

    private static byte[] Zip(params (string Name, string Text)[] entries)
    {
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, string text) in entries)
            {
                using Stream entry = archive.CreateEntry(name).Open();
                entry.Write(Encoding.Latin1.GetBytes(text));
            }
        }
        return stream.ToArray();
    }

    private Response Answer(Request request)
    {
        if (Mischief?.Invoke(_asked++, request) is { } mischief)
            return mischief;
        byte[] content = request.Path switch { "/text" => Text, "/nested.json" => Nested, "/films.zip" => Archive, _ => Table };
        if (!request.Headers.TryGetValue("range", out string? range))
            return new Response(200, content);
        int from = int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
        return new Response(206, content[from..], ("Content-Range", $"bytes {from}-{content.Length - 1}/{content.Length}"));
    }

    private CliResult Run(params string[] arguments) =>
        _cli.Run([("GRADUS_DATA", _cli["store"]), ("GRADUS_CACHE", _cli["cache"]), ("GRADUS_DATA_REGISTRY", _cli["registry.json"])], arguments);
}
