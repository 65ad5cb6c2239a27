using System.Text.Json;
using Gradus.Evaluation.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Metrics;

[GoldenFolder("rouge", "expected.json", "porter.json")]
public sealed class RougeTests
{
    private const double Tolerance = 1e-9;

    public static TheoryData<string> Results => MetricGolden.Names("rouge", "results");

    [SharedTheory("golden", "metrics", "rouge")]
    [MemberData(nameof(Results))]
    public void ScoresTokensAndMeansEqualTheGolden(string result)
    {
        JsonElement root = MetricGolden.Read("rouge");
        bool stem = result switch { "stemmer" => true, "plain" => false, _ => throw new InvalidDataException($"results.{result} is not known.") };
        JsonElement expected = root.GetProperty("results").GetProperty(result);
        (string Prediction, string Reference)[] pairs = root.Pairs();
        Assert.Equal(pairs.Length, expected.GetProperty("scores").GetArrayLength());
        Dictionary<string, double[]> sums = [];
        for (int i = 0; i < pairs.Length; i++)
        {
            JsonElement tokens = expected.GetProperty("tokens")[i];
            Assert.Equal(tokens[0].Strings(), Rouge.Tokenize(pairs[i].Prediction, stem));
            Assert.Equal(tokens[1].Strings(), Rouge.Tokenize(pairs[i].Reference, stem));
            foreach (JsonProperty type in expected.GetProperty("scores")[i].EnumerateObject())
            {
                PrecisionRecallF actual = Named(type.Name, stem).Measure(pairs[i].Prediction, pairs[i].Reference);
                AssertEqual(type.Value.Doubles(), actual, $"pair {i} {type.Name}");
                double[] sum = sums.TryGetValue(type.Name, out double[]? s) ? s : sums[type.Name] = new double[3];
                sum[0] += actual.Precision / pairs.Length;
                sum[1] += actual.Recall / pairs.Length;
                sum[2] += actual.F / pairs.Length;
            }
        }
        foreach (JsonProperty type in expected.GetProperty("mean").EnumerateObject())
        {
            AssertEqual(type.Value.Doubles(), new(sums[type.Name][0], sums[type.Name][1], sums[type.Name][2]), $"mean {type.Name}");
            MetricResult whole = Named(type.Name, stem).Evaluate([.. pairs.Select(p => new MetricExample(p.Prediction, [p.Reference]))]);
            MetricGolden.Near(type.Value[2].GetDouble(), whole.Value, Tolerance, $"value {type.Name}");
        }
    }

    [SharedFact("golden", "metrics", "rouge")]
    public void OfSeveralReferencesTheBestFMeasureCounts()
    {
        foreach (JsonElement row in MetricGolden.Read("rouge").GetProperty("multi_reference_stemmed").EnumerateArray())
        {
            string prediction = row.GetProperty("prediction").GetString()!;
            foreach (JsonProperty type in row.GetProperty("scores").EnumerateObject())
                AssertEqual(type.Value.Doubles(), Named(type.Name, true).Measure(prediction, row.GetProperty("targets").Strings()), $"{prediction} {type.Name}");
        }
    }

    [SharedFact("golden", "metrics", "rouge", "porter.json")]
    public void StemsEqualTheGolden()
    {
        foreach (JsonProperty word in MetricGolden.Read("rouge", "porter.json").GetProperty("words").EnumerateObject())
            Assert.Equal(word.Value.GetString(), PorterStemmer.Stem(word.Name));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("ies", "i")]
    [InlineData("dies", "die")]
    [InlineData("ied", "i")]
    [InlineData("tied", "tie")]
    [InlineData("ing", "ing")]
    [InlineData("ed", "ed")]
    [InlineData("yyyyyy", "yyyyyi")]
    [InlineData("hopping", "hop")]
    [InlineData("filing", "file")]
    [InlineData("falling", "fall")]
    [InlineData("sing", "sing")]
    [InlineData("enjoy", "enjoy")]
    [InlineData("geologi", "geolog")]
    [InlineData("ion", "ion")]
    public void StemsOfShortAndOddWords(string word, string stem) => Assert.Equal(stem, PorterStemmer.Stem(word));

    [Fact]
    public void LinePositionsComeFromTheRowsOfThePlainDynamicProgram()
    {
        Random random = new(1);
        for (int round = 0; round < 300; round++)
        {
            int symbols = random.Next(1, 6);
            int[] x = Draw(random.Next(0, 150), symbols), y = Draw(random.Next(0, 150), symbols);
            List<int> expected = PlainPositions(x, y);
            Assert.Equal(expected, LongestCommonSubsequence.PositionsInX(x, y));
            Assert.Equal(expected, LongestCommonSubsequence.PositionsInX(x, y, wordsKept: 0));
            Assert.Equal(expected.Count, LongestCommonSubsequence.Length(x, y));
        }

        int[] Draw(int length, int symbols) => [.. Enumerable.Range(0, length).Select(_ => random.Next(symbols))];
    }

    [Fact]
    public void NoReferenceIsAnErrorThatSaysSo()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Rouge.L().Score("text"));
        Assert.Contains("rougeL", error.Message);
        Assert.Contains("no reference", error.Message);
    }

    private static Rouge Named(string type, bool stem) => type switch
    {
        "rougeL" => Rouge.L(stem),
        "rougeLsum" => Rouge.Lsum(stem),
        _ => Rouge.N(int.Parse(type["rouge".Length..]), stem),
    };

    private static void AssertEqual(double[] expected, PrecisionRecallF actual, string what)
    {
        MetricGolden.Near(expected[0], actual.Precision, Tolerance, $"{what} precision");
        MetricGolden.Near(expected[1], actual.Recall, Tolerance, $"{what} recall");
        MetricGolden.Near(expected[2], actual.F, Tolerance, $"{what} F");
    }

    private static List<int> PlainPositions(int[] x, int[] y)
    {
        var length = new int[x.Length + 1, y.Length + 1];
        for (int i = 1; i <= x.Length; i++)
        {
            for (int j = 1; j <= y.Length; j++)
                length[i, j] = x[i - 1] == y[j - 1] ? length[i - 1, j - 1] + 1 : Math.Max(length[i - 1, j], length[i, j - 1]);
        }
        List<int> found = [];
        for (int i = x.Length, j = y.Length; i > 0 && j > 0;)
        {
            if (x[i - 1] == y[j - 1])
            {
                found.Insert(0, --i);
                j--;
            }
            else if (length[i, j - 1] > length[i - 1, j])
            {
                j--;
            }
            else
            {
                i--;
            }
        }
        return found;
    }
}
