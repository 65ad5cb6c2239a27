using System.Text.Json;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;
using Gradus.Evaluation.Tests.Metrics;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Statistics;

[GoldenFolder("paired_bootstrap", "expected.json")]
public sealed class PairedBootstrapTests
{
    private const double Tolerance = 1e-9;

    [SharedFact("golden", "metrics", "paired_bootstrap")]
    public void ComparisonOnGivenResamplesEqualsTheGolden()
    {
        JsonElement root = MetricGolden.Read("paired_bootstrap");
        double[] a = root.GetProperty("system_a").Doubles(), b = root.GetProperty("system_b").Doubles();
        int[][] resamples = [.. root.GetProperty("resample_indices").EnumerateArray().Select(row => row.Ints())];
        ResampledStatistic meanA = Bootstrap.MeanOf(a), meanB = Bootstrap.MeanOf(b);
        PairedBootstrap actual = PairedBootstrap.Compare(a.Length, meanA, meanB, resamples);
        Near("mean_a", actual.A);
        Near("mean_b", actual.B);
        Near("real_difference", actual.Difference);
        Near("koehn_fraction_b_greater", actual.FractionBGreater);
        Near("fraction_ties", actual.FractionTies);
        Near("std_of_difference_ddof1", actual.StandardError!.Value);
        Near("sacrebleu_p_value", actual.PValue);
        double[] interval = root.GetProperty("ci95_percentile_linear").Doubles();
        MetricGolden.Near(interval[0], actual.Interval.Lower, Tolerance, "lower end");
        MetricGolden.Near(interval[1], actual.Interval.Upper, Tolerance, "upper end");
        double[] firstA = root.GetProperty("first_10_resampled_means_a").Doubles(), firstB = root.GetProperty("first_10_resampled_means_b").Doubles();
        for (int s = 0; s < firstA.Length; s++)
        {
            MetricGolden.Near(firstA[s], meanA(resamples[s]), Tolerance, $"resample {s} of A");
            MetricGolden.Near(firstB[s], meanB(resamples[s]), Tolerance, $"resample {s} of B");
        }

        void Near(string key, double value) => MetricGolden.Near(root.GetProperty(key).GetDouble(), value, Tolerance, key);
    }

    [SharedFact("golden", "metrics", "paired_bootstrap")]
    public void CorpusMetricsResampleFromTheirStatistics()
    {
        JsonElement corpus = MetricGolden.Read("paired_bootstrap").GetProperty("corpus_resample");
        (string Prediction, string Reference)[] pairs = MetricGolden.Read("rouge").Pairs();
        MetricExample[] examples = [.. corpus.GetProperty("pair_indices_into_metrics_rouge_pairs").Ints().Select(i => new MetricExample(pairs[i].Prediction, [pairs[i].Reference]))];
        int[][] resamples = [.. corpus.GetProperty("resample_indices").EnumerateArray().Select(row => row.Ints())];
        foreach (JsonProperty expected in corpus.EnumerateObject().Where(p => !p.Name.EndsWith("indices", StringComparison.Ordinal) && p.Name != "pair_indices_into_metrics_rouge_pairs"))
        {
            MetricResult result = MetricRegistry.Get(expected.Name).Evaluate(examples);
            double[] values = expected.Value.Doubles();
            Assert.Equal(resamples.Length, values.Length);
            for (int s = 0; s < values.Length; s++)
                MetricGolden.Near(values[s], result.Resample(resamples[s]), 1e-6, $"{expected.Name} of resample {s}");
        }
    }

    [Fact]
    public void AClearDifferenceIsFoundAndNoneIsNot()
    {
        Random random = new(4);
        double[] a = [.. Enumerable.Range(0, 400).Select(_ => random.NextDouble())];
        double[] better = [.. a.Select(x => x + 0.2 + (0.1 * random.NextDouble()))], noise = [.. a.Select(x => x + (0.2 * (random.NextDouble() - 0.5)))];
        PairedBootstrap clear = PairedBootstrap.Compare(a, better), none = PairedBootstrap.Compare(a, noise);
        Assert.True(clear.PValue < 0.01 && clear.FractionBGreater == 1 && clear.Interval.Lower > 0.2);
        Assert.True(none.PValue > 0.05 && none.Interval.Lower < none.Difference && none.Interval.Upper > none.Difference);
        Assert.Equal(clear, PairedBootstrap.Compare(a, better));
        Assert.NotEqual(clear, PairedBootstrap.Compare(a, better, seed: 1));
    }

    [Fact]
    public void TheIntervalOfAMeanHasTheWidthThatTheoryGives()
    {
        Random random = new(6);
        double[] values = [.. Enumerable.Range(0, 1000).Select(_ => random.NextDouble())];
        ConfidenceInterval interval = Bootstrap.MeanInterval(values, level: 0.9, resamples: 4000);
        double error = Sample.StandardError(values)!.Value;
        Assert.InRange((interval.Upper - interval.Lower) / (2 * 1.6449 * error), 0.93, 1.07);
        Assert.Equal(0.9, interval.Level);
        Assert.Equal(new ConfidenceInterval(2, 2, 0.95), Bootstrap.MeanInterval([2.0]));
    }

    [Fact]
    public void TheSeedFixesTheResamplesForEver()
    {
        // Calculated from the definition of SplitMix64 elsewhere: an archived comparison can be repeated.
        List<int> drawn = [];
        Bootstrap.Interval(8, indices => { drawn.AddRange(indices); return 0; }, resamples: 1, seed: 1);
        Assert.Equal([4, 5, 7, 3, 3, 6, 7, 4], drawn);
    }

    [Fact]
    public void ArgumentsOutOfRangeAreRefused()
    {
        Assert.Throws<ArgumentException>(() => PairedBootstrap.Compare([1.0], [1.0, 2.0]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedBootstrap.Compare([1.0], [1.0], resamples: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedBootstrap.Compare(Array.Empty<double>(), []));
        Assert.Throws<ArgumentException>(() => PairedBootstrap.Compare(1, _ => 0, _ => 0, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bootstrap.MeanInterval([1.0], level: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sample.Quantile([1.0], double.NaN));
        Assert.Throws<ArgumentException>(() => Sample.Mean([]));
        Assert.Null(Sample.StandardError([3.0]));
        Assert.Equal(1.75, Sample.Quantile([4, 1, 3, 2], 0.25));
    }
}
