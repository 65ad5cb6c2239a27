using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Gradus.Server.Catalog;

namespace Gradus.Server.Tests.OpenAi;

/// <summary>Embeddings: all shapes of inputs, both encodings.</summary>
public sealed class EmbeddingTests : IAsyncLifetime
{
    private const string Path = "/v1/embeddings";
    private RunningServer _server = null!;

    public async Task InitializeAsync() => _server = await RunningServer.Start(null, new ModelSource("bert", _ => TinyModels.Encoder()));

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task EveryShapeOfInputGivesTheSameVector()
    {
        string tokens = $"[{string.Join(',', TinyModels.Tokenizer.Encode("the cat"))}]";
        float[]? first = null;
        foreach (string input in new[] { "\"the cat\"", "[\"the cat\"]", tokens, $"[{tokens}]", $"[\"the cat\", {tokens}]" })
        {
            JsonElement body = await _server.Ask(Path, $$"""{"model": "bert", "input": {{input}}}""");
            OpenAiDocument.Check("CreateEmbeddingResponse", body);
            float[] vector = [.. body.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle())];
            Assert.Equal(first ??= vector, vector);
            Assert.Equal(1, vector.Sum(v => (double)v * v), 4);
        }
    }

    [Fact]
    public async Task Base64IsTheSameNumbers()
    {
        JsonElement floats = await _server.Ask(Path, """{"input": "the cat"}"""), packed = await _server.Ask(Path, """{"input": "the cat", "encoding_format": "base64"}""");
        byte[] bytes = Convert.FromBase64String(packed.GetProperty("data")[0].GetProperty("embedding").GetString()!);
        Assert.Equal(floats.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle()), MemoryMarshal.Cast<byte, float>(bytes).ToArray());
    }

    [Fact]
    public async Task FewerDimensionsHaveLengthOne()
    {
        JsonElement body = await _server.Ask(Path, """{"input": "the cat", "dimensions": 5}""");
        float[] vector = [.. body.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle())];
        Assert.Equal(5, vector.Length);
        Assert.Equal(1, vector.Sum(v => (double)v * v), 4);
    }

    [Theory]
    [InlineData("""{"input": ""}""", "input")]
    [InlineData("""{"input": []}""", "input")]
    [InlineData("""{"input": ["a", ""]}""", "input[1]")]
    [InlineData("""{"input": [99999]}""", "input[0]")]
    [InlineData("""{"input": "a", "dimensions": 1000}""", "dimensions")]
    [InlineData("""{"input": "a", "encoding_format": "xml"}""", "encoding_format")]
    public async Task WrongInputsAreRefused(string request, string field)
    {
        JsonElement body = await _server.Ask(Path, request, HttpStatusCode.BadRequest);
        Assert.Equal(field, body.GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task ATextThatIsTooLongIsRefusedAndAModelThatDoesNotWriteTellsSo()
    {
        JsonElement body = await _server.Ask(Path, $$"""{"input": "{{new string('z', 200)}}"}""", HttpStatusCode.BadRequest);
        Assert.Equal("context_length_exceeded", body.GetProperty("error").GetProperty("code").GetString());
        JsonElement chat = await _server.Ask("/v1/completions", """{"prompt": "a"}""", HttpStatusCode.BadRequest);
        Assert.Equal("unsupported_model", chat.GetProperty("error").GetProperty("code").GetString());
    }
}
