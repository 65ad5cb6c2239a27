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
        Assert.Equal(given.GetProperty("ids").GetRawText(), piped.GetProperty("ids").GetRawText());
        Assert.True(given.GetProperty("timing").GetProperty("prefill_tokens_per_second").GetDouble() > 0);
        Assert.True(given.GetProperty("peak_memory_bytes").GetInt64() > 1 << 20);
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
    public void TheOldestTokensOfAPromptAreLeftOutWhereThatWasAskedFor()
    {
        string prompt = string.Concat(Enumerable.Range(0, 2 * SmallModel.Context).Select(i => (char)('a' + (i % 7))));
        string[] options = ["generate", models.Llama, "--overflow", "truncate-left", "--greedy", "--max-tokens", "4", "--json"];
        JsonElement text = CommandLineRun.Piped(prompt, options).Json();
        int kept = text.GetProperty("prompt_tokens").GetInt32();
        Assert.Equal(SmallModel.Context - 4, kept);
        Assert.Equal((2 * SmallModel.Context) - kept, text.GetProperty("left_out_tokens").GetInt32());
        Assert.Contains($"oldest {(2 * SmallModel.Context) - kept} tokens were left out", CommandLineRun.Piped(prompt, options[..^1]).Error, StringComparison.Ordinal);
        Assert.Equal(Text(CommandLineRun.Piped(prompt[^kept..], "generate", models.Llama, "--greedy", "--max-tokens", "4", "--json").Json()), Text(text));
        JsonElement whole = CommandLineRun.Piped("abc", options).Json();
        Assert.Equal(0, whole.GetProperty("left_out_tokens").GetInt32());
        CommandLineRun.Piped(prompt, "generate", models.Llama, "--overflow", "cut").Fails(2, "truncate-left");
    }

    [Fact]
    public void OfAConversationTheOldestExchangesAreLeftOutWhole()
    {
        string[] turns = [.. Enumerable.Repeat("{\"role\":\"user\",\"content\":\"aaaaaaaaaaaaaaa\"},{\"role\":\"assistant\",\"content\":\"b\"},", SmallModel.Context / 15)];
        const string Last = "{\"role\":\"user\",\"content\":\"c\"}]}\n";
        string file = models.WriteFile("long.jsonl", System.Text.Encoding.UTF8.GetBytes("{\"messages\":[" + string.Concat(turns) + Last + "{\"messages\":[" + Last));
        CommandLineRun.Of("generate", models.Llama, "--input", file, "--greedy", "--max-tokens", "4").Fails(2, $"context is {SmallModel.Context}");
        JsonElement[] lines = CommandLineRun.Of("generate", models.Llama, "--input", file, "--greedy", "--max-tokens", "4", "--overflow", "truncate-left").JsonLines();
        int read = lines[0].GetProperty("prompt_tokens").GetInt32(), left = lines[0].GetProperty("left_out_tokens").GetInt32();
        Assert.True(left > 0 && read <= SmallModel.Context - 4, $"{read} read, {left} left out");
        Assert.Equal(0, lines[1].GetProperty("left_out_tokens").GetInt32());
        // All exchanges but the last question have one length.
        int exchange = (read + left - lines[1].GetProperty("prompt_tokens").GetInt32()) / turns.Length;
        Assert.Equal(0, left % exchange);
    }

    [Fact]
    public void WhatWasReadIsKeptInAFileFromOneRunToTheNext()
    {
        string file = models["prefixes.bin"], prompt = string.Concat(Enumerable.Repeat("abcdefg ", 9));
        string[] options = ["generate", models.Llama, "--prompt", prompt, "--greedy", "--max-tokens", "6", "--json"];
        JsonElement without = CommandLineRun.Of(options).Json();
        JsonElement first = CommandLineRun.Of([.. options, "--prefix-cache", file]).Json();
        JsonElement second = CommandLineRun.Of([.. options, "--prefix-cache", file]).Json();
        Assert.Equal(0, first.GetProperty("cached_tokens").GetInt32());
        Assert.True(second.GetProperty("cached_tokens").GetInt32() >= 32, second.GetRawText());
        Assert.Equal(without.GetProperty("ids").GetRawText(), first.GetProperty("ids").GetRawText());
        Assert.Equal(without.GetProperty("ids").GetRawText(), second.GetProperty("ids").GetRawText());
        CommandLineRun.Of("generate", models.Gpt2, "--prefix-cache", file, "--max-tokens", "2").Fails(2, "prefixes.bin", "another model");
        byte[] bytes = File.ReadAllBytes(file);
        CommandLineRun.Of("generate", models.Llama, "--prefix-cache", models.WriteFile("cut.bin", bytes[..^7])).Fails(2, "cut.bin", "damaged");
        CommandLineRun.Of("generate", models.Llama, "--prefix-cache", file, "--beams", "2").Fails(2, "--prefix-cache");
    }

    [Fact]
    public void GuessingAheadChangesNothing()
    {
        foreach (string[] how in (string[][])[["--greedy"], ["--seed", "5"]])
            Assert.Equal(Generate([.. how, "--max-tokens", "60"]).Json().GetProperty("ids").GetRawText(), Generate([.. how, "--max-tokens", "60", "--prompt-lookup"]).Json().GetProperty("ids").GetRawText());
        CommandLineRun.Of("generate", models.Llama, "--prompt-lookup", "--beams", "2").Fails(2, "--prompt-lookup");
    }

    [Fact]
    public void ContradictionsAreRefused()
    {
        CommandLineRun.Of("generate", models.Llama, "--greedy", "--top-p", "0.5").Fails(2, "--greedy", "--top-p");
        CommandLineRun.Of("generate", models.Llama, "--stop", "").Fails(2, "--stop is empty");
    }

    [Fact]
    public void EveryLineOfAFileIsAPromptAndKeepsItsFields()
    {
        string file = models.WriteFile("prompts.jsonl", System.Text.Encoding.UTF8.GetBytes(
            "{\"id\":7,\"prompt\":\"Hello\"}\n\n\"Hello\"\n{\"id\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}\n"));
        JsonElement[] lines = CommandLineRun.Of("generate", models.Llama, "--input", file, "--seed", "3", "--max-tokens", "8").JsonLines();
        Assert.Equal(3, lines.Length);
        Assert.Equal(7, lines[0].GetProperty("id").GetInt32());
        Assert.Equal(Text(Generate("--seed", "3", "--max-tokens", "8").Json()), Text(lines[0]));
        Assert.Equal(Text(lines[0]), Text(lines[1]));
        Assert.Equal("c", lines[2].GetProperty("id").GetString());
        string broken = models.WriteFile("broken.jsonl", "{\"prompt\":\"a\"}\n{\"text\":1}\n"u8.ToArray());
        CommandLineRun.Of("generate", models.Llama, "--input", broken, "--max-tokens", "2").Fails(2, "line 2", "prompt");
    }

    [Fact]
    public void ATextFollowsItsStructure()
    {
        Assert.Contains(Text(Generate("--choices", "yes", "--choices", "no").Json()), new[] { "yes", "no" });
        Assert.Matches("^[ab]{3}c$", Text(Generate("--regex", "[ab]{3}c").Json()));
        string grammar = models.WriteFile("a.gbnf", "root ::= \"Dear \" [a-z]{2,4} \",\""u8.ToArray());
        Assert.Matches("^Dear [a-z]{2,4},$", Text(Generate("--grammar", grammar, "--seed", "1").Json()));
        string schema = models.WriteFile("s.json", "{\"enum\":[true]}"u8.ToArray());
        Assert.Equal("true", Text(Generate("--schema", schema, "--greedy").Json()));
        Plain("--schema", grammar).Fails(2, "a.gbnf", "not JSON");
        Plain("--regex", "a", "--choices", "b").Fails(2, "--regex", "--choices");
        // The token that ends the text has its place among the 20.
        Plain("--regex", "a{100}").Fails(2, "100 tokens", "only 19");
    }

    [Fact]
    public void SearchesFindTextsInsteadOfDrawingThem()
    {
        JsonElement[] beams = Generate("--beams", "4", "--n", "3", "--max-tokens", "6").JsonLines();
        Assert.Equal(beams.Select(b => b.GetProperty("score").GetDouble()).OrderDescending(), beams.Select(b => b.GetProperty("score").GetDouble()));
        Assert.Equal(Text(Generate("--greedy", "--max-tokens", "6").Json()), Text(Generate("--beams", "1", "--max-tokens", "6").Json()));
        Assert.Equal(4, Generate("--beams", "4", "--beam-groups", "4", "--diversity", "50", "--n", "4", "--max-tokens", "6").JsonLines().Select(b => Text(b)[0]).Distinct().Count());
        Assert.Equal(Text(Generate("--greedy", "--max-tokens", "6").Json()), Text(Generate("--contrastive", "0", "--max-tokens", "6").Json()));
        JsonElement best = Generate("--best-of", "4", "--seed", "7").Json();
        Assert.Contains(Text(best), Generate("--n", "4", "--seed", "7").JsonLines().Select(Text));
        JsonElement agreed = Generate("--n", "5", "--seed", "7", "--vote", ".").Json();
        Assert.InRange(agreed.GetProperty("score").GetDouble(), 0.2, 1);
        Plain("--beams", "2", "--top-p", "0.5").Fails(2, "--top-p");
        Plain("--beams", "2", "--n", "3").Fails(2, "--beams 2");
        Plain("--beams", "4", "--beam-groups", "3").Fails(2, "--beam-groups 3");
        Plain("--diversity", "2").Fails(2, "--diversity", "--beams");
        Plain("--beams", "4", "--contrastive", "0.5").Fails(2, "--beams", "--contrastive");
    }

    [Fact]
    public void LogProbabilitiesAndLimitsAreGiven()
    {
        JsonElement scored = Generate("--seed", "3", "--logprobs", "2", "--max-tokens", "5").Json();
        Assert.Equal(5, scored.GetProperty("logprobs").GetArrayLength());
        Assert.Equal(2, scored.GetProperty("logprobs")[0].GetProperty("top").GetArrayLength());
        Assert.True(scored.GetProperty("logprobs")[0].GetProperty("logprob").GetDouble() < 0);
        Plain("--logprobs", "2").Fails(2, "--json");
        JsonElement late = Generate("--greedy", "--time-limit", "0.001", "--max-tokens", "80").Json();
        Assert.Contains(late.GetProperty("finish").GetString(), new[] { "time_limit", "max_tokens", "end_token", "context_full" });
        Assert.NotEqual(Text(Generate("--seed", "3", "--mirostat", "1").Json()), Text(Generate("--seed", "3").Json()));
    }

    private static string Text(JsonElement run) => run.GetProperty("text").GetString()!;

    private CommandLineRun Generate(params string[] options) =>
        Plain(["--json", .. options]);

    private CommandLineRun Plain(params string[] options) => CommandLineRun.Of([
        "generate", models.Llama, "-p", "Hello", .. options.Contains("--max-tokens") ? options : [.. options, "--max-tokens", "20"]]);
}
