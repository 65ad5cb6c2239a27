using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Vectors;
using Microsoft.Extensions.VectorData;

namespace Gradus.Applications.Tests.Retrieval;

public sealed class VectorStoreTests
{
    [Fact]
    public async Task RecordsAreKeptFoundFilteredAndDeleted()
    {
        using RetrievalFolder folder = new();
        using (SqliteVectorStore store = new(folder.IndexPath))
        {
            VectorStoreCollection<string, Boat> boats = store.GetCollection<string, Boat>("boats");
            Assert.False(await boats.CollectionExistsAsync());
            await Assert.ThrowsAsync<VectorStoreException>(() => boats.GetAsync("a"));
            await boats.EnsureCollectionExistsAsync();
            await boats.UpsertAsync([
                new Boat { Name = "a", Length = 10, Text = "a sail in the wind", Ports = ["Oslo"], Vector = new float[] { 1, 0, 0 } },
                new Boat { Name = "b", Length = 20, Text = "an engine in the harbour", Ports = ["Rome", "Oslo"], Vector = new float[] { 0.8f, 0.6f, 0 } },
                new Boat { Name = "c", Length = 30, Text = "oars", Vector = new float[] { 0, 0, 1 } },
            ]);
        }
        using SqliteVectorStore again = new(folder.IndexPath);
        VectorStoreCollection<string, Boat> kept = again.GetCollection<string, Boat>("boats");
        Boat b = (await kept.GetAsync("b", new RecordRetrievalOptions { IncludeVectors = true }))!;
        Assert.Equal((20, "Rome", 0.6f), (b.Length, b.Ports![0], b.Vector.Span[1]));
        Assert.Equal(0, (await kept.GetAsync("b"))!.Vector.Length);
        Assert.Equal(["a", "b", "c"], await Names(kept.SearchAsync(new ReadOnlyMemory<float>([1, 0, 0]), 5)));
        Assert.Equal(["b", "c"], await Names(kept.SearchAsync(new float[] { 1, 0, 0 }, 5, new VectorSearchOptions<Boat> { Filter = r => r.Length > 15 })));
        Assert.Equal(["b"], await Names(kept.SearchAsync(new float[] { 1, 0, 0 }, 1, new VectorSearchOptions<Boat> { Skip = 1 })));
        Assert.Equal(["a", "b"], await Names(kept.SearchAsync(new float[] { 1, 0, 0 }, 5, new VectorSearchOptions<Boat> { ScoreThreshold = 0.5 })));
        List<string> sorted = [];
        await foreach (Boat boat in kept.GetAsync(r => r.Length < 25, 5, new FilteredRecordRetrievalOptions<Boat> { OrderBy = o => o.Descending(r => r.Length) }))
            sorted.Add(boat.Name);
        Assert.Equal(["b", "a"], sorted);
        IKeywordHybridSearchable<Boat> hybrid = (IKeywordHybridSearchable<Boat>)kept.GetService(typeof(IKeywordHybridSearchable<Boat>))!;
        Assert.Equal("b", (await Names(hybrid.HybridSearchAsync(new float[] { 1, 0.2f, 0 }, ["harbour", "engine"], 3)))[0]);
        await kept.DeleteAsync("a");
        Assert.Equal(["b", "c"], await Names(kept.SearchAsync(new float[] { 1, 0, 0 }, 5)));
        await kept.EnsureCollectionDeletedAsync();
        Assert.False(await again.CollectionExistsAsync("boats"));
    }

    [Fact]
    public async Task DictionariesAreRecordsToo()
    {
        using RetrievalFolder folder = new();
        using SqliteVectorStore store = new(folder.IndexPath);
        VectorStoreCollection<object, Dictionary<string, object?>> records = store.GetDynamicCollection("any", new VectorStoreCollectionDefinition
        {
            Properties = [new VectorStoreKeyProperty("id", typeof(long)), new VectorStoreDataProperty("when", typeof(DateTimeOffset)), new VectorStoreVectorProperty("v", typeof(ReadOnlyMemory<float>), 2) { DistanceFunction = DistanceFunction.EuclideanDistance }],
        });
        await records.EnsureCollectionExistsAsync();
        DateTimeOffset when = new(2026, 11, 30, 12, 0, 0, TimeSpan.FromHours(1));
        await records.UpsertAsync(new Dictionary<string, object?> { ["id"] = 7L, ["when"] = when, ["v"] = new ReadOnlyMemory<float>([3, 4]) });
        await foreach (VectorSearchResult<Dictionary<string, object?>> found in records.SearchAsync(new ReadOnlyMemory<float>([0, 0]), 1))
            Assert.Equal((7L, when, 5.0), ((long)found.Record["id"]!, (DateTimeOffset)found.Record["when"]!, Math.Round(found.Score!.Value, 6)));
        await Assert.ThrowsAsync<ArgumentException>(() => records.UpsertAsync(new Dictionary<string, object?> { ["id"] = 8L, ["when"] = when, ["v"] = new ReadOnlyMemory<float>([3]) }));
    }

    [Fact]
    public void GraphsFindNearlyAllThatAScanFindsAlsoAfterRemovalsAndFromAFile()
    {
        Random random = new(3);
        float[][] vectors = [.. Enumerable.Range(0, 3000).Select(_ => Enumerable.Range(0, 24).Select(_ => (float)random.NextDouble() - 0.5f).ToArray())];
        Hnsw graph = new(24);
        VectorSet exact = new(24, VectorPrecision.Float32);
        for (int i = 0; i < vectors.Length; i++)
        {
            graph.Add(i, vectors[i]);
            exact.Add(i, vectors[i]);
        }
        for (int i = 0; i < 1000; i++)
        {
            Assert.True(graph.Remove(i));
            exact.Remove(i);
        }
        for (int i = 0; i < 500; i++)
        {
            graph.Add(5000 + i, vectors[i]);
            exact.Add(5000 + i, vectors[i]);
        }
        Assert.Equal(2500, graph.Count);
        using MemoryStream stream = new();
        graph.Save(stream);
        Hnsw loaded = Hnsw.Load(new MemoryStream(stream.ToArray()));
        ChunkMask mask = new();
        for (int i = 1000; i < 3000; i += 10)
            mask.Add(i);
        int found = 0;
        for (int q = 0; q < 50; q++)
        {
            long[] expected = [.. exact.Search(vectors[q], 10).Select(h => h.Chunk)], approximate = [.. graph.Search(vectors[q], 10, 100).Select(h => h.Chunk)];
            Assert.Equal(approximate, loaded.Search(vectors[q], 10, 100).Select(h => h.Chunk));
            Assert.DoesNotContain(approximate, id => id < 1000);
            Assert.All(graph.Search(vectors[q], 5, 100, mask), h => Assert.True(mask.Contains(h.Chunk)));
            Assert.Equal(5, graph.Search(vectors[q], 5, 100, mask).Count);
            found += expected.Intersect(approximate).Count();
        }
        Assert.True(found >= 475, $"{found} of 500");
        Assert.Throws<InvalidDataException>(() => Hnsw.Load(new MemoryStream(stream.ToArray()[..^7])));
    }

    private static async Task<List<string>> Names(IAsyncEnumerable<VectorSearchResult<Boat>> results)
    {
        List<string> names = [];
        await foreach (VectorSearchResult<Boat> result in results)
            names.Add(result.Record.Name);
        return names;
    }

    private sealed class Boat
    {
        [VectorStoreKey]
        public string Name { get; set; } = "";

        [VectorStoreData(IsIndexed = true)]
        public int Length { get; set; }

        [VectorStoreData(IsFullTextIndexed = true)]
        public string? Text { get; set; }

        [VectorStoreData]
        public string[]? Ports { get; set; }

        [VectorStoreVector(3)]
        public ReadOnlyMemory<float> Vector { get; set; }
    }
}
