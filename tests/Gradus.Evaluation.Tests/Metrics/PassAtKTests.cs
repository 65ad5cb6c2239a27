using System.Text.Json;
using Gradus.Evaluation.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Metrics;

[GoldenFolder("pass_at_k", "expected.json")]
public sealed class PassAtKTests
{
    [SharedFact("golden", "metrics", "pass_at_k")]
    public void EstimatesEqualTheGolden()
    {
        foreach (JsonElement row in MetricGolden.Read("pass_at_k").GetProperty("rows").EnumerateArray())
        {
            double actual = PassAtK.Estimate(row.GetProperty("n").GetInt32(), row.GetProperty("c").GetInt32(), row.GetProperty("k").GetInt32());
            MetricGolden.Near(row.GetProperty("value").GetDouble(), actual, 1e-9, row.ToString());
        }
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(5, 6, 1)]
    [InlineData(5, -1, 1)]
    [InlineData(5, 1, 0)]
    [InlineData(5, 1, 6)]
    public void CountsOutOfRangeAreRefused(int samples, int correct, int k)
        => Assert.Throws<ArgumentOutOfRangeException>(() => PassAtK.Estimate(samples, correct, k));

    [Fact]
    public void LossMeasuresOfAUniformModelAreItsChoices()
    {
        // 300 bytes of text, each guessed with probability 1/256, in 100 tokens and 50 words.
        double nats = 300 * Math.Log(256);
        Assert.Equal(8, LanguageModelLoss.BitsPerByte(nats, 300), 12);
        Assert.Equal(256, LanguageModelLoss.BytePerplexity(nats, 300), 9);
        Assert.Equal(Math.Pow(256, 3), LanguageModelLoss.Perplexity(nats, 100), 4);
        Assert.Equal(Math.Pow(256, 6), LanguageModelLoss.WordPerplexity(nats, 50), 0.01 * Math.Pow(256, 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => LanguageModelLoss.BitsPerByte(nats, 0));
    }
}
