using Gradus.Text.Chat;
using Gradus.Training.Alignment;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Alignment;

/// <summary>Rules that score texts, and the watch over a run's figures.</summary>
public sealed class RewardTests
{
    [Theory]
    [InlineData("4", "It is 4", 1)]
    [InlineData("4", "2 + 2 = 4, not 5", 0)]
    [InlineData("1,234", "so 1234", 1)]
    [InlineData("4", "no number", 0)]
    [InlineData("Good  day.", "good day.", 1)]
    [InlineData("Good day.", "Good day. Sir", 0)]
    [InlineData(null, "anything", 0)]
    public void AnExpectedAnswerIsATextOrTheLastNumber(string? expected, string answer, double score) =>
        Assert.Equal(score, TextRules.IsExpected(Prompt(expected), answer));

    [Fact]
    public void RulesScoreTexts()
    {
        Assert.Equal(1, TextRules.Matches("^yes")(Prompt(null), "yes, it is"));
        Assert.Equal(0, TextRules.Matches("^yes")(Prompt(null), "no"));
        TextScore schema = TextRules.FitsSchema("""{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}""");
        Assert.Equal(1, schema(Prompt(null), """{"n": 3}"""));
        Assert.Equal(0, schema(Prompt(null), """{"n": "3"}"""));
        TextScore words = TextRules.HasWords(2, 4);
        Assert.Equal([0.5, 1, 1, 0.5, 0], new[] { "a", "a b", "a b c d", "a b c d e f", "a b c d e f g h i" }.Select(t => words(Prompt(null), t)));
        Assert.Contains("not a regular expression", Assert.Throws<InvalidDataException>(() => TextRules.Matches("(")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARewardThatRisesWhileAHeldOutOneFallsIsSaidOnce()
    {
        RewardWatch watch = new(["gold"], window: 5);
        List<string> said = [];
        for (int step = 1; step <= 40; step++)
            said.AddRange(watch.See(step, new Dictionary<string, double> { ["reward"] = step, ["reward/gold"] = step < 15 ? step : 30 - step, ["length"] = 10 }).Select(a => a.Text));
        string alarm = Assert.Single(said);
        Assert.Contains("held-out reward gold falls since step 1", alarm, StringComparison.Ordinal);
    }

    [Fact]
    public void NothingIsSaidOfAGoodRun()
    {
        RewardWatch watch = new(["gold"], maxKl: 10, window: 5);
        for (int step = 1; step <= 60; step++)
        {
            Assert.Empty(watch.See(step, new Dictionary<string, double>
            {
                ["reward"] = step,
                ["reward/gold"] = step + (step % 3),
                ["length"] = 10 + (step % 2),
                ["kl"] = step * 0.1,
                ["distinct_2"] = 0.9,
                ["entropy"] = 2,
                ["end_rate"] = 1,
                ["dead_groups"] = 0.2,
            }));
        }
    }

    [Theory]
    [InlineData("kl", 0.0, 11.0, "more than max_kl (10.0)", true)]
    [InlineData("length", 10.0, 20.0, "times as long as at first", false)]
    [InlineData("distinct_2", 0.9, 0.3, "repeat themselves", false)]
    [InlineData("entropy", 2.0, 0.1, "hardly varies", false)]
    [InlineData("end_rate", 1.0, 0.5, "of the answers end by themselves", false)]
    [InlineData("dead_groups", 0.0, 1.0, "same reward", false)]
    public void SignsAreSaidInWords(string name, double before, double after, string words, bool stops)
    {
        RewardWatch watch = new([], maxKl: 10, window: 5);
        List<RewardAlarm> alarms = [];
        for (int step = 1; step <= 20; step++)
            alarms.AddRange(watch.See(step, new Dictionary<string, double> { ["reward"] = step, [name] = step <= 10 ? before : after }));
        RewardAlarm alarm = Assert.Single(alarms);
        Assert.Contains(words, alarm.Text, StringComparison.Ordinal);
        Assert.Equal(stops, alarm.Stops);
    }

    private static AnswerPrompt Prompt(string? expected) => new([new ChatMessage("user", "?")], expected);
}
