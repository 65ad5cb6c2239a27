using System.Runtime.CompilerServices;
using System.Text.Json;
using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Server.Catalog;
using Gradus.Server.Inference;

namespace Gradus.Server.Tests.Http;

/// <summary>Streams in silence and in trouble, and reasoning in them.</summary>
public sealed class StreamTests
{
    [Fact]
    public async Task AnErrorAfterTheFirstByteIsAnEvent()
    {
        await using RunningServer server = await RunningServer.Start(null, new ModelSource("broken", _ => new ServedModel(new TroubledModel(TimeSpan.Zero))));
        string text = await Text(server);
        string[] events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("well so far", events[1]);
        JsonElement error = JsonDocument.Parse(events[^1]["data: ".Length..]).RootElement;
        OpenAiDocument.Check("ErrorResponse", error);
        Assert.Equal("server_error", error.GetProperty("error").GetProperty("type").GetString());
        Assert.DoesNotContain("secret", text);
    }

    [Fact]
    public async Task InSilenceThereAreCommentsOfOneLine()
    {
        await using RunningServer server = await RunningServer.Start(new ServerOptions { PingInterval = TimeSpan.FromMilliseconds(40) }, new ModelSource("slow", _ => new ServedModel(new TroubledModel(TimeSpan.FromMilliseconds(300)))));
        string text = await Text(server);
        Assert.Contains(": ping\n", text);
        Assert.DoesNotContain(": ping\n\n", text);
        await using RunningServer quick = await RunningServer.Start(null, new ModelSource("slow", _ => new ServedModel(new TroubledModel(TimeSpan.FromMilliseconds(300)))));
        Assert.DoesNotContain(": ping", await Text(quick));
    }

    [Fact]
    public void ReasoningIsTakenApartWhereverTokensEnd()
    {
        int[] ids = TinyModels.Tokenizer.Encode("<think>the cat</think>\n\nsat <there");
        AnswerText answer = new(0, new StreamedText(TinyModels.Tokenizer, [], []), new ReasoningSplitter(isOpen: false), null);
        List<InferencePiece> pieces = [.. ids.SelectMany(answer.Append), .. answer.Finish()];
        Assert.Equal("the cat", string.Concat(pieces.Select(p => p.Reasoning)));
        Assert.Equal("sat <there", string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal("<think>the cat</think>\n\nsat <there".Length, answer.ReleasedBytes);
    }

    [Fact]
    public async Task ThinkingHasFieldsOfItsOwnInEveryProtocol()
    {
        await using RunningServer server = await RunningServer.Start(null, new ModelSource("thinker", _ => new ServedModel(new Thinker())));
        JsonElement chat = await server.Ask("/v1/chat/completions", """{"messages": [{"role": "user", "content": "a"}]}""");
        Assert.Equal("hm", chat.GetProperty("choices")[0].GetProperty("message").GetProperty("reasoning_content").GetString());
        Assert.Equal(1, chat.GetProperty("usage").GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32());
        JsonElement message = await server.Ask("/v1/messages", """{"max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}""");
        Assert.Equal(["thinking", "text"], message.GetProperty("content").EnumerateArray().Select(c => c.GetProperty("type").GetString()));
        JsonElement response = await server.Ask("/v1/responses", """{"input": "a"}""");
        OpenAiDocument.Check("Response", response);
        Assert.Equal(["reasoning", "message"], response.GetProperty("output").EnumerateArray().Select(c => c.GetProperty("type").GetString()));
        JsonElement ollama = await server.Ask("/api/chat", """{"model": "thinker", "stream": false, "messages": [{"role": "user", "content": "a"}]}""");
        Assert.Equal("hm", ollama.GetProperty("message").GetProperty("thinking").GetString());
    }

    private static async Task<string> Text(RunningServer server)
    {
        using HttpResponseMessage response = await server.Send("/v1/chat/completions", """{"messages": [{"role": "user", "content": "a"}], "stream": true}""");
        Assert.True(response.IsSuccessStatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    private abstract class WrittenModel : IInferenceModel
    {
        public int ContextLength => 100;

        public IReadOnlyList<string> Adapters => [];

        public ModelLoad Load => new(0, 0, 0, 0, 0, 0, 0);

        public int[] Tokenize(InferencePrompt prompt, string? adapter = null) => [1];

        public InferenceRun Start(InferenceRequest request, CancellationToken cancellation) => new([1], null, Pieces(cancellation));

        public void Dispose()
        {
        }

        protected abstract IAsyncEnumerable<InferencePiece> Pieces(CancellationToken cancellation);
    }

    /// <summary>Says something, is silent for a while, and fails.</summary>
    private sealed class TroubledModel(TimeSpan silence) : WrittenModel
    {
        protected override async IAsyncEnumerable<InferencePiece> Pieces([EnumeratorCancellation] CancellationToken cancellation)
        {
            yield return new InferencePiece(0) { Text = "well so far" };
            await Task.Delay(silence, cancellation);
            throw new InvalidOperationException("secret");
        }
    }

    private sealed class Thinker : WrittenModel
    {
        protected override async IAsyncEnumerable<InferencePiece> Pieces([EnumeratorCancellation] CancellationToken cancellation)
        {
            await Task.Yield();
            yield return new InferencePiece(0) { Reasoning = "hm" };
            yield return new InferencePiece(0) { Text = "so" };
            yield return new InferencePiece(0) { End = new AnswerSummary(AnswerEnd.Stop, null, 2, 1, 0) };
        }
    }
}
