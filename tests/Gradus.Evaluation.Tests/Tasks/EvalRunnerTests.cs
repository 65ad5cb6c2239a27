using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tests.Tasks;

public sealed class EvalRunnerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-runner").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AnswersAreKeptAndNotAskedAgain()
    {
        HarnessTask task = Choices(4);
        string path = Path.Combine(_folder, "answers.jsonl");
        CountingModel stopped = new(after: 3);
        using (AnswerCache cache = new(path))
            Assert.Throws<OperationCanceledException>(() => EvalRunner.Run(task, stopped, EvalOptions.Default, cache));
        // Killed in the middle of a line.
        File.AppendAllText(path, "{\"key\":\"half");
        CountingModel resumed = new();
        TaskResult first;
        using (AnswerCache cache = new(path))
        {
            Assert.Equal(3, cache.Count);
            first = EvalRunner.Run(task, resumed, EvalOptions.Default, cache);
        }
        Assert.Equal(8 - 3, resumed.Asked);
        using (AnswerCache cache = new(path))
        {
            TaskResult again = EvalRunner.Run(task, new CountingModel(after: 0), EvalOptions.Default, cache);
            Assert.True(JsonNode.DeepEquals(EvaluationJson.Write(first, "m", "p"), EvaluationJson.Write(again, "m", "p")));
        }
    }

    [Fact]
    public void AFailureIsNeverAScore()
    {
        HarnessTask task = Choices(4);
        Assert.Contains("not a number", Assert.Throws<InvalidDataException>(() => EvalRunner.Run(task, new FixedModel(double.NaN), EvalOptions.Default)).Message.Replace("NaN", "not a number"));
        Assert.Throws<InvalidDataException>(() => EvalRunner.Run(task, new SilentModel(), EvalOptions.Default));
        Assert.Throws<InvalidDataException>(() => Choices(0));
        Assert.Throws<InvalidDataException>(() => new ConversationTask("t", [], [new ExactMatch()], 5));
        Assert.Throws<ArgumentException>(() => EvalRunner.Run(task, new FixedModel(-1), EvalOptions.Default)["no_such_metric"]);
        // All are impossible: a tie, not a failure.
        Assert.Equal(1, EvalRunner.Run(task, new FixedModel(double.NegativeInfinity), EvalOptions.Default)["acc"].Value);
    }

    [Fact]
    public void WithKeepGoingAnExampleThatFailsIsCountedAndShown()
    {
        JsonObject yaml = new() { ["task"] = "t", ["test_split"] = "s", ["doc_to_text"] = "q", ["doc_to_target"] = "a", ["doc_to_choice"] = "c" };
        JsonObject[] documents = [.. Enumerable.Range(0, 3).Select(i => new JsonObject { ["q"] = $"q{i}", ["a"] = i == 1 ? 7 : 0, ["c"] = new JsonArray("x") })];
        HarnessTask task = new(new HarnessConfig(yaml), documents, []);
        ModelOfTexts model = new("x");
        Assert.Contains("document 1", Assert.Throws<InvalidDataException>(() => EvalRunner.Run(task, model, EvalOptions.Default)).Message);
        TaskResult result = EvalRunner.Run(task, model, EvalOptions.Default, keepGoing: true);
        Assert.Equal((1, 2, 1.0), (result.Errors, result["exact_match"].Count, result["exact_match"].Value));
        Assert.Equal(1, (int)EvaluationJson.Write(result, "m", "p")["errors"]!);
    }

    [Fact]
    public void TheFileSaysEverythingAndIsReadBackForPairing()
    {
        ConversationTask task = new("talk", [.. Enumerable.Range(0, 4).Select(i => new ConversationExample([new ChatMessage("user", $"say {i}")], i < 3 ? "yes" : "no"))], [new Ter(), Squad.ExactMatch], 5);
        JsonObject good = EvaluationJson.Write(EvalRunner.Run(task, new ModelOfTexts("yes"), EvalOptions.Default), "good", "g");
        JsonObject bad = EvaluationJson.Write(EvalRunner.Run(task, new ModelOfTexts("no"), EvalOptions.Default), "bad", "b");
        Assert.False((bool)good["metrics"]![0]!["higher_is_better"]!);
        Assert.True((bool)good["metrics"]![1]!["higher_is_better"]!);
        Assert.NotEmpty((string)good["metrics"]![0]!["settings"]!);
        ComparedMetric row = EvaluationComparison.Compare([good], [bad]).Single(r => r.Metric == "squad_em");
        Assert.Equal((0.75, 0.25, 4, 4, "within the noise"), (row.A, row.B, row.Paired!.Count, row.Paired.Changed, row.Verdict));
        Assert.Equal("say 0", row.Changes[0].Prompt);
        Assert.Equal("same", EvaluationComparison.Compare([good], [(JsonObject)good.DeepClone()])[1].Verdict);
        good["task"] = "other";
        Assert.Throws<InvalidDataException>(() => EvaluationComparison.Compare([good], [bad]));
    }

    private static HarnessTask Choices(int count)
    {
        JsonObject yaml = new() { ["task"] = "t", ["test_split"] = "s", ["output_type"] = "multiple_choice", ["doc_to_text"] = "q", ["doc_to_target"] = 0, ["doc_to_choice"] = new JsonArray("a", "b") };
        return new HarnessTask(new HarnessConfig(yaml), [.. Enumerable.Range(0, count).Select(i => new JsonObject { ["q"] = $"question {i}" })], []);
    }

    private sealed class CountingModel(int after = int.MaxValue) : IEvalModel
    {
        public string Name => "counting";

        public int Asked { get; private set; }

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
            for (int i = 0; i < requests.Count; i++)
            {
                if (Asked == after)
                    throw new OperationCanceledException();
                Asked++;
                answered(i, new LikelihoodResponse(-((LogLikelihoodRequest)requests[i]).Context.Length - i, i % 2 == 0));
            }
        }
    }

    private sealed class FixedModel(double value) : IEvalModel
    {
        public string Name => "fixed";

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
            for (int i = 0; i < requests.Count; i++)
                answered(i, new LikelihoodResponse(value, false));
        }
    }

    private sealed class SilentModel : IEvalModel
    {
        public string Name => "silent";

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
        }
    }

    private sealed class ModelOfTexts(string text) : IEvalModel
    {
        public string Name => text;

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
            for (int i = 0; i < requests.Count; i++)
                answered(i, new TextResponse([text]));
        }
    }
}
