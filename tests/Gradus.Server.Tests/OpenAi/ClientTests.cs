using System.ClientModel;
using System.Text.Json;
using Microsoft.Agents.AI;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.OpenAI;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace Gradus.Server.Tests.OpenAi;

/// <summary>The clients of OpenAI and of Microsoft.Extensions.AI, unmodified.</summary>
public sealed class ClientTests(ChatServer server) : IClassFixture<ChatServer>
{
    private readonly OpenAIClient _client = new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(server.Running.Server.Address, "/v1") });

    [Fact]
    public async Task TheOpenAiClientChatsAndStreams()
    {
        ChatClient chat = _client.GetChatClient("org/tiny");
        ChatCompletionOptions options = new() { MaxOutputTokenCount = 12, Temperature = 0, IncludeLogProbabilities = true, TopLogProbabilityCount = 2 };
        ChatCompletion whole = await chat.CompleteChatAsync([new UserChatMessage("the cat")], options);
        Assert.Equal(12, whole.Usage.OutputTokenCount);
        Assert.NotEmpty(whole.ContentTokenLogProbabilities);
        string text = "";
        OpenAI.Chat.ChatFinishReason? finish = null;
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync([new UserChatMessage("the cat")], options))
        {
            text += string.Concat(update.ContentUpdate.Select(c => c.Text));
            finish ??= update.FinishReason;
        }
        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(whole.FinishReason, finish);
    }

    [Fact]
    public async Task TheOpenAiClientReadsErrorsAndModels()
    {
        ClientResultException error = await Assert.ThrowsAsync<ClientResultException>(() => _client.GetChatClient("gpt-5").CompleteChatAsync([new UserChatMessage("a")]));
        Assert.Equal(404, error.Status);
        Assert.Contains("model_not_found", error.Message);
        Assert.Equal(["org/tiny"], (await _client.GetOpenAIModelClient().GetModelsAsync()).Value.Select(m => m.Id));
    }

    [Fact]
    public async Task TheOpenAiClientEmbeds()
    {
        EmbeddingClient embeddings = _client.GetEmbeddingClient("org/tiny");
        OpenAIEmbeddingCollection vectors = await embeddings.GenerateEmbeddingsAsync(["the cat", "the dog"]);
        Assert.Equal(2, vectors.Count);
        Assert.Equal(32, vectors[0].ToFloats().Length);
    }

    [Fact]
    public async Task ATurnWithToolsGoesRound()
    {
        int called = 0;
        AIFunction weather = AIFunctionFactory.Create((string city) => $"sunny in {city}, call {++called}", "get_weather");
        IChatClient chat = _client.GetChatClient("org/tiny").AsIChatClient().AsBuilder().UseFunctionInvocation(configure: c => c.MaximumIterationsPerRequest = 2).Build();
        ChatOptions options = new() { Tools = [weather], ToolMode = ChatToolMode.RequireSpecific("get_weather"), MaxOutputTokens = 200, Seed = 3 };
        ChatResponse response = await chat.GetResponseAsync([new ChatMessage(ChatRole.User, "weather?")], options);
        Assert.True(called >= 1);
        Assert.Contains(response.Messages, m => m.Contents.OfType<Microsoft.Extensions.AI.FunctionResultContent>().Any());
        called = 0;
        await foreach (ChatResponseUpdate update in chat.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "weather?")], options))
            Assert.NotNull(update);
        Assert.True(called >= 1);
    }

    [Fact]
    public async Task AStructuredAnswerIsRead()
    {
        IChatClient chat = _client.GetChatClient("org/tiny").AsIChatClient();
        JsonElement schema = JsonDocument.Parse("""{"type": "object", "properties": {"name": {"type": "string", "maxLength": 10}, "age": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["name", "age"], "additionalProperties": false}""").RootElement;
        ChatResponse response = await chat.GetResponseAsync([new ChatMessage(ChatRole.User, "who?")], new ChatOptions { ResponseFormat = Microsoft.Extensions.AI.ChatResponseFormat.ForJsonSchema(schema, "person"), MaxOutputTokens = 80 });
        // This client sends no bounds: it moves minimum, maximum and maxLength into the description. And 7.0 is an integer of JSON Schema too.
        JsonElement person = JsonDocument.Parse(response.Text).RootElement;
        Assert.Equal(JsonValueKind.String, person.GetProperty("name").ValueKind);
        Assert.True(double.IsInteger(person.GetProperty("age").GetDouble()), response.Text);
        Assert.NotNull(response.Usage?.InputTokenCount);
    }

    [Fact]
    public async Task SemanticKernelChatsAndCalls()
    {
        IKernelBuilder builder = Kernel.CreateBuilder();
        builder.AddOpenAIChatCompletion("org/tiny", _client);
        Kernel kernel = builder.Build();
        int called = 0;
        kernel.Plugins.AddFromFunctions("weather", [KernelFunctionFactory.CreateFromMethod((string city) => $"sunny in {city}, call {++called}", "get")]);
        OpenAIPromptExecutionSettings settings = new() { MaxTokens = 300, Seed = 3 };
        Assert.NotNull((await kernel.InvokePromptAsync("the cat", new KernelArguments(settings))).GetValue<string>());
        settings = new() { MaxTokens = 300, Seed = 3, FunctionChoiceBehavior = FunctionChoiceBehavior.Required() };
        await kernel.InvokePromptAsync("weather?", new KernelArguments(settings));
        Assert.True(called >= 1);
    }

    [Fact]
    public async Task AnAgentOfTheAgentFrameworkRuns()
    {
        ChatClientAgent agent = new(_client.GetChatClient("org/tiny").AsIChatClient(), "Be brief.", "cat");
        AgentResponse response = await agent.RunAsync("the cat", options: new ChatClientAgentRunOptions(new ChatOptions { MaxOutputTokens = 12, Temperature = 0 }));
        string streamed = "";
        await foreach (AgentResponseUpdate update in agent.RunStreamingAsync("the cat", options: new ChatClientAgentRunOptions(new ChatOptions { MaxOutputTokens = 12, Temperature = 0 })))
            streamed += update.Text;
        Assert.Equal(response.Text, streamed);
    }
}
