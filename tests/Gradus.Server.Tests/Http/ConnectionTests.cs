using System.Net;
using System.Text.Json;
using Gradus.Server.Inference;

namespace Gradus.Server.Tests.Http;

/// <summary>What happens to work when clients leave, too many come, or the server stops.</summary>
public sealed class ConnectionTests
{
    private const string Endless = """{"prompt": "the cat", "max_tokens": 2000, "ignore_eos": true, "stream": STREAM, "n": 4}""";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhoLeavesIsNotWorkedFor(bool stream)
    {
        await using RunningServer server = await RunningServer.Start();
        using CancellationTokenSource leave = new();
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(Endless.Replace("STREAM", stream ? "true" : "false", StringComparison.Ordinal), System.Text.Encoding.UTF8, "application/json"),
        };
        Task<HttpResponseMessage> asked = server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
        await Until(() => Load(server).Running > 0);
        await leave.CancelAsync();
        try
        {
            (await asked).Dispose();
        }
        catch (OperationCanceledException)
        {
            // That was the intention.
        }
        await Until(() => Load(server) is { Running: 0, Waiting: 0 });
        long after = Load(server).GeneratedTokens;
        await Task.Delay(50);
        Assert.Equal(after, Load(server).GeneratedTokens);
        Assert.True(after < 8000, $"{after} tokens: nothing was cancelled");
    }

    [Fact]
    public async Task MoreThanTheBoundIsRefusedWithATime()
    {
        await using RunningServer server = await RunningServer.Start(new ServerOptions(MaxActive: 2));
        using HttpResponseMessage busy = await server.Send("/v1/completions", """{"prompt": "a", "n": 3, "max_tokens": 1}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, busy.StatusCode);
        Assert.NotNull(busy.Headers.RetryAfter);
        // Nothing of what was refused counts any more.
        await server.Ask("/v1/completions", """{"prompt": "a", "n": 2, "max_tokens": 1}""");
        await server.Ask("/v1/completions", """{"prompt": "a", "n": 2, "max_tokens": 1}""");
    }

    [Fact]
    public async Task AStoppingServerLetsAnswersEnd()
    {
        await using RunningServer server = await RunningServer.Start();
        Task<JsonElement> running = server.Ask("/v1/completions", """{"prompt": "the cat", "max_tokens": 300, "ignore_eos": true}""");
        await Until(() => Load(server).Running > 0 || running.IsCompleted);
        Task<bool> stopping = server.Server.Stop();
        Assert.Equal(300, (await running).GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.True(await stopping);
    }

    [Fact]
    public async Task ARequestMayNotTakeLongerThanAllowed()
    {
        await using RunningServer server = await RunningServer.Start(new ServerOptions { RequestTimeout = TimeSpan.FromMilliseconds(1) });
        using HttpResponseMessage response = await server.Send("/v1/completions", Endless.Replace("STREAM", "false", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        await Until(() => Load(server) is { Running: 0, Waiting: 0 });
    }

    [Fact]
    public async Task HeadAndOptionsAreAnswered()
    {
        await using RunningServer server = await RunningServer.Start();
        using HttpResponseMessage head = await server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/v1/models"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        using HttpResponseMessage options = await server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Options, "/v1/chat/completions"));
        Assert.Equal(HttpStatusCode.NoContent, options.StatusCode);
        Assert.False(options.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task MeasurementsHaveTheNamesOfVllm()
    {
        await using RunningServer server = await RunningServer.Start();
        await server.Ask("/v1/completions", """{"prompt": "the cat", "max_tokens": 5, "ignore_eos": true}""");
        string text = await server.Client.GetStringAsync("/metrics");
        foreach (string name in new[] { "num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prefix_cache_queries_total", "prefix_cache_hits_total", "prompt_tokens_total" })
            Assert.Contains($"vllm:{name}{{model_name=\"org/tiny\"}} ", text);
        Assert.Contains("vllm:generation_tokens_total{model_name=\"org/tiny\"} 5\n", text);
        Assert.Contains("vllm:time_to_first_token_seconds_count{model_name=\"org/tiny\"} 1\n", text);
        Assert.Contains("vllm:e2e_request_latency_seconds_bucket{model_name=\"org/tiny\",le=\"+Inf\"} 1\n", text);
        Assert.Contains("finished_reason=\"length\"", text);
    }

    private static ModelLoad Load(RunningServer server) => server.Catalog.Names[0].Model!.Inference!.Load;

    private static async Task Until(Func<bool> condition)
    {
        for (int i = 0; i < 2000 && !condition(); i++)
            await Task.Delay(5);
        Assert.True(condition());
    }
}
