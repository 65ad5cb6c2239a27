using Gradus.Cli.Reports;

namespace Gradus.Cli.Tests.Reports;

public sealed class RunLogTests
{
    [Fact]
    public void ReadsStepsAndEvaluations()
    {
        LogContents log = Read("""
            {"kind":"step","step":1,"loss":2.5,"learning_rate":1e-3,"gradient_norm":0.5,"tokens":64,"tokens_per_second":100.5,"seconds":0.6,"new":[1]}
            {"kind":"evaluation","step":1,"loss":2.25,"perplexity":9.4,"bits_per_byte":1.5,"metrics":{"accuracy":0.75,"unknown":null}}
            {"kind":"checkpoint","step":1}

            {"kind":"step","step":2,"loss":2}
            """);
        Assert.Equal([1L, 2L], log.Steps.Select(line => line.Step!.Value));
        Assert.Equal(new LogLine("step", 1, 2.5, 1e-3, 0.5, 64, 100.5, 0.6), log.Steps[0]);
        Assert.Null(log.Steps[1].GradientNorm);
        Assert.Equal(1.5, Assert.Single(log.Evaluations).BitsPerByte);
        Assert.Equal(0.75, log.Evaluations[0].Metrics!["accuracy"]);
        Assert.Null(log.Evaluations[0].Metrics!["unknown"]);
        Assert.Equal((0, false, 0), (log.UnreadableLines, log.LastLineCutOff, log.Resumes));
    }

    [Fact]
    public void LastLineCutOffIsLeftOutAndSaid()
    {
        LogContents log = Read("{\"kind\":\"step\",\"step\":1,\"loss\":2}\n{\"kind\":\"step\",\"st");
        Assert.Single(log.Steps);
        Assert.True(log.LastLineCutOff);
        Assert.Equal((0, 0), (log.UnreadableLines, log.FirstUnreadable));
    }

    [Fact]
    public void UnreadableLinesAreCounted()
    {
        LogContents log = Read("{\"kind\":\"step\",\"step\":1}\nnot json\n{\"kind\":\"step\",\"step\":\"x\"}\n{\"kind\":\"step\",\"step\":2}\n");
        Assert.Equal(2, log.Steps.Count);
        Assert.Equal((2, 2, false), (log.UnreadableLines, log.FirstUnreadable, log.LastLineCutOff));
    }

    [Fact]
    public void AfterAResumeTheLaterLineHolds()
    {
        LogContents log = Read("""
            {"kind":"step","step":1,"loss":3}
            {"kind":"step","step":2,"loss":2.5}
            {"kind":"step","step":3,"loss":2.4}
            {"kind":"step","step":2,"loss":2.25}
            """);
        Assert.Equal([3, 2.25, 2.4], log.Steps.Select(line => line.Loss!.Value));
        Assert.Equal(1, log.Resumes);
    }

    [Theory]
    [InlineData("NaN", double.NaN)]
    [InlineData("\"NaN\"", double.NaN)]
    [InlineData("Infinity", double.PositiveInfinity)]
    [InlineData("\"-Infinity\"", double.NegativeInfinity)]
    [InlineData("-Infinity", double.NegativeInfinity)]
    public void NonFiniteValuesAreNumbers(string written, double expected) =>
        Assert.Equal(expected, Assert.Single(Read($"{{\"kind\":\"step\",\"step\":1,\"loss\":{written}}}").Steps).Loss);

    [Fact]
    public void NullIsNoValue() => Assert.Null(Assert.Single(Read("{\"kind\":\"step\",\"step\":1,\"loss\":null}").Steps).Loss);

    [Fact]
    public void AbsentFileIsNull() => Assert.Null(LogContents.Read(Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString(), "log.jsonl")));

    [Fact]
    public void OnlyLiteralsOutsideOfStringsAreQuoted()
    {
        Assert.Equal("""{"a":"NaN","b \" NaN":["-Infinity",-1]}""", TolerantJson.QuoteNonFinite("""{"a":NaN,"b \" NaN":[-Infinity,-1]}"""));
        Assert.Null(TolerantJson.QuoteNonFinite("""{"a":"NaN and Infinity"}"""));
    }

    private static LogContents Read(string text)
    {
        using StringReader reader = new(text);
        return LogContents.Read(reader);
    }
}
