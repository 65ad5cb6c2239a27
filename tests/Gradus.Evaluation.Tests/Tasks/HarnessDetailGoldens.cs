using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Evaluation.Statistics;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Testing;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tests.Tasks;

/// <summary>The parts of lm-evaluation-harness one by one: scores, aggregations, groups, filters, encodings, templates.</summary>
public sealed class HarnessDetailGoldens
{
    public static TheoryData<string> Groups => [.. SharedFolder.GoldenCases("evaluation", "groups").Where(n => n != "made")];

    [SharedFact("golden", "evaluation", "scoring", "process_results.json")]
    public void ScoresOfChoices()
    {
        JsonNode golden = EvaluationGolden.Read("scoring", "process_results.json");
        foreach (JsonNode? c in golden["multiple_choice"]!.AsArray().Concat(golden["multiple_targets"]!.AsArray()))
            Choices(c!, c!["target"] ?? c["targets"], c["loglikelihoods"]!, c["greedy"]!.AsArray());
        foreach (JsonNode? c in golden["mutual_information"]!.AsArray())
            Choices(c!, c!["target"], c["loglikelihoods_conditional_then_unconditional"]!, [.. c["choices"]!.AsArray().Select(_ => (JsonNode)false)]);
        foreach (JsonNode? c in golden["loglikelihood"]!.AsArray())
            Same(c!, HarnessScoring.LogLikelihood(EvaluationGolden.Number(c!["loglikelihood"]), (bool)c["greedy"]!, ["perplexity", "acc"]));
        foreach (JsonNode? c in golden["rolling"]!.AsArray())
            Same(c!, HarnessScoring.Rolling(EvaluationGolden.Number(c!["loglikelihood"]), (string)c["text"]!, ["word_perplexity", "byte_perplexity", "bits_per_byte"]));
        foreach (JsonNode? c in golden["softmax"]!.AsArray())
        {
            double[] y = HarnessScoring.Softmax([.. c!["x"]!.AsArray().Select(EvaluationGolden.Number)]);
            for (int i = 0; i < y.Length; i++)
                EvaluationGolden.Near(EvaluationGolden.Number(c["y"]![i]), y[i], 1e-12, "softmax");
        }
    }

    private static void Choices(JsonNode c, JsonNode? target, JsonNode likelihoods, JsonArray greedy)
    {
        string[] metrics = [.. c["metrics"]!.AsObject().Select(m => m.Key)];
        if (metrics is ["error"])
        {
            Assert.Throws<InvalidDataException>(() => HarnessScoring.MultipleChoice([.. c["choices"]!.AsArray().Select(x => (string)x!)], target, [.. likelihoods.AsArray().Select(EvaluationGolden.Number)], [.. greedy.Select(g => (bool)g!)], ["acc"]));
            return;
        }
        Same(c, HarnessScoring.MultipleChoice(
            [.. c["choices"]!.AsArray().Select(x => (string)x!)], target, [.. likelihoods.AsArray().Select(EvaluationGolden.Number)], [.. greedy.Select(g => (bool)g!)], metrics));
    }

    private static void Same(JsonNode expected, Dictionary<string, SampleValue> actual)
    {
        foreach ((string metric, JsonNode? value) in expected["metrics"]!.AsObject())
            HarnessTaskGoldens.Sample(value!, actual[metric], expected.ToJsonString());
    }

    [SharedFact("golden", "evaluation", "scoring", "process_results.json")]
    public void ScoresOfTexts()
    {
        JsonNode golden = EvaluationGolden.Read("scoring", "process_results.json");
        foreach (JsonNode? c in golden["exact_match"]!.AsArray())
        {
            HarnessTask task = Exact(c!["arguments"]!.AsObject(), "x");
            JsonArray pairs = c["pairs"]!.AsArray();
            for (int i = 0; i < pairs.Count; i++)
                EvaluationGolden.Near(EvaluationGolden.Number(c["scores"]![i]), Score(task, pairs[i]![0], (string)pairs[i]![1]!), 0, $"{c["arguments"]!.ToJsonString()} {pairs[i]!.ToJsonString()}");
        }
        foreach (JsonNode? c in golden["exact_match_multiple_targets"]!.AsArray())
            EvaluationGolden.Near((double)c!["metrics"]!["exact_match"]!, Score(Exact(new() { ["ignore_case"] = true, ["ignore_punctuation"] = true }, c["targets"]), c["targets"], (string)c["prediction"]!), 0, c.ToJsonString());
        foreach (JsonNode? c in golden["exact_match_casts"]!.AsArray())
            EvaluationGolden.Near((double)c!["metrics"]!["exact_match"]!, Score(Exact([], c["target"]), c["target"], (string)c["prediction"]!), 0, c.ToJsonString());
        foreach (JsonNode? c in golden["squad"]!.AsArray())
        {
            EvaluationGolden.Near((double)c!["exact_match"]!, Squad.ExactMatchV2.Score((string)c["prediction"]!, (string)c["gold"]!), 0, c.ToJsonString());
            EvaluationGolden.Near((double)c["f1"]!, Squad.F1V2.Score((string)c["prediction"]!, (string)c["gold"]!), 1e-12, c.ToJsonString());
        }
        foreach (JsonNode? c in golden["general_detokenize"]!.AsArray())
            Assert.Equal((string)c!["detokenized"]!, Detokenizer.General((string)c["text"]!));
        foreach (JsonNode? c in EvaluationGolden.Read("scoring", "wikitext_detokenizer.json").AsArray())
            Assert.Equal((string)c!["text"]!, Detokenizer.WikiText((string)c["page"]!));
    }

    private static HarnessTask Exact(JsonObject arguments, JsonNode? target)
    {
        JsonObject metric = (JsonObject)arguments.DeepClone();
        metric["metric"] = "exact_match";
        JsonObject yaml = new() { ["task"] = "t", ["test_split"] = "test", ["doc_to_text"] = "q", ["doc_to_target"] = "a", ["metric_list"] = new JsonArray(metric) };
        return new HarnessTask(new HarnessConfig(yaml), [new JsonObject { ["q"] = "", ["a"] = target?.DeepClone() }], []);
    }

    private static double Score(HarnessTask task, JsonNode? target, string prediction)
    {
        EvalExample example = new(0, new JsonObject { ["q"] = "", ["a"] = target?.DeepClone() }, task.Prepare(EvalOptions.Default)[0].Requests, target);
        return ((NumberSample)task.Score(example, [new TextResponse([prediction])])[0].Values["exact_match"]).Value;
    }

    [SharedFact("golden", "evaluation", "scoring", "aggregation.json")]
    public void Aggregations()
    {
        JsonNode golden = EvaluationGolden.Read("scoring", "aggregation.json");
        foreach (JsonNode? c in golden["cases"]!.AsArray())
        {
            Aggregation aggregation = Aggregation.Get((string)c!["aggregation"]!);
            SampleValue[] items = [.. c["items"]!.AsArray().Select(i => Item(aggregation.Name, i!))];
            string what = $"{aggregation.Name} of {items.Length}";
            EvaluationGolden.Near(EvaluationGolden.Number(c["value"]), aggregation.Value(items), aggregation.Name is "f1" or "matthews_corrcoef" ? 1e-9 : 1e-12, what);
            foreach ((string resamples, JsonNode? error) in c["standard_error"]!.AsObject())
            {
                double? actual = aggregation.StandardError(items, int.Parse(resamples, CultureInfo.InvariantCulture));
                if (error!.ToString() == "N/A")
                    Assert.True(actual is null, $"{what}, {resamples}: {actual}");
                else
                    EvaluationGolden.Near(EvaluationGolden.Number(error), actual!.Value, 1e-9, $"{what}, {resamples}");
            }
        }
    }

    private static SampleValue Item(string aggregation, JsonNode item) => aggregation switch
    {
        "weighted_perplexity" or "bits_per_byte" => new WeightedSample((double)item[0]!, (double)item[1]!),
        "f1" or "matthews_corrcoef" => new ClassSample((int)item[0]!, (int)item[1]!),
        "brier_score" => new ProbabilitySample((int)item[0]!, [.. item[1]!.AsArray().Select(EvaluationGolden.Number)]),
        "bleu" or "chrf" or "ter" => new TextSample((string)item[0]!, (string)item[1]!),
        _ => new NumberSample(EvaluationGolden.Number(item)),
    };

    [SharedFact("golden", "evaluation", "scoring", "python_random.json")]
    public void PythonsRandomNumbers()
    {
        foreach (JsonNode? c in EvaluationGolden.Read("scoring", "python_random.json").AsArray())
        {
            long seed = (long)c!["seed"]!;
            PythonRandom random = new(seed);
            Assert.All(c["random"]!.AsArray(), x => Assert.Equal((double)x!, random.NextDouble()));
            Assert.All(c["getrandbits_32"]!.AsArray(), x => Assert.Equal((uint)x!, random.NextBits(32)));
            random = new(seed);
            foreach (JsonNode? s in c["sample"]!.AsArray())
                Assert.Equal(s!["indices"]!.AsArray().Select(i => (int)i!), random.Sample((int)s["n"]!, (int)s["k"]!));
            random = new(seed);
            foreach (JsonNode? s in c["choices"]!.AsArray())
            {
                int[] drawn = new int[(int)s!["k"]!];
                random.Choices((int)s["n"]!, drawn);
                Assert.Equal(s["indices"]!.AsArray().Select(i => (int)i!), drawn);
            }
        }
    }

    [SharedFact("golden", "evaluation", "filters", "expected.json")]
    public void Filters()
    {
        JsonNode golden = EvaluationGolden.Read("filters", "expected.json");
        JsonArray strings = golden["strings"]!.AsArray();
        foreach (JsonNode? c in golden["single"]!.AsArray())
            Filter(c!, [.. strings.Select(s => new[] { (string)s! })], []);
        foreach (JsonNode? c in golden["grouped"]!.AsArray())
            Filter(c!, [.. c!["groups"]!.AsArray().Select(g => g!.AsArray().Select(s => (string)s!).ToArray())], []);
        foreach (JsonNode? c in golden["multi_choice"]!.AsArray())
            Filter(c!, [.. golden["multi_choice_strings"]!.AsArray().Select(s => new[] { (string)s! })], new() { ["choices"] = c!["choices"]!.DeepClone() });
    }

    private static void Filter(JsonNode c, string[][] responses, JsonObject document)
    {
        TaskFunctions functions = new(null);
        ResponseFilter[] steps = [.. c["filter"]!.AsArray().Select(step =>
        {
            JsonObject arguments = step![1] is JsonObject given ? (JsonObject)given.DeepClone() : [];
            arguments["function"] = (string)step[0]!;
            return ResponseFilter.Create(arguments, functions);
        })];
        for (int i = 0; i < responses.Length; i++)
        {
            JsonNode? value = new JsonArray([.. responses[i].Select(r => (JsonNode)r)]);
            foreach (ResponseFilter step in steps)
                value = step.Apply(value, document);
            EvaluationGolden.Same(c["filtered"]![i], value, $"{c["filter"]!.ToJsonString()} of {responses[i][0]}");
        }
    }

    [SharedFact("golden", "evaluation", "encoding", "expected.json")]
    public void Encodings()
    {
        JsonNode golden = EvaluationGolden.Read("encoding", "expected.json");
        int[][] merges = [.. golden["merges"]!.AsArray().Select(m => m!.AsArray().Select(x => (int)x!).ToArray())];
        JsonArray pairs = golden["pairs"]!.AsArray();
        foreach (JsonNode? c in golden["encode_pair"]!.AsArray())
        {
            TextEncoding encoding = Encoding(c!, merges, 256, (string)c!["backend"]! == "seq2seq");
            for (int i = 0; i < pairs.Count; i++)
                Tokens(c["encoded"]![i]!, encoding.Pair((string)pairs[i]![0]!, (string)pairs[i]![1]!), pairs[i]!.ToJsonString());
        }
        JsonArray continuations = golden["empty_context"]!["continuations"]!.AsArray();
        foreach (JsonNode? c in golden["empty_context"]!["encoded"]!.AsArray())
        {
            for (int i = 0; i < continuations.Count; i++)
                Tokens(c!["encoded"]![i]!, Encoding(c, merges, 256, false).Pair("", (string)continuations[i]!), continuations[i]!.ToJsonString());
        }
        JsonNode first = golden["empty_context_prefix_is_first_token"]!;
        for (int i = 0; i < first["continuations"]!.AsArray().Count; i++)
            Tokens(first["encoded"]![i]!, new TextEncoding((t, _) => Bytes(t), (int)first["prefix"]!, false).Pair("", (string)first["continuations"]![i]!), "prefix");
        foreach (JsonNode? c in EvaluationGolden.Read("encoding", "rolling.json").AsArray())
        {
            (int[] Input, int[] Predicted)[] windows = [.. TextEncoding.Windows([.. Enumerable.Range(100, (int)c!["tokens"]!)], 9, (int)c["max_length"]!, (int)c["context_length"]!)];
            Assert.Equal(c["windows"]!.AsArray().Count, windows.Length);
            for (int i = 0; i < windows.Length; i++)
            {
                Tokens(c["windows"]![i]!, windows[i], c.ToJsonString());
                Tokens(c["disjoint"]![i]!, TextEncoding.Disjoint(windows[i]), c.ToJsonString());
            }
        }
    }

    private static TextEncoding Encoding(JsonNode c, int[][] merges, int prefix, bool apart)
    {
        bool merged = (string)c["tokenizer"]! == "bpe", begins = (bool)c["adds_bos"]!;
        return new TextEncoding((text, special) =>
        {
            List<int> ids = [.. Bytes(text)];
            foreach (int[] merge in merged ? merges : [])
            {
                for (int i = 0; i + 1 < ids.Count; i++)
                {
                    if (ids[i] != merge[0] || ids[i + 1] != merge[1])
                        continue;
                    ids[i] = merge[2];
                    ids.RemoveAt(i + 1);
                }
            }
            return begins && special ? [257, .. ids] : [.. ids];
        }, prefix, apart);
    }

    private static int[] Bytes(string text) => [.. System.Text.Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    private static void Tokens(JsonNode expected, (int[] First, int[] Second) actual, string what)
    {
        Assert.True(expected[0]!.AsArray().Select(x => (int)x!).SequenceEqual(actual.First), $"{what}: {expected.ToJsonString()}, got {string.Join(' ', actual.First)}");
        Assert.True(expected[1]!.AsArray().Select(x => (int)x!).SequenceEqual(actual.Second), $"{what}: {expected.ToJsonString()}, got {string.Join(' ', actual.Second)}");
    }

    [SharedFact("golden", "evaluation", "encoding", "expected.json")]
    public void GenerationArguments()
    {
        JsonNode golden = EvaluationGolden.Read("encoding", "expected.json");
        foreach (JsonNode? c in golden["truncation"]!.AsArray())
        {
            int[] tokens = [.. Enumerable.Range(0, (int)c!["tokens"]!)];
            string side = (string)c["side"]!;
            Func<(int[], int)> fit = () => GenerationSettings.Fit(tokens, (int)c["max_gen_toks"]!, (int)c["max_model_len"]!, (int)c["min_gen_toks"]!, side, (bool)c["shrink_gen_toks"]!);
            if (c["result"] is not JsonArray result)
            {
                Assert.Throws<InvalidDataException>(() => fit());
                continue;
            }
            (int[] kept, int most) = fit();
            Assert.True(result[0]!.AsArray().Select(x => (int)x!).SequenceEqual(kept) && (int)result[1]! == most, $"{c.ToJsonString()}: {string.Join(' ', kept)}, {most}");
        }
        foreach (JsonNode? c in golden["generation_arguments"]!.AsArray())
        {
            GenerationSettings settings = new(c!["arguments"]!.AsObject());
            JsonNode wanted = c["normalized"]!;
            Assert.Equal(wanted["until"]!.AsArray().Select(u => (string)u!), settings.Until);
            Assert.Equal(((int)wanted["max_gen_toks"]!, (bool)wanted["do_sample"]!, (double?)wanted["temperature"]), (settings.MaxTokens, settings.DoSample, settings.Temperature));
        }
        foreach (JsonNode? c in golden["postprocess"]!.AsArray())
        {
            string[] stops = c!["stop"] switch { null => [], JsonArray list => [.. list.Select(s => (string)s!)], JsonNode one => [(string)one!] };
            Assert.Equal((string)c["text"]!, GenerationSettings.Cut((string)c["generation"]!, stops, (string?)c["think_end_token"]));
        }
    }

    [SharedFact("golden", "evaluation", "templates", "expected.json")]
    public void Templates()
    {
        JsonNode golden = EvaluationGolden.Read("templates", "expected.json");
        JsonObject document = golden["doc"]!.AsObject();
        foreach (JsonNode? c in golden["constructs"]!.AsArray())
        {
            string template = (string)c!["template"]!;
            if (c["error"] is not null)
            {
                Assert.Throws<ChatTemplateException>(() => TextTemplate.Parse(template).Render(document));
                continue;
            }
            string text = TextTemplate.Parse(template).Render(document);
            Assert.True((string)c["text"]! == text, $"{template}: expected {c["text"]!.ToJsonString()}, got {JsonValue.Create(text)!.ToJsonString()}");
            if (c["literal"] is { } literal)
                EvaluationGolden.Same(literal, PythonLiteral.Parse(text), template);
        }
        foreach (JsonNode? c in golden["tasks"]!.AsArray())
            Assert.Equal((string)c!["text"]!, TextTemplate.Parse((string)c["template"]!).Render(c["doc"]!.AsObject()));
        foreach (JsonNode? c in golden["isdigit"]!.AsArray())
            Assert.True((bool)c!["isdigit"]! == PythonStrings.IsDigit((string)c["text"]!), c.ToJsonString());
        foreach (JsonNode? c in golden["maybe_delimit"]!.AsArray())
            Assert.Equal((string)c!["maybe_delimit"]!, PromptBuilder.Join((string?)c["prefix"], (string?)c["suffix"], (string)c["delimiter"]!));
        foreach (JsonNode? c in golden["strings"]!.AsArray())
        {
            string text = (string)c!["text"]!;
            Assert.Equal(((string)c["strip"]!, (string)c["lower"]!, (string)c["upper"]!, (string)c["capitalize"]!), (PythonText.Strip(text), PythonText.ToLower(text), PythonStrings.Upper(text), PythonStrings.Capitalize(text)));
            Assert.Equal(c["split"]!.AsArray().Select(s => (string)s!), PythonText.Split(text));
        }
    }

    [SharedFact("golden", "evaluation", "templates", "expected.json")]
    public void PythonLiterals()
    {
        foreach (JsonNode? c in EvaluationGolden.Read("templates", "expected.json")["literal_eval"]!.AsArray())
        {
            string text = (string)c!["text"]!;
            // What has no form in JSON (bytes, sets, complex numbers) is refused; so are characters by name.
            if (c["error"] is not null || c["value"] is JsonObject { Count: 1 } bytes && bytes.ContainsKey("repr") || text.Contains("\\N{", StringComparison.Ordinal))
                Assert.Throws<FormatException>(() => PythonLiteral.Parse(text));
            else if (c["value"]?.ToString() == "Infinity" && (string)c["type"]! == "float")
                Assert.Equal(double.PositiveInfinity, (double)PythonLiteral.Parse(text)!);
            else
                EvaluationGolden.Same(c["value"], PythonLiteral.Parse(text), text);
        }
    }

    [SharedFact("golden", "evaluation", "groups", "made", "expected.json")]
    public void MadeGroups()
    {
        JsonNode golden = EvaluationGolden.Read("groups", "made", "expected.json");
        Dictionary<string, IReadOnlyList<MetricValue>> tasks = Results(golden["task_results"]!.AsObject());
        foreach (JsonNode? c in golden["cases"]!.AsArray())
        {
            string[] members = [.. c!["members"]!.AsArray().Select(m => (string)m!)];
            Group(c["result"]!.AsObject(), new TaskGroup("g", members, GroupMetrics(c["aggregate_metric_list"])), members, tasks);
        }
        JsonNode nested = golden["nested"]!;
        Dictionary<string, TaskGroup> groups = nested["groups"]!.AsObject().ToDictionary(g => g.Key, g => new TaskGroup(g.Key, [.. g.Value!.AsArray().Select(m => (string)m!)], [new GroupMetric("acc")]));
        foreach (TaskGroup group in groups.Values)
            Group(nested[group.Name]!.AsObject(), group, group.Tasks(groups), tasks);
    }

    [SharedTheory("golden", "evaluation", "groups")]
    [MemberData(nameof(Groups))]
    public void GroupsOfTasks(string name)
    {
        JsonNode golden = EvaluationGolden.Read("groups", name, "expected.json");
        Dictionary<string, IReadOnlyList<MetricValue>> tasks = Results(golden["tasks"]!.AsObject());
        Dictionary<string, TaskGroup> groups = golden["groups"]!.AsObject().ToDictionary(
            g => g.Key, g => new TaskGroup(g.Key, [.. g.Value!["children"]!.AsArray().Select(m => (string)m!)], GroupMetrics(g.Value["aggregate_metric_list"])));
        foreach (TaskGroup group in groups.Values)
        {
            Assert.Equal(golden["groups"]![group.Name]!["leaf_tasks"]!.AsArray().Select(t => (string)t!), group.Tasks(groups));
            if (golden["results"]![group.Name] is JsonObject result)
                Group(result, group, group.Tasks(groups), tasks);
        }
    }

    private static GroupMetric[] GroupMetrics(JsonNode? list) => list is JsonArray metrics
        ? [.. metrics.Select(m => new GroupMetric((string)m!["metric"]!, m["filter_list"] switch { null => null, JsonArray f => [.. f.Select(x => (string)x!)], JsonNode one => [(string)one!] }, (bool?)m["weight_by_size"] ?? true))]
        : [];

    private static Dictionary<string, IReadOnlyList<MetricValue>> Results(JsonObject tasks) => tasks.ToDictionary(t => t.Key, t => (IReadOnlyList<MetricValue>)[.. t.Value!.AsObject()
        .Where(m => m.Key.Contains(',') && !m.Key.Contains("_stderr,"))
        .Select(m =>
        {
            string[] parts = m.Key.Split(',');
            JsonNode? error = t.Value[$"{parts[0]}_stderr,{parts[1]}"];
            return new MetricValue(parts[0], parts[1], EvaluationGolden.Number(m.Value), error is null || error.ToString() == "N/A" ? null : EvaluationGolden.Number(error), (int)t.Value["sample_len"]!, true, "");
        })]);

    private static void Group(JsonObject expected, TaskGroup group, IReadOnlyList<string> members, Dictionary<string, IReadOnlyList<MetricValue>> tasks)
    {
        IReadOnlyList<MetricValue> values = group.Values([.. members.Select(m => tasks[m])]);
        Assert.Equal(expected.Count(e => e.Key.Contains(',') && !e.Key.Contains("_stderr,")), values.Count);
        foreach (MetricValue value in values)
        {
            string key = $"{value.Name},{value.Filter}";
            EvaluationGolden.Near(EvaluationGolden.Number(expected[key]), value.Value, 1e-12, $"{group.Name} {key}");
            Assert.Equal((int)expected["sample_count"]![key]!, value.Count);
            JsonNode error = expected[$"{value.Name}_stderr,{value.Filter}"]!;
            if (error.ToString() == "N/A")
                Assert.Null(value.StandardError);
            else
                EvaluationGolden.Near(EvaluationGolden.Number(error), value.StandardError!.Value, 1e-12, $"{group.Name} {key} error");
        }
    }
}
