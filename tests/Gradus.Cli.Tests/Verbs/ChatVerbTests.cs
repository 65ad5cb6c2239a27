using System.Text.Json;

namespace Gradus.Cli.Tests.Verbs;

public sealed class ChatVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    private string[] Chat => ["chat", models.Llama, "--greedy", "--max-tokens", "6", "--json"];

    [Fact]
    public void EveryLineOfAPipeIsAMessage()
    {
        JsonElement[] answers = CommandLineRun.Piped("Hi\n\nMore\n/reset\nHi", Chat).JsonLines();
        Assert.Equal(3, answers.Length);
        Assert.All(answers, a => Assert.Equal("assistant", a.GetProperty("role").GetString()));
        // After a reset the same words find the same answer; before it they find the history.
        Assert.Equal(Content(answers[0]), Content(answers[2]));
        Assert.NotEqual(Content(answers[0]), Content(CommandLineRun.Piped("More\nHi", Chat).JsonLines()[1]));
    }

    [Fact]
    public void TheSystemMessageIsAnOptionOrACommand()
    {
        string option = Content(CommandLineRun.Piped("Hi", [.. Chat, "--system", "Say x."]).JsonLines()[0]);
        Assert.Equal(option, Content(CommandLineRun.Piped("/system Say x.\nHi", Chat).JsonLines()[0]));
        Assert.NotEqual(option, Content(CommandLineRun.Piped("Hi", Chat).JsonLines()[0]));
    }

    [Fact]
    public void TheOldestMessagesAreForgottenWhereTheContextIsFull()
    {
        JsonElement[] answers = CommandLineRun.Piped(string.Concat(Enumerable.Repeat("abcdefgh\n", 6)), Chat).JsonLines();
        Assert.Equal(6, answers.Length);
        Assert.Equal(0, answers[0].GetProperty("forgotten_messages").GetInt32());
        Assert.True(answers[^1].GetProperty("forgotten_messages").GetInt32() > 0);
    }

    [Fact]
    public void AConversationThatIsTooLongIsRefusedWhereNothingMayBeForgotten() =>
        CommandLineRun.Piped(string.Concat(Enumerable.Repeat("abcdefgh\n", 40)), [.. Chat, "--overflow", "error"])
            .Fails(2, "the conversation takes", $"context is {SmallModel.Context}", "--overflow truncate-left");

    [Fact]
    public void AnotherRunGoesOnWithWhatWasRead()
    {
        string file = models["chat-prefixes.bin"];
        string[] options = [.. Chat, "--system", "Be kind, and say as little as you can.", "--prefix-cache", file];
        JsonElement first = CommandLineRun.Piped("Hi", options).JsonLines()[0], second = CommandLineRun.Piped("Hi", options).JsonLines()[0];
        Assert.Equal(0, first.GetProperty("cached_tokens").GetInt32());
        Assert.True(second.GetProperty("cached_tokens").GetInt32() >= 32, second.GetRawText());
        Assert.Equal(Content(first), Content(second));
    }

    [Fact]
    public void PlainOutputIsOneAnswerALine()
    {
        string json = Content(CommandLineRun.Piped("Hi", Chat).JsonLines()[0]);
        Assert.Equal(json, CommandLineRun.Piped("Hi\n/exit\nnever read\n", Chat[..^1]).Succeeds().Output.Trim());
    }

    [Fact]
    public void WhatCannotBeSaidIsRefused()
    {
        CommandLineRun.Piped(new string('a', SmallModel.Context), Chat).Fails(2, $"context is {SmallModel.Context}", "fewer words");
        string silent = models.Copy("silent");
        File.Delete(Path.Combine(silent, "chat_template.jinja"));
        string config = Path.Combine(silent, "tokenizer_config.json");
        File.WriteAllText(config, "{}");
        CommandLineRun.Piped("Hi", "chat", silent).Fails(2, silent, "no chat template", "gradus generate");
        File.WriteAllText(Path.Combine(silent, "chat_template.jinja"), "{% for m in messages %}");
        CommandLineRun.Piped("Hi", "chat", silent).Fails(2, silent, "Chat template, line 1");
        CommandLineRun.With([0xC3, 0x28, 0x0A], Chat).Fails(2, "standard input", "not UTF-8");
    }

    [Fact]
    public void AConversationCanBeTakenBackChangedAndKept()
    {
        string[] drawn = ["chat", models.Llama, "--seed", "5", "--max-tokens", "6", "--json"];
        JsonElement[] answers = CommandLineRun.Piped("Hi\n/undo\nHi\n/regenerate\n", drawn).JsonLines();
        Assert.Equal(3, answers.Length);
        Assert.Equal(3, answers.Select(Content).Distinct().Count());
        JsonElement[] set = CommandLineRun.Piped("/set temperature 0\nHi\n/undo\nHi\n", drawn).JsonLines();
        Assert.Equal(Content(set[0]), Content(set[1]));
        Assert.Equal(Content(CommandLineRun.Piped("Hi", Chat).JsonLines()[0]), Content(set[0]));
        Assert.True(set[0].GetProperty("timing").GetProperty("decode_tokens_per_second").GetDouble() >= 0);
        string file = models["talk.json"];
        JsonElement[] whole = CommandLineRun.Piped($"/system Be kind.\nHi\n/save {file}\nMore", Chat).JsonLines();
        JsonElement[] later = CommandLineRun.Piped($"/load {file}\nMore", Chat).JsonLines();
        Assert.Equal(Content(whole[1]), Content(Assert.Single(later)));
        CommandLineRun.Piped("/set warmth 3\n", Chat).Fails(2, "warmth", "temperature");
        CommandLineRun.Piped("/set top-p 3\n", Chat).Fails(2, "top-p", "from 0 to 1");
        CommandLineRun.Piped("/load nowhere.json\n", Chat).Fails(2, "nowhere.json");
    }

    [Fact]
    public void AMessageMayHaveSeveralLines()
    {
        string two = Content(CommandLineRun.Piped("ab\\\ncd", Chat).JsonLines()[0]);
        Assert.Equal(two, Content(CommandLineRun.Piped("\"\"\"ab\ncd\"\"\"", Chat).JsonLines()[0]));
        Assert.Equal(two, Content(Assert.Single(CommandLineRun.Piped("\"\"\"\nab\ncd\n\"\"\"", Chat).JsonLines())));
        Assert.NotEqual(two, Content(CommandLineRun.Piped("ab", Chat).JsonLines()[0]));
    }

    private static string Content(JsonElement answer) => answer.GetProperty("content").GetString()!;
}
