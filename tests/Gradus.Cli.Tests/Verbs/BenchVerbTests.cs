namespace Gradus.Cli.Tests.Verbs;

public sealed class BenchVerbTests
{
    [Theory]
    [InlineData("--threads 0")]
    [InlineData("--threads 2000")]
    [InlineData("--rounds 0")]
    public void NumbersOutOfRangeAreRefused(string options) =>
        CommandLineRun.Of(["bench", .. options.Split(' ')]).Fails(2, options, "give ");
}
