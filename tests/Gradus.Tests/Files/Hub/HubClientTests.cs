using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Files.Hub;
using Gradus.Testing;

namespace Gradus.Tests.Files.Hub;

public sealed class HubClientTests : IDisposable
{
    private const int PartBytes = 1000;
    private static readonly HubModel Model = HubModel.Parse("org/model");
    private readonly TemporaryFolder _folder = new();
    private readonly FakeHub _hub = new();
    private readonly ConcurrentQueue<TimeSpan> _waits = [];

    public HubClientTests()
    {
        _hub.Add("config.json", "{}"u8.ToArray());
        _hub.Add("model.safetensors", Noise(1, 10_500), large: true);
    }

    public void Dispose()
    {
        _hub.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task PullsIntoTheHubsOwnCacheLayout()
    {
        _hub.Add("tokenizer.json", "{}"u8.ToArray());
        _hub.Add("onnx/model.onnx", Noise(2, 10));
        _hub.Add("pytorch_model.bin", Noise(3, 10));
        ConcurrentQueue<HubProgress> progress = [];
        using HubClient client = Client();
        string snapshot = await client.PullAsync(Model, progress: new Inline(progress));
        Assert.Equal(Path.Combine(_folder.Path, "models--org--model", "snapshots", FakeHub.Commit), snapshot);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Names(snapshot));
        Assert.Equal(FakeHub.Commit, File.ReadAllText(_folder["models--org--model/refs/main"]));
        Assert.Equal($"../../blobs/{_hub.Etag("model.safetensors")}", new FileInfo(Path.Combine(snapshot, "model.safetensors")).LinkTarget);
        Assert.Equal(new[] { _hub.Etag("config.json"), _hub.Etag("model.safetensors") }.Order(StringComparer.Ordinal), Names(_folder["models--org--model/blobs"]));
        AssertWhole(snapshot);
        Assert.Equal(10_502, progress.Max(p => p.Bytes));
        Assert.All(progress, p => Assert.Equal(10_502, p.Size));
        Assert.True(_hub.Downloads.Count(r => r.Path.EndsWith("model.safetensors", StringComparison.Ordinal)) == 11);
        Assert.Empty(Directory.GetFiles(_folder[".locks"], "*", SearchOption.AllDirectories));

        int before = _hub.Downloads.Count();
        Assert.Equal(snapshot, await client.PullAsync(Model));
        Assert.Equal(before, _hub.Downloads.Count());
    }

    [Fact]
    public async Task AsksForHashesThatTheListingLacks()
    {
        _hub.ListsBlobs = false;
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
        Assert.Equal(2, _hub.Server.Requests.Count(r => r.Method == "HEAD"));
    }

    [Fact]
    public async Task TakesUpBrokenConnectionsWhereTheyBroke()
    {
        _hub.Mischief = (request, count) => request.Range is { } range && count % 3 == 0
            ? _hub.Serve(request, _hub.Content(NameOf(request))) with { BreakAfter = (range.To - range.From + 1) / 2 }
            : null;
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
        int sent = _hub.Downloads.Where(r => r.Path.EndsWith(".safetensors", StringComparison.Ordinal)).Select(r => r.Range!.Value).Sum(r => r.To - r.From + 1);
        // Each break costs at most a second request for the part's second half.
        Assert.Contains(_hub.Downloads, r => r.Range!.Value.From % PartBytes == PartBytes / 2);
        Assert.InRange(sent, 10_501, 21_000);
    }

    [Fact]
    public async Task AnotherRunFetchesOnlyMissingParts()
    {
        using (HubClient client = Client(attempts: 1, connections: 1))
        {
            _hub.Mischief = (request, _) => request.Range is { From: >= 5000 } && NameOf(request) == "model.safetensors" ? new Response(503, []) : null;
            HubException e = await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, e.Status);
            Assert.Null(client.Cache.FindSnapshot(Model));
        }
        _hub.Mischief = null;
        int before = _hub.Downloads.Count();
        using HubClient again = Client();
        AssertWhole(await again.PullAsync(Model));
        Assert.Equal([5000, 6000, 7000, 8000, 9000, 10000], _hub.Downloads.Skip(before).Select(r => r.Range!.Value.From).Order());
        Assert.Equal(2, Names(_folder["models--org--model/blobs"]).Count());
    }

    [Fact]
    public async Task TakesUpWhatAnotherProgramLeft()
    {
        string blobs = _folder["models--org--model/blobs"];
        Directory.CreateDirectory(blobs);
        await File.WriteAllBytesAsync(Path.Combine(blobs, $"{_hub.Etag("model.safetensors")}.incomplete"), _hub.Content("model.safetensors")[..7200]);
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
        Assert.Equal([7000, 8000, 9000, 10000], _hub.Downloads.Where(r => NameOf(r) == "model.safetensors").Select(r => r.Range!.Value.From).Order());
    }

    [Fact]
    public async Task StartsAnewWhereALeftoverIsWrong()
    {
        string blobs = _folder["models--org--model/blobs"];
        Directory.CreateDirectory(blobs);
        await File.WriteAllBytesAsync(Path.Combine(blobs, $"{_hub.Etag("model.safetensors")}.incomplete"), Noise(9, 7200));
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
    }

    [Fact]
    public async Task TakesTheWholeFromAServerWithoutRanges()
    {
        int breaks = 2;
        _hub.Mischief = (request, _) => request.Range is null ? null
            : new Response(200, _hub.Content(NameOf(request))) { BreakAfter = Interlocked.Decrement(ref breaks) >= 0 ? 300 : null };
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
    }

    [Fact]
    public async Task WaitsAsLongAsABusyServerAsksAndThenGivesUp()
    {
        _hub.Mischief = (_, count) => count is 0 or 1 ? new Response(429, [], ("Retry-After", "7")) : null;
        using HubClient client = Client();
        AssertWhole(await client.PullAsync(Model));
        Assert.Equal(2, _waits.Count(w => w == TimeSpan.FromSeconds(7)));

        _hub.Mischief = (_, _) => new Response(503, [], ("Retry-After", "999999999"));
        HubException e = await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model));
        AssertOneLine(e, "503");
        Assert.All(_waits, w => Assert.InRange(w, TimeSpan.Zero, TimeSpan.FromMinutes(5)));
    }

    [Theory]
    [InlineData(401, "HF_TOKEN")]
    [InlineData(403, "accept its terms")]
    [InlineData(404, "check name and revision")]
    [InlineData(418, "418")]
    public async Task SaysWhatToDoAboutRefusals(int status, string says)
    {
        foreach (bool atListing in (bool[])[true, false])
        {
            _hub.Mischief = (request, count) => (count < 0) == atListing ? new Response(status, [], ("X-Error-Code", "Bad\tThing")) : null;
            using HubClient client = Client();
            HubException e = await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model));
            Assert.Equal(status, (int?)e.Status);
            AssertOneLine(e, says);
        }
    }

    [Fact]
    public async Task RefusesAServerThatLiesAboutLengths()
    {
        byte[] content = _hub.Content("model.safetensors");
        // The listing says less, then more than there is.
        foreach (int lie in (int[])[9000, 12000])
        {
            _hub.Describe = d => d["siblings"]![1]!["lfs"]!["size"] = lie;
            using HubClient client = Client();
            AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "model.safetensors");
        }
        _hub.Describe = null;
        // The parts say another total, another place, or are longer than asked for: the last is cut.
        using HubClient other = Client();
        _hub.Mischief = (request, _) => request.Range is { } r && NameOf(request) == "model.safetensors" ? new Response(206, content[r.From..(r.To + 1)], ("Content-Range", $"bytes {r.From}-{r.To}/99999")) : null;
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => other.PullAsync(Model)), "99999 bytes");
        _hub.Mischief = (request, _) => request.Range is { } r && NameOf(request) == "model.safetensors" ? new Response(206, content[r.From..(r.To + 1)], ("Content-Range", $"bytes {r.From + 1}-{r.To}/{content.Length}")) : null;
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => other.PullAsync(Model)), "another part");
        _hub.Mischief = (request, _) => request.Range is { } r ? new Response(206, [.. _hub.Content(NameOf(request))[r.From..(r.To + 1)], .. new byte[500]], ("Content-Range", $"bytes {r.From}-{r.To}/{_hub.Content(NameOf(request)).Length}")) : null;
        AssertWhole(await other.PullAsync(Model));
    }

    [Fact]
    public async Task KeepsNothingWhoseHashIsWrong()
    {
        _hub.Mischief = (request, _) => request.Range is not null && NameOf(request) == "model.safetensors" ? _hub.Serve(request, Noise(5, 10_500)) : null;
        using HubClient client = Client();
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "another hash");
        Assert.Equal([_hub.Etag("config.json")], Names(_folder["models--org--model/blobs"]));
        // Once wrong, then right.
        int wrong = 3;
        _hub.Mischief = (request, _) => request.Range is not null && Interlocked.Decrement(ref wrong) >= 0 ? _hub.Serve(request, Noise(5, 10_500)) : null;
        AssertWhole(await client.PullAsync(Model));
    }

    [Theory]
    [InlineData("../../evil")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../b")]
    [InlineData("a\\b.json")]
    [InlineData("C:x.json")]
    [InlineData("a//b.json")]
    [InlineData("")]
    [InlineData("x\u0000.json")]
    public async Task RefusesFileNamesThatLeadOut(string name)
    {
        _hub.Describe = d => d["siblings"]!.AsArray().Add((JsonNode)new JsonObject { ["rfilename"] = name, ["size"] = 2, ["blobId"] = new string('a', 40) });
        using HubClient client = Client();
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "refused");
        Assert.Empty(Names(_folder.Path));
    }

    [Theory]
    [InlineData("""{"sha":"../../x","siblings":[]}""")]
    [InlineData("""{"siblings":[]}""")]
    [InlineData("""[]""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":7}]}""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":1e99}]}""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":2,"blobId":"../../../evil"}]}""")]
    [InlineData("""{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":9223372036854775807,"blobId":"0123456789abcdef0123456789abcdef01234567"}]}""")]
    [InlineData("""<html>Sign in to the airport's wireless network</html>""")]
    public async Task RefusesWrongDescriptions(string answer)
    {
        _hub.Mischief = (_, count) => count < 0 ? new Response(200, Encoding.UTF8.GetBytes(answer)) : null;
        using HubClient client = Client();
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "check HF_ENDPOINT");
    }

    [Fact]
    public async Task RefusesWhatTheDiskCannotHold()
    {
        _hub.Describe = d => d["siblings"]![1]!["lfs"]!["size"] = 900_000_000_000_000;
        using HubClient client = new(new HubOptions(_folder.Path, _hub.Server.Address), (_, _) => Task.CompletedTask);
        IOException e = await Assert.ThrowsAsync<IOException>(() => client.PullAsync(Model));
        Assert.Contains("make room", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_hub.Server.Requests, r => r.Range is not null);
    }

    [Fact]
    public async Task GivesTheTokenToTheEndpointOnly()
    {
        using LoopbackServer elsewhere = new(request => _hub.Serve(request, _hub.Content(request.Path[1..])));
        _hub.Mischief = (request, count) => count >= 0 ? new Response(302, [], ("Location", $"{elsewhere.Address}{NameOf(request)}")) : null;
        using HubClient client = new(new HubOptions(_folder.Path, _hub.Server.Address, Token: "hf_secret", PartBytes: PartBytes), (_, _) => Task.CompletedTask);
        AssertWhole(await client.PullAsync(Model));
        Assert.All(_hub.Server.Requests, r => Assert.Equal("Bearer hf_secret", r.Headers["authorization"]));
        Assert.NotEmpty(elsewhere.Requests);
        Assert.All(elsewhere.Requests, r => Assert.False(r.Headers.ContainsKey("authorization")));
    }

    [Fact]
    public async Task FollowsARenamedRepositoryWithTheTokenAndNoEndlessRedirects()
    {
        _hub.Mischief = (request, count) => request.Path.Contains("/old", StringComparison.Ordinal) ? new Response(307, [], ("Location", request.Path.Replace("/old", "/model", StringComparison.Ordinal) + "?" + request.Query)) : null;
        using HubClient client = new(new HubOptions(_folder.Path, _hub.Server.Address, Token: "hf_secret"), (_, _) => Task.CompletedTask);
        AssertWhole(await client.PullAsync(HubModel.Parse("org/old")));
        Assert.All(_hub.Server.Requests, r => Assert.Equal("Bearer hf_secret", r.Headers["authorization"]));
        _hub.Mischief = (request, _) => new Response(307, [], ("Location", request.Path));
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "redirects");
        _hub.Mischief = (_, _) => new Response(302, [], ("Location", "file:///etc/passwd"));
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "unsafe");
    }

    [Fact]
    public async Task OfflineUsesTheCacheAlone()
    {
        HubOptions offline = new(_folder.Path, _hub.Server.Address, Offline: true);
        using HubClient client = new(offline);
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "without offline mode");
        Assert.Empty(_hub.Server.Requests);
        using (HubClient online = Client())
            await online.PullAsync(Model);
        int before = _hub.Server.Requests.Count;
        AssertWhole(await client.PullAsync(Model));
        AssertWhole(await client.PullAsync(HubModel.Parse($"org/model@{FakeHub.Commit}")));
        AssertWhole(await client.ResolveAsync("org/model"));
        Assert.Equal(before, _hub.Server.Requests.Count);
        await Assert.ThrowsAsync<HubException>(() => client.ResolveAsync("org/model@v2"));
    }

    [Fact]
    public async Task ResolvesPathsBeforeNames()
    {
        using HubClient client = Client();
        Assert.Equal(_folder.Path, await client.ResolveAsync(_folder.Path));
        FileNotFoundException e = await Assert.ThrowsAsync<FileNotFoundException>(() => client.ResolveAsync("./no/such/folder"));
        Assert.Contains("no such file or folder", e.Message, StringComparison.Ordinal);
        AssertWhole(await client.ResolveAsync("org/model"));
    }

    [Fact]
    public async Task SaysWhenTheHubCannotBeReached()
    {
        HubOptions nowhere = new(_folder.Path, new Uri("http://127.0.0.1:1"), Attempts: 2);
        using HubClient client = new(nowhere, (wait, _) => Wait(wait));
        AssertOneLine(await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model)), "check the network");
        Assert.Single(_waits);
    }

    [Fact]
    public async Task GivesUpOnSilence()
    {
        using ManualResetEventSlim never = new();
        _hub.Mischief = (_, count) =>
        {
            never.Wait(TimeSpan.FromSeconds(20));
            return null;
        };
        using HubClient client = new(new HubOptions(_folder.Path, _hub.Server.Address, Attempts: 2, StallSeconds: 0.2), (wait, _) => Wait(wait));
        HubException e = await Assert.ThrowsAsync<HubException>(() => client.PullAsync(Model));
        never.Set();
        AssertOneLine(e, "went silent");
    }

    [Fact]
    public async Task FetchesOneContentOnceForSeveralNames()
    {
        _hub.Add("tokenizer_config.json", "{}"u8.ToArray());
        using HubClient client = Client();
        string snapshot = await client.PullAsync(Model);
        Assert.Equal("{}", await File.ReadAllTextAsync(Path.Combine(snapshot, "tokenizer_config.json")));
        Assert.Equal(1, _hub.Downloads.Count(r => r.Path.EndsWith(".json", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task FetchesAnEmptyFile()
    {
        _hub.Add("vocab.txt", []);
        using HubClient client = Client();
        string snapshot = await client.PullAsync(Model);
        Assert.Empty(File.ReadAllBytes(Path.Combine(snapshot, "vocab.txt")));
        Assert.Equal(3, Names(snapshot).Count());
    }

    [Theory]
    [InlineData("gpt2", true)]
    [InlineData("org/name", true)]
    [InlineData("org/name@refs/pr/1", true)]
    [InlineData("org/na.me-1_x@v1.0", true)]
    [InlineData("a/b/c", false)]
    [InlineData("../x", false)]
    [InlineData("org/..", false)]
    [InlineData("org/name@../x", false)]
    [InlineData("org/name@", false)]
    [InlineData("org--x/name", false)]
    [InlineData("", false)]
    [InlineData("/abs", false)]
    public void KnowsNamesFromPaths(string text, bool valid) => Assert.Equal(valid, HubModel.TryParse(text, out _));

    [Fact]
    public void ChoosesWeightsOnce()
    {
        Assert.Equal(["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
            HubSelection.Default(["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "consolidated.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx", "tf_model.h5"]));
        Assert.Equal(["config.json", "pytorch_model.bin"], HubSelection.Default(["config.json", "pytorch_model.bin", "training_args.bin"]));
        Assert.Equal(["m.gguf"], HubSelection.Default(["m.gguf", ".gitattributes"]));
        Assert.Empty(HubSelection.Default(["m-q4.gguf", "m-q8.gguf"]));
    }

    [Fact]
    public void OptionsAreChecked()
    {
        foreach (HubOptions options in (HubOptions[])[new("x", Connections: 0), new("x", PartBytes: 0), new("x", Attempts: 0), new("x", StallSeconds: double.NaN), new("x", new Uri("file:///x")), new("x", Token: "a\nb"), new("")])
            Assert.Throws<ArgumentException>(() => new HubClient(options));
    }

    private static byte[] Noise(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static string NameOf(Request request) => request.Path.Split('/')[^1];

    private static IEnumerable<string> Names(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFileSystemEntries(folder).Select(e => Path.GetFileName(e)!).Order(StringComparer.Ordinal)
        : [];

    private static void AssertOneLine(Exception e, string says)
    {
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
    }

    private Task Wait(TimeSpan wait)
    {
        _waits.Enqueue(wait);
        return Task.CompletedTask;
    }

    private HubClient Client(int attempts = 6, int connections = 4) =>
        new(new HubOptions(_folder.Path, _hub.Server.Address, Connections: connections, PartBytes: PartBytes, Attempts: attempts), (wait, _) => Wait(wait));

    private void AssertWhole(string snapshot)
    {
        Assert.Equal(_hub.Content("config.json"), File.ReadAllBytes(Path.Combine(snapshot, "config.json")));
        Assert.Equal(_hub.Content("model.safetensors"), File.ReadAllBytes(Path.Combine(snapshot, "model.safetensors")));
    }

    private sealed class Inline(ConcurrentQueue<HubProgress> reports) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => reports.Enqueue(value);
    }
}
