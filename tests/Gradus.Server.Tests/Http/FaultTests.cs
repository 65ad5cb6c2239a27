using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gradus.Server.Inference;

namespace Gradus.Server.Tests.Http;

/// <summary>Floods, disconnects, slow readers and nonsense, all at once: nothing is left behind, and every refusal is well formed.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task NothingIsLeftAfterAStorm()
    {
        await using RunningServer server = await RunningServer.Start(new ServerOptions(MaxActive: 24));
        await server.Ask("/v1/completions", """{"prompt": "the cat", "max_tokens": 1}""");
        await Parallel.ForEachAsync(Enumerable.Range(0, 240), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
        {
            switch (i % 6)
            {
                case 0:
                    await Leave(server, $$"""{"prompt": "number {{i}}", "max_tokens": 400, "stream": true, "ignore_eos": true}""", TimeSpan.FromMilliseconds(i % 40));
                    break;
                case 1:
                    await Refused(server, "{\"prompt\": \"a");
                    break;
                case 2:
                    await Refused(server, $$"""{"prompt": "a", "max_tokens": -{{i}}}""");
                    break;
                case 3:
                    await HangUp(server);
                    break;
                default:
                    using (HttpResponseMessage response = await server.Send("/v1/completions", $$"""{"prompt": "number {{i}}", "max_tokens": {{1 + (i % 9)}}, "seed": {{i}}}"""))
                        await WellFormed(response, HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable);
                    break;
            }
        });
        EngineModel model = (EngineModel)server.Catalog.Names[0].Model!.Inference!;
        for (int i = 0; i < 2000 && model.Load is not { Running: 0, Waiting: 0 }; i++)
            await Task.Delay(5);
        Assert.Equal((0, 0), (model.Load.Running, model.Load.Waiting));
        await model.Engine.DropPrefixes();
        Assert.Equal(0, model.Engine.Statistics.PagesInUse);
        // As many as the bound allows go through again.
        JsonElement after = await server.Ask("/v1/completions", """{"prompt": "the cat", "max_tokens": 1, "n": 24}""");
        Assert.Equal(24, after.GetProperty("choices").GetArrayLength());
        Assert.Equal(0, server.Catalog.Names[0].InUse);
    }

    private static async Task Refused(RunningServer server, string body)
    {
        using HttpResponseMessage response = await server.Send("/v1/completions", body);
        await WellFormed(response, HttpStatusCode.BadRequest, HttpStatusCode.ServiceUnavailable);
    }

    private static async Task WellFormed(HttpResponseMessage response, params HttpStatusCode[] expected)
    {
        Assert.Contains(response.StatusCode, expected);
        JsonElement body = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        OpenAiDocument.Check(response.IsSuccessStatusCode ? "CreateCompletionResponse" : "ErrorResponse", body);
    }

    private static async Task Leave(RunningServer server, string body, TimeSpan after)
    {
        using CancellationTokenSource leave = new(after);
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            using HttpResponseMessage response = await server.Client.SendAsync(request, leave.Token);
        }
        catch (OperationCanceledException)
        {
            // That was the intention.
        }
    }

    // A body that never comes, and a connection that goes away.
    private static async Task HangUp(RunningServer server)
    {
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, server.Server.Address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"prompt\""));
    }
}
