// Purpose: a task in lm-evaluation-harness' format, with its requests and scores.
// Source: https://github.com/EleutherAI/lm-evaluation-harness (version 0.4.13), lm_eval/api/task.py and docs/task_guide.md.
// Left out, refused by name: images and sound, Promptsource, decontamination, data sets and samples made by Python functions.

using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>A task of a task file over its documents.</summary>
public sealed class HarnessTask : EvalTask
{
    private const string NoFilter = "none";
    private readonly HarnessConfig _config;
    private readonly IReadOnlyList<JsonObject> _documents;
    private readonly IReadOnlyList<JsonObject> _pool;
    private readonly HarnessMetrics _metrics;
    private readonly List<(string Name, ResponseFilter[] Steps)> _filters = [];
    private readonly DocumentField _text;
    private readonly DocumentField? _target;
    private readonly DocumentField? _choices;
    private readonly DocumentField? _description;
    private readonly DocumentField? _prefix;
    private readonly DocumentField _shotText;
    private readonly DocumentField? _shotTarget;
    private readonly DocumentField? _shotChoices;
    private readonly DocumentField? _shotPrefix;
    private readonly ResultsFunction? _results;
    private readonly bool _choicesAreContexts;
    private readonly bool _hasSeveralTargets;

    /// <summary>Makes a task.</summary>
    /// <param name="config">The task file.</param>
    /// <param name="documents">The documents that are asked about, as <see cref="Process"/> leaves them; one at least.</param>
    /// <param name="pool">The documents that solved examples come from, as <see cref="Process"/> leaves them; may be empty without such.</param>
    /// <exception cref="InvalidDataException">The file and the documents do not fit; one line that names task and key.</exception>
    public HarnessTask(HarnessConfig config, IReadOnlyList<JsonObject> documents, IReadOnlyList<JsonObject> pool)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(pool);
        if (documents.Count == 0)
            throw new InvalidDataException($"task {config.Name}: there are no documents; nothing would be measured.");
        _config = config;
        _documents = documents;
        _pool = config.FewShot("fewshot_indices") is JsonArray chosen ? [.. chosen.Select(i => Chosen(pool, JsonNumber.Whole(i, "fewshot_indices")))] : pool;
        HashSet<string> columns = [.. documents.SelectMany(d => d.Select(p => p.Key))];
        _text = Field("doc_to_text") ?? throw config.Wrong("doc_to_text", "is missing.");
        _target = Field("doc_to_target");
        _choices = Field("doc_to_choice");
        _description = Field("description");
        _prefix = Field("gen_prefix");
        _shotText = Shot("doc_to_text")!;
        _shotTarget = Shot("doc_to_target");
        _shotChoices = Shot("doc_to_choice");
        _shotPrefix = Shot("gen_prefix");
        _results = config["process_results"] is { } function ? config.Functions.Result(function) : null;
        _metrics = new HarnessMetrics(config);
        ReadFilters();
        if (config.OutputType == "multiple_choice" && _choices is null)
            throw config.Wrong("doc_to_choice", "is missing: a multiple_choice task needs it.");
        try
        {
            _hasSeveralTargets = Target(documents[0]) is JsonArray;
            _choicesAreContexts = _text.Text(documents[0], _choices is not null) is JsonValue first && first.GetValueKind() == JsonValueKind.Number;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{e.Message} (document 0)", e);
        }

        DocumentField? Field(string key) => DocumentField.Of(config, key, config[key], columns);

        DocumentField? Shot(string key) => DocumentField.Of(config, key, config.FewShot(key), columns);

        JsonObject Chosen(IReadOnlyList<JsonObject> all, int index) => (uint)index < (uint)all.Count
            ? all[index]
            : throw config.Wrong("fewshot_config.fewshot_indices", $"names document {index} of {all.Count}.");
    }

    /// <inheritdoc/>
    public override string Name => _config.Name;

    /// <inheritdoc/>
    public override string Version => _config.Version;

    /// <inheritdoc/>
    public override double? Chance => JsonNumber.Of(_config["metadata"]?["chance"]);

    /// <inheritdoc/>
    public override IReadOnlyList<TaskMetric> Metrics => _metrics.All;

    /// <summary>What <c>process_docs</c> of a task file makes of its documents; the documents themselves where it is absent.</summary>
    /// <exception cref="InvalidDataException">The function is unknown, or a document does not fit it; one line.</exception>
    public static IReadOnlyList<JsonObject> Process(HarnessConfig config, IReadOnlyList<JsonObject> documents)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(documents);
        if (config["process_docs"] is not { } function)
            return documents;
        Func<JsonObject, IEnumerable<JsonObject>> process = config.Functions.Processor(function);
        List<JsonObject> processed = [];
        for (int i = 0; i < documents.Count; i++)
        {
            try
            {
                processed.AddRange(process(documents[i]));
            }
            catch (Exception e) when (e is InvalidDataException or FormatException or InvalidOperationException or NullReferenceException)
            {
                throw new InvalidDataException($"task {config.Name}: process_docs: document {i}: {e.Message}", e);
            }
        }
        return processed;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<EvalExample> Prepare(EvalOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        int shots = _config.Shots == 0 ? 0 : options.Shots ?? _config.Shots ?? 0;
        PythonRandom random = new(options.Seed);
        PromptBuilder builder = new(_config, options);
        int count = options.Limit > 0 ? Math.Min(options.Limit, _documents.Count) : _documents.Count;
        EvalExample[] examples = new EvalExample[count];
        for (int i = 0; i < count; i++)
        {
            try
            {
                examples[i] = Prepare(i, Sample(shots, _documents[i], random), builder, options.ChatTemplate is not null);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"{e.Message} (document {i})", e);
            }
        }
        return examples;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<FilteredScores> Score(EvalExample example, IReadOnlyList<EvalResponse> responses)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(responses);
        return [.. _filters.Select(filter =>
        {
            JsonNode?[] filtered = [.. responses.Select(r => Filter(filter.Steps, r, example.Document))];
            return new FilteredScores(filter.Name, filtered, ScoreFiltered(example, responses, filtered));
        })];
    }

    /// <summary>The answers of an example after every filter, without scores: what is known of tasks whose answers are programs.</summary>
    public IReadOnlyList<(string Filter, IReadOnlyList<JsonNode?> Filtered)> ApplyFilters(EvalExample example, IReadOnlyList<EvalResponse> responses)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(responses);
        return [.. _filters.Select(f => (f.Name, (IReadOnlyList<JsonNode?>)[.. responses.Select(r => Filter(f.Steps, r, example.Document))]))];
    }

    private EvalExample Prepare(int id, IReadOnlyList<JsonObject> shots, PromptBuilder builder, bool chat)
    {
        JsonObject document = _documents[id];
        List<PromptMessage> messages = builder.Begin(_description?.Plain(document) ?? "");
        foreach (JsonObject shot in shots)
            messages.AddRange(Solved(shot, builder));
        string? prefix = _prefix?.Plain(document);
        JsonNode? target = Target(document);
        IReadOnlyList<string>? choices = _choices?.Choices(document);
        if (_choicesAreContexts)
        {
            string[] contexts = [.. choices!.Select(c => builder.Render([.. messages, .. builder.AskedAsContext(c, prefix)], prefix))];
            return new EvalExample(id, document, [.. contexts.Select(c => new LogLikelihoodRequest(c, Delimiter(chat) + Plain(target))), .. Unconditional(choices!, chat)], target);
        }
        string question = _text.Text(document, choices is not null) is JsonValue value && value.TryGetValue(out string? text)
            ? text
            : throw _config.Wrong("doc_to_text", "gives no text.");
        messages.AddRange(builder.Asked(question, prefix));
        string context = builder.Render(messages, prefix);
        return new EvalExample(id, document, Requests(context, target, choices, chat), target, document["cluster"]?.ToString());
    }

    private IReadOnlyList<EvalRequest> Requests(string context, JsonNode? target, IReadOnlyList<string>? choices, bool chat) => _config.OutputType switch
    {
        "loglikelihood" => [new LogLikelihoodRequest(context, Plain(target))],
        "loglikelihood_rolling" => [new RollingRequest(Plain(target))],
        "multiple_choice" => [.. choices!.Select(c => new LogLikelihoodRequest(context, Delimiter(chat) + c)), .. Unconditional(choices!, chat)],
        _ => [new GenerateRequest(context, _config.Generation!, _config.Repeats)],
    };

    private IEnumerable<LogLikelihoodRequest> Unconditional(IReadOnlyList<string> choices, bool chat) =>
        Metrics.Any(m => m.Name == "acc_mutual_info") ? choices.Select(c => new LogLikelihoodRequest("", Delimiter(chat) + c)) : [];

    // With a chat template an answer begins the message, unless a prefix without white space at its end stands before it.
    private string Delimiter(bool chat) =>
        !chat || (_config.Text("gen_prefix") is { Length: > 0 } prefix && !PythonText.IsSpace(prefix[^1])) ? _config.TargetDelimiter : "";

    private IEnumerable<PromptMessage> Solved(JsonObject shot, PromptBuilder builder)
    {
        IReadOnlyList<string>? choices = _shotChoices?.Choices(shot);
        JsonNode question = _shotText.Text(shot, _choices is not null);
        JsonNode? answer = _shotTarget?.Target(shot, _choices is not null);
        string? prefix = _shotPrefix?.Plain(shot);
        if (_choicesAreContexts)
            return builder.Solved(choices![JsonNumber.Whole(question, "doc_to_text")], null, answer, prefix);
        return question is JsonValue value && value.TryGetValue(out string? text)
            ? builder.Solved(text, choices, answer, prefix)
            : throw _config.Wrong("doc_to_text", "gives no text for a solved example.");
    }

    private List<JsonObject> Sample(int shots, JsonObject document, PythonRandom random)
    {
        if (shots == 0)
            return [];
        bool drops = _config.DropsOwnDocument;
        if (_config.Sampler == "first_n")
        {
            List<JsonObject> first = [.. _pool.Where(d => !drops || !JsonNode.DeepEquals(d, document)).Take(shots)];
            return first.Count == shots ? first : throw TooFew(first.Count);
        }
        int drawn = drops ? shots + 1 : shots;
        if (drawn > _pool.Count)
            throw TooFew(_pool.Count);
        List<JsonObject> others = [.. random.Sample(_pool.Count, drawn).Select(i => _pool[i]).Where(d => !drops || !JsonNode.DeepEquals(d, document)).Take(shots)];
        return others.Count == shots ? others : throw TooFew(others.Count);

        InvalidDataException TooFew(int there) => new($"task {Name}: {shots} solved examples are wanted, but there are {there}; ask for fewer shots.");
    }

    private JsonNode? Target(JsonObject document) => _target?.Target(document, _choices is not null);

    private static string Plain(JsonNode? target) => target is JsonValue value && value.TryGetValue(out string? text) ? text : PythonStrings.Str(target);

    private static JsonNode? Filter(ResponseFilter[] steps, EvalResponse response, JsonObject document)
    {
        if (response is LikelihoodResponse likelihood)
            return new JsonArray(likelihood.LogLikelihood, likelihood.IsGreedy);
        JsonNode? value = new JsonArray([.. ((TextResponse)response).Texts.Select(t => (JsonNode)t)]);
        foreach (ResponseFilter step in steps)
            value = step.Apply(value, document);
        return value;
    }

    private Dictionary<string, SampleValue> ScoreFiltered(EvalExample example, IReadOnlyList<EvalResponse> responses, JsonNode?[] filtered)
    {
        IEnumerable<string> names = Metrics.Select(m => m.Name);
        LikelihoodResponse[] likelihoods = [.. responses.OfType<LikelihoodResponse>()];
        try
        {
            if (_results is not null)
                return _results(example.Document, _config.OutputType == "loglikelihood_rolling" ? [likelihoods[0].LogLikelihood] : filtered);
            return _config.OutputType switch
            {
                "loglikelihood" => HarnessScoring.LogLikelihood(likelihoods[0].LogLikelihood, likelihoods[0].IsGreedy, names),
                "loglikelihood_rolling" => HarnessScoring.Rolling(likelihoods[0].LogLikelihood, Plain(example.Target), names),
                "multiple_choice" => HarnessScoring.MultipleChoice(
                    _choices!.Choices(example.Document), _choicesAreContexts ? _text.Text(example.Document, true) : example.Target, [.. likelihoods.Select(l => l.LogLikelihood)], [.. likelihoods.Select(l => l.IsGreedy)], names),
                _ => ScoreText(example, filtered[0]),
            };
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"task {Name}: {e.Message} (document {example.Id})", e);
        }
    }

    private Dictionary<string, SampleValue> ScoreText(EvalExample example, JsonNode? result)
    {
        if (_config.RunsCode)
            throw new InvalidDataException("answers are programs, which are run in a sandbox only; there is none here, so they are not scored.");
        if (result is not JsonValue)
            throw new InvalidDataException("the filters leave a list of answers; end them with take_first.");
        string[] references = _choices?.Choices(example.Document) is { } choices
            ? [Choice(choices, example.Target)]
            : _hasSeveralTargets && example.Target is JsonArray several ? [.. several.Select(Plain)] : [Plain(example.Target)];
        return references.Length > 0
            ? _metrics.Score(Plain(result), references, _hasSeveralTargets)
            : throw new InvalidDataException("doc_to_target gives an empty list.");
    }

    private static string Choice(IReadOnlyList<string> choices, JsonNode? target)
    {
        int index = JsonNumber.Whole(target, "doc_to_target");
        index = index < 0 ? index + choices.Count : index;
        return (uint)index < (uint)choices.Count ? choices[index] : throw new InvalidDataException($"doc_to_target is {index}, but there are {choices.Count} choices.");
    }

    private void ReadFilters()
    {
        if (_config["filter_list"] is not { } given)
        {
            _filters.Add((NoFilter, [ResponseFilter.Create(new JsonObject { ["function"] = "take_first" }, _config.Functions)]));
            return;
        }
        foreach (JsonNode? entry in given is JsonArray { Count: > 0 } list ? list : throw _config.Wrong("filter_list", "is empty or no list."))
        {
            if (entry is not JsonObject pipeline || pipeline["name"]?.ToString() is not { Length: > 0 } name || pipeline["filter"] is not JsonArray steps)
                throw _config.Wrong("filter_list", "has an entry without a name or a list called filter.");
            try
            {
                _filters.Add((name, [.. steps.Select(s => ResponseFilter.Create(s as JsonObject ?? [], _config.Functions))]));
            }
            catch (Exception e) when (e is InvalidDataException or FormatException)
            {
                throw new InvalidDataException($"task {Name}: filter {name}: {e.Message}", e);
            }
        }
        if (_config.OutputType != "generate_until")
            throw _config.Wrong("filter_list", "has no meaning for likelihoods; leave it out.");
    }
}
