using System.Net;
using System.Text;
using System.Text.Json;

namespace Gradus.Server.Tests.OpenAi;

/// <summary>Chat completions, streamed and not: the fields that clients and agents depend on.</summary>
public sealed class ChatTests(ChatServer server) : IClassFixture<ChatServer>
{
    private const string Path = "/v1/chat/completions";
    private const string Tools = """
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"], "additionalProperties": false}}},
                  {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}, "additionalProperties": false}}}]
        """;

    private readonly RunningServer _server = server.Running;

    [Fact]
    public async Task AnAnswerHasTheFieldsThatTheSpecificationRequires()
    {
        JsonElement body = await _server.Ask(Path, """{"model": "org/tiny", "messages": [{"role": "user", "content": "the cat"}], "max_tokens": 8, "seed": 3}""");
        OpenAiDocument.Check("CreateChatCompletionResponse", body);
        JsonElement choice = body.GetProperty("choices")[0];
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("logprobs").ValueKind);
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("refusal").ValueKind);
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(3, body.GetProperty("seed").GetInt32());
        Assert.StartsWith("gradus-", body.GetProperty("system_fingerprint").GetString());
        JsonElement usage = body.GetProperty("usage");
        Assert.Equal(8, usage.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(usage.GetProperty("prompt_tokens").GetInt32() + 8, usage.GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task AStreamSaysTheSameAsAWholeAnswer()
    {
        const string Request = """{"model": "org/tiny", "messages": [{"role": "user", "content": "the dog"}], "max_tokens": 40, "seed": 11 STREAM}""";
        JsonElement whole = await _server.Ask(Path, Request.Replace("STREAM", "", StringComparison.Ordinal));
        IReadOnlyList<JsonElement> chunks = await _server.Stream(Path, Request.Replace("STREAM", """, "stream": true, "stream_options": {"include_usage": true}""", StringComparison.Ordinal));
        Assert.All(chunks, c => OpenAiDocument.Check("CreateChatCompletionStreamResponse", c));
        Assert.Single(chunks.Select(c => (c.GetProperty("id").GetString(), c.GetProperty("created").GetInt64(), c.GetProperty("model").GetString(), c.GetProperty("object").GetString())).Distinct());
        JsonElement[] deltas = [.. chunks.SkipLast(1).Select(c => c.GetProperty("choices")[0])];
        Assert.Equal("assistant", deltas[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal("", deltas[0].GetProperty("delta").GetProperty("content").GetString());
        Assert.Single(deltas, d => d.GetProperty("delta").TryGetProperty("role", out _));
        Assert.Equal("{}", deltas[^1].GetProperty("delta").GetRawText());
        Assert.Equal("length", deltas[^1].GetProperty("finish_reason").GetString());
        Assert.All(deltas[..^1], d => Assert.Equal(JsonValueKind.Null, d.GetProperty("finish_reason").ValueKind));
        Assert.All(deltas[1..^1], d => Assert.NotEqual("", d.GetProperty("delta").GetProperty("content").GetString()));
        Assert.All(chunks.SkipLast(1), c => Assert.Equal(JsonValueKind.Null, c.GetProperty("usage").ValueKind));
        Assert.Equal(0, chunks[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(whole.GetProperty("usage").GetProperty("total_tokens").GetInt32(), chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(Content(whole), string.Concat(deltas[1..^1].Select(d => d.GetProperty("delta").GetProperty("content").GetString())));
    }

    [Fact]
    public async Task WithoutBeingAskedForAStreamHasNoUsage()
    {
        IReadOnlyList<JsonElement> chunks = await _server.Stream(Path, """{"messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "stream": true}""");
        Assert.All(chunks, c => Assert.False(c.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task SeveralAnswersHaveSeedsOfTheirOwn()
    {
        JsonElement several = await _server.Ask(Path, """{"messages": [{"role": "user", "content": "the man"}], "max_tokens": 10, "n": 3, "seed": 20}""");
        for (int i = 0; i < 3; i++)
        {
            JsonElement one = await _server.Ask(Path, $$"""{"messages": [{"role": "user", "content": "the man"}], "max_tokens": 10, "seed": {{20 + i}}}""");
            Assert.Equal(Content(one), Content(several, i));
            Assert.Equal(i, several.GetProperty("choices")[i].GetProperty("index").GetInt32());
        }
        Assert.Equal(30, several.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task AnAnswerIsTheSameInAnyCompany()
    {
        string[] bodies = [.. Enumerable.Range(0, 8).Select(i => $$"""{"messages": [{"role": "user", "content": "number {{i}}"}], "max_tokens": 20, "seed": {{i}}}""")];
        string[] together = [.. (await Task.WhenAll(bodies.Select(b => _server.Ask(Path, b)))).Select(a => Content(a)!)];
        for (int i = 0; i < bodies.Length; i++)
            Assert.Equal(Content(await _server.Ask(Path, bodies[i])), together[i]);
    }

    [Fact]
    public async Task AStopTextIsNeverShown()
    {
        const string Request = """{"messages": [{"role": "user", "content": "the cat"}], "max_tokens": 60, "seed": 2, "logit_bias": {"220": -100} STOP}""";
        string whole = Content(await _server.Ask(Path, Request.Replace("STOP", "", StringComparison.Ordinal)))!;
        string stop = whole[10..13];
        string with = Request.Replace("STOP", $$""", "stop": ["qqqq", {{JsonSerializer.Serialize(stop)}}]""", StringComparison.Ordinal);
        JsonElement body = await _server.Ask(Path, with);
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], Content(body));
        Assert.Equal("stop", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        IReadOnlyList<JsonElement> chunks = await _server.Stream(Path, with[..^1] + """, "stream": true}""");
        Assert.Equal(Content(body), string.Concat(chunks.Select(c => c.GetProperty("choices")[0].GetProperty("delta")).Select(d => d.TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LogProbabilitiesBelongToTheText(bool stream)
    {
        string request = $$"""{"messages": [{"role": "user", "content": "the cat"}], "max_tokens": 30, "temperature": 0, "logprobs": true, "top_logprobs": 3, "stream": {{(stream ? "true" : "false")}}}""";
        JsonElement[] choices = stream ? [.. (await _server.Stream(Path, request)).Select(c => c.GetProperty("choices")[0])] : [(await _server.Ask(Path, request)).GetProperty("choices")[0]];
        JsonElement[] tokens = [.. choices.Where(c => c.GetProperty("logprobs").ValueKind == JsonValueKind.Object).SelectMany(c => c.GetProperty("logprobs").GetProperty("content").EnumerateArray())];
        byte[] bytes = [.. tokens.SelectMany(t => t.GetProperty("bytes").EnumerateArray().Select(b => (byte)b.GetInt32()))];
        string content = stream
            ? string.Concat(choices.Select(c => c.GetProperty("delta")).Select(d => d.TryGetProperty("content", out JsonElement text) ? text.GetString() : ""))
            : choices[0].GetProperty("message").GetProperty("content").GetString()!;
        Assert.Equal(content, Encoding.UTF8.GetString(bytes));
        Assert.All(tokens, t =>
        {
            Assert.Equal(3, t.GetProperty("top_logprobs").GetArrayLength());
            // Greedy: the token is the most probable one.
            Assert.Equal(t.GetProperty("top_logprobs")[0].GetProperty("logprob").GetSingle(), t.GetProperty("logprob").GetSingle());
            Assert.InRange(t.GetProperty("logprob").GetSingle(), -9999, 0);
        });
    }

    [Fact]
    public async Task CharactersAreNeverCutInAStream()
    {
        // Bytes of a character of three, by force; the last one is cut off by the budget.
        int[] euro = [.. Encoding.UTF8.GetBytes("€").Select(b => TinyModels.Tokenizer.Encode("€").Length == 3 ? TinyModels.Tokenizer.Encode("€")[Array.IndexOf(Encoding.UTF8.GetBytes("€"), b)] : -1)];
        Assert.DoesNotContain(-1, euro);
        JsonElement forced = await _server.Ask(Path, """{"messages": [{"role": "user", "content": "x"}], "max_tokens": 7, "temperature": 0, "structured_outputs": {"choice": ["€€"]}}""");
        Assert.Equal("€€", Content(forced));
        IReadOnlyList<JsonElement> chunks = await _server.Stream(Path, """{"messages": [{"role": "user", "content": "x"}], "max_tokens": 7, "temperature": 0, "stream": true, "structured_outputs": {"choice": ["€€"]}}""");
        string[] texts = [.. chunks.Select(c => c.GetProperty("choices")[0].GetProperty("delta")).Where(d => d.TryGetProperty("content", out _)).Select(d => d.GetProperty("content").GetString()!).Where(t => t.Length > 0)];
        Assert.Equal(["€", "€"], texts);
        JsonElement cut = await _server.Ask(Path, $$"""{"messages": [{"role": "user", "content": "x"}], "max_tokens": 2, "temperature": 0, "logit_bias": {"{{euro[0]}}": 100} }""");
        Assert.Contains('\uFFFD', Content(cut)!);
    }

    [Fact]
    public async Task AForcedCallIsNothingElse()
    {
        foreach (string choice in new[] { "\"required\"", """{"type": "function", "function": {"name": "get_weather"}}""" })
        {
            string request = $$"""{"messages": [{"role": "user", "content": "weather?"}], "max_tokens": 200, "seed": 4, "parallel_tool_calls": false, "tool_choice": {{choice}}, {{Tools}} STREAM}""";
            JsonElement body = await _server.Ask(Path, request.Replace("STREAM", "", StringComparison.Ordinal));
            OpenAiDocument.Check("CreateChatCompletionResponse", body);
            JsonElement message = body.GetProperty("choices")[0].GetProperty("message");
            Assert.Equal(JsonValueKind.Null, message.GetProperty("content").ValueKind);
            Assert.Equal("tool_calls", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
            JsonElement call = Assert.Single(message.GetProperty("tool_calls").EnumerateArray()).GetProperty("function");
            if (choice[0] == '{')
                Assert.Equal("get_weather", call.GetProperty("name").GetString());
            JsonElement arguments = JsonDocument.Parse(call.GetProperty("arguments").GetString()!).RootElement;
            if (call.GetProperty("name").GetString() == "get_weather")
                Assert.InRange(arguments.GetProperty("city").GetString()!.EnumerateRunes().Count(), 0, 8);

            JsonElement[] calls = [.. (await _server.Stream(Path, request.Replace("STREAM", ", \"stream\": true", StringComparison.Ordinal)))
                .Select(c => c.GetProperty("choices")[0].GetProperty("delta")).Where(d => d.TryGetProperty("tool_calls", out _)).Select(d => d.GetProperty("tool_calls")[0])];
            Assert.All(calls, c => Assert.Equal(0, c.GetProperty("index").GetInt32()));
            Assert.Single(calls, c => c.TryGetProperty("id", out _));
            Assert.Single(calls, c => c.GetProperty("function").TryGetProperty("name", out _));
            Assert.Equal(call.GetProperty("arguments").GetString(), string.Concat(calls.Select(c => c.GetProperty("function").GetProperty("arguments").GetString())));
        }
    }

    [Fact]
    public async Task AHistoryOfCallsIsTaken()
    {
        foreach (string content in new[] { "\"content\": null,", "\"content\": \"\",", "" })
        {
            await _server.Ask(Path, $$$"""
                {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "weather"}, {"type": "text", "text": "?"}]},
                {"role": "assistant", {{{content}}} "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Rome\"}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sunny"}]}, {"role": "system", "content": "Late."}], "max_tokens": 2, {{{Tools}}}}
                """);
        }
    }

    [Fact]
    public async Task SystemMessagesComeFirstAsOne()
    {
        JsonElement body = await _server.Ask("/apply-template", """{"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "developer", "content": "c"}]}""");
        Assert.Equal("<|im_start|>system\nb\n\nc<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n", body.GetProperty("prompt").GetString());
    }

    [Fact]
    public async Task AnAnswerFollowsASchemaWithinItsBudget()
    {
        JsonElement body = await _server.Ask(Path, """
            {"messages": [{"role": "user", "content": "a person"}], "max_completion_tokens": 60, "max_tokens": 1, "seed": 1, "response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": true,
             "schema": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["name", "age"], "additionalProperties": false}}}}
            """);
        JsonElement person = JsonDocument.Parse(Content(body)!).RootElement;
        Assert.InRange(person.GetProperty("age").GetDouble(), 0, 150);
        Assert.Equal(JsonValueKind.String, person.GetProperty("name").ValueKind);
        JsonElement any = await _server.Ask(Path, """{"messages": [{"role": "user", "content": "a"}], "max_tokens": 30, "response_format": {"type": "json_object"}}""");
        Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(Content(any)!).RootElement.ValueKind);
    }

    [Fact]
    public async Task WhatCannotBeEnforcedIsRefusedByItsPath()
    {
        JsonElement body = await _server.Ask(Path, """
            {"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"a": {"type": "string", "format": "regex"}}}}}}
            """, HttpStatusCode.BadRequest);
        Assert.Contains("#/properties/a", body.GetProperty("error").GetProperty("message").GetString());
        string tool = """{"messages": [{"role": "user", "content": "a"}], "max_tokens": 200, "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "f", "strict": STRICT, "parameters": {"type": "object", "properties": {"a": {"type": "string", "format": "regex"}}}}}]}""";
        JsonElement strict = await _server.Ask(Path, tool.Replace("STRICT", "true", StringComparison.Ordinal), HttpStatusCode.BadRequest);
        Assert.Contains("tool f", strict.GetProperty("error").GetProperty("message").GetString());
        JsonElement loose = await _server.Ask(Path, tool.Replace("STRICT", "false", StringComparison.Ordinal));
        Assert.Equal("f", loose.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function").GetProperty("name").GetString());
    }

    [Fact]
    public async Task UnsupportedToolsAreSkippedAndNamed()
    {
        using HttpResponseMessage response = await _server.Send(Path, """{"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "tools": [{"type": "web_search"}, {"type": "custom", "custom": {"name": "x"}}]}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("web_search, custom", response.Headers.GetValues("x-gradus-skipped-tools").Single());
    }

    [Fact]
    public async Task WhatWasReadBeforeIsNotReadAgain()
    {
        string request = $$"""{"messages": [{"role": "user", "content": "{{string.Join(' ', Enumerable.Repeat("the cat sat", 40))}}"}], "max_tokens": 1}""";
        await _server.Ask(Path, request);
        JsonElement again = await _server.Ask(Path, request);
        Assert.True(again.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32() >= 32);
    }

    private static string? Content(JsonElement body, int choice = 0) => body.GetProperty("choices")[choice].GetProperty("message").GetProperty("content").GetString();
}
