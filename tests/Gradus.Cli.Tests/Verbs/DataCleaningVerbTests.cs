using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>The verbs that look into data and clean it, as a person types them.</summary>
public sealed class DataCleaningVerbTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-data-verbs-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ACorpusGoesThroughAllSteps()
    {
        string good = string.Join(' ', Enumerable.Range(0, 12).Select(i => $"The cat number {i} has seen that the birds of the garden have a house to be with, and so they stay."));
        string text = Write("crawl.jsonl", Lines(good, good, "buy now", $"Write to ann@there.org, please. {good.Replace("cat", "dog", StringComparison.Ordinal)}", $"Behold the secret answer to all our many questions is forty two today. {good.Replace("cat", "owl", StringComparison.Ordinal)}"));
        string test = Write("test.jsonl", "{\"prompt\": \"What?\", \"completion\": \"The secret answer to all our many questions is forty two today.\"}\n");
        JsonElement described = CommandLineRun.Of("data", "prepare", text, "-o", Name("clean.jsonl.gz"), "--rule", "gopher-quality", "--against", test, "--json").Json();
        Assert.Equal(["filter", "exact", "minhash", "decontaminate", "addresses"], described.GetProperty("steps").EnumerateArray().Select(s => s.GetProperty("name").GetString()));
        string[] kept = [.. Gradus.Training.Data.TextFiles.Documents([Name("clean.jsonl.gz")])];
        Assert.Equal(good, kept[0]);
        Assert.DoesNotContain(kept, k => k.Contains("forty two", StringComparison.Ordinal) || k.Contains("buy", StringComparison.Ordinal) || k.Contains("there.org", StringComparison.Ordinal));
        string printed = CommandLineRun.Of("data", "filter", text, "-o", Name("f.jsonl"), "--rule", "gopher-quality").Succeeds().Output;
        Assert.Contains("gopher-quality: gopher_short_doc: 1 documents", printed, StringComparison.Ordinal);
        Assert.Contains("buy now", printed, StringComparison.Ordinal);
        CommandLineRun.Of("data", "dedup", text, "-o", Name("d.jsonl"), "--method", "exact").Succeeds();
        Assert.Equal(4, File.ReadLines(Name("d.jsonl")).Count());
        CommandLineRun.Of("data", "mix", $"{text}=2", $"{test}=1", "-o", Name("m.jsonl"), "--documents", "9", "--passes", "0").Succeeds();
        Assert.Equal(9, File.ReadLines(Name("m.jsonl")).Count());
        CommandLineRun.Of("data", "filter", text, "-o", text).Fails(2, "write another one");
        CommandLineRun.Of("data", "filter", text, "-o", Name("g.jsonl"), "--rule", "gofer-quality").Fails(2, "did you mean \"gopher-quality\"");
    }

    [Fact]
    public void WhatIsLearnedIsShown()
    {
        using SmallModel model = new();
        string chats = Write("chats.jsonl", "{\"prompt\": \"the cat\", \"completion\": \"a bird\", \"id\": 1}\n{\"prompt\": \"the cat\", \"completion\": \"a bird\", \"id\": 2}\n{\"prompt\": \"who\", \"completion\": \"the dog\"}\n");
        JsonElement plain = CommandLineRun.Of("data", "inspect", chats, "--json").Json();
        Assert.Equal(3, plain.GetProperty("records").GetInt32());
        Assert.Equal(1, plain.GetProperty("duplicates").GetInt32());
        Assert.Equal(2, plain.GetProperty("fields").GetProperty("id").GetInt32());
        JsonElement seen = CommandLineRun.Of("data", "inspect", chats, "--model", model.Llama, "--validation", chats, "--html", Name("seen.html"), "--json").Json();
        Assert.Equal(3, seen.GetProperty("overlap").GetInt32());
        Assert.Contains(seen.GetProperty("warnings").EnumerateArray(), w => w.GetString()!.Contains("held-out", StringComparison.Ordinal));
        Assert.Equal(3, seen.GetProperty("examples").GetInt32());
        JsonElement[] first = [.. seen.GetProperty("samples")[0].EnumerateArray()];
        Assert.Equal("a bird<|im_end|>", string.Concat(first.Where(t => t.GetProperty("learned").GetBoolean()).Select(t => t.GetProperty("text").GetString())));
        Assert.Contains("⟦a bird<|im_end|>⟧", CommandLineRun.Of("data", "inspect", chats, "--model", model.Llama).Succeeds().Output, StringComparison.Ordinal);
        Assert.Contains("<b>", File.ReadAllText(Name("seen.html")), StringComparison.Ordinal);
        Assert.Contains("content=text", CommandLineRun.Of("data", "filter", "--help").Output, StringComparison.Ordinal);
    }

    private static string Lines(params string[] texts) => string.Concat(texts.Select(t => new JsonObject { ["text"] = t }.ToJsonString() + "\n"));

    private string Name(string name) => Path.Combine(_folder, name);

    private string Write(string name, string text)
    {
        File.WriteAllText(Name(name), text);
        return Name(name);
    }
}
