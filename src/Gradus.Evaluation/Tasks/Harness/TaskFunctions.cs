// Purpose: the Python functions that lm-evaluation-harness' task files name, for the tasks that are run here. A task file of the harness
// names them relative to itself (utils.process_docs), so what they are is found by the data set; files of this program name them in full.
// Source: https://github.com/EleutherAI/lm-evaluation-harness, the folders of lm_eval/tasks. Left out: all others, refused by name.

using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>What makes a value of a document.</summary>
/// <param name="document">The document.</param>
internal delegate JsonNode? DocumentFunction(JsonObject document);

/// <summary>What scores an example, in place of the usual rules.</summary>
/// <param name="document">The document.</param>
/// <param name="results">What the filters made of the answers; <c>[log-likelihood, greedy]</c> or a number for likelihoods.</param>
internal delegate Dictionary<string, SampleValue> ResultsFunction(JsonObject document, IReadOnlyList<JsonNode?> results);

/// <summary>The functions that one task file can name.</summary>
internal sealed class TaskFunctions
{
    public const string BbhMultiChoice = "bbh.MultiChoiceRegexFilter";
    public const string BbhWordSort = "bbh.WordSortFilter";

    private static readonly string[] Families = ["hellaswag", "winogrande", "wikitext", "crows_pairs", "xquad", "humaneval", "mbpp", "bbh", "qmsum", "lambada", "winogender"];

    private static readonly Dictionary<string, DocumentFunction> Documents = new(StringComparer.Ordinal)
    {
        ["winogrande.doc_to_text"] = d => Field(d, "answer") switch { "1" => 0, "2" => 1, string other => throw new InvalidDataException($"the answer is \"{other}\", not 1 or 2.") },
        ["winogrande.doc_to_target"] = d => PythonText.Strip(Field(d, "sentence")[(Gap(d) + 1)..]),
        ["winogrande.doc_to_choice"] = d => new JsonArray(Field(d, "sentence")[..Gap(d)] + Field(d, "option1"), Field(d, "sentence")[..Gap(d)] + Field(d, "option2")),
        ["crows_pairs.doc_to_choice"] = d => new JsonArray(Field(d, "sent_more"), Field(d, "sent_less")),
        ["wikitext.wikitext_detokenizer"] = d => Detokenizer.WikiText(Field(d, "page")),
    };

    private static readonly Dictionary<string, Func<JsonObject, IEnumerable<JsonObject>>> Processors = new(StringComparer.Ordinal)
    {
        ["hellaswag.process_docs"] = static d => [HellaSwag(d)],
        ["xquad.questions"] = RecordShapes.XquadQuestions,
        ["qmsum.queries"] = RecordShapes.QmsumQueries,
        ["wikitext.articles"] = RecordShapes.WikiTextArticles,
        ["lambada.last_words"] = RecordShapes.LastWords,
        ["winogender.fields"] = RecordShapes.Winogender,
    };

    private static readonly Dictionary<string, ResultsFunction> Results = new(StringComparer.Ordinal)
    {
        ["wikitext.process_results"] = static (d, r) => HarnessScoring.Rolling((double)r[0]!, Field(d, "page"), ["word_perplexity", "byte_perplexity", "bits_per_byte"]),
        ["crows_pairs.process_results"] = static (_, r) => CrowsPairs((double)r[0]![0]!, (double)r[1]![0]!),
        ["xquad.process_results_qa"] = static (d, r) => QuestionAnswering(d, r[0]?.ToString() ?? ""),
    };

    private static readonly Dictionary<string, Func<string, JsonObject, string>> Filters = new(StringComparer.Ordinal)
    {
        ["humaneval.build_predictions"] = static (r, d) => Field(d, "prompt") + r,
        ["humaneval.build_predictions_instruct"] = static (r, d) => Field(d, "prompt") + (r.IndexOf("```", StringComparison.Ordinal) is >= 0 and int end ? r[..end] : r),
        ["mbpp.build_predictions"] = static (r, _) => CodeBlock(r),
    };

    private readonly string _family;

    public TaskFunctions(string? datasetPath)
    {
        string name = (datasetPath ?? "").ToLowerInvariant();
        _family = Families.FirstOrDefault(f => name.Contains(f, StringComparison.Ordinal)) ?? "";
    }

    public DocumentFunction Document(JsonNode function) => Find(Documents, function);

    public Func<JsonObject, IEnumerable<JsonObject>> Processor(JsonNode function) => Find(Processors, function);

    public ResultsFunction Result(JsonNode function) => Find(Results, function);

    public Func<string, JsonObject, string> Filter(JsonNode? function) => Find(Filters, function);


    /// <summary>Solved examples that a task file takes from a function.</summary>
    public IReadOnlyList<JsonObject> Samples(JsonNode function, HarnessConfig config, Func<string, IReadOnlyList<JsonObject>> read) => Name(function) switch
    {
        "bbh.cot_samples" => RecordShapes.BigBenchHardSamples(read($"$data/big-bench-hard/cot-prompts/{config.Text("dataset_name")}.txt")),
        _ => throw Unknown(function),
    };

    /// <summary>The name here of a filter that is a Python class.</summary>
    public string FilterClass(JsonObject python) => Name(python) switch
    {
        string name when name.EndsWith(".MultiChoiceRegexFilter", StringComparison.Ordinal) => BbhMultiChoice,
        string name when name.EndsWith(".WordSortFilter", StringComparison.Ordinal) => BbhWordSort,
        _ => throw Unknown(python),
    };

    /// <summary>Whether a value of a task file is a Python function or class.</summary>
    public static bool IsFunction(JsonNode? node) => node is JsonObject { Count: 1 } python && (python.ContainsKey("function") || python.ContainsKey("class"));

    /// <summary>The last part of a function's name.</summary>
    public static string ShortName(JsonNode function) => Written(function).Split('.')[^1];

    private T Find<T>(Dictionary<string, T> table, JsonNode? function) =>
        function is not null && table.TryGetValue(Name(function), out T? found) ? found : throw Unknown(function);

    private string Name(JsonNode function)
    {
        string written = Written(function);
        string[] parts = written.Split('.');
        return parts.Length == 2 && Families.Contains(parts[0]) ? written : $"{_family}.{parts[^1]}";
    }

    private static string Written(JsonNode function) => (function as JsonObject)?.FirstOrDefault().Value?.ToString() ?? "";

    private static InvalidDataException Unknown(JsonNode? function) => new(
        $"!function {(function is null ? "" : Written(function))}: this Python function is not known here; known are {string.Join(", ", Documents.Keys.Concat(Processors.Keys).Concat(Results.Keys).Concat(Filters.Keys))}.");

    private static string Field(JsonObject document, string name) => document[name] is JsonValue value && value.TryGetValue(out string? text)
        ? text
        : throw new InvalidDataException($"the field \"{name}\" is missing or not text.");

    private static int Gap(JsonObject document) => Field(document, "sentence").IndexOf('_') is >= 0 and int gap ? gap : throw new InvalidDataException("the sentence has no gap \"_\".");

    private static JsonObject HellaSwag(JsonObject document)
    {
        JsonObject processed = (JsonObject)document.DeepClone();
        string second = Field(document, "ctx_b");
        string context = $"{Field(document, "ctx_a")} {PythonStrings.Capitalize(second)}";
        processed["query"] = Clean($"{Field(document, "activity_label")}: {context}");
        processed["choices"] = new JsonArray([.. ((JsonArray)document["endings"]!).Select(e => (JsonNode)Clean(e!.ToString()))]);
        processed["gold"] = int.Parse(document["label"]!.ToString(), System.Globalization.CultureInfo.InvariantCulture);
        return processed;

        static string Clean(string text) => new PythonRegex(@"\[.*?\]")
            .Replace(PythonText.Strip(text).Replace(" [title]", ". ", StringComparison.Ordinal), "").Replace("  ", " ", StringComparison.Ordinal);
    }

    private static Dictionary<string, SampleValue> CrowsPairs(double stereotype, double other) => new()
    {
        ["likelihood_diff"] = new NumberSample(Math.Abs(stereotype - other)),
        ["pct_stereotype"] = new NumberSample(stereotype > other ? 1 : 0),
    };

    private static Dictionary<string, SampleValue> QuestionAnswering(JsonObject document, string answer)
    {
        string reference = document["answers"]?["text"]?[0]?.ToString() ?? throw new InvalidDataException("the field \"answers.text\" is missing.");
        return new()
        {
            ["f1"] = new NumberSample(Squad.F1V2.Score(answer, reference)),
            ["exact_match"] = new NumberSample(Squad.ExactMatchV2.Score(answer, reference)),
        };
    }

    private static string CodeBlock(string text)
    {
        PythonRegex block = new(@"```(?:\w+)?\n?(.*?)\n?```", dotMatchesAll: true);
        IReadOnlyList<string[]> found = block.FindAll("```" + text);
        if (found.Count == 0)
            found = block.FindAll(text.Replace("```python", "```", StringComparison.Ordinal));
        return found.Count == 0 ? "" : found[0][0];
    }
}
