using Gradus.Cli.Configuration;
using Gradus.Cli.Console;

namespace Gradus.Cli.Tests.Verbs;

public sealed class FailuresTests
{
    public static TheoryData<Exception, int, string> Cases => new()
    {
        { new ConfigurationException(["a.json:1:2: x: wrong", "a.json:3:4: y: wrong"]), 2, "a.json:1:2: x: wrong\na.json:3:4: y: wrong" },
        { new InvalidDataException("f: bad"), 2, "f: bad" },
        { new ArgumentOutOfRangeException("size", 5, "The size is too large."), 2, "The size is too large." },
        { new AggregateException(new InvalidDataException("f: bad")), 2, "f: bad" },
        { new TypeInitializationException("T", new InvalidDataException("f: bad")), 2, "f: bad" },
        { new FileNotFoundException("f: not there"), 2, "f: not there" },
        { new IOException("No space left on device : '/x'"), 1, "No space left on device : '/x'" },
        { new InvalidDataException("two\nlines \u001b[31mred"), 2, "two lines \uFFFD[31mred" },
        { new OperationCanceledException(), 130, "" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void AnExceptionIsACodeAndALine(Exception exception, int code, string message) =>
        Assert.Equal((code, message), Failures.Describe(exception));

    [Fact]
    public void ABugIsNotTheUsersFault()
    {
        (int code, string message) = Failures.Describe(new InvalidOperationException("odd"));
        Assert.Equal(1, code);
        Assert.Contains("InvalidOperationException", message, StringComparison.Ordinal);
        Assert.Contains("--verbose", message, StringComparison.Ordinal);
    }
}
