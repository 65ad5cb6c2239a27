using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>The entries of <c>metric_list</c>, or what stands for an absent one.</summary>
internal sealed class HarnessMetrics
{
    private static readonly string[] Reserved = ["metric", "aggregation", "higher_is_better", "hf_evaluate"];
    private static readonly string[] LowerIsBetter = ["perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "ter"];

    private readonly Dictionary<string, Metric> _ofTexts = new(StringComparer.Ordinal);

    public HarnessMetrics(HarnessConfig config)
    {
        bool ownRules = config["process_results"] is not null;
        JsonNode? list = config["metric_list"] ?? new JsonArray([.. Usual(config.OutputType).Select(m => (JsonNode)new JsonObject { ["metric"] = m })]);
        List<TaskMetric> metrics = [];
        foreach (JsonNode? entry in list is JsonArray { Count: > 0 } given ? given : throw config.Wrong("metric_list", "is empty or no list."))
        {
            if (entry is not JsonObject options || options["metric"] is not { } named)
                throw config.Wrong("metric_list", "has an entry without a metric.");
            bool isCode = TaskFunctions.IsFunction(named);
            if (isCode && !config.RunsCode)
                throw config.Wrong("metric_list", $"names the Python function {named[0]}, which is not known here.");
            string name = isCode ? TaskFunctions.ShortName(named) : named.ToString();
            JsonObject arguments = new([.. options.Where(o => !Reserved.Contains(o.Key)).Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))]);
            if (config.OutputType == "generate_until" && !ownRules && !isCode)
                _ofTexts[name] = OfTexts(config, name, arguments);
            else if (arguments.Count > 0 && !isCode)
                throw config.Wrong("metric_list", $": {name} has no setting {arguments.First().Key}.");
            metrics.Add(new TaskMetric(name, AggregationOf(options, name), options["higher_is_better"] is { } higher ? higher.GetValueKind() == JsonValueKind.True : !LowerIsBetter.Contains(name),
                string.Join('|', arguments.Select(a => $"{a.Key}:{a.Value?.ToJsonString()}"))));
        }
        All = metrics;
    }

    /// <summary>The metrics in order.</summary>
    public IReadOnlyList<TaskMetric> All { get; }

    /// <summary>What the metrics of texts keep of an answer.</summary>
    /// <param name="prediction">The answer.</param>
    /// <param name="references">The accepted answers; one match is enough where there are several.</param>
    /// <param name="several">Whether the task has several accepted answers.</param>
    public Dictionary<string, SampleValue> Score(string prediction, IReadOnlyList<string> references, bool several)
    {
        Dictionary<string, SampleValue> values = [];
        foreach ((string name, Metric metric) in _ofTexts)
        {
            values[name] = IsCorpus(name)
                ? new TextSample(several ? throw new InvalidDataException($"metric_list: {name} needs one reference, but the task has several right answers.") : references[0], prediction)
                : new NumberSample(several ? (references.Any(r => metric.Score(prediction, r) > 0) ? 1 : 0) : metric.Score(prediction, references[0]));
        }
        return values;
    }

    private static bool IsCorpus(string name) => name is "bleu" or "chrf" or "ter";

    private static string[] Usual(string outputType) => outputType switch
    {
        "loglikelihood" => ["perplexity", "acc"],
        "loglikelihood_rolling" => ["word_perplexity", "byte_perplexity", "bits_per_byte"],
        "multiple_choice" => ["acc", "acc_norm"],
        _ => ["exact_match"],
    };

    private static Aggregation AggregationOf(JsonObject options, string name) => options["aggregation"] is { } given
        ? Aggregation.Get(given.ToString())
        : Aggregation.Get(name switch
        {
            "perplexity" or "bits_per_byte" or "brier_score" or "f1" or "bleu" or "chrf" or "ter" or "bypass" => name,
            "word_perplexity" or "byte_perplexity" => "weighted_perplexity",
            "mcc" => "matthews_corrcoef",
            _ => "mean",
        });

    private static Metric OfTexts(HarnessConfig config, string name, JsonObject arguments)
    {
        if (name != "exact_match")
        {
            if (arguments.Count > 0)
                throw config.Wrong("metric_list", $": {name} has no setting {arguments.First().Key}.");
            return MetricRegistry.All.FirstOrDefault(m => m.Name == name)
                ?? throw config.Wrong("metric_list", $"names {name}, which is unknown; of texts there are {string.Join(", ", MetricRegistry.All.Select(m => m.Name))}.");
        }
        if (arguments.FirstOrDefault(a => a.Key is not ("ignore_case" or "ignore_punctuation" or "ignore_numbers" or "regexes_to_ignore")) is { Key: { } unknown })
            throw config.Wrong("metric_list", $": exact_match has no setting {unknown}; it has ignore_case, ignore_punctuation, ignore_numbers, regexes_to_ignore.");
        return new ExactMatch(Flag("ignore_case"), Flag("ignore_punctuation"), Flag("ignore_numbers"),
            arguments["regexes_to_ignore"] is JsonArray patterns ? [.. patterns.Select(p => new PythonRegex(p!.ToString()))] : null);

        bool Flag(string key) => arguments[key]?.GetValueKind() == JsonValueKind.True;
    }
}
