namespace Gradus.Cli.Tests.Verbs;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("", "tokenizer", "inspect", "convert", "generate", "chat", "Exit codes", "--verbose")]
    [InlineData("tokenizer", "train", "encode", "decode", "inspect")]
    [InlineData("tokenizer train", "--vocabulary-size", "--special-token", "--min-frequency", "Examples")]
    [InlineData("tokenizer encode", "--lines", "--json", "Examples")]
    [InlineData("tokenizer decode", "--special-tokens", "--json")]
    [InlineData("tokenizer inspect", "--longest", "--json")]
    [InlineData("inspect", "--tensors", "--json")]
    [InlineData("convert", "--dtype", "--tokenizer", "bf16")]
    [InlineData("generate", "--temperature", "--top-k", "--top-p", "--min-p", "--seed", "--greedy", "--stop", "--count", "--max-tokens")]
    [InlineData("chat", "--system", "--temperature", "--json")]
    public void HelpNamesWhatThereIs(string verb, params string[] words)
    {
        CommandLineRun run = CommandLineRun.Of([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]).Succeeds();
        Assert.All(words, word => Assert.Contains(word, run.Output, StringComparison.Ordinal));
    }

    [Fact]
    public void WithoutArgumentsItHelps() =>
        Assert.Equal(CommandLineRun.Of("--help").Output, CommandLineRun.Of().Succeeds().Output);

    [Fact]
    public void TheVersionIsTheAssemblys()
    {
        string version = typeof(Gradus.Cli.Console.CommandContext).Assembly.GetName().Version!.ToString(3);
        Assert.StartsWith(version, CommandLineRun.Of("--version").Succeeds().Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("genrate", "\"genrate\"", "did you mean \"generate\"")]
    [InlineData("tokenizer tarin", "\"tarin\"", "did you mean \"train\"")]
    [InlineData("tokenizer", "train, encode, decode, inspect")]
    [InlineData("generate m --tempratur=3", "\"--tempratur\"", "did you mean \"--temperature\"")]
    [InlineData("inspect m --jsno", "did you mean \"--json\"")]
    [InlineData("inspect --verbos", "did you mean \"--verbose\"")]
    [InlineData("generate m --temperature hot", "--temperature is a number from", "\"hot\"")]
    [InlineData("generate m --top-k 1.5", "--top-k is a whole number from 0", "\"1.5\"")]
    [InlineData("generate m --seed -1", "--seed is a whole number from 0", "\"-1\"")]
    [InlineData("generate", "MODEL is missing")]
    [InlineData("inspect a b", "\"b\" is one argument too many")]
    [InlineData("convert a b --dtype f64", "'f64'", "'bf16'")]
    [InlineData("tokenizer train a", "--output is missing")]
    [InlineData("tokenizer train a --output", "--output needs a value")]
    public void WrongUsageIsOneLine(string line, params string[] words) => CommandLineRun.Of(line.Split(' ')).Fails(2, words);

    [Theory]
    [InlineData("GRADUS_ISA", "mmx")]
    [InlineData("GRADUS_THREADS", "many")]
    public void WrongSettingsOfTheMachineAreWrongUsage(string name, string value)
    {
        using SmallModel models = new();
        CommandLineRun.With([], ["generate", models.Llama, "-p", "a"], (name, value)).Fails(2, $"{name}={value}");
    }

    [Fact]
    public void TheStackTraceComesOnlyWhenAskedFor()
    {
        CommandLineRun.Of("inspect", "nowhere").Fails(2, "nowhere: no such folder");
        CommandLineRun run = CommandLineRun.Of("inspect", "nowhere", "--verbose");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("   at Gradus.Cli", run.Error, StringComparison.Ordinal);
    }
}
