using System.Text.Json;
using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Microsoft.Extensions.AI;

namespace Gradus.Tests.Clients;

/// <summary>A local model behind the interface that applications speak: what the contract asks, and what it is asked for.</summary>
public sealed class LocalChatClientTests : IDisposable
{
    private readonly ModelBundle _bundle = ClientModels.Llama();
    private readonly LocalChatClient _client;

    public LocalChatClientTests() => _client = new LocalChatClient(_bundle, new LocalChatOptions(MaxOutputTokens: 24));

    public void Dispose()
    {
        _client.Dispose();
        _bundle.Dispose();
    }

    [Fact]
    public async Task TheStreamIsTheResponse()
    {
        ChatOptions options = new() { Seed = 3 };
        ChatResponse whole = await _client.GetResponseAsync("Hello", options);
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, "Hello")], options))
            updates.Add(update);
        Assert.Equal(whole.Text, string.Concat(updates.Select(u => u.Text)));
        Assert.True(updates.Count > 5, $"{updates.Count}");
        Assert.Single(updates.Select(u => u.ResponseId).Distinct());
        Assert.Equal(whole.FinishReason, updates[^1].FinishReason);
        Assert.All(updates.SkipLast(1), u => Assert.Null(u.FinishReason));
        Assert.Equal("llama", whole.ModelId);
        Assert.Equal(ChatRole.Assistant, Assert.Single(whole.Messages).Role);
        Assert.Equal(ChatFinishReason.Length, whole.FinishReason);
        Assert.Equal(24, whole.Usage!.OutputTokenCount);
        Assert.Equal(_bundle.Answer(new([new("user", "Hello")])).Prompt.Length, whole.Usage.InputTokenCount);
        Assert.Equal("gradus", _client.GetService<ChatClientMetadata>()!.ProviderName);
        Assert.Same(_client, _client.GetService<IChatClient>());
    }

    [Fact]
    public async Task ManyThreadsHaveWhatEachHasAlone()
    {
        string[] alone = new string[4];
        for (int i = 0; i < alone.Length; i++)
            alone[i] = (await Ask(i)).Text;
        Assert.Equal(alone.Length, alone.Distinct().Count());
        ChatResponse[] together = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(() => Ask(i % alone.Length))));
        for (int i = 0; i < together.Length; i++)
            Assert.Equal(alone[i % alone.Length], together[i].Text);

        Task<ChatResponse> Ask(int i) => _client.GetResponseAsync($"Question {i}", new ChatOptions { Seed = i, Temperature = 0.9f, TopP = 0.95f });
    }

    [Fact]
    public async Task WithoutTemperatureTheLikeliestTokensComeAndASeedIsToldElse()
    {
        ChatResponse first = await _client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0 });
        Assert.Equal(first.Text, (await _client.GetResponseAsync("Hello", new ChatOptions { Temperature = 0, Seed = 9 })).Text);
        Assert.Null(first.AdditionalProperties?.GetValueOrDefault(ChatProperties.Seed));
        ChatResponse drawn = await _client.GetResponseAsync("Hello");
        ulong seed = (ulong)drawn.AdditionalProperties![ChatProperties.Seed]!;
        Assert.Equal(drawn.Text, (await _client.GetResponseAsync("Hello", new ChatOptions { Seed = (long)seed })).Text);
    }

    [Fact]
    public async Task AStopTextEndsTheAnswerAndIsNoPartOfIt()
    {
        string text = (await _client.GetResponseAsync("Hello", new ChatOptions { Seed = 3 })).Text;
        string stop = text.Substring(8, 3);
        ChatResponse cut = await _client.GetResponseAsync("Hello", new ChatOptions { Seed = 3, StopSequences = [stop] });
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], cut.Text);
        Assert.Equal(ChatFinishReason.Stop, cut.FinishReason);
        Assert.InRange(cut.Usage!.OutputTokenCount!.Value, 1, 12);
    }

    [Fact]
    public async Task PrefixesThatWereReadAreCounted()
    {
        string question = string.Concat(Enumerable.Repeat("All work and no play. ", 12));
        ChatResponse first = await _client.GetResponseAsync(question, new ChatOptions { Seed = 1 });
        ChatResponse second = await _client.GetResponseAsync(question, new ChatOptions { Seed = 1 });
        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        Assert.InRange(second.Usage!.CachedInputTokenCount!.Value, 64, question.Length + 64);
        Assert.Equal(first.Text, second.Text);
    }

    [Fact]
    public async Task AnAnswerFollowsItsSchema()
    {
        using JsonDocument schema = JsonDocument.Parse("""{"type":"object","properties":{"name":{"type":"string","maxLength":8},"age":{"type":"integer","minimum":0,"maximum":150}},"required":["name","age"],"additionalProperties":false}""");
        for (int seed = 0; seed < 4; seed++)
        {
            ChatResponse response = await _client.GetResponseAsync("Who?", new ChatOptions { Seed = seed, MaxOutputTokens = 48, ResponseFormat = ChatResponseFormat.ForJsonSchema(schema.RootElement) });
            using JsonDocument answer = JsonDocument.Parse(response.Text);
            double age = answer.RootElement.GetProperty("age").GetDouble();
            Assert.InRange(age, 0, 150);
            Assert.Equal(Math.Floor(age), age);
            Assert.Equal(JsonValueKind.String, answer.RootElement.GetProperty("name").ValueKind);
        }
        await Assert.ThrowsAsync<StructureException>(() => _client.GetResponseAsync("Who?", new ChatOptions { MaxOutputTokens = 5, ResponseFormat = ChatResponseFormat.ForJsonSchema(schema.RootElement) }));
        ChatResponse chosen = await _client.GetResponseAsync("Yes or no?", new ChatOptions { AdditionalProperties = new() { ["choices"] = new[] { "yes", "no" } } });
        Assert.Contains(chosen.Text, (string[])["yes", "no"]);
        ChatResponse matched = await _client.GetResponseAsync("When?", new ChatOptions { AdditionalProperties = new() { ["regex"] = @"\d{4}-\d{2}" } });
        Assert.Matches(@"^\d{4}-\d{2}$", matched.Text);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ClientModels.PlainTemplate)]
    public async Task ToolsAreCalledAndTheirResultsRead(string? template)
    {
        using ModelBundle bundle = ClientModels.Llama(template);
        using LocalChatClient client = new(bundle);
        AIFunction tool = AIFunctionFactory.Create((string city, int days) => $"{city}: rain for {days} days", "forecast", "The weather to come.");
        List<ChatMessage> messages = [new(ChatRole.User, "How is the weather in Rome?")];
        ChatOptions options = new() { Tools = [tool], ToolMode = ChatToolMode.RequireAny, MaxOutputTokens = 90, Seed = 1, AllowMultipleToolCalls = false };
        ChatResponse response = await client.GetResponseAsync(messages, options);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        Assert.Equal("", response.Text);
        FunctionCallContent call = Assert.Single(response.Messages[0].Contents.OfType<FunctionCallContent>());
        Assert.Equal("forecast", call.Name);
        Assert.Null(call.Exception);
        object? result = await tool.InvokeAsync(new AIFunctionArguments(call.Arguments));
        messages.AddRange(response.Messages);
        messages.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, result)]));
        ChatResponse answer = await client.GetResponseAsync(messages, new ChatOptions { Tools = [tool], ToolMode = ChatToolMode.None, MaxOutputTokens = 5, Seed = 1 });
        Assert.Empty(answer.Messages[0].Contents.OfType<FunctionCallContent>());
        long plain = (await client.GetResponseAsync(messages[..1], new ChatOptions { MaxOutputTokens = 1 })).Usage!.InputTokenCount!.Value;
        Assert.True(response.Usage!.InputTokenCount > plain + 100, "the model is told of the tools");
        Assert.True(answer.Usage!.InputTokenCount > plain + 40, "and of the result");
    }

    [Fact]
    public async Task ACallOrAStructuredAnswer()
    {
        using JsonDocument schema = JsonDocument.Parse("""{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}""");
        AIFunction tool = AIFunctionFactory.Create(() => "noon", "clock");
        int calls = 0, answers = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            ChatResponse response = await _client.GetResponseAsync("Time?", new ChatOptions { Tools = [tool], Seed = seed, MaxOutputTokens = 120, AllowMultipleToolCalls = false, ResponseFormat = ChatResponseFormat.ForJsonSchema(schema.RootElement) });
            if (response.FinishReason == ChatFinishReason.ToolCalls)
            {
                calls++;
                continue;
            }
            using JsonDocument answer = JsonDocument.Parse(response.Text);
            Assert.True(answer.RootElement.TryGetProperty("ok", out _));
            answers++;
        }
        Assert.True(calls > 0 && answers > 0, $"{calls} calls, {answers} answers");
    }

    [Fact]
    public async Task LogProbabilitiesAreThoseOfTheEngine()
    {
        ChatOptions options = new() { Seed = 3, MaxOutputTokens = 10, AdditionalProperties = new() { ["logprobs"] = true, ["top_logprobs"] = 2 } };
        ChatResponse response = await _client.GetResponseAsync("Hello", options);
        IReadOnlyList<TokenLogProbability> scores = (IReadOnlyList<TokenLogProbability>)response.AdditionalProperties![ChatProperties.LogProbabilities]!;
        Assert.Equal(response.Text, string.Concat(scores.Select(s => s.Text)));
        Assert.All(scores, s => Assert.Equal(2, s.Alternatives.Count));
        using Generator generator = new(_bundle.Generative);
        GeneratedSequence alone = generator.Run(_bundle.Answer(new([new("user", "Hello")])) with { Seed = 3, MaxNewTokens = 10, LogProbabilities = true, Alternatives = 2 });
        Assert.Equal(alone.LogProbabilities.ToArray(), scores.Select(s => s.LogProbability));
        Assert.Equal(alone.Alternatives(4).ToArray().Select(a => a.LogProbability), scores[4].Alternatives.Select(a => a.LogProbability));
    }

    [Fact]
    public async Task CancellingEndsTheRequest()
    {
        using CancellationTokenSource cancel = new();
        int seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync([new(ChatRole.User, "Hello")], new ChatOptions { MaxOutputTokens = 900 }, cancel.Token))
            {
                if (++seen == 3)
                    await cancel.CancelAsync();
            }
        });
        // What is asked next runs alone.
        await _client.GetResponseAsync("Hello", new ChatOptions { MaxOutputTokens = 2 });
        EngineStatistics statistics = _client.GetService<GenerationEngine>()!.Statistics;
        Assert.Equal((0, 0), (statistics.Running, statistics.Waiting));
        Assert.Equal(statistics.PagesKept, statistics.PagesInUse);
    }

    [Fact]
    public async Task TheOldestExchangesAreLeftOutWhereTheOptionsAllowIt()
    {
        using LocalChatClient client = new(_bundle, new LocalChatOptions(MaxOutputTokens: 24, Overflow: OverflowPolicy.TruncateLeft));
        ChatMessage system = new(ChatRole.System, "Be kind.");
        List<ChatMessage> messages = [system];
        for (int i = 0; i < 10; i++)
            messages.AddRange([new(ChatRole.User, new string((char)('a' + i), 150)), new(ChatRole.Assistant, "Yes.")]);
        messages.Add(new(ChatRole.User, "Why?"));
        ChatOptions options = new() { Temperature = 0 };
        ChatResponse response = await client.GetResponseAsync(messages, options);
        int forgotten = Assert.IsType<int>(response.AdditionalProperties![ChatProperties.ForgottenMessages]);
        Assert.True(forgotten > 0 && forgotten % 2 == 0, $"{forgotten}");
        ChatResponse left = await client.GetResponseAsync([system, .. messages[(1 + forgotten)..]], options);
        Assert.Equal(left.Text, response.Text);
        Assert.Equal(left.Usage!.InputTokenCount, response.Usage!.InputTokenCount);
        Assert.Null(left.AdditionalProperties);
        // One exchange more has no room.
        Assert.True(_bundle.Answer(new(messages.Skip(forgotten - 1).Select(m => new Gradus.Text.Chat.ChatMessage(m.Role.Value, m.Text)).Prepend(new("system", "Be kind.")))).Prompt.Length + 24 > ClientModels.Context);
        // A message that is too long alone is an error still.
        await Assert.ThrowsAsync<ContextOverflowException>(() => client.GetResponseAsync(new string('a', 2000)));
    }

    [Fact]
    public async Task WhatALocalModelDoesNotDoIsRefusedByName()
    {
        await Refused<ArgumentException>("min-p", new ChatOptions { AdditionalProperties = new() { ["min-p"] = 0.1 } });
        await Refused<ArgumentException>("min_p", new ChatOptions { AdditionalProperties = new() { ["min_p"] = "much" } });
        await Refused<ArgumentException>("ConversationId", new ChatOptions { ConversationId = "7" });
        await Refused<ArgumentException>("StopSequences", new ChatOptions { StopSequences = [""] });
        await Refused<ArgumentException>("web_search", new ChatOptions { Tools = [new HostedWebSearchTool()] });
        ArgumentException picture = await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")])]));
        Assert.Contains("text only", picture.Message, StringComparison.Ordinal);
        ContextOverflowException overflow = await Assert.ThrowsAsync<ContextOverflowException>(() => _client.GetResponseAsync(new string('a', 2000)));
        Assert.Equal(ClientModels.Context, overflow.Limit);
        Assert.InRange(overflow.Tokens, 2000, 2100);

        async Task Refused<T>(string name, ChatOptions options)
            where T : Exception =>
            Assert.Contains(name, (await Assert.ThrowsAsync<T>(() => _client.GetResponseAsync("Hello", options))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void ReasoningIsTakenApartHoweverItIsCut(int size)
    {
        Assert.Equal(("I <think> so", "Yes."), Split("<think>I <think> so</think>\n\nYes.", open: false));
        Assert.Equal(("thus", "Yes."), Split("thus</think>Yes.", open: true));
        Assert.Equal(("", "<thing> no"), Split("<thing> no", open: false));
        Assert.Equal(("never ends </thin", ""), Split("never ends </thin", open: true));
        Assert.Equal(("", "<th"), Split("<th", open: false));

        (string, string) Split(string text, bool open)
        {
            ReasoningSplitter splitter = new(open);
            string reasoning = "", rest = "";
            foreach (char[] part in text.Chunk(size))
                Take(new string(part), last: false);
            Take("", last: true);
            return (reasoning, rest);

            void Take(string part, bool last)
            {
                (string thought, string said) = splitter.Add(part, last);
                reasoning += thought;
                rest += said;
            }
        }
    }

    [Fact]
    public async Task ReasoningComesBeforeAStructureThatAlwaysFits()
    {
        string template = ClientModels.PlainTemplate.Replace("'assistant: '", "'assistant: <think>'", StringComparison.Ordinal) + "{# </think> #}";
        using ModelBundle bundle = ClientModels.Llama(template);
        using LocalChatClient client = new(bundle);
        ChatOptions options = new() { Seed = 2, MaxOutputTokens = 40, AdditionalProperties = new() { ["choices"] = new[] { "certainly", "never" } } };
        ChatResponse response = await client.GetResponseAsync("Well?", options);
        Assert.Contains(response.Text, (string[])["certainly", "never"]);
        Assert.NotEmpty(Assert.Single(response.Messages[0].Contents.OfType<TextReasoningContent>()).Text);
        Assert.InRange(response.Usage!.ReasoningTokenCount!.Value, 10, 40);
        options.Reasoning = new ReasoningOptions { Output = ReasoningOutput.None };
        Assert.Empty((await client.GetResponseAsync("Well?", options)).Messages[0].Contents.OfType<TextReasoningContent>());
    }
}
