using System.Net;
using System.Text;
using System.Text.Json;
using Gradus.Server.Catalog;

namespace Gradus.Server.Tests.OpenAi;

/// <summary>Every refusal is a well-formed error with its status, and says what to do.</summary>
public sealed class ErrorTests(ChatServer server) : IClassFixture<ChatServer>
{
    private const string Chat = "/v1/chat/completions";
    private readonly RunningServer _server = server.Running;

    [Theory]
    [InlineData("""{"messages": []}""", "messages")]
    [InlineData("""{}""", "messages")]
    [InlineData("""{"messages": "a"}""", "messages")]
    [InlineData("""{"messages": ["a"]}""", "messages[0]")]
    [InlineData("""{"messages": [{"content": "a"}]}""", "messages[0].role")]
    [InlineData("""{"messages": [{"role": "king", "content": "a"}]}""", "messages[0].role")]
    [InlineData("""{"messages": [{"role": "user"}]}""", "messages[0].content")]
    [InlineData("""{"messages": [{"role": "user", "content": 1}]}""", "messages[0].content")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}""", "messages[0].content[0]")]
    [InlineData("""{"messages": [{"role": "assistant", "content": null}]}""", "messages[0].content")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "temperature": "hot"}""", "temperature")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "temperature": -1}""", "temperature")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "n": 0}""", "n")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "max_tokens": 1.5}""", "max_tokens")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "stream": "yes"}""", "stream")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "top_logprobs": 2}""", "top_logprobs")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "logprobs": true, "top_logprobs": 21}""", "top_logprobs")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "stop": [""]}""", "stop")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "logit_bias": {"cat": 1}}""", "logit_bias")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "logit_bias": {"99999": 1}}""", "logit_bias")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "xml"}}""", "response_format.type")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "tool_choice": "required"}""", "tool_choice")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "tool_choice": {"type": "function", "function": {"name": "g"}}, "tools": [{"type": "function", "function": {"name": "f"}}]}""", "tool_choice")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}], "functions": []}""", "functions")]
    public async Task AWrongFieldIsNamed(string request, string field)
    {
        JsonElement body = await _server.Ask(Chat, request, HttpStatusCode.BadRequest);
        OpenAiDocument.Check("ErrorResponse", body);
        JsonElement error = body.GetProperty("error");
        Assert.Equal(field, error.GetProperty("param").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.True(error.TryGetProperty("code", out _));
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("{\"a\": ")]
    [InlineData("")]
    [InlineData("null")]
    public async Task ABodyThatIsNoObjectIsRefused(string request) =>
        OpenAiDocument.Check("ErrorResponse", await _server.Ask(Chat, request, HttpStatusCode.BadRequest));

    [Fact]
    public async Task NullAndUnknownFieldsArePassedOver() => await _server.Ask(Chat, """
        {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "temperature": null, "stop": null, "tools": null, "tool_choice": null, "stream": null, "logit_bias": null,
         "response_format": null, "seed": null, "n": null, "user": "x", "metadata": {"a": 1}, "made_up": [1]}
        """);

    [Fact]
    public async Task APromptThatIsTooLongIsAnErrorWithBothLengths()
    {
        foreach (string request in new[]
        {
            $$"""{"messages": [{"role": "user", "content": "{{new string('z', 3000)}}"}]}""",
            $$"""{"prompt": "{{new string('z', 3000)}}", "stream": true}""",
        })
        {
            JsonElement error = (await _server.Ask(request.Contains("messages", StringComparison.Ordinal) ? Chat : "/v1/completions", request, HttpStatusCode.BadRequest)).GetProperty("error");
            Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
            Assert.Equal(TinyModels.Context, error.GetProperty("n_ctx").GetInt32());
            Assert.True(error.GetProperty("n_prompt_tokens").GetInt32() >= 3000);
            Assert.Contains($"maximum context length is {TinyModels.Context} tokens", error.GetProperty("message").GetString());
            Assert.Contains("exceeds the available context size", error.GetProperty("message").GetString());
        }
    }

    [Fact]
    public async Task AnAnswerThatFillsTheContextEndsByLength()
    {
        string prompt = new('z', TinyModels.Context - 4);
        JsonElement body = await _server.Ask("/v1/completions", $$"""{"prompt": "{{prompt}}", "max_tokens": 100, "ignore_eos": true}""");
        Assert.Equal("length", body.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(TinyModels.Context, body.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task UnknownModelsAndPagesAre404()
    {
        JsonElement body = await _server.Ask(Chat, """{"model": "../../etc/passwd", "messages": [{"role": "user", "content": "a"}]}""", HttpStatusCode.NotFound);
        Assert.Equal("model_not_found", body.GetProperty("error").GetProperty("code").GetString());
        OpenAiDocument.Check("ErrorResponse", await _server.Ask("/v1/nothing", "{}", HttpStatusCode.NotFound));
        using HttpResponseMessage model = await _server.Client.GetAsync("/v1/models/gpt-5");
        Assert.Equal(HttpStatusCode.NotFound, model.StatusCode);
        using HttpResponseMessage method = await _server.Client.GetAsync(Chat);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, method.StatusCode);
        Assert.Equal("method_not_allowed", JsonDocument.Parse(await method.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task ModelsHaveNamesWithSlashes()
    {
        JsonElement list = await _server.Get("/v1/models");
        OpenAiDocument.Check("ListModelsResponse", list);
        Assert.Equal("org/tiny", list.GetProperty("data")[0].GetProperty("id").GetString());
        JsonElement model = await _server.Get("/v1/models/org/tiny");
        OpenAiDocument.Check("Model", model);
        Assert.Equal("org/tiny", model.GetProperty("id").GetString());
    }

    [Fact]
    public async Task AnotherTypeOfContentIs415()
    {
        using HttpResponseMessage response = await _server.Client.PostAsync(Chat, new StringContent("{}", Encoding.UTF8, "text/plain"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task ABodyThatIsTooLargeIs413()
    {
        await using RunningServer small = await RunningServer.Start(new ServerOptions(MaxBodyBytes: 1000));
        using HttpResponseMessage response = await small.Send(Chat, $$"""{"messages": [{"role": "user", "content": "{{new string('a', 2000)}}"}]}""");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        OpenAiDocument.Check("ErrorResponse", JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    [Fact]
    public async Task HealthIs503UntilTheModelsAreLoaded()
    {
        using ManualResetEventSlim gate = new();
        await using RunningServer loading = await RunningServer.Listen(null, new ModelSource("slow", cancellation =>
        {
            gate.Wait(cancellation);
            return TinyModels.Chat();
        }));
        Task load = loading.Server.Load();
        foreach (string path in new[] { "/health", "/v1/models" })
        {
            using HttpResponseMessage response = await loading.Client.GetAsync(path);
            Assert.Equal(path == "/health" ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK, response.StatusCode);
        }
        using (HttpResponseMessage refused = await loading.Send(Chat, """{"messages": [{"role": "user", "content": "a"}]}"""))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.Equal("model_loading", JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString());
        }
        gate.Set();
        await load;
        using HttpResponseMessage ready = await loading.Client.GetAsync("/health");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
    }
}
