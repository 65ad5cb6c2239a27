using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Models by their names on a hub that listens on loopback.</summary>
public sealed class PullVerbTests : IClassFixture<SmallModel>, IDisposable
{
    private readonly SmallModel _models;
    private readonly FakeHub _hub = new();
    private readonly DirectoryInfo _cache = Directory.CreateTempSubdirectory("gradus-pull-");

    public PullVerbTests(SmallModel models)
    {
        _models = models;
        foreach (string file in Directory.GetFiles(models.Llama).Where(f => Path.GetFileName(f)[0] != '.'))
            _hub.Add(Path.GetFileName(file), File.ReadAllBytes(file), large: file.EndsWith(".safetensors", StringComparison.Ordinal));
    }

    public void Dispose()
    {
        _hub.Dispose();
        _cache.Delete(recursive: true);
    }

    [Fact]
    public void FetchesOnceThenEveryVerbTakesTheName()
    {
        JsonElement pulled = Run("pull", "org/model", "--json").Json();
        Assert.StartsWith(Path.Combine(_cache.FullName, "hub", "models--org--model"), pulled.GetProperty("folder").GetString(), StringComparison.Ordinal);
        Assert.Contains("model.safetensors", pulled.GetProperty("files").EnumerateArray().Select(f => f.GetString()));
        int downloads = _hub.Downloads.Count();
        string[] generate = ["generate", "org/model", "-p", "Hello", "--greedy", "--max-tokens", "8", "--json"];
        string expected = CommandLineRun.Of(["generate", _models.Llama, .. generate[2..]]).Json().GetProperty("ids").GetRawText();
        Assert.Equal(expected, Run(generate).Json().GetProperty("ids").GetRawText());
        Assert.Equal(expected, Offline(generate).Json().GetProperty("ids").GetRawText());
        Assert.Equal("LlamaForCausalLM", Offline("inspect", "org/model", "--json").Json().GetProperty("architecture").GetString());
        Offline("convert", "org/model@main", Path.Combine(_cache.FullName, "copy")).Succeeds();
        Assert.Equal(downloads, _hub.Downloads.Count());
    }

    [Fact]
    public void AVerbFetchesWhatIsNotThere()
    {
        CommandLineRun run = Run("generate", "org/model", "-p", "Hello", "--greedy", "--max-tokens", "2", "--json");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("fetching it", Assert.Single(run.Error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void SendsTheTokenAndChoosesFiles()
    {
        string[] chosen = [.. With([("HF_TOKEN", "hf_secret")], "pull", "org/model", "--include", "*.json", "--exclude", "tokenizer*", "--json").Json()
            .GetProperty("files").EnumerateArray().Select(f => f.GetString()!)];
        Assert.Contains("config.json", chosen);
        Assert.DoesNotContain(chosen, f => f.StartsWith("tokenizer", StringComparison.Ordinal) || f.EndsWith(".safetensors", StringComparison.Ordinal));
        Assert.All(_hub.Server.Requests, r => Assert.Equal("Bearer hf_secret", r.Headers["authorization"]));
    }

    [Fact]
    public void FailuresAreOneLine()
    {
        Offline("pull", "org/model").Fails(1, "org/model@main", "not in the cache");
        Run("pull", "org/model", "--offline").Fails(1, "not in the cache");
        Assert.Empty(_hub.Server.Requests);
        Run("pull", "not a name").Fails(2, "not a name");
        With([("HF_ENDPOINT", "nowhere")], "pull", "org/model").Fails(2, "HF_ENDPOINT");
        _hub.Mischief = (_, _) => new Response(404, [], ("X-Error-Code", "RepoNotFound"));
        Run("pull", "org/model").Fails(1, "org/model");
        Run("inspect", Path.Combine(_models.Llama, "missing")).Fails(2, "no such folder");
    }

    private CommandLineRun Run(params string[] arguments) => With([], arguments);

    private CommandLineRun Offline(params string[] arguments) => With([("HF_HUB_OFFLINE", "1")], arguments);

    private CommandLineRun With((string, string)[] environment, params string[] arguments) => CommandLineRun.With(
        [], arguments, [("HF_HOME", _cache.FullName), ("HF_ENDPOINT", _hub.Server.Address.ToString()), ("HF_TOKEN", ""), .. environment]);
}
