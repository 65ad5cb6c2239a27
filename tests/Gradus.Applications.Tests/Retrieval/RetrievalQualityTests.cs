using System.IO.Compression;
using System.Text.Json;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Measures;
using Gradus.Applications.Retrieval.Search;
using Gradus.Testing;
using Xunit.Abstractions;

namespace Gradus.Applications.Tests.Retrieval;

/// <summary>What the default settings reach on public collections, with no network and no language model.</summary>
public sealed class RetrievalQualityTests(ITestOutputHelper output)
{
    /// <summary>Grades of −1 count as judged and not relevant; the baseline is BM25 with the usual k1 and b.</summary>
    [SharedFact("data", "rag-cranfield")]
    public async Task CranfieldHybridIsBetterThanWordsAlone()
    {
        using RetrievalFolder folder = new();
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        index.Add(RetrievalFolder.Prepare(Records("rag-cranfield", "documents.jsonl.gz").Select(r => (r.GetProperty("id").ToString(), r.GetProperty("text").GetString()!))), new RecursiveChunker());
        await new Indexer(index).FitAndEmbedAsync();
        IReadOnlyList<RetrievalQuestion> questions = RetrievalQuestion.Read(SharedFolder.Find("data", "rag-cranfield", "queries-part1.jsonl")!, SharedFolder.Find("data", "rag-cranfield", "qrels-part1.tsv"));
        SearchContext search = new(index, index.OwnModel());
        RetrievalResult words = await RetrievalEvaluation.RunAsync("BM25", new KeywordSearch(new Bm25(TitleWeight: 0)), search, questions);
        RetrievalResult rm3 = await RetrievalEvaluation.RunAsync("RM3", new RelevanceModel(Scoring: new Bm25(TitleWeight: 0)), search, questions);
        RetrievalResult hybrid = await RetrievalEvaluation.RunAsync("hybrid", RetrievalStep.Hybrid, search, questions);
        foreach (RetrievalResult result in new[] { words, rm3, hybrid })
            output.WriteLine($"{result.Name}: MAP {result.Mean("MAP"):0.0000} nDCG@10 {result.Mean("nDCG@10"):0.0000} Recall@100 {result.Mean("Recall@100"):0.0000}, {result.Milliseconds:0.0} ms");
        foreach ((string measure, var comparison, double corrected) in RetrievalEvaluation.Compare(words, hybrid))
            output.WriteLine($"{measure}: {comparison.Difference:+0.0000;-0.0000}, p {comparison.PValue:0.0000}, Holm {corrected:0.0000}");
        Assert.True(questions.Count > 100);
        Assert.True(words.Mean("MAP") > 0.28, $"BM25 {words.Mean("MAP")}");
        Assert.True(hybrid.Mean("MAP") >= 0.36, $"MAP {hybrid.Mean("MAP")}");
        Assert.True(hybrid.Mean("nDCG@10") >= 0.43, $"nDCG@10 {hybrid.Mean("nDCG@10")}");
        Assert.True(RetrievalEvaluation.Compare(words, hybrid).First(c => c.Measure == "MAP").Comparison.PValue < 0.01);
    }

    [SharedFact("data", "xquad")]
    public void ParagraphsOfSixLanguagesAreFoundWithDefaultSettings()
    {
        Dictionary<string, double> first = [];
        foreach (string file in Directory.GetFiles(SharedFolder.Find("data", "xquad")!, "*.jsonl").Order(StringComparer.Ordinal))
        {
            using RetrievalFolder folder = new();
            using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
            JsonElement[] paragraphs = [.. File.ReadLines(file).Select(l => JsonDocument.Parse(l).RootElement)];
            index.Add(RetrievalFolder.Prepare(paragraphs.Select((p, i) => ($"{i}", p.GetProperty("context").GetString()!))), new RecursiveChunker());
            int right = 0, all = 0;
            for (int i = 0; i < paragraphs.Length; i++)
            {
                foreach (JsonElement question in paragraphs[i].GetProperty("qas").EnumerateArray())
                {
                    all++;
                    right += index.SearchKeywords(question.GetProperty("question").GetString()!, 1) is [Hit hit] && index.Chunks([hit.Chunk])[0].Document == $"{i}" ? 1 : 0;
                }
            }
            first[Path.GetFileName(file).Split('-')[1]] = (double)right / all;
            output.WriteLine($"{Path.GetFileName(file)}: R@1 {(double)right / all:0.000} of {all}, words as {index.Settings.Words}");
        }
        Assert.True(first["zh"] >= 0.94, $"zh {first["zh"]}");
        Assert.True(first.Values.Average() >= 0.92, $"mean {first.Values.Average()}");
    }

    /// <summary>The course's measures: a chunk is relevant for a keyword that it holds as a model is shown it, with its source.</summary>
    [SharedFact("data", "rag-insurellm")]
    public async Task InsurellmIsCovered()
    {
        using RetrievalFolder folder = new();
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath);
        Indexer indexer = new(index);
        IndexingResult indexed = indexer.Run(SharedFolder.Find("data", "rag-insurellm", "knowledge-base")!);
        Assert.Empty(indexed.Remarks);
        await indexer.FitAndEmbedAsync();
        IReadOnlyList<RetrievalQuestion> questions = RetrievalQuestion.Read(SharedFolder.Find("data", "rag-insurellm", "questions-part1.jsonl")!);
        SearchContext search = new(index, index.OwnModel());
        foreach ((string name, RetrievalStep recipe) in Ways())
        {
            RetrievalResult result = await RetrievalEvaluation.RunAsync(name, recipe, search, questions);
            output.WriteLine($"{name}: {string.Join(", ", result.Measures.Select(m => $"{m.Key} {m.Value.Average():0.000}"))}");
        }
        RetrievalResult usual = await RetrievalEvaluation.RunAsync("default", RetrievalStep.Default(vectors: false), search, questions);
        Assert.True(usual.Mean("keyword MRR") >= 0.93, $"MRR {usual.Mean("keyword MRR")}");
        Assert.True(usual.Mean("keyword coverage") > 0.97, $"coverage {usual.Mean("keyword coverage")}");
    }

    private static IEnumerable<(string Name, RetrievalStep Recipe)> Ways()
    {
        foreach (double weight in (double[])[0, 0.3, 1])
            yield return ($"BM25F title {weight}", new KeywordSearch(new Bm25(TitleWeight: weight)));
        yield return ("RM3", new RelevanceModel());
        yield return ("dense", new DenseSearch());
        yield return ("hybrid", RetrievalStep.Hybrid);
        yield return ("convex .7 .3", new ConvexFusion([new KeywordSearch(), new DenseSearch()], [0.7, 0.3]));
        yield return ("rrf", new ReciprocalRankFusion([new KeywordSearch(), new DenseSearch()]));
        yield return ("spread", new DocumentSpread(new KeywordSearch(), 3));
    }

    private static IEnumerable<JsonElement> Records(params string[] path)
    {
        using StreamReader reader = new(new GZipStream(File.OpenRead(SharedFolder.Find(["data", .. path])!), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
            yield return JsonDocument.Parse(line).RootElement;
    }
}
