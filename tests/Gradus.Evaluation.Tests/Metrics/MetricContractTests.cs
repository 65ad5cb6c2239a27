using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;

namespace Gradus.Evaluation.Tests.Metrics;

/// <summary>What every registered metric keeps to; a new one is found here by its line in the registry.</summary>
public sealed class MetricContractTests
{
    private const string Sentence = "The quick brown fox jumps over the lazy dog near 3 old houses";

    private static readonly MetricExample[] Examples =
    [
        new(Sentence, [Sentence]),
        new("The quick brown fox sleeps beside the lazy dog near 3 old houses", [Sentence, "A fox jumps over a dog"]),
        new("over the lazy dog jumps the quick brown fox near 3 old houses", [Sentence]),
        new("a fox", [Sentence]),
        new("entirely different words are standing in this line now", [Sentence]),
        new("", [Sentence]),
        new(Sentence + " and some more words that nobody asked for", ["", Sentence]),
    ];

    private static readonly string[] Hostile =
    [
        "", " ", "\0", "\0\0a\0", "\uD800", "a\uDC00b", "\uDC00\uD800", "\uFEFF", "\u200B", "\r\n\t\v\f", "😀", "👩‍👩‍👧‍👦 👍🏽 🇩🇪", "…¿", "&&&amp;&lt", "<skipped>-\n",
        "İΣΑΣ ΑΣ", "𠀀𠀁", "e\u0301\u0301\u0301", "the a an", "'s 's '", "1,000.00.,-5-", "\u2028\u2029\u0085\u001C", "مرحبا", "ひらがな・カタカナ。漢字",
        new string('a', 20_000), new string('\n', 20_000), new string('.', 5_000),
    ];

    public static TheoryData<string> Names => [.. MetricRegistry.All.Select(metric => metric.Name)];

    [Fact]
    public void NamesAreUniqueAndFindTheirMetric()
    {
        Assert.Equal(MetricRegistry.All.Count, MetricRegistry.All.Select(metric => metric.Name).Distinct().Count());
        Assert.All(MetricRegistry.All, metric => Assert.Same(metric, MetricRegistry.Get(metric.Name)));
        Assert.Contains("rougeL", Assert.Throws<ArgumentException>(() => MetricRegistry.Get("rouge-l")).Message);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EqualTextsGiveTheBestValue(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        Assert.Equal(metric.Best, metric.Score(Sentence, Sentence), 9);
        Assert.Equal(metric.Best, metric.Score(Sentence, "something else", Sentence), 9);
        MetricResult result = metric.Evaluate([new(Sentence, [Sentence]), new(Sentence + " again", [Sentence + " again"])]);
        Assert.Equal(metric.Best, result.Value, 9);
        Assert.Equal(0, result.StandardError!.Value, 9);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void DifferentTextsGiveAWorseValue(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        foreach (string prediction in (string[])["", "entirely different words are standing in this line now", "zzz"])
            Assert.True(metric.HigherIsBetter ? metric.Score(prediction, Sentence) < metric.Best : metric.Score(prediction, Sentence) > metric.Best);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheOrderOfExamplesDoesNotMatter(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        int[] order = [3, 6, 0, 5, 1, 4, 2];
        MetricResult a = metric.Evaluate(Examples), b = metric.Evaluate([.. order.Select(i => Examples[i])]);
        Assert.Equal(a.Value, b.Value, 9);
        Assert.Equal(a.StandardError!.Value, b.StandardError!.Value, 9);
        Assert.Equal(order.Select(i => a.Scores[i]), b.Scores);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheOrderOfReferencesDoesNotMatter(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        string[] references = ["A fox jumps over a dog", Sentence, "", "The quick brown fox sleeps"];
        foreach (MetricExample example in Examples)
            Assert.Equal(metric.Score(example.Prediction, references), metric.Score(example.Prediction, [.. references.Reverse()]), 9);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void HostileTextsGiveFiniteValuesWithinTheScale(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        List<MetricExample> examples = [];
        foreach (string prediction in Hostile)
            examples.AddRange([new(prediction, [Sentence]), new(Sentence, [prediction]), new(prediction, [prediction, "x", ""])]);
        MetricResult result = metric.Evaluate(examples);
        Assert.All(result.Scores, score => Assert.True(double.IsFinite(score) && score >= 0, $"{score}"));
        if (metric.HigherIsBetter)
            Assert.All(result.Scores, score => Assert.True(score <= metric.Best * (1 + 1e-9), $"{score}"));
        Assert.True(double.IsFinite(result.Value) && double.IsFinite(result.StandardError!.Value));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void HugeTextsAreScored(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        Random random = new(5);
        string Text(int words, int vocabulary) => string.Join(' ', Enumerable.Range(0, words).Select(_ => $"w{random.Next(vocabulary)}"));
        string a = Text(10_000, 3_000), b = Text(10_000, 3_000);
        Assert.Equal(metric.Best, metric.Score(a, a), 9);
        Assert.True(double.IsFinite(metric.Score(a, b)));
        Assert.True(double.IsFinite(metric.Score(a, Sentence)));
        Assert.True(double.IsFinite(metric.Score(Sentence, a)));
        Assert.True(double.IsFinite(metric.Score(Text(3_000, 1), Text(2_000, 2))));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ExamplesThatAreNotWholeAreRefusedByName(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => metric.Evaluate([])).Message);
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => metric.Evaluate([default])).Message);
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => metric.Evaluate([new("x", [null!])])).Message);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ManyThreadsGiveTheValuesOfOne(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        double value = metric.Evaluate(Examples).Value;
        Assert.All(ParallelEnumerable.Range(0, 20).Select(_ => metric.Evaluate(Examples).Value), other => Assert.Equal(value, other));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ResamplesAndComparisonsFollowFromTheExamples(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        MetricResult result = metric.Evaluate(Examples);
        Assert.Equal(result.Value, result.Resample([.. Enumerable.Range(0, Examples.Length)]), 9);
        Assert.Equal(metric.Evaluate([Examples[1], Examples[1], Examples[4]]).Value, result.Resample([1, 1, 4]), 9);
        Assert.Equal(result.Interval(seed: 7), result.Interval(seed: 7));
        Assert.InRange(result.Value, result.Interval().Lower, result.Interval().Upper);

        PairedBootstrap same = result.CompareWith(metric.Evaluate(Examples));
        Assert.Equal((0, 1, 0), (same.Difference, same.FractionTies, same.FractionBGreater));
        Assert.Throws<ArgumentException>(() => result.CompareWith(metric.Evaluate(Examples[1..])));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheStandardErrorOfAMeanIsThatOfItsScores(string name)
    {
        Metric metric = MetricRegistry.Get(name);
        MetricResult result = metric.Evaluate(Examples);
        if (metric is MeanMetric)
        {
            Assert.Equal(Sample.Mean([.. result.Scores]), result.Value, 12);
            Assert.Equal(Sample.StandardError([.. result.Scores])!.Value, result.StandardError!.Value, 12);
        }
        Assert.True(result.StandardError > 0);
        Assert.Null(metric.Evaluate(Examples[..1]).StandardError);
        Assert.StartsWith(name, result.ToString());
    }
}
