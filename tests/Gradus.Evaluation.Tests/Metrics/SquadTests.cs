using System.Text.Json;
using Gradus.Evaluation.Metrics;
using Gradus.Testing;
using Gradus.Text;

namespace Gradus.Evaluation.Tests.Metrics;

[GoldenFolder("squad", "expected.json")]
public sealed class SquadTests
{
    private const double Tolerance = 1e-9;

    [SharedTheory("golden", "metrics", "squad")]
    [InlineData("v1")]
    [InlineData("v2")]
    public void RowsAndMeansEqualTheGolden(string version)
    {
        JsonElement root = MetricGolden.Read("squad");
        (Squad exact, Squad f1) = version == "v1" ? (Squad.ExactMatch, Squad.F1) : (Squad.ExactMatchV2, Squad.F1V2);
        List<MetricExample> scored = [];
        foreach (JsonElement row in root.GetProperty("rows").EnumerateArray())
        {
            MetricExample example = new(row.GetProperty("prediction").GetString()!, row.GetProperty("answers").Strings());
            Assert.Equal(row.GetProperty("normalized_prediction").GetString(), Squad.Normalize(example.Prediction));
            JsonElement expected = row.GetProperty(version);
            if (expected.ValueKind == JsonValueKind.Null)
            {
                Assert.Throws<ArgumentException>(() => exact.Score(example.Prediction, example.References));
                continue;
            }
            scored.Add(example);
            MetricGolden.Near(expected.GetProperty("exact").GetDouble(), exact.Score(example.Prediction, example.References), Tolerance, example.Prediction);
            MetricGolden.Near(expected.GetProperty("f1").GetDouble(), f1.Score(example.Prediction, example.References), Tolerance, example.Prediction);
        }
        JsonElement means = root.GetProperty($"{version}_mean_percent");
        MetricGolden.Near(means.GetProperty("exact").GetDouble(), 100 * exact.Evaluate(scored).Value, Tolerance, "mean exact match");
        MetricGolden.Near(means.GetProperty("f1").GetDouble(), 100 * f1.Evaluate(scored).Value, Tolerance, "mean F1");
    }

    [Theory]
    [InlineData("The theory, a-the an", "theory athe")]
    [InlineData("the_end", "theend")]
    [InlineData("x the\u0301 y", "x \u0301 y")]
    [InlineData("a½ ½ a the", "a½ ½")]
    [InlineData("\u00a0A\u3000B\u001ca", "b")]
    public void ArticlesAreWholeWords(string text, string normalized) => Assert.Equal(normalized, Squad.Normalize(text));

    [Fact]
    public void ExactMatchIgnoresWhatItIsToldTo()
    {
        Assert.Equal(0, new ExactMatch().Score("Yes!", "yes"));
        Assert.Equal(1, new ExactMatch(ignoreCase: true, ignorePunctuation: true).Score("Yes!", "yes"));
        Assert.Equal(1, new ExactMatch(ignoreDigits: true).Score("a1", "a2", "b"));
        ExactMatch gsm8k = new(ignoreCase: true, ignore: [new PythonRegex(","), new PythonRegex(@"\$"), new PythonRegex("(?s).*#### "), new PythonRegex(@"\.$")]);
        Assert.Equal(1, gsm8k.Score("$1,234.", "steps\n#### 1234"));
        Assert.NotEqual(new ExactMatch().Settings, gsm8k.Settings);
    }
}
