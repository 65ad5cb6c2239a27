using Gradus.Evaluation.Metrics;

namespace Gradus.Evaluation.Tests.Metrics;

public sealed class MeteorTests
{
    [Fact]
    public void ValuesByHand()
    {
        Meteor meteor = new();
        // Six matches, P = R = 1, but matched from the end every word is a piece of its own.
        Assert.Equal(0.5, meteor.Score("the cat sat on the mat", "on the mat sat the cat"), 12);
        // Stems: "running" and "runs" match; P = 2/3, R = 1, one chunk of 2.
        double precision = 2 / 3.0, mean = precision / ((0.9 * precision) + 0.1);
        Assert.Equal((1 - (0.5 * Math.Pow(1 / 2.0, 3))) * mean, meteor.Score("dogs running fast", "dogs runs"), 12);
        Assert.Equal(0, meteor.Score("a", "b"));
        Assert.Equal(1, meteor.Score("same words", "other", "same words"));
    }

    [Fact]
    public void LabelsAndDiversity()
    {
        MetricResult result = new LabelF1().Evaluate([new("a, b", ["B; c"]), new("d", ["d"])]);
        Assert.Equal(2 * 2 / 6.0, result.Value, 12);
        Assert.Equal(1, new LabelExactMatch().Score("B,a", "a; b"));
        Assert.Equal(3 / 4.0, TextDiversity.Distinct(["a b", "b c"], 1));
        Assert.Equal(0.5, TextDiversity.Repetition("a b a b a", 2));
        Assert.Equal(100, TextDiversity.SelfBleu(["one two three four five", "one two three four five"]), 9);
        Assert.Equal(0, TextDiversity.Distinct([""], 2));
    }
}
