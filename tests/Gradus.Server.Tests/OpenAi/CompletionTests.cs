using System.Net;
using System.Text.Json;
using Gradus.Bundle;
using Gradus.Generation;

namespace Gradus.Server.Tests.OpenAi;

/// <summary>Completions: prompts as they stand, and the log-probabilities that evaluation programs ask for.</summary>
public sealed class CompletionTests(ChatServer server) : IClassFixture<ChatServer>
{
    private const string Path = "/v1/completions";
    private readonly RunningServer _server = server.Running;

    [Fact]
    public async Task TextTokensAndListsOfThemAreTaken()
    {
        int[] ids = TinyModels.Tokenizer.Encode("the cat");
        string tokens = $"[{string.Join(',', ids)}]";
        string[] texts = [.. await Task.WhenAll(new[] { "\"the cat\"", tokens, $"[{tokens}]", "[\"the cat\"]" }.Select(async prompt =>
        {
            JsonElement body = await _server.Ask(Path, $$"""{"model": "org/tiny", "prompt": {{prompt}}, "max_tokens": 12, "temperature": 0}""");
            OpenAiDocument.Check("CreateCompletionResponse", body);
            return body.GetProperty("choices")[0].GetProperty("text").GetString()!;
        }))];
        Assert.Single(texts.Distinct());
        JsonElement mixed = await _server.Ask(Path, $$"""{"prompt": ["the dog", {{tokens}}], "max_tokens": 12, "temperature": 0, "n": 2}""");
        Assert.Equal([0, 1, 2, 3], mixed.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal(texts[0], mixed.GetProperty("choices")[2].GetProperty("text").GetString());
    }

    [Fact]
    public async Task AStreamSaysTheSameAsAWholeAnswer()
    {
        const string Request = """{"prompt": ["the cat", "a dog"], "max_tokens": 20, "seed": 4, "logprobs": 2""";
        JsonElement whole = await _server.Ask(Path, Request + "}");
        IReadOnlyList<JsonElement> chunks = await _server.Stream(Path, Request + ", \"stream\": true, \"stream_options\": {\"include_usage\": true}}");
        // The document describes whole answers only: a chunk before the last has no reason to end yet, nor a usage.
        Assert.All(chunks, c => OpenAiDocument.Check("CreateCompletionResponse", JsonDocument.Parse(c.GetRawText()
            .Replace("\"finish_reason\":null", "\"finish_reason\":\"stop\"", StringComparison.Ordinal).Replace(",\"usage\":null", "", StringComparison.Ordinal)).RootElement));
        for (int i = 0; i < 2; i++)
        {
            JsonElement[] own = [.. chunks.SelectMany(c => c.GetProperty("choices").EnumerateArray()).Where(c => c.GetProperty("index").GetInt32() == i)];
            JsonElement expected = whole.GetProperty("choices")[i];
            Assert.Equal(expected.GetProperty("text").GetString(), string.Concat(own.Select(c => c.GetProperty("text").GetString())));
            Assert.Equal(
                expected.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Select(p => p.GetSingle()),
                own.Where(c => c.GetProperty("logprobs").ValueKind == JsonValueKind.Object).SelectMany(c => c.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray()).Select(p => p.GetSingle()));
            Assert.Equal("length", own[^1].GetProperty("finish_reason").GetString());
        }
        Assert.Equal(40, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    // The two shapes that lm-evaluation-harness sends: log-likelihoods of continuations, with nothing or one token generated.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task EchoGivesTheScoresOfTheModelBitForBit(int maxTokens)
    {
        int[][] prompts = [TinyModels.Tokenizer.Encode("the cat sat on the mat"), TinyModels.Tokenizer.Encode("and the dog said there"), TinyModels.Tokenizer.Encode(string.Join(' ', Enumerable.Repeat("the man", 60)))];
        JsonElement body = await _server.Ask(Path, $$"""{"model": "org/tiny", "prompt": [{{string.Join(',', prompts.Select(p => $"[{string.Join(',', p)}]"))}}], "max_tokens": {{maxTokens}}, "logprobs": 1, "echo": true, "temperature": 0, "seed": 1234}""");
        using ModelBundle bundle = TinyModels.ChatBundle();
        for (int i = 0; i < prompts.Length; i++)
        {
            JsonElement scores = body.GetProperty("choices")[i].GetProperty("logprobs");
            float[] expected = Engine(bundle, prompts[i]);
            JsonElement[] given = [.. scores.GetProperty("token_logprobs").EnumerateArray()];
            Assert.Equal(prompts[i].Length + maxTokens, given.Length);
            Assert.Equal(JsonValueKind.Null, given[0].ValueKind);
            Assert.Equal(JsonValueKind.Null, scores.GetProperty("top_logprobs")[0].ValueKind);
            Assert.Equal(expected, given[1..prompts[i].Length].Select(p => p.GetSingle()));
            Assert.Equal(TinyModels.Tokenizer.Decode(prompts[i]), string.Concat(scores.GetProperty("tokens").EnumerateArray().Take(prompts[i].Length).Select(t => t.GetString())));
            for (int t = 1; t < prompts[i].Length; t++)
            {
                JsonElement best = scores.GetProperty("top_logprobs")[t];
                Assert.True(best.EnumerateObject().Single().Value.GetSingle() >= given[t].GetSingle());
            }
        }
    }

    [Fact]
    public async Task EchoWithoutScoresBeginsWithThePrompt()
    {
        JsonElement body = await _server.Ask(Path, """{"prompt": "the cat", "max_tokens": 4, "temperature": 0, "echo": true}""");
        JsonElement plain = await _server.Ask(Path, """{"prompt": "the cat", "max_tokens": 4, "temperature": 0}""");
        Assert.Equal("the cat" + plain.GetProperty("choices")[0].GetProperty("text").GetString(), body.GetProperty("choices")[0].GetProperty("text").GetString());
        JsonElement nothing = await _server.Ask(Path, """{"prompt": "the cat", "max_tokens": 0, "echo": true}""");
        Assert.Equal("the cat", nothing.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal(0, nothing.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task TextOffsetsPointAtTheTokens()
    {
        JsonElement choice = (await _server.Ask(Path, """{"prompt": "the cat sat", "max_tokens": 0, "logprobs": 0, "echo": true}""")).GetProperty("choices")[0];
        string text = choice.GetProperty("text").GetString()!;
        JsonElement scores = choice.GetProperty("logprobs");
        for (int i = 0; i < scores.GetProperty("tokens").GetArrayLength(); i++)
        {
            string token = scores.GetProperty("tokens")[i].GetString()!;
            Assert.Equal(token, text.Substring(scores.GetProperty("text_offset")[i].GetInt32(), token.Length));
        }
    }

    [Theory]
    [InlineData("""{"prompt": []}""", "prompt")]
    [InlineData("""{"prompt": [99999]}""", "prompt")]
    [InlineData("""{"prompt": "a", "suffix": "b"}""", "suffix")]
    [InlineData("""{"prompt": "a", "best_of": 2}""", "best_of")]
    [InlineData("""{"prompt": "a", "logprobs": true}""", "logprobs")]
    [InlineData("""{"prompt": {"a": 1}}""", "prompt")]
    public async Task WrongRequestsAreRefusedByField(string request, string field)
    {
        JsonElement body = await _server.Ask(Path, request, HttpStatusCode.BadRequest);
        Assert.Equal(field, body.GetProperty("error").GetProperty("param").GetString());
        OpenAiDocument.Check("ErrorResponse", body);
    }

    private static float[] Engine(ModelBundle bundle, int[] ids)
    {
        using GenerationEngine engine = new(bundle.Generative);
        return engine.Score(ids[..1], [ids[1..]]).GetAwaiter().GetResult()[0].LogProbabilities;
    }
}
