using System.Text.Json;
using Gradus.Applications.Retrieval.Measures;
using Gradus.Testing;

namespace Gradus.Applications.Tests.Retrieval;

/// <summary>Ranking measures beside trec_eval's, and scores of answers beside ragas'.</summary>
public sealed class RankingGoldenTests
{
    private const double Tolerance = 1e-9;

    [SharedFact("golden", "retrieval", "ranking")]
    public void MeasuresAreThoseOfTrecEval()
    {
        using JsonDocument golden = Golden("ranking");
        int compared = 0;
        foreach (JsonElement query in golden.RootElement.GetProperty("queries").EnumerateArray())
        {
            Dictionary<string, int> grades = query.GetProperty("qrels").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt32());
            string[] order = [.. query.GetProperty("order").EnumerateArray().Select(d => d.GetString()!)];
            Assert.Equal(order, RankingMeasures.Order(query.GetProperty("run").EnumerateObject().Select(p => KeyValuePair.Create(p.Name, p.Value.GetDouble()))));
            foreach (JsonProperty level in query.GetProperty("expected").EnumerateObject())
            {
                RankingMeasures measures = new(grades, order, level.Name == "level2" ? 2 : 1);
                foreach (JsonProperty expected in level.Value.EnumerateObject().Where(e => e.Value.ValueKind == JsonValueKind.Number))
                {
                    double? value = Value(measures, expected.Name, exponential: level.Name == "exponential");
                    if (value is null)
                        continue;
                    Assert.True(Math.Abs(expected.Value.GetDouble() - value.Value) <= Tolerance, $"{query.GetProperty("id")} {level.Name} {expected.Name}: {value} for {expected.Value}");
                    compared++;
                }
            }
        }
        Assert.True(compared > 1500, $"{compared} values compared");
    }

    [SharedFact("golden", "retrieval", "ragas")]
    public void ScoresFromVerdictsAreThoseOfRagas()
    {
        using JsonDocument golden = Golden("ragas");
        int compared = 0;
        foreach (JsonElement one in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            double? score;
            switch (one.GetProperty("metric").GetString())
            {
                case "context_precision":
                    score = RagScores.ContextPrecision(Flags(one.GetProperty("verdicts")));
                    break;
                case "faithfulness":
                    score = RagScores.Supported(Flags(one.GetProperty("verdicts")));
                    break;
                case "context_recall":
                    score = RagScores.Supported(Flags(one.GetProperty("attributed")));
                    break;
                default:
                    continue;
            }
            JsonElement expected = one.GetProperty("expected");
            compared++;
            if (expected.ValueKind == JsonValueKind.String)
                Assert.Null(score);
            else
                Assert.Equal(expected.GetDouble(), score!.Value, Tolerance);
        }
        Assert.True(compared > 100, $"{compared} cases compared");
    }

    private static double? Value(RankingMeasures measures, string name, bool exponential)
    {
        string[] parts = name.Split('_');
        int k = int.TryParse(parts[^1], out int cut) ? cut : int.MaxValue;
        return name switch
        {
            "num_rel" => measures.Relevant,
            "num_rel_ret" => measures.RelevantFound,
            "Rprec" => measures.RPrecision,
            "bpref" => measures.BinaryPreference,
            "recip_rank" => measures.ReciprocalRank(),
            _ when name.StartsWith("P_", StringComparison.Ordinal) => measures.Precision(k),
            _ when name.StartsWith("recall_", StringComparison.Ordinal) => measures.Recall(k),
            _ when name.StartsWith("success_", StringComparison.Ordinal) => measures.Success(k),
            _ when name.StartsWith("map", StringComparison.Ordinal) => measures.AveragePrecision(k),
            _ when name.StartsWith("ndcg", StringComparison.Ordinal) => measures.NormalizedGain(k, exponential),
            _ => null,
        };
    }

    private static bool[] Flags(JsonElement list) => [.. list.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.True || (e.ValueKind == JsonValueKind.Number && e.GetDouble() != 0))];

    private static JsonDocument Golden(string name) => JsonDocument.Parse(File.ReadAllText(SharedFolder.Find("golden", "retrieval", name, "expected.json")!));
}
