using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Testing;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tests.Tasks;

/// <summary>Whole tasks of lm-evaluation-harness: solved examples, requests, filtered answers, scores, values and standard errors.</summary>
public sealed class HarnessTaskGoldens
{
    public static TheoryData<string> Cases => EvaluationGolden.Cases("tasks");

    [SharedTheory("golden", "evaluation")]
    [MemberData(nameof(Cases))]
    public void RequestsScoresAndErrors(string name)
    {
        JsonNode expected = EvaluationGolden.Read("tasks", name, "expected.json");
        (HarnessTask task, EvalOptions options) = Task(name, expected);
        IReadOnlyList<EvalExample> examples = task.Prepare(options);
        Requests(expected["requests"]!.AsArray(), examples);
        List<(EvalExample Example, EvalResponse[] Responses)> answered = Answers(expected, examples);
        JsonObject results = expected["results"]!.AsObject();
        if (expected["aggregated"] is null)
        {
            foreach ((string filter, JsonNode? documents) in results)
            {
                for (int i = 0; i < answered.Count; i++)
                    EvaluationGolden.Same(documents![i]!["filtered"], Filtered(task.ApplyFilters(answered[i].Example, answered[i].Responses).First(f => f.Filter == filter).Filtered), $"{name} {filter} {i}");
            }
            return;
        }
        List<ScoredExample> scored = [.. answered.Select(a => new ScoredExample(a.Example, a.Responses, task.Score(a.Example, a.Responses)))];
        foreach ((string filter, JsonNode? documents) in results)
        {
            for (int i = 0; i < scored.Count; i++)
                Example(documents![i]!, scored[i], scored[i].Scores.First(s => s.Filter == filter), $"{name} {filter} {i}");
        }
        Values(expected["aggregated"]!.AsObject(), EvalRunner.Aggregate(task, scored, options), scored.Count, name);
    }

    [SharedTheory("golden", "evaluation")]
    [MemberData(nameof(Cases))]
    public void Documents(string name)
    {
        JsonNode expected = EvaluationGolden.Read("tasks", name, "expected.json");
        if (expected["processed_docs"] is not JsonArray processed)
            return;
        HarnessConfig config = new((JsonObject)expected["yaml"]!.DeepClone());
        IReadOnlyList<JsonObject> documents = HarnessTask.Process(config, EvaluationGolden.Lines("tasks", name, "docs.jsonl"));
        for (int i = 0; i < processed.Count; i++)
            EvaluationGolden.Same(processed[i], documents[i], $"{name} {i}");
    }

    private static (HarnessTask Task, EvalOptions Options) Task(string name, JsonNode expected)
    {
        JsonNode settings = expected["settings"]!;
        JsonObject yaml = (JsonObject)expected["yaml"]!.DeepClone();
        if (settings["metric_list_override"] is { } metrics)
            yaml["metric_list"] = metrics.DeepClone();
        HarnessConfig config = new(yaml);
        IReadOnlyList<JsonObject> documents = HarnessTask.Process(config, EvaluationGolden.Lines("tasks", name, "docs.jsonl"));
        bool chat = (bool)settings["apply_chat_template"]!;
        return (new HarnessTask(config, documents, EvaluationGolden.Lines("tasks", name, "fewshot.jsonl")), new EvalOptions
        {
            Shots = (int?)settings["num_fewshot_argument"],
            Seed = (long)settings["fewshot_seed"]!,
            SystemInstruction = (string?)settings["system_instruction"],
            ShotsAsTurns = (bool)settings["fewshot_as_multiturn"]!,
            BootstrapResamples = (int?)settings["bootstrap_iters"] ?? 0,
            ChatTemplate = chat ? Template : null,
        });
    }

    private static string Template(IReadOnlyList<ChatMessage> messages, bool begins)
    {
        string text = string.Concat(messages.Select(m => $"<|{m.Role}|>\n{m.Text}<|end|>\n"));
        return begins ? text + "<|assistant|>\n" : text[..^"<|end|>\n".Length];
    }

    private static void Requests(JsonArray expected, IReadOnlyList<EvalExample> examples)
    {
        (int Document, int Index, EvalRequest Request)[] requests = [.. examples.SelectMany(e => e.Requests.Select((r, i) => (e.Id, i, r)))];
        Assert.Equal(expected.Count, requests.Length);
        for (int i = 0; i < requests.Length; i++)
        {
            JsonNode wanted = expected[i]!;
            Assert.Equal(((int)wanted["doc_id"]!, (int)wanted["idx"]!), (requests[i].Document, requests[i].Index));
            JsonArray arguments = requests[i].Request switch
            {
                LogLikelihoodRequest r => [r.Context, r.Continuation],
                RollingRequest r => [r.Text],
                GenerateRequest r => [r.Context, r.Settings.Arguments.DeepClone()],
                _ => [],
            };
            EvaluationGolden.Same(wanted["args"], arguments, $"request {i}");
        }
    }

    private static List<(EvalExample, EvalResponse[])> Answers(JsonNode expected, IReadOnlyList<EvalExample> examples)
    {
        JsonArray responses = expected["responses"]!.AsArray();
        int next = 0;
        return [.. examples.Select(e => (e, e.Requests.Select(r => Answer(r, responses[next++]!.AsArray())).ToArray()))];
    }

    private static EvalResponse Answer(EvalRequest request, JsonArray repeats) => request switch
    {
        GenerateRequest generate => Repeated(generate, new TextResponse([.. repeats.Select(r => (string)r!)])),
        RollingRequest => new LikelihoodResponse(EvaluationGolden.Number(repeats[0]), false),
        _ => new LikelihoodResponse(EvaluationGolden.Number(repeats[0]![0]), (bool)repeats[0]![1]!),
    };

    private static TextResponse Repeated(GenerateRequest request, TextResponse response)
    {
        Assert.Equal(response.Texts.Count, request.Repeats);
        return response;
    }

    private static JsonArray Filtered(IReadOnlyList<JsonNode?> filtered) => [.. filtered.Select(f => f?.DeepClone())];

    private static void Example(JsonNode expected, ScoredExample scored, FilteredScores actual, string what)
    {
        EvalExample example = scored.Example;
        EvaluationGolden.Same(expected["target"], example.Target, $"{what} target");
        if (scored.Responses[0] is not LikelihoodResponse || expected["filtered"]![0] is JsonArray)
            EvaluationGolden.Same(expected["filtered"], Filtered(actual.Filtered), $"{what} filtered");
        Assert.Equal((string)expected["doc_hash"]!, Hash(PythonStrings.Json(example.Document)));
        Assert.Equal((string)expected["prompt_hash"]!, Hash(example.Requests[0] switch { LogLikelihoodRequest r => r.Context, GenerateRequest r => r.Context, RollingRequest r => r.Text, _ => "" }));
        Assert.Equal((string)expected["target_hash"]!, Hash(PythonStrings.Str(example.Target)));
        JsonObject metrics = expected["metrics"]!.AsObject();
        Assert.Equal(metrics.Select(m => m.Key).Order(), actual.Values.Keys.Order());
        foreach ((string metric, JsonNode? value) in metrics)
            Sample(value!, actual.Values[metric], $"{what} {metric}");
    }

    internal static void Sample(JsonNode expected, SampleValue actual, string what)
    {
        switch (actual)
        {
            case NumberSample number:
                EvaluationGolden.Near(EvaluationGolden.Number(expected), number.Value, 1e-12, what);
                break;
            case WeightedSample weighted:
                EvaluationGolden.Near(EvaluationGolden.Number(expected[0]), weighted.Sum, 1e-12, what);
                EvaluationGolden.Near(EvaluationGolden.Number(expected[1]), weighted.Weight, 0, what);
                break;
            case ClassSample classes:
                Assert.Equal(((int)expected[0]!, (int)expected[1]!), (classes.Gold, classes.Predicted));
                break;
            case ProbabilitySample probabilities:
                Assert.Equal((int)expected[0]!, probabilities.Gold);
                for (int k = 0; k < probabilities.Probabilities.Count; k++)
                    EvaluationGolden.Near(EvaluationGolden.Number(expected[1]![k]), probabilities.Probabilities[k], 1e-12, what);
                break;
            default:
                Assert.Fail($"{what}: {actual} has no golden form");
                break;
        }
    }

    private static void Values(JsonObject expected, IReadOnlyList<MetricValue> actual, int count, string what)
    {
        Assert.Equal((int)expected["sample_len"]!, count);
        Assert.Equal(expected.Count(e => e.Key.Contains(',') && !e.Key.Contains("_stderr,")), actual.Count);
        foreach (MetricValue value in actual)
        {
            EvaluationGolden.Near(EvaluationGolden.Number(expected[$"{value.Name},{value.Filter}"]), value.Value, 1e-12, $"{what} {value.Label}");
            JsonNode error = expected[$"{value.Name}_stderr,{value.Filter}"]!;
            if (error.GetValueKind() == JsonValueKind.String && (string)error! == "N/A")
                Assert.Null(value.StandardError);
            else
                EvaluationGolden.Near(EvaluationGolden.Number(error), value.StandardError!.Value, 1e-9, $"{what} {value.Label} error");
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
