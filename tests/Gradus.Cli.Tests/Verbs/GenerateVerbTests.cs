using System.Text.Json;

namespace Gradus.Cli.Tests.Verbs;

public sealed class GenerateVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    [Fact]
    public void TheSameSeedDrawsTheSameTextAloneOrBesideOthers()
    {
        JsonElement[] three = Generate("--seed", "7", "--count", "3").JsonLines();
        Assert.Equal(["7", "8", "9"], three.Select(t => t.GetProperty("seed").GetRawText()));
        Assert.Equal(three.Length, three.Select(Text).Distinct().Count());
        Assert.Equal(Text(three[1]), Text(Generate("--seed", "8").Json()));
        Assert.NotEqual(Text(Generate("--greedy").Json()), Text(three[0]));
    }

    [Fact]
    public void ThePromptComesFromTheOptionOrThePipe()
    {
        JsonElement given = CommandLineRun.Of("generate", models.Gpt2, "--prompt", "Hello", "--greedy", "--json").Json();
        JsonElement piped = CommandLineRun.Piped("Hello\n", "generate", models.Gpt2, "--greedy", "--json").Json();
        Assert.Equal(given.GetRawText(), piped.GetRawText());
        Assert.Equal(5, piped.GetProperty("prompt_tokens").GetInt32());
        // Nothing at all begins with the token that texts begin with.
        Assert.Equal(1, CommandLineRun.Of("generate", models.Gpt2, "--greedy", "--json").Json().GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public void PlainOutputIsTheTextAlone()
    {
        string text = Text(Generate("--seed", "3").Json());
        Assert.Equal(text + "\n", Plain("--seed", "3").Succeeds().Output);
        Assert.Equal("Hello" + text + "\n", Plain("--seed", "3", "--echo").Succeeds().Output);
    }

    [Fact]
    public void AStopTextEndsItAndIsLeftOut()
    {
        string text = Text(Generate("--seed", "3", "--max-tokens", "30").Json());
        string stop = text[8..10];
        JsonElement stopped = Generate("--seed", "3", "--max-tokens", "30", "--stop", stop, "--stop", "never").Json();
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], Text(stopped));
        Assert.Equal("stop_text", stopped.GetProperty("finish").GetString());
        Assert.Equal(Text(stopped) + "\n", Plain("--seed", "3", "--max-tokens", "30", "--stop", stop).Succeeds().Output);
    }

    [Fact]
    public void ItEndsWhereTheContextIsFull()
    {
        JsonElement full = Generate("--greedy", "--max-tokens", "100000").Json();
        Assert.Contains(full.GetProperty("finish").GetString(), new[] { "context_full", "end_token" });
        Assert.True(full.GetProperty("tokens").GetInt32() <= SmallModel.Context - 5);
    }

    [Fact]
    public void APromptLongerThanTheContextIsRefused() =>
        CommandLineRun.Piped(new string('a', SmallModel.Context + 1), "generate", models.Llama)
            .Fails(2, $"{SmallModel.Context + 1} tokens", $"context is {SmallModel.Context}");

    [Fact]
    public void ContradictionsAreRefused()
    {
        CommandLineRun.Of("generate", models.Llama, "--greedy", "--top-p", "0.5").Fails(2, "--greedy", "--top-p");
        CommandLineRun.Of("generate", models.Llama, "--stop", "").Fails(2, "--stop is empty");
    }

    private static string Text(JsonElement run) => run.GetProperty("text").GetString()!;

    private CommandLineRun Generate(params string[] options) =>
        Plain(["--json", .. options]);

    private CommandLineRun Plain(params string[] options) => CommandLineRun.Of([
        "generate", models.Llama, "-p", "Hello", .. options.Contains("--max-tokens") ? options : [.. options, "--max-tokens", "20"]]);
}
