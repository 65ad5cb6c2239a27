using System.Text.Json;
using Gradus.Evaluation.Statistics;
using Gradus.Evaluation.Tests.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Statistics;

[GoldenFolder("correlation", "expected.json")]
public sealed class CorrelationTests
{
    private const double Tolerance = 1e-9;

    public static TheoryData<string> Cases => MetricGolden.Names("correlation");

    [SharedTheory("golden", "metrics", "correlation")]
    [MemberData(nameof(Cases))]
    public void CoefficientsAndErrorsEqualTheGolden(string name)
    {
        JsonElement c = MetricGolden.Read("correlation").GetProperty(name);
        double[] x = c.GetProperty("x").Doubles(), y = c.GetProperty("y").Doubles();
        foreach (JsonProperty property in c.EnumerateObject())
        {
            if (property.Name is "x" or "y")
                continue;
            if (property.Name == "ranks_x")
            {
                Assert.Equal(property.Value.Doubles(), Correlation.Ranks(x));
                continue;
            }
            double actual = property.Name switch
            {
                "pearson" => Correlation.Pearson(x, y),
                "pearson_p" => Correlation.PValue(Correlation.Pearson(x, y), x.Length),
                "spearman" => Correlation.Spearman(x, y),
                "spearman_p" => Correlation.PValue(Correlation.Spearman(x, y), x.Length),
                "kendall_tau_b" => Correlation.KendallTauB(x, y),
                "mse" => Regression.MeanSquaredError(x, y),
                "mae" => Regression.MeanAbsoluteError(x, y),
                "r2" => Regression.RSquared(x, y),
                _ => throw new InvalidDataException($"correlation.{name}.{property.Name} is not known."),
            };
            // Small p-values by their own size too, so that a wrong tail shows.
            double expected = property.Value.GetDouble();
            MetricGolden.Near(expected, actual, Tolerance * Math.Max(1e-3, Math.Abs(expected)) * 10, $"{name} {property.Name}");
        }
    }

    [Fact]
    public void KendallCountsThePairsOneByOne()
    {
        Random random = new(8);
        for (int round = 0; round < 200; round++)
        {
            int n = random.Next(2, 40), symbols = random.Next(2, 30);
            double[] x = [.. Enumerable.Range(0, n).Select(_ => (double)random.Next(symbols))], y = [.. Enumerable.Range(0, n).Select(_ => (double)random.Next(symbols))];
            double difference = 0, untiedX = 0, untiedY = 0;
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < i; j++)
                {
                    difference += Math.Sign(x[i] - x[j]) * Math.Sign(y[i] - y[j]);
                    untiedX += x[i] != x[j] ? 1 : 0;
                    untiedY += y[i] != y[j] ? 1 : 0;
                }
            }
            double expected = difference / Math.Sqrt(untiedX * untiedY), actual = Correlation.KendallTauB(x, y);
            Assert.True(double.IsNaN(expected) ? double.IsNaN(actual) : Math.Abs(expected - actual) < 1e-12, $"{expected} {actual}");
        }
    }

    [Fact]
    public void LimitsAreAsDocumented()
    {
        double[] up = [1, 2, 3], down = [6, 4, 2], flat = [1, 1, 1];
        Assert.Equal(1, Correlation.Pearson(up, up), 12);
        Assert.Equal(-1, Correlation.KendallTauB(up, down), 12);
        Assert.True(double.IsNaN(Correlation.Pearson(up, flat)) && double.IsNaN(Correlation.Spearman(flat, up)) && double.IsNaN(Correlation.KendallTauB(flat, up)));
        Assert.Equal(0, Correlation.PValue(1, 10));
        Assert.Equal(1, Correlation.PValue(0, 10));
        Assert.Equal(1, Correlation.PValue(1, 2));
        // With one degree of freedom t is Cauchy's: p = 1 − 2·atan(t)/π, and r = √½ gives t = 1.
        Assert.Equal(0.5, Correlation.PValue(Math.Sqrt(0.5), 3), 12);
        Assert.Throws<ArgumentOutOfRangeException>(() => Correlation.PValue(1.1, 10));
        Assert.Throws<ArgumentException>(() => Correlation.Pearson(up, [1, 2]));
        Assert.Equal(1, Regression.RSquared([2, 2], [2, 2]));
        Assert.Equal(0, Regression.RSquared([2, 2], [2, 3]));
        Assert.Equal(Math.Log(2), Regression.RootMeanSquaredLogError([0, 1], [1, 3]), 12);
        Assert.Throws<ArgumentException>(() => Regression.RootMeanSquaredLogError([-1], [1]));
        Assert.Throws<ArgumentException>(() => Regression.MeanAbsoluteError([], []));
    }
}
