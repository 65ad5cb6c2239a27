using System.Net;
using System.Text.Json;
using Gradus.Server.Catalog;

namespace Gradus.Server.Tests.Ranking;

/// <summary>Texts ranked by a cross-encoder, in both shapes.</summary>
public sealed class RankTests : IAsyncLifetime
{
    private RunningServer _server = null!;

    public async Task InitializeAsync() => _server = await RunningServer.Start(null, new ModelSource("ranker", _ => TinyModels.Ranker()));

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task BothShapesGiveTheSameOrder()
    {
        JsonElement jina = await _server.Ask("/v1/rerank", """{"model": "ranker", "query": "a cat", "documents": ["the dog", {"text": "the cat sat"}, "the man"], "return_documents": true, "top_n": 99}""");
        JsonElement tei = await _server.Ask("/rerank", """{"query": "a cat", "texts": ["the dog", "the cat sat", "the man"]}""");
        JsonElement[] results = [.. jina.GetProperty("results").EnumerateArray()];
        Assert.Equal(3, results.Length);
        Assert.Equal(tei.EnumerateArray().Select(r => (r.GetProperty("index").GetInt32(), r.GetProperty("score").GetSingle())), results.Select(r => (r.GetProperty("index").GetInt32(), r.GetProperty("relevance_score").GetSingle())));
        Assert.Equal(results.Select(r => r.GetProperty("relevance_score").GetSingle()).OrderDescending(), results.Select(r => r.GetProperty("relevance_score").GetSingle()));
        Assert.All(results, r => Assert.InRange(r.GetProperty("relevance_score").GetSingle(), 0, 1));
        Assert.True(jina.GetProperty("usage").GetProperty("total_tokens").GetInt32() > 0);
        // A pair has the same score alone.
        JsonElement alone = await _server.Ask("/v1/rerank", """{"query": "a cat", "documents": ["the man"]}""");
        Assert.Equal(results.Single(r => r.GetProperty("index").GetInt32() == 2).GetProperty("relevance_score").GetSingle(), alone.GetProperty("results")[0].GetProperty("relevance_score").GetSingle());
    }

    [Fact]
    public async Task WrongRequestsAreRefused()
    {
        Assert.Equal("query", (await _server.Ask("/v1/rerank", """{"documents": ["a"]}""", HttpStatusCode.BadRequest)).GetProperty("error").GetProperty("param").GetString());
        Assert.Equal("documents", (await _server.Ask("/v1/rerank", """{"query": "a", "documents": []}""", HttpStatusCode.BadRequest)).GetProperty("error").GetProperty("param").GetString());
    }
}
