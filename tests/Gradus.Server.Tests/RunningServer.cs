using System.Net;
using System.Text;
using System.Text.Json;
using Gradus.Server.Catalog;

namespace Gradus.Server.Tests;

/// <summary>A server on a free port of loopback, and what clients say to it.</summary>
public sealed class RunningServer : IAsyncDisposable
{
    private RunningServer(InferenceServer server, ModelCatalog catalog)
    {
        Server = server;
        Catalog = catalog;
        Client = new HttpClient { BaseAddress = server.Address, Timeout = TimeSpan.FromSeconds(60) };
    }

    public InferenceServer Server { get; }

    public ModelCatalog Catalog { get; }

    public HttpClient Client { get; }

    public static Task<RunningServer> Start(ServerOptions? options = null) => Start(options, new ModelSource("org/tiny", _ => TinyModels.Chat()));

    public static async Task<RunningServer> Start(ServerOptions? options, params ModelSource[] models)
    {
        RunningServer running = await Listen(options, models);
        await running.Server.Load();
        return running;
    }

    /// <summary>A server that has not loaded its models.</summary>
    public static async Task<RunningServer> Listen(ServerOptions? options, params ModelSource[] models)
    {
        ModelCatalog catalog = new(models);
        InferenceServer server = new(catalog, (options ?? new ServerOptions()) with { Port = 0 });
        await server.Start();
        return new RunningServer(server, catalog);
    }

    public Task<HttpResponseMessage> Send(string path, string body) =>
        Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));

    /// <summary>The body of an answer with the given status.</summary>
    public async Task<JsonElement> Ask(string path, string body, HttpStatusCode status = HttpStatusCode.OK)
    {
        using HttpResponseMessage response = await Send(path, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode}: {text}");
        return JsonDocument.Parse(text).RootElement.Clone();
    }

    public async Task<JsonElement> Get(string path)
    {
        using HttpResponseMessage response = await Client.GetAsync(path);
        response.EnsureSuccessStatusCode();
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.Clone();
    }

    /// <summary>The data of the events of a streamed answer; the last one has to be <c>[DONE]</c> and is left out.</summary>
    public async Task<IReadOnlyList<JsonElement>> Stream(string path, string body)
    {
        using HttpResponseMessage response = await Send(path, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string[] events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, e => Assert.StartsWith("data: ", e));
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(e => JsonDocument.Parse(e["data: ".Length..]).RootElement.Clone())];
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
    }
}

/// <summary>One server for the tests of a class: a decoder that chats.</summary>
public sealed class ChatServer : IAsyncLifetime
{
    public RunningServer Running { get; private set; } = null!;

    public async Task InitializeAsync() => Running = await RunningServer.Start();

    public async Task DisposeAsync() => await Running.DisposeAsync();
}
