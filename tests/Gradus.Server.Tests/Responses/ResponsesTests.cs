using System.Net;
using System.Text.Json;

namespace Gradus.Server.Tests.Responses;

/// <summary>The Responses API: items, events, and conversations that go on from a stored response.</summary>
public sealed class ResponsesTests(ChatServer server) : IClassFixture<ChatServer>
{
    private const string Path = "/v1/responses";
    private const string Tools = """
        "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"], "additionalProperties": false}, "strict": true}]
        """;

    private readonly RunningServer _server = server.Running;

    [Fact]
    public async Task AnAnswerIsAMessage()
    {
        JsonElement body = await _server.Ask(Path, """{"model": "org/tiny", "input": "the cat", "instructions": "Be brief.", "max_output_tokens": 8, "temperature": 0}""");
        OpenAiDocument.Check("Response", body);
        Assert.Equal("incomplete", body.GetProperty("status").GetString());
        Assert.Equal("max_output_tokens", body.GetProperty("incomplete_details").GetProperty("reason").GetString());
        Assert.Equal("output_text", body.GetProperty("output")[0].GetProperty("content")[0].GetProperty("type").GetString());
        Assert.Equal(8, body.GetProperty("usage").GetProperty("output_tokens").GetInt32());
        JsonElement chat = await _server.Ask("/v1/chat/completions", """{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "the cat"}], "max_tokens": 8, "temperature": 0}""");
        Assert.Equal(chat.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), body.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
    }

    [Fact]
    public async Task EventsComeInTheirOrderAndAddUp()
    {
        (string Name, JsonElement Data)[] events = await Events("""{"model": "org/tiny", "input": [{"role": "user", "content": [{"type": "input_text", "text": "the cat"}]}], "max_output_tokens": 12, "temperature": 0, "stream": true}""");
        Assert.All(events, e =>
        {
            OpenAiDocument.Check("ResponseStreamEvent", e.Data);
            Assert.Equal(e.Name, e.Data.GetProperty("type").GetString());
        });
        Assert.Equal(Enumerable.Range(0, events.Length), events.Select(e => e.Data.GetProperty("sequence_number").GetInt32()));
        Assert.Equal(["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta"], events.Take(5).Select(e => e.Name));
        Assert.Equal(["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete"], events.TakeLast(4).Select(e => e.Name));
        string text = string.Concat(events.Where(e => e.Name == "response.output_text.delta").Select(e => e.Data.GetProperty("delta").GetString()));
        Assert.Equal(text, events[^1].Data.GetProperty("response").GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
    }

    [Fact]
    public async Task AConversationGoesOnFromAStoredResponse()
    {
        JsonElement call = await _server.Ask(Path, $$"""{"input": "weather?", "max_output_tokens": 200, "seed": 2, "parallel_tool_calls": false, "tool_choice": {"type": "function", "name": "get_weather"}, {{Tools}}}""");
        OpenAiDocument.Check("Response", call);
        JsonElement item = call.GetProperty("output")[0];
        Assert.Equal("function_call", item.GetProperty("type").GetString());
        string id = call.GetProperty("id").GetString()!;
        JsonElement next = await _server.Ask(Path, $$"""{"previous_response_id": "{{id}}", "input": [{"type": "function_call_output", "call_id": "{{item.GetProperty("call_id").GetString()}}", "output": "sunny"}], "max_output_tokens": 4, {{Tools}}}""");
        Assert.True(next.GetProperty("usage").GetProperty("input_tokens").GetInt32() > call.GetProperty("usage").GetProperty("input_tokens").GetInt32());
        Assert.Equal(id, (await _server.Get($"{Path}/{id}")).GetProperty("id").GetString());
        using HttpResponseMessage deleted = await _server.Client.DeleteAsync($"{Path}/{id}");
        Assert.Equal(HttpStatusCode.OK, deleted.StatusCode);
        JsonElement gone = await _server.Ask(Path, $$"""{"previous_response_id": "{{id}}", "input": "a"}""", HttpStatusCode.NotFound);
        Assert.Equal("previous_response_not_found", gone.GetProperty("error").GetProperty("code").GetString());
        JsonElement unstored = await _server.Ask(Path, """{"input": "a", "store": false, "max_output_tokens": 1}""");
        using HttpResponseMessage none = await _server.Client.GetAsync($"{Path}/{unstored.GetProperty("id").GetString()}");
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task StoredResponsesOutliveTheServer()
    {
        string folder = Directory.CreateTempSubdirectory("gradus-state-").FullName;
        ServerOptions options = new() { State = System.IO.Path.Combine(folder, "state.db") };
        string id;
        await using (RunningServer first = await RunningServer.Start(options))
            id = (await first.Ask(Path, """{"input": "the cat", "max_output_tokens": 2}""")).GetProperty("id").GetString()!;
        await using (RunningServer second = await RunningServer.Start(options))
            await second.Ask(Path, $$"""{"previous_response_id": "{{id}}", "input": "and?", "max_output_tokens": 2}""");
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("""{"input": []}""", "input")]
    [InlineData("""{}""", "input")]
    [InlineData("""{"input": "a", "truncation": "auto"}""", "truncation")]
    [InlineData("""{"input": [{"type": "image_generation_call"}]}""", "input[0].type")]
    public async Task WrongRequestsAreRefusedByField(string request, string field) =>
        Assert.Equal(field, (await _server.Ask(Path, request, HttpStatusCode.BadRequest)).GetProperty("error").GetProperty("param").GetString());

    private async Task<(string Name, JsonElement Data)[]> Events(string request)
    {
        using HttpResponseMessage response = await _server.Send(Path, request);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e.Split('\n')).Select(l => (l[0]["event: ".Length..], JsonDocument.Parse(l[1]["data: ".Length..]).RootElement.Clone()))];
    }
}
