using System.Net;
using System.Text.Json;
using Gradus.Server.Catalog;
using Microsoft.Extensions.AI;
using OllamaSharp;

namespace Gradus.Server.Tests.Ollama;

/// <summary>Ollama's API: lines of JSON, names with tags, and the client of .NET.</summary>
public sealed class OllamaTests : IAsyncLifetime
{
    private RunningServer _server = null!;

    public async Task InitializeAsync() => _server = await RunningServer.Start(null, new ModelSource("tiny", _ => TinyModels.Chat()), new ModelSource("bert", _ => TinyModels.Encoder()) { Preload = false });

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task AnAnswerIsStreamedAsLinesUnlessToldOtherwise()
    {
        const string Request = """{"model": "tiny:latest", "messages": [{"role": "user", "content": "the cat"}], "options": {"num_predict": 12, "temperature": 0, "num_ctx": 4096} STREAM}""";
        JsonElement whole = await _server.Ask("/api/chat", Request.Replace("STREAM", ", \"stream\": false", StringComparison.Ordinal));
        Assert.True(whole.GetProperty("done").GetBoolean());
        Assert.Equal("length", whole.GetProperty("done_reason").GetString());
        Assert.Equal(12, whole.GetProperty("eval_count").GetInt32());
        JsonElement[] lines = await Lines("/api/chat", Request.Replace("STREAM", "", StringComparison.Ordinal));
        Assert.Equal(whole.GetProperty("message").GetProperty("content").GetString(), string.Concat(lines.Select(l => l.GetProperty("message").GetProperty("content").GetString())));
        Assert.All(lines[..^1], l => Assert.False(l.GetProperty("done").GetBoolean()));
        Assert.True(lines[^1].GetProperty("done").GetBoolean());
    }

    [Fact]
    public async Task GenerateTakesPromptsRawOrThroughTheTemplate()
    {
        JsonElement raw = await _server.Ask("/api/generate", """{"model": "tiny", "prompt": "the cat", "raw": true, "stream": false, "options": {"num_predict": 8, "temperature": 0}}""");
        JsonElement completion = await _server.Ask("/v1/completions", """{"model": "tiny", "prompt": "the cat", "max_tokens": 8, "temperature": 0}""");
        Assert.Equal(completion.GetProperty("choices")[0].GetProperty("text").GetString(), raw.GetProperty("response").GetString());
        JsonElement json = await _server.Ask("/api/generate", """{"model": "tiny", "system": "x", "prompt": "the cat", "format": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}, "stream": false, "options": {"num_predict": 40}}""");
        Assert.True(JsonDocument.Parse(json.GetProperty("response").GetString()!).RootElement.GetProperty("a").ValueKind is JsonValueKind.True or JsonValueKind.False);
    }

    [Fact]
    public async Task ModelsComeAndGoByKeepAlive()
    {
        JsonElement loaded = await _server.Ask("/api/generate", """{"model": "tiny", "keep_alive": "5m"}""");
        Assert.Equal("load", loaded.GetProperty("done_reason").GetString());
        Assert.Equal(["tiny"], (await _server.Get("/api/ps")).GetProperty("models").EnumerateArray().Select(m => m.GetProperty("name").GetString()));
        JsonElement gone = await _server.Ask("/api/generate", """{"model": "tiny", "keep_alive": 0}""");
        Assert.Equal("unload", gone.GetProperty("done_reason").GetString());
        Assert.Equal(0, (await _server.Get("/api/ps")).GetProperty("models").GetArrayLength());
        Assert.Equal(2, (await _server.Get("/api/tags")).GetProperty("models").GetArrayLength());
        // Back when it is asked for.
        await _server.Ask("/api/generate", """{"model": "tiny", "prompt": "a", "keep_alive": -1, "stream": false, "options": {"num_predict": 1}}""");
        Assert.Equal(1, (await _server.Get("/api/ps")).GetProperty("models").GetArrayLength());
    }

    [Fact]
    public async Task ErrorsHaveOllamasForm()
    {
        JsonElement body = await _server.Ask("/api/chat", """{"model": "llama9", "messages": [{"role": "user", "content": "a"}]}""", HttpStatusCode.NotFound);
        Assert.Contains("llama9", body.GetProperty("error").GetString());
        JsonElement tooLong = await _server.Ask("/api/generate", $$"""{"model": "tiny", "prompt": "{{new string('z', 4000)}}"}""", HttpStatusCode.BadRequest);
        Assert.Contains("exceeds the available context size", tooLong.GetProperty("error").GetString());
    }

    [Fact]
    public async Task TheClientOfDotNetChatsEmbedsAndLists()
    {
        using OllamaApiClient client = new(_server.Server.Address, "tiny");
        Assert.Equal(["bert", "tiny"], (await client.ListLocalModelsAsync()).Select(m => m.Name).Order());
        Assert.Contains("completion", (await client.ShowModelAsync("tiny")).Capabilities!);
        IChatClient chat = client;
        ChatOptions options = new() { MaxOutputTokens = 12, Temperature = 0 };
        ChatResponse whole = await chat.GetResponseAsync([new ChatMessage(ChatRole.User, "the cat")], options);
        string streamed = "";
        await foreach (ChatResponseUpdate update in chat.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "the cat")], options))
            streamed += update.Text;
        Assert.Equal(whole.Text, streamed);
        using OllamaApiClient encoder = new(_server.Server.Address, "bert");
        IEmbeddingGenerator<string, Embedding<float>> embeddings = encoder;
        Assert.Equal(2, (await embeddings.GenerateAsync(["the cat", "the dog"])).Count);
    }

    private async Task<JsonElement[]> Lines(string path, string request)
    {
        using HttpResponseMessage response = await _server.Send(path, request);
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        string text = await response.Content.ReadAsStringAsync();
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement.Clone())];
    }
}
