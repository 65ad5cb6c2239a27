using System.Diagnostics;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Gradus.Cli.Console;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

/// <summary><c>gradus serve</c> as a process: it becomes ready, answers as <c>gradus generate</c> does, asks for keys, and ends cleanly on SIGTERM.</summary>
public sealed class ServeVerbTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-serve-");

    private static string Model => SharedFolder.Find("data", "stories260k-weights")!;

    public void Dispose() => _folder.Delete(recursive: true);

    [SharedFact("data", "stories260k-weights")]
    public async Task ItServesAModelUntilItIsToldToEnd()
    {
        if (OperatingSystem.IsWindows())
            return;
        string keys = Path.Combine(_folder.FullName, "keys.json");
        CommandLineRun made = CommandLineRun.Of("serve", "--new-key", "alice", "--keys", keys);
        Assert.Equal(ExitCode.Done, made.ExitCode);
        using Process process = CommandLineRun.Start(["serve", $"stories={Model}", "--port", "0", "--keys", keys]);
        try
        {
            using HttpClient client = new() { BaseAddress = await Ready(process) };
            using (HttpResponseMessage refused = await client.GetAsync("/v1/models"))
                Assert.Equal(System.Net.HttpStatusCode.Unauthorized, refused.StatusCode);
            client.DefaultRequestHeaders.Add("Authorization", $"Bearer {made.Output.Trim()}");
            using HttpResponseMessage answer = await client.PostAsync("/v1/completions", new StringContent("""{"model": "stories", "prompt": "Once upon a time", "max_tokens": 20, "temperature": 0}""", Encoding.UTF8, "application/json"));
            JsonElement body = await answer.Content.ReadFromJsonAsync<JsonElement>();
            JsonElement generated = CommandLineRun.Of("generate", Model, "--prompt", "Once upon a time", "--greedy", "--max-tokens", "20", "--json").Json();
            Assert.Equal(generated.GetProperty("text").GetString(), body.GetProperty("choices")[0].GetProperty("text").GetString());
            using Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]);
            Assert.True(process.WaitForExit(20000), "it did not end");
            Assert.Equal(ExitCode.Terminated, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    [Fact]
    public void WrongUsageIsSaidInOneLine()
    {
        CommandLineRun.Of("serve").Fails(ExitCode.Usage, "gradus serve MODEL");
        CommandLineRun.Of("serve", Path.Combine(_folder.FullName, "nothing")).Fails(ExitCode.Usage, "no such folder");
        CommandLineRun.Of("serve", "--new-key", "a").Fails(ExitCode.Usage, "--keys");
        string file = Path.Combine(_folder.FullName, "keys.json");
        File.WriteAllText(file, "{}");
        CommandLineRun.Of("serve", "--new-key", "a", "--keys", file).Fails(ExitCode.Usage, "keys");
    }

    // The lines on standard error say where it listens, then that it is ready.
    private static async Task<Uri> Ready(Process process)
    {
        Uri? address = null;
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (await process.StandardError.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.Contains("listening at ", StringComparison.Ordinal))
                address = new Uri(line.Split("listening at ")[1].Split(';')[0]);
            if (line.Contains("ready:", StringComparison.Ordinal))
                return address!;
        }
        throw new InvalidOperationException("It ended before it was ready.");
    }
}
