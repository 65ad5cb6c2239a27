using System.Text.Json;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;
using Gradus.Testing;

namespace Gradus.Applications.Tests.Retrieval;

/// <summary>Keyword search over the golden documents: BM25 in three variants, RM3, RRF and MMR.</summary>
public sealed class Bm25GoldenTests
{
    private const double Tolerance = 1e-9;

    [SharedFact("golden", "retrieval", "bm25")]
    public void ScoresAreThoseOfTheFormulas()
    {
        using JsonDocument golden = Golden();
        using RetrievalFolder folder = new();
        using RetrievalIndex index = Index(golden, folder);
        string[][] queries = [.. golden.RootElement.GetProperty("queries").EnumerateArray().Select(Strings)];
        int compared = 0;
        foreach (JsonProperty variant in golden.RootElement.GetProperty("scores").EnumerateObject())
        {
            string[] words = variant.Name.Split(' ');
            if (!Enum.TryParse(words[0], ignoreCase: true, out Bm25Variant formula))
                continue;
            Bm25 scoring = new(double.Parse(words[1][3..]), double.Parse(words[2][2..]), TitleWeight: 0, Variant: formula);
            for (int q = 0; q < queries.Length; q++)
            {
                double[] expected = [.. variant.Value[q].EnumerateArray().Select(s => s.GetDouble())];
                foreach (Hit hit in index.SearchTerms(Terms(queries[q]), 1000, scoring))
                {
                    double score = expected[Number(index, hit)];
                    Assert.True(Math.Abs(score - hit.Score) <= Tolerance * Math.Max(1, Math.Abs(score)), $"{variant.Name}, query {q}: {hit.Score} for {score}");
                    compared++;
                }
            }
        }
        Assert.True(compared > 1000, $"{compared} scores compared");
    }

    [SharedFact("golden", "retrieval", "bm25")]
    public void Rm3ExpandsQueriesAsComputed()
    {
        using JsonDocument golden = Golden();
        using RetrievalFolder folder = new();
        using RetrievalIndex index = Index(golden, folder);
        foreach (JsonElement one in golden.RootElement.GetProperty("rm3").EnumerateArray())
        {
            IReadOnlyList<(string Term, double Weight)> query = Terms(Strings(one.GetProperty("query")));
            RelevanceModel model = new(one.GetProperty("feedback_documents").GetInt32(), one.GetProperty("feedback_terms").GetInt32(), one.GetProperty("original_weight").GetDouble());
            Bm25 scoring = new(one.GetProperty("k1").GetDouble(), one.GetProperty("b").GetDouble(), TitleWeight: 0);
            IReadOnlyList<Hit> best = index.SearchTerms(query, model.Documents, scoring);
            Assert.Equal(one.GetProperty("expected").GetProperty("feedback").EnumerateArray().Select(d => d.GetInt32()), best.Select(h => Number(index, h)));
            Dictionary<string, double> expanded = model.Expand(query, [.. best.Select(h => (h.Score, (IReadOnlyDictionary<string, int>)Counts(index, h)))]).ToDictionary(t => t.Term, t => t.Weight);
            JsonElement[] expected = [.. one.GetProperty("expected").GetProperty("terms").EnumerateArray()];
            Assert.Equal(expected.Select(e => e[0].GetString()!).Order(StringComparer.Ordinal), expanded.Keys.Order(StringComparer.Ordinal));
            foreach (JsonElement term in expected)
                Assert.Equal(term[1].GetDouble(), expanded[term[0].GetString()!], Tolerance);
        }
    }

    [SharedFact("golden", "retrieval", "bm25")]
    public void ReciprocalRanksAreFusedAsComputed()
    {
        using JsonDocument golden = Golden();
        foreach (JsonElement one in golden.RootElement.GetProperty("rrf").EnumerateArray())
        {
            string[][] lists = [.. one.GetProperty("lists").EnumerateArray().Select(Strings)];
            // Names in their order, so that ties fall as they do by name.
            string[] names = [.. lists.SelectMany(l => l).Distinct().Order(StringComparer.Ordinal)];
            double[]? weights = one.TryGetProperty("weights", out JsonElement given) && given.ValueKind == JsonValueKind.Array ? [.. given.EnumerateArray().Select(w => w.GetDouble())] : null;
            IReadOnlyList<Hit> fused = new ReciprocalRankFusion([], weights, one.GetProperty("k").GetDouble()).Fuse([.. lists.Select(l => (IReadOnlyList<Hit>)[.. l.Select(n => new Hit(Array.IndexOf(names, n), 0))])]);
            JsonElement[] expected = [.. one.GetProperty("expected").EnumerateArray()];
            Assert.Equal(expected.Select(e => e[0].GetString()), fused.Select(h => names[h.Chunk]));
            Assert.All(expected.Zip(fused), p => Assert.Equal(p.First[1].GetDouble(), p.Second.Score, Tolerance));
        }
    }

    [SharedFact("golden", "retrieval", "bm25")]
    public void MmrChoosesAsComputed()
    {
        using JsonDocument golden = Golden();
        foreach (JsonElement one in golden.RootElement.GetProperty("mmr").EnumerateArray())
        {
            IReadOnlyList<(int Place, double Value)> chosen = MaximalMarginalRelevance.Choose(
                Numbers(one.GetProperty("query")), [.. one.GetProperty("documents").EnumerateArray().Select(Numbers)], one.GetProperty("n").GetInt32(), one.GetProperty("lambda").GetDouble());
            Assert.Equal(one.GetProperty("expected").GetProperty("order").EnumerateArray().Select(o => o.GetInt32()), chosen.Select(c => c.Place));
            Assert.All(Numbers(one.GetProperty("expected").GetProperty("values")).Zip(chosen), p => Assert.Equal(p.First, p.Second.Value, Tolerance));
        }
    }

    private static JsonDocument Golden() => JsonDocument.Parse(File.ReadAllText(SharedFolder.Find("golden", "retrieval", "bm25", "expected.json")!));

    // The golden tokens joined by spaces are cut at the same places again. Documents without a token still count.
    private static RetrievalIndex Index(JsonDocument golden, RetrievalFolder folder)
    {
        RetrievalIndex index = RetrievalIndex.OpenOrCreate(folder.IndexPath, new IndexSettings(WordForm.Exact));
        index.Add(
            [
                .. golden.RootElement.GetProperty("tokens").EnumerateArray().Select((tokens, i) => RetrievalFolder.Prepare([($"{i}", string.Join(' ', Strings(tokens)))])[0])
                    .Select(d => d.Chunks.Count > 0 ? d : d with { Document = d.Document with { Text = "." }, Chunks = [new Chunk(0, 1, [])] }),
            ],
            new RecursiveChunker());
        return index;
    }

    private static int Number(RetrievalIndex index, Hit hit) => int.Parse(index.Chunks([hit.Chunk])[0].Document);

    private static Dictionary<string, int> Counts(RetrievalIndex index, Hit hit) => index.Analyzer.Query(index.Chunks([hit.Chunk])[0].Text).ToDictionary(t => t.Term, t => (int)t.Weight);

    private static IReadOnlyList<(string Term, double Weight)> Terms(string[] words) => [.. words.GroupBy(w => w).Select(g => (g.Key, (double)g.Count()))];

    private static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetString()!)];

    private static double[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetDouble())];
}
