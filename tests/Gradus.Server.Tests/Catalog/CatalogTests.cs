using System.Net;
using System.Text.Json;
using Gradus.Server.Catalog;
using Gradus.Server.Http;

namespace Gradus.Server.Tests.Catalog;

/// <summary>Models by name: loaded when asked for, gone when another needs the place.</summary>
public sealed class CatalogTests
{
    [Fact]
    public async Task TheLeastRecentlyUsedLeaves()
    {
        List<string> loaded = [];
        ModelSource Source(string name) => new(name, _ =>
        {
            lock (loaded)
                loaded.Add(name);
            return new ServedModel(new ScriptedModel(_ => name));
        });
        using ModelCatalog catalog = new([Source("a"), Source("b"), Source("c")], mostLoaded: 2);
        await Use(catalog, "a");
        await Use(catalog, "b");
        await Use(catalog, "a");
        await Use(catalog, "c");
        Assert.Equal(["a", "c"], catalog.Names.Where(n => n.Model is not null).Select(n => n.Name));
        await Use(catalog, "b");
        Assert.Equal(["a", "b", "c", "b"], loaded);
        using ModelLease one = await catalog.Acquire("b", default), two = await catalog.Acquire("c", default);
        ApiException busy = await Assert.ThrowsAsync<ApiException>(() => catalog.Acquire("a", default));
        Assert.Equal(503, busy.Status);
        Assert.NotNull(busy.RetryAfter);
    }

    [Fact]
    public async Task AModelIsLoadedOnceForManyAndTriedAgainAfterAFailure()
    {
        int loads = 0;
        using ModelCatalog catalog = new([new ModelSource("a", _ => Interlocked.Increment(ref loads) == 1 ? throw new InvalidDataException("broken") : new ServedModel(new ScriptedModel(_ => "a"))) { Preload = false }]);
        ApiException failed = await Assert.ThrowsAsync<ApiException>(() => catalog.Acquire("a", default));
        Assert.Equal((500, "model_load_failed"), (failed.Status, failed.Code));
        Assert.DoesNotContain("broken", failed.Message);
        ModelLease[] leases = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => catalog.Acquire("a", default)));
        Assert.Equal(2, loads);
        Assert.Single(leases.Select(l => l.Model).Distinct());
        Assert.Equal(8, catalog.Names[0].InUse);
        Assert.False(catalog.Unload("a"));
        Array.ForEach(leases, l => l.Dispose());
        Assert.True(catalog.Unload("a"));
    }

    [Fact]
    public void NamesAreUnique() =>
        Assert.Contains("x", Assert.Throws<ArgumentException>(() => new ModelCatalog([new ModelSource("x", _ => null!), new ModelSource("x", _ => null!)])).Message);

    [Fact]
    public async Task SeveralModelsAreServedByName()
    {
        await using RunningServer server = await RunningServer.Start(null, new ModelSource("first", _ => TinyModels.Chat(5)), new ModelSource("second", _ => TinyModels.Chat(6)) { Preload = false });
        string[] said = [.. await Task.WhenAll(new[] { "first", "second" }.Select(async name =>
        {
            JsonElement body = await server.Ask("/v1/completions", $$"""{"model": "{{name}}", "prompt": "the cat", "max_tokens": 16, "temperature": 0}""");
            Assert.Equal(name, body.GetProperty("model").GetString());
            return body.GetProperty("choices")[0].GetProperty("text").GetString()!;
        }))];
        Assert.NotEqual(said[0], said[1]);
        await server.Ask("/v1/completions", """{"model": "third", "prompt": "a"}""", HttpStatusCode.NotFound);
    }

    private static async Task Use(ModelCatalog catalog, string name)
    {
        using ModelLease lease = await catalog.Acquire(name, default);
        Assert.Equal(name, lease.Name);
        await Task.Delay(2);
    }
}
