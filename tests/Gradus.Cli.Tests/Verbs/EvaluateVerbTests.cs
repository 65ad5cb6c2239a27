using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Verbs;

public sealed class EvaluateVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    private const string Base = """
        dataset_path: json
        dataset_kwargs: {data_files: {test: DATA}}
        test_split: test
        """;

    [Fact]
    public void ModelsOnTasksComparedAndGated()
    {
        string data = models.WriteFile("questions.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => $$"""{"q": "Is it {{(char)('a' + i)}}?", "a": {{i % 2}}}""" + "\n")));
        string choices = Task("choices", data, "output_type: multiple_choice\ndoc_to_text: \"{{q}}\\nAnswer:\"\ndoc_to_target: a\ndoc_to_choice: [\"no\", \"yes\"]\nmetadata: {chance: 0.5}");
        string written = Task("written", data, "doc_to_text: \"{{q}}\"\ndoc_to_target: \"{{a}}\"\ngeneration_kwargs: {until: [\".\"], max_gen_toks: 8}\nmetric_list: [{metric: exact_match}, {metric: ter}]");
        string rolling = Task("rolling", data, "output_type: loglikelihood_rolling\ndoc_to_text: \"\"\ndoc_to_target: \"{{q}}\"");
        string run = models["evaluated"];
        CommandLineRun measured = Evaluate(models.Llama, models.Gpt2, models.Adapter, "--tasks", $"{choices},{written},{rolling}", "--run", run, "--shots", "2", "--json");
        Assert.True(measured.ExitCode == 0, measured.Error);
        JsonElement[] lines = measured.JsonLines();
        Assert.Equal(9, lines.Length);
        Assert.Equal(["adapter", "gpt2", "llama"], lines.Select(l => l.GetProperty("name").GetString()).Distinct().Order());

        JsonNode file = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "eval", "llama-choices.json")))!;
        Assert.Equal(12, file["samples"]!.AsArray().Count);
        Assert.Contains("Is it a?\nAnswer:", (string)file["samples"]![0]!["prompt"]!);
        Assert.Equal([" no", " yes"], file["samples"]![0]!["choices"]!.AsArray().Select(c => (string)c!["text"]!));
        Assert.False((bool)JsonNode.Parse(File.ReadAllText(Path.Combine(run, "eval", "llama-written.json")))!["metrics"]![1]!["higher_is_better"]!);
        Assert.Contains("Kept and forgotten", File.ReadAllText(Path.Combine(run, "report.html")));

        // Again with other batches: not one bit differs.
        string again = models["evaluated-again"];
        Evaluate(models.Llama, "--tasks", $"{rolling},{written},{choices}", "--run", again, "--shots", "2", "--batch", "3").Succeeds();
        foreach (string task in new[] { "choices", "written", "rolling" })
            Assert.True(JsonNode.DeepEquals(Samples(run, task), Samples(again, task)), task);

        JsonElement[] rows = CommandLineRun.Of("compare", $"{run}:llama", $"{run}:gpt2", "--json").JsonLines();
        Assert.Equal(7, rows.Length);
        Assert.All(rows.Where(r => r.GetProperty("task").GetString() == "choices"), r => Assert.Equal(12, r.GetProperty("examples").GetInt32()));
        CommandLineRun table = CommandLineRun.Of("compare", $"{run}:llama", $"{run}:llama", "--examples", "1").Succeeds();
        Assert.Contains("same", table.Output);
        Assert.Equal(2, CommandLineRun.Of("compare", run, run).ExitCode);

        CommandLineRun gate = Evaluate(models.Llama, "--tasks", choices, "--run", models["gate"], "--fail-under", "choices:acc=1.01");
        Assert.Equal(1, gate.ExitCode);
        Assert.Contains("under the limit of 1.01", gate.Output);
        Evaluate(models.Llama, "--tasks", choices, "--run", models["gate-open"], "--fail-under", "acc=0", "--robustness", "typos,lower").Succeeds();
        Assert.True(File.Exists(Path.Combine(models["gate-open"], "eval", "llama-choices-lower.json")));
    }

    [Fact]
    public void WhatSomethingElseWroteIsScored()
    {
        string data = models.WriteFile("sums.jsonl", "{\"q\": \"2+2\", \"a\": \"4\"}\n{\"q\": \"3+3\", \"a\": \"6\"}\n");
        string task = Task("sums", data, "doc_to_text: \"{{q}}\"\ndoc_to_target: \"{{a}}\"");
        string predictions = models.WriteFile("predictions.jsonl", "{\"id\": 0, \"text\": \"4\"}\n{\"prompt\": \"3+3\", \"text\": \"5\"}\n");
        CommandLineRun scored = Evaluate("--predictions", predictions, "--tasks", task, "--run", models["scored"]).Succeeds();
        Assert.Contains("exact_match 0.500", scored.Output);
        string half = models.WriteFile("half.jsonl", "{\"id\": 0, \"text\": \"4\"}\n");
        Failed(2, "document 1", Evaluate("--predictions", half, "--tasks", task, "--run", models["half"]));
    }

    [Fact]
    public void NothingFailsOpen()
    {
        string data = models.WriteFile("few.jsonl", "{\"q\": \"2+2\", \"a\": \"4\"}\n");
        string good = Task("good", data, "doc_to_text: \"{{q}}\"\ndoc_to_target: \"{{a}}\"\ngeneration_kwargs: {max_gen_toks: 4}");
        string bad = Task("bad", data, "doc_to_text: \"{{question}}\"\ndoc_to_target: \"{{a}}\"");
        Failed(2, "question", Evaluate(models.Llama, "--tasks", $"{good},{bad}", "--run", models["stops"]));
        CommandLineRun on = Evaluate(models.Llama, "--tasks", $"{bad},{good}", "--run", models["goes-on"], "--continue");
        Assert.Equal(1, on.ExitCode);
        Assert.True(File.Exists(Path.Combine(models["goes-on"], "eval", "llama-good.json")));
        Failed(2, "no tasks", Evaluate(models.Llama));
        Failed(2, "no model", Evaluate("--tasks", good));
        Failed(2, "arc_eas", Evaluate(models.Llama, "--tasks", "arc_eas"));
        Failed(2, "fail-under", Evaluate(models.Llama, "--tasks", good, "--fail-under", "good:acc=high", "--run", models["limit"]));
        CommandLineRun list = CommandLineRun.Of("evaluate", "--list").Succeeds();
        Assert.Contains("hellaswag", list.Output);
    }

    private string Task(string name, string data, string rest) =>
        models.WriteFile($"{name}.yaml", $"task: {name}\n{Base.Replace("DATA", data, StringComparison.Ordinal)}\n{rest}\nfewshot_split: test\n");

    private static CommandLineRun Evaluate(params string[] arguments) => CommandLineRun.Of(["evaluate", .. arguments]);

    private static JsonNode Samples(string run, string task) => JsonNode.Parse(File.ReadAllText(Path.Combine(run, "eval", $"llama-{task}.json")))!["samples"]!;

    private static void Failed(int code, string message, CommandLineRun run)
    {
        Assert.Equal(code, run.ExitCode);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }
}
