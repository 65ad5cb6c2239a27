using Gradus.Evaluation.Statistics;

namespace Gradus.Evaluation.Tests.Statistics;

public sealed class PairedComparisonTests
{
    [Fact]
    public void ValuesByHand()
    {
        // Differences 1, 1, 1, 0, −1: mean 0.4, sd √0.8; of the 16 sign patterns of the four that are not 0, those with |sum| ≥ 2 are 10.
        PairedComparison c = PairedComparison.Of([0, 0, 0, 1, 1], [1, 1, 1, 1, 0]);
        Assert.Equal((0.4, 0.8, 4), (c.A, c.B, c.Changed));
        Assert.Equal(Math.Sqrt(0.8 / 5), c.StandardError!.Value, 12);
        Assert.Equal(10 / 16.0, c.PValue, 12);
        Assert.Equal([0.03, 0.06, 0.06, 0.02], PairedComparison.Holm([0.01, 0.04, 0.03, 0.005]).Select(p => Math.Round(p, 10)));
        Assert.Equal(1, PairedComparison.Of([1, 0], [1, 0]).PValue);
        Assert.Null(PairedComparison.Of([1], [0]).StandardError);
        Assert.Throws<ArgumentException>(() => PairedComparison.Of([1], [0, 1]));
    }

    // Miller 2024, section 5: with a standard deviation of .4 of the differences, 3 points need about 1,400 examples and 5 points about 500.
    [Fact]
    public void PowerAsPublished()
    {
        Assert.InRange(PairedComparison.ExamplesNeeded(0.03, 0.4), 1390, 1400);
        Assert.InRange(PairedComparison.ExamplesNeeded(0.05, 0.4), 500, 505);
        Assert.Equal(2.8016, PairedComparison.SmallestVisible(1), 4);
    }

    [Fact]
    public void TheNormalDistribution()
    {
        Assert.Equal(1.959963984540054, NormalDistribution.Quantile(0.975), 12);
        Assert.Equal(0.8413447460685429, NormalDistribution.Cumulative(1), 13);
        Assert.InRange(NormalDistribution.Cumulative(-5), 2.86651571879e-7, 2.86651571880e-7);
        foreach (double p in new[] { 1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9 })
            Assert.Equal(p, NormalDistribution.Cumulative(NormalDistribution.Quantile(p)), 12);
    }

    [Fact]
    public void ClustersWidenTheError()
    {
        double[] scores = [1, 1, 1, 0, 0, 0];
        string[] clusters = ["a", "a", "a", "b", "b", "b"];
        Assert.Equal(Math.Sqrt(2 * 1.5 * 1.5) / 6, Clustered.StandardError(scores, clusters)!.Value, 12);
        Assert.Null(Clustered.StandardError(scores, ["a", "a", "a", "a", "a", "a"]));
    }

    [Fact]
    public void ManyFlipsAgreeWithTheNormalApproximation()
    {
        PythonRandom random = new(3);
        double[] a = [.. Enumerable.Range(0, 400).Select(_ => random.NextDouble())], b = [.. a.Select(x => x + ((random.NextDouble() - 0.47) / 3))];
        PairedComparison c = PairedComparison.Of(a, b);
        double z = Math.Abs(c.Difference) / c.StandardError!.Value;
        Assert.InRange(c.PValue, (2 * NormalDistribution.Cumulative(-z)) - 0.02, (2 * NormalDistribution.Cumulative(-z)) + 0.02);
        Assert.Equal(c, PairedComparison.Of(a, b));
    }

    [Fact]
    public void FewLabelsCorrectAJudge()
    {
        PythonRandom random = new(11);
        double[] truth = [.. Enumerable.Range(0, 2000).Select(_ => random.NextDouble() < 0.4 ? 1.0 : 0)];
        double[] judge = [.. truth.Select(t => random.NextDouble() < 0.85 ? t : 1)];
        PredictionPowered p = PredictionPowered.Estimate(truth[..200], judge[..200], judge[200..]);
        Assert.InRange(truth.Average(), p.Interval.Lower, p.Interval.Upper);
        Assert.True(p.StandardError < p.LabelError && p.JudgeBias > 0.05, $"{p}");
        Assert.Throws<ArgumentException>(() => PredictionPowered.Estimate([1, double.NaN], [1, 1], [1, 1]));
    }

    [Fact]
    public void RatingsAndAgreement()
    {
        List<Comparison> games = [.. Enumerable.Range(0, 110).Select(i => new Comparison(0, 1, i % 11 == 0 ? 0 : 1))];
        IReadOnlyList<Strength> fit = BradleyTerry.Fit(2, games);
        Assert.Equal(400, fit[0].Rating - fit[1].Rating, 20.0);
        Assert.InRange(fit[0].Rating, fit[0].Interval.Lower, fit[0].Interval.Upper);
        // Fleiss 1971, the table of the Wikipedia article: κ = 0.210.
        int[][] table = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]];
        Assert.Equal(0.210, Agreement.FleissKappa(table)!.Value, 3);
        // Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", part C: nominal 0.743, interval 0.849.
        double?[][] ratings =
        [
            [1, 1, null, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [null, 5, 5, 5], [null, null, 1, 1], [null, null, 3, null],
        ];
        Assert.Equal(0.743, Agreement.KrippendorffAlpha(ratings)!.Value, 3);
        Assert.Equal(0.849, Agreement.KrippendorffAlpha(ratings, interval: true)!.Value, 3);
        Assert.Null(Agreement.KrippendorffAlpha([[1, 1], [1, 1]]));
    }
}
