using System.Net;
using System.Text.Json;
using Anthropic;
using Microsoft.Extensions.AI;

namespace Gradus.Server.Tests.Anthropic;

/// <summary>Anthropic's Messages API: events in their order, calls and results, and the official client.</summary>
public sealed class MessagesTests(ChatServer server) : IClassFixture<ChatServer>
{
    private const string Path = "/v1/messages";
    private const string Tools = """
        "tools": [{"name": "get_weather", "description": "x", "input_schema": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"], "additionalProperties": false}},
                  {"type": "web_search_20250305", "name": "web_search"}]
        """;

    private readonly RunningServer _server = server.Running;

    [Fact]
    public async Task AnAnswerHasContentUsageAndAReason()
    {
        JsonElement body = await _server.Ask(Path, """{"model": "org/tiny", "max_tokens": 10, "temperature": 0, "system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": "the cat"}]}""");
        Assert.Equal("message", body.GetProperty("type").GetString());
        Assert.Equal("text", body.GetProperty("content")[0].GetProperty("type").GetString());
        Assert.Equal("max_tokens", body.GetProperty("stop_reason").GetString());
        Assert.Equal(JsonValueKind.Null, body.GetProperty("stop_sequence").ValueKind);
        Assert.Equal(10, body.GetProperty("usage").GetProperty("output_tokens").GetInt32());
        JsonElement counted = await _server.Ask(Path + "/count_tokens", """{"model": "org/tiny", "system": "Be brief.", "messages": [{"role": "user", "content": "the cat"}]}""");
        JsonElement usage = body.GetProperty("usage");
        Assert.Equal(usage.GetProperty("input_tokens").GetInt32() + usage.GetProperty("cache_read_input_tokens").GetInt32(), counted.GetProperty("input_tokens").GetInt32());
    }

    [Fact]
    public async Task AStopTextIsNamed()
    {
        string text = (await _server.Ask(Path, """{"max_tokens": 40, "temperature": 0, "messages": [{"role": "user", "content": "the cat"}]}""")).GetProperty("content")[0].GetProperty("text").GetString()!;
        string stop = text[4..6];
        JsonElement body = await _server.Ask(Path, $$"""{"max_tokens": 40, "temperature": 0, "stop_sequences": [{{JsonSerializer.Serialize(stop)}}], "messages": [{"role": "user", "content": "the cat"}]}""");
        Assert.Equal("stop_sequence", body.GetProperty("stop_reason").GetString());
        Assert.Equal(stop, body.GetProperty("stop_sequence").GetString());
    }

    [Fact]
    public async Task EventsComeInTheirOrder()
    {
        (string Name, JsonElement Data)[] events = await Events($$"""{"max_tokens": 200, "seed": 1, "stream": true, "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true}, {{Tools}}, "messages": [{"role": "user", "content": "weather?"}]}""");
        Assert.All(events, e => Assert.Equal(e.Name, e.Data.GetProperty("type").GetString()));
        Assert.Equal(["message_start", "content_block_start"], events.Take(2).Select(e => e.Name));
        Assert.Equal(["content_block_stop", "message_delta", "message_stop"], events.TakeLast(3).Select(e => e.Name));
        Assert.Equal("tool_use", events[1].Data.GetProperty("content_block").GetProperty("type").GetString());
        string input = string.Concat(events.Where(e => e.Name == "content_block_delta").Select(e => e.Data.GetProperty("delta").GetProperty("partial_json").GetString()));
        Assert.Equal(JsonValueKind.String, JsonDocument.Parse(input).RootElement.GetProperty("city").ValueKind);
        Assert.Equal("tool_use", events[^2].Data.GetProperty("delta").GetProperty("stop_reason").GetString());
        Assert.DoesNotContain(events, e => e.Data.TryGetProperty("timings", out _));
    }

    [Fact]
    public async Task ResultsOfCallsMayStandBesideText() => await _server.Ask(Path, $$$"""
        {"max_tokens": 2, {{{Tools}}}, "messages": [{"role": "user", "content": "weather?"},
         {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Rome"}}]},
         {"role": "user", "content": [{"type": "text", "text": "and?"}, {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]}]}]}
        """);

    [Fact]
    public async Task ALineThatChangesWithEveryRequestDoesNotStandInTheWayOfPrefixes()
    {
        string Request(string line) => $$"""{"system": [{"type": "text", "text": "x-anthropic-billing-header: {{line}}"}, {"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": "a"}]}""";
        JsonElement first = await _server.Ask(Path + "/count_tokens", Request("1")), second = await _server.Ask(Path + "/count_tokens", Request("a much longer line than that"));
        Assert.Equal(first.GetProperty("input_tokens").GetInt32(), second.GetProperty("input_tokens").GetInt32());
    }

    [Theory]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}]}""", HttpStatusCode.BadRequest, "invalid_request_error")]
    [InlineData("""{"max_tokens": 1, "messages": []}""", HttpStatusCode.BadRequest, "invalid_request_error")]
    [InlineData("""{"max_tokens": 1, "messages": [{"role": "system", "content": "a"}]}""", HttpStatusCode.BadRequest, "invalid_request_error")]
    [InlineData("""{"model": "claude", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]}""", HttpStatusCode.NotFound, "not_found_error")]
    public async Task ErrorsHaveAnthropicsForm(string request, HttpStatusCode status, string type)
    {
        JsonElement body = await _server.Ask(Path, request, status);
        Assert.Equal("error", body.GetProperty("type").GetString());
        Assert.Equal(type, body.GetProperty("error").GetProperty("type").GetString());
        Assert.NotEqual("", body.GetProperty("request_id").GetString());
    }

    [Fact]
    public async Task TheOfficialClientChatsStreamsAndCalls()
    {
        using AnthropicClient client = new() { ApiKey = "none", BaseUrl = _server.Server.Address.ToString().TrimEnd('/') };
        IChatClient chat = client.AsIChatClient("org/tiny");
        ChatOptions options = new() { MaxOutputTokens = 12 };
        ChatResponse whole = await chat.GetResponseAsync([new ChatMessage(ChatRole.User, "the cat")], options);
        ChatResponse streamed = await chat.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "the cat")], options).ToChatResponseAsync();
        Assert.All([whole, streamed], r =>
        {
            Assert.NotEqual("", r.Text);
            Assert.InRange(r.Usage!.OutputTokenCount!.Value, 1, 12);
            Assert.NotNull(r.FinishReason);
        });
        int called = 0;
        AIFunction weather = AIFunctionFactory.Create((string city) => $"sunny in {city}, call {++called}", "get_weather");
        using IChatClient agent = chat.AsBuilder().UseFunctionInvocation(configure: c => c.MaximumIterationsPerRequest = 2).Build();
        await agent.GetResponseAsync([new ChatMessage(ChatRole.User, "weather?")], new ChatOptions { Tools = [weather], ToolMode = ChatToolMode.RequireSpecific("get_weather"), MaxOutputTokens = 200 });
        Assert.True(called >= 1);
    }

    private async Task<(string Name, JsonElement Data)[]> Events(string request)
    {
        using HttpResponseMessage response = await _server.Send(Path, request);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e.Split('\n')).Select(l => (l[0]["event: ".Length..], JsonDocument.Parse(l[1]["data: ".Length..]).RootElement.Clone()))];
    }
}
