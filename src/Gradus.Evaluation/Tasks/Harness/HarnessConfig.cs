using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>A task file of lm-evaluation-harness, checked: every key is understood or refused by name.</summary>
public sealed class HarnessConfig
{
    private static readonly string[] Understood =
    [
        "task", "task_alias", "tag", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split", "fewshot_split",
        "process_docs", "doc_to_text", "doc_to_target", "unsafe_code", "doc_to_choice", "process_results", "description", "target_delimiter",
        "fewshot_delimiter", "fewshot_config", "num_fewshot", "metric_list", "output_type", "generation_kwargs", "repeats", "filter_list",
        "should_decontaminate", "doc_to_decontamination_query", "gen_prefix", "metadata", "where",
    ];

    private static readonly string[] OfFewShots =
    [
        "sampler", "split", "process_docs", "fewshot_indices", "samples", "doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix",
        "fewshot_delimiter", "target_delimiter",
    ];

    private readonly JsonObject _root;
    private readonly JsonObject _fewShots;

    /// <summary>Checks the keys of a task file.</summary>
    /// <param name="config">The file with its includes merged; a Python function is <c>{"function": name}</c>.</param>
    /// <exception cref="InvalidDataException">A key or a value is not understood; one line that names it.</exception>
    public HarnessConfig(JsonObject config)
    {
        ArgumentNullException.ThrowIfNull(config);
        _root = config;
        Name = Text("task") is { Length: > 0 } name ? name : throw new InvalidDataException("a task file has no task: give it a name.");
        Refuse(config, Understood, "");
        OutputType = Text("output_type") ?? "generate_until";
        if (OutputType is not ("generate_until" or "multiple_choice" or "loglikelihood" or "loglikelihood_rolling"))
            throw Wrong("output_type", $"is {OutputType}; it is generate_until, multiple_choice, loglikelihood or loglikelihood_rolling.");
        _fewShots = config["fewshot_config"] switch
        {
            null => [],
            JsonObject shots => shots,
            _ => throw Wrong("fewshot_config", "is not a map."),
        };
        Refuse(_fewShots, OfFewShots, "fewshot_config.");
        Sampler = _fewShots["sampler"]?.ToString() ?? "default";
        if (Sampler is not ("default" or "first_n"))
            throw Wrong("fewshot_config.sampler", $"is {Sampler}; it is default or first_n.");
        TargetDelimiter = Text("target_delimiter") ?? " ";
        FewShotDelimiter = Text("fewshot_delimiter") ?? "\n\n";
        Repeats = (int)Number("repeats", 1, 1, 100_000);
        Shots = config["num_fewshot"] is null ? null : (int)Number("num_fewshot", 0, 0, 10_000);
        Generation = OutputType == "generate_until" ? ReadGeneration() : null;
        Functions = new TaskFunctions(Text("dataset_path"));
    }

    /// <summary>The task's name.</summary>
    public string Name { get; }

    /// <summary>generate_until, multiple_choice, loglikelihood or loglikelihood_rolling.</summary>
    public string OutputType { get; }

    /// <summary>How solved examples are chosen: default (drawn) or first_n.</summary>
    public string Sampler { get; }

    /// <summary>What stands between question and answer.</summary>
    public string TargetDelimiter { get; }

    /// <summary>What stands between solved examples.</summary>
    public string FewShotDelimiter { get; }

    /// <summary>Answers to each question.</summary>
    public int Repeats { get; }

    /// <summary>Solved examples, or null where the file does not say.</summary>
    public int? Shots { get; }

    /// <summary>How answers are written, of generate_until tasks.</summary>
    public GenerationSettings? Generation { get; }

    /// <summary>Whether answers are programs that would have to be run.</summary>
    public bool RunsCode => Flag("unsafe_code");

    /// <summary>The version of the task.</summary>
    public string Version => _root["metadata"]?["version"] is { } version ? PythonNumber(version) : "Yaml";

    internal TaskFunctions Functions { get; }

    /// <summary>A key of the file, or null.</summary>
    internal JsonNode? this[string key] => _root[key];

    /// <summary>A key of <c>fewshot_config</c>; where it is absent, the task's own key of the same meaning.</summary>
    internal JsonNode? FewShot(string key) => _fewShots[key] ?? (key == "split" ? _root["fewshot_split"] : key is "sampler" or "samples" or "fewshot_indices" ? null : _root[key]);

    /// <summary>The split of the documents that are asked about.</summary>
    public string? EvaluationSplit => Text("test_split") ?? Text("validation_split");

    /// <summary>The split that solved examples come from, or null for <c>fewshot_config.samples</c>.</summary>
    public string? FewShotSplit => FewShot("split")?.ToString() ?? (_fewShots["samples"] is not null ? null : Text("training_split") ?? EvaluationSplit);

    /// <summary>Whether a document that is asked about may be among the solved examples and is taken out: as the reference has it, two absent splits are equal.</summary>
    internal bool DropsOwnDocument => FewShot("split")?.ToString() == Text("test_split");

    /// <summary>The text of a key, or null where it is absent.</summary>
    /// <exception cref="InvalidDataException">It is no text.</exception>
    internal string? Text(string key) => _root[key] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw Wrong(key, "is not a text."),
    };

    internal InvalidDataException Wrong(string key, string what) => new($"task {Name}: {key} {what}");

    private bool Flag(string key) => _root[key]?.GetValueKind() switch
    {
        null or JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.True => true,
        _ => throw Wrong(key, "is neither true nor false."),
    };

    private double Number(string key, double missing, double least, double most)
    {
        if (_root[key] is not { } node)
            return missing;
        return node is JsonValue value && double.TryParse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most && number == Math.Floor(number)
            ? number
            : throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"is {node.ToJsonString()}; give a whole number from {least} to {most}."));
    }

    private GenerationSettings ReadGeneration()
    {
        JsonObject arguments = _root["generation_kwargs"] switch
        {
            null => new JsonObject { ["temperature"] = 0.0, ["do_sample"] = false, ["max_gen_toks"] = GenerationSettings.DefaultMaxTokens, ["until"] = new JsonArray(FewShotDelimiter) },
            JsonObject given => (JsonObject)given.DeepClone(),
            _ => throw Wrong("generation_kwargs", "is not a map."),
        };
        if (!arguments.ContainsKey("until"))
            arguments["until"] = new JsonArray(FewShotDelimiter);
        try
        {
            return new GenerationSettings(arguments);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"task {Name}: {e.Message}", e);
        }
    }

    private void Refuse(JsonObject keys, string[] understood, string prefix)
    {
        foreach ((string key, JsonNode? value) in keys)
        {
            if (value is not null && !understood.Contains(key) && value.GetValueKind() != JsonValueKind.False)
                throw new InvalidDataException($"task {Name}: the key {prefix}{key} is not understood here; known are {string.Join(", ", understood)}.");
        }
    }

    private static string PythonNumber(JsonNode node) => Gradus.Text.PythonStrings.Str(node);
}
