using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;

namespace Gradus.Applications.Tests.Retrieval;

public sealed class RetrievalIndexTests
{
    [Fact]
    public void OnlyWhatHasChangedIsReadAgainAndWhatIsGoneLeaves()
    {
        using RetrievalFolder folder = new();
        folder.Write("a.md", "# Tides\n\nThe tide rises twice a day.");
        folder.Write("b.txt", "Kites fly over the harbour.");
        folder.Write("sub/c.html", "<title>Boats</title><p>Boats wait for the tide.</p>");
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        Indexer indexer = new(index);
        IndexingResult first = indexer.Run(folder.Documents), second = indexer.Run(folder.Documents);
        Assert.Equal((3, 0, 0, 0), (first.Added, first.Changed, first.Unchanged, first.Removed));
        Assert.Equal((0, 0, 3, 0L), (second.Added, second.Changed, second.Unchanged, second.Bytes));
        Assert.Equal(["a.md", "sub/c.html"], Found(index, "tide").Order(StringComparer.Ordinal));
        folder.Write("b.txt", "Kites fly at high tide.");
        File.SetLastWriteTimeUtc(Path.Combine(folder.Documents, "b.txt"), DateTime.UtcNow.AddMinutes(1));
        File.Delete(Path.Combine(folder.Documents, "a.md"));
        File.SetLastWriteTimeUtc(Path.Combine(folder.Documents, "sub/c.html"), DateTime.UtcNow.AddMinutes(1));
        IndexingResult third = indexer.Run(folder.Documents);
        Assert.Equal((0, 1, 1, 1), (third.Added, third.Changed, third.Unchanged, third.Removed));
        Assert.Equal(["b.txt", "sub/c.html"], Found(index, "tides").Order(StringComparer.Ordinal));
        Assert.Empty(Found(index, "harbour"));
    }

    [Fact]
    public void SegmentsAreMergedWithoutChangingWhatIsFound()
    {
        using RetrievalFolder folder = new();
        (string Name, string Text)[] texts = [.. Enumerable.Range(0, 60).Select(i => ($"d{i}", $"word{i % 7} common {string.Join(' ', Enumerable.Repeat("tide", i % 5))} number{i}"))];
        using RetrievalIndex whole = RetrievalIndex.OpenOrCreate(folder.IndexPath, new IndexSettings(WordForm.Exact));
        using RetrievalIndex pieces = RetrievalIndex.OpenOrCreate(folder.IndexPath + "2", new IndexSettings(WordForm.Exact));
        whole.Add(RetrievalFolder.Prepare(texts), new RecursiveChunker());
        foreach ((string Name, string Text) text in texts)
            pieces.Add(RetrievalFolder.Prepare([text]), new RecursiveChunker());
        foreach (string query in (string[])["tide", "word3 common", "number17 tide", "common"])
            Assert.Equal(Scores(whole, query), Scores(pieces, query));
        foreach (RetrievalIndex index in new[] { whole, pieces })
            Assert.Equal(30, index.Remove(texts.Where((_, i) => i % 2 == 0).Select(t => t.Name)));
        foreach (string query in (string[])["tide", "word3 common", "number17 tide", "number18"])
            Assert.Equal(Scores(whole, query), Scores(pieces, query));
    }

    [Theory]
    [InlineData("今日は天気がいい", "天気")]
    [InlineData("今日は天気がいい", "気")]
    [InlineData("วันนี้อากาศดี", "อากาศ")]
    [InlineData("Die Jahreszahlen standen im Verzeichnis", "Verzeichnisse")]
    [InlineData("Она читала книги", "книга")]
    public void LanguagesWithoutSpacesOrWithEndingsAreFoundByDefault(string text, string query)
    {
        using RetrievalFolder folder = new();
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        index.Add(RetrievalFolder.Prepare([("a", text), ("b", "ganz etwas anderes, 全く別の話")]), new RecursiveChunker());
        Assert.Equal("a", Found(index, query)[0]);
    }

    [Fact]
    public void FiltersOnMetadataHoldForWordsAndVectors()
    {
        using RetrievalFolder folder = new();
        folder.Write("a.md", "---\nstatus: Final\nyear: 2019\n---\n# Tide\n\nThe tide tables of the harbour.");
        folder.Write("b.md", "---\nstatus: Draft\nyear: 2024\n---\n# Tide\n\nThe tide tables of the river.");
        folder.Write("c.md", "---\nstatus: Final\nyear: 2023\n---\n# Tide\n\nThe tide clocks of the river and harbour.");
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        new Indexer(index).Run(folder.Documents);
        Assert.Equal(["c.md"], Found(index, "tide", "status=Final", "year>=2020"));
        Assert.Equal(["b.md"], Found(index, "tide", "status!=Final"));
        Assert.Equal(["a.md"], Found(index, "tide", "name=a*"));
        Assert.Throws<FormatException>(() => MetadataFilter.Parse(["status"]));
    }

    [Fact]
    public void VectorsStayWithTheirModelAndAreFoundExactly()
    {
        using RetrievalFolder folder = new();
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath, new IndexSettings(Vectors: VectorPrecision.Float32));
        index.Add(RetrievalFolder.Prepare(Enumerable.Range(0, 20).Select(i => ($"d{i}", $"text {i}"))), new RecursiveChunker());
        index.SetEmbeddingModel("model-a", 3);
        IReadOnlyList<long> ids = index.ChunksWithoutVectors(100);
        index.AddVectors([.. ids.Select((id, i) => (id, (ReadOnlyMemory<float>)new[] { MathF.Cos(i), MathF.Sin(i), 0.1f * i }))]);
        Assert.Empty(index.ChunksWithoutVectors(100));
        float[] query = [MathF.Cos(4), MathF.Sin(4), 0.4f];
        Assert.Equal(ids[4], index.SearchVectors(query, 1)[0].Chunk);
        InvalidDataException wrong = Assert.Throws<InvalidDataException>(() => index.SetEmbeddingModel("model-b", 3));
        Assert.Contains("model-a", wrong.Message, StringComparison.Ordinal);
        index.Remove(["d4"]);
        Assert.NotEqual(ids[4], index.SearchVectors(query, 1)[0].Chunk);
    }

    [Fact]
    public void ManyVectorsAreFoundThroughAGraphThatStaysWithTheFile()
    {
        using RetrievalFolder folder = new();
        using (RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath, new IndexSettings(Vectors: VectorPrecision.Float32)))
        {
            index.Add(RetrievalFolder.Prepare(Enumerable.Range(0, 400).Select(i => ($"d{i}", $"text {i}"))), new RecursiveChunker());
            index.SetEmbeddingModel("model", 4);
            index.AddVectors([.. index.ChunksWithoutVectors(1000).Select(id => (id, (ReadOnlyMemory<float>)Spiral(id)))]);
            index.GraphFrom = 100;
            Assert.Equal(Names(index, 41, exact: true), Names(index, 41, exact: false));
            index.Remove(["d40"]);
            Assert.DoesNotContain("d40", Names(index, 41, exact: false));
        }
        using RetrievalIndex again = RetrievalIndex.Open(folder.IndexPath);
        Assert.Equal(Names(again, 200, exact: true), Names(again, 200, exact: false));
        Assert.DoesNotContain("d40", Names(again, 41, exact: false));

        static float[] Spiral(long i) => [MathF.Cos(i * 0.1f), MathF.Sin(i * 0.1f), i * 0.01f, 1];

        static string[] Names(RetrievalIndex index, int near, bool exact)
        {
            index.GraphFrom = exact ? int.MaxValue : 100;
            return [.. index.Chunks(index.SearchVectors(Spiral(near), 5).Select(h => h.Chunk)).Select(c => c.Document)];
        }
    }

    [Fact]
    public void EightBitsOrderAsFloatsDoButForNearTies()
    {
        Random random = new(7);
        VectorSet bytes = new(100, VectorPrecision.Int8), floats = new(100, VectorPrecision.Float32);
        float[][] vectors = [.. Enumerable.Range(0, 2000).Select(_ => Enumerable.Range(0, 100).Select(_ => (float)random.NextDouble() - 0.5f).ToArray())];
        for (int i = 0; i < vectors.Length; i++)
        {
            bytes.Add(i, vectors[i]);
            floats.Add(i, vectors[i]);
        }
        int agreed = 0;
        for (int q = 0; q < 20; q++)
        {
            IReadOnlyList<Hit> exact = floats.Search(vectors[q], 10), coarse = bytes.Search(vectors[q], 10);
            Assert.Equal(q, coarse[0].Chunk);
            Assert.All(coarse, h => Assert.Equal(floats.Search(vectors[q], 2000).First(f => f.Chunk == h.Chunk).Score, h.Score, 0.01));
            agreed += exact.Select(h => h.Chunk).Intersect(coarse.Select(h => h.Chunk)).Count();
        }
        Assert.True(agreed >= 180, $"{agreed} of 200");
    }

    [Fact]
    public void FilesThatAreNoIndexAreRefusedInOneLine()
    {
        using RetrievalFolder folder = new();
        File.WriteAllText(folder.IndexPath, "this is no database, but long enough to look at");
        Assert.Contains("no index", Assert.Throws<InvalidDataException>(() => RetrievalIndex.OpenOrCreate(folder.IndexPath)).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => RetrievalIndex.Open(folder.IndexPath + "3"));
    }

    [Fact]
    public void AChunkerThatWasNotTheFirstIsRefused()
    {
        using RetrievalFolder folder = new();
        folder.Write("a.txt", "text");
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        new Indexer(index).Run(folder.Documents);
        folder.Write("b.txt", "more text");
        Assert.Contains("RecursiveChunker", Assert.Throws<InvalidDataException>(() => new Indexer(index, new SentenceChunker()).Run(folder.Documents)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RecipesAreReadFromJsonAndUnknownKeysRefused()
    {
        using RetrievalFolder folder = new();
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        index.Add(RetrievalFolder.Prepare([("a", "the tide rises"), ("b", "the tide falls at night"), ("c", "kites")]), new RecursiveChunker());
        RetrievalStep recipe = RetrievalStep.Parse("""{"kind": "rrf", "steps": [{"kind": "keywords", "scoring": {"k1": 2}}, {"kind": "rm3", "documents": 1}]}""");
        Assert.Equal(2, (await recipe.FindAsync(new SearchContext(index), "tide", 5, default)).Count);
        Assert.Equal(recipe.ToJson(), RetrievalStep.Parse(recipe.ToJson()).ToJson());
        Assert.Throws<System.Text.Json.JsonException>(() => RetrievalStep.Parse("""{"kind": "keywords", "scorin": {}}"""));
        Assert.Equal(RetrievalStep.Hybrid.ToJson(), RetrievalStep.Parse(RetrievalStep.Hybrid.ToJson()).ToJson());
    }

    private static string[] Found(RetrievalIndex index, string query, params string[] where) =>
        [.. index.Chunks(index.SearchKeywords(query, 10, allowed: index.Allowed(MetadataFilter.Parse(where))).Select(h => h.Chunk)).Select(c => c.Document)];

    private static (string, double)[] Scores(RetrievalIndex index, string query) =>
        [.. index.SearchKeywords(query, 100).Select(h => (index.Chunks([h.Chunk])[0].Document, Math.Round(h.Score, 12))).OrderBy(h => h.Item1, StringComparer.Ordinal)];
}
