using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Tasks;
using Gradus.Evaluation.Tasks.Harness;
using Gradus.Testing;

namespace Gradus.Evaluation.Tests.Tasks;

/// <summary>The tasks that come with the program, over their data.</summary>
public sealed class TaskLibraryTests : IDisposable
{
    private static readonly Lazy<TaskLibrary> Shared = new(() => new TaskLibrary(Read));
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-tasks").FullName;

    public static TheoryData<string> Names => [.. Shared.Value.Entries.Where(e => e.Kind != "group").Select(e => e.Name)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void OpensOnItsDataAndGuessingScoresAtChance(string name)
    {
        if (SharedFolder.Find("data") is null)
            return;
        HarnessTask task = Shared.Value.Open(name, shots: 2);
        EvalOptions options = new() { Limit = 150, Shots = task.Name.StartsWith("bbh", StringComparison.Ordinal) ? null : 2 };
        IReadOnlyList<EvalExample> examples = task.Prepare(options);
        Assert.All(examples, e => Assert.NotEmpty(e.Requests));
        if (examples[0].Requests[0] is not LogLikelihoodRequest)
            return;
        TaskResult result = EvalRunner.Run(task, new Guesser(), options);
        MetricValue accuracy = result.Metrics[0];
        if (task.Chance is not { } chance || chance == 0)
            return;
        double expected = accuracy.Name == "acc" ? examples.Average(e => 1.0 / e.Requests.Count) : chance;
        Assert.True(Math.Abs(accuracy.Value - expected) <= 4.5 * Math.Sqrt(expected * (1 - expected) / examples.Count), $"{name}: {accuracy.Value} ± {accuracy.StandardError}, guessing is {expected}");
    }

    [Fact]
    public void EveryEntrySaysWhatItIs()
    {
        Assert.All(Shared.Value.Entries, e => Assert.False(string.IsNullOrWhiteSpace(e.Description), e.Name));
        Assert.Equal(57, Shared.Value.Resolve(["mmlu"]).Count);
        Assert.Equal(["mmlu_stem", "mmlu_other", "mmlu_social_sciences", "mmlu_humanities", "mmlu"], Shared.Value.Groups(["mmlu"]).Select(g => g.Name));
        Assert.Equal(6, Shared.Value.Resolve(["xquad"]).Count);
        Assert.Equal(2, Shared.Value.Resolve(["arc_easy", "arc_*"]).Count);
        Assert.Contains("arc_easy", Assert.Throws<InvalidDataException>(() => Shared.Value.Resolve(["arc_eas"])).Message);
    }

    [Fact]
    public void TaskFilesIncludeOverrideAndAreCheckedByName()
    {
        Write("data.jsonl", """{"q": "2+2", "a": "4"}""" + "\n" + """{"q": "3+3", "a": "6"}""");
        Write("base.yaml", """
            dataset_path: json
            dataset_kwargs: {data_files: {test: DATA}}
            test_split: test
            output_type: generate_until
            doc_to_text: "{{q}} ="
            doc_to_target: &target "{{a}}"
            generation_kwargs:
              until:
                - "\n"
              do_sample: no
              max_gen_toks: 0x10
            metric_list:
              - metric: exact_match
                ignore_case: Yes
            """.Replace("DATA", Path.Combine(_folder, "data.jsonl"), StringComparison.Ordinal));
        Write("sums.yaml", "include: base.yaml\ntask: sums\ndescription: >-\n  Add the\n  numbers.\n");
        TaskLibrary library = new(Read);
        Assert.Equal(["sums"], library.AddFiles(_folder));
        HarnessTask task = library.Open("sums");
        GenerateRequest request = (GenerateRequest)task.Prepare(EvalOptions.Default)[1].Requests[0];
        Assert.Equal(("Add the numbers.3+3 =", 16, false), (request.Context, request.Settings.MaxTokens, request.Settings.DoSample));
        PredictionsFile file = new("f", [new JsonObject { ["id"] = 0, ["text"] = "4" }, new JsonObject { ["prompt"] = "Add the numbers.3+3 =", ["text"] = "7\nmore" }]);
        TaskResult result = EvalRunner.Run(task, file.For("sums", task.Prepare(EvalOptions.Default)), EvalOptions.Default);
        Assert.Equal((0.5, 0.5), (result["exact_match"].Value, result["exact_match"].StandardError));
        Assert.Equal("ignore_case:true", result["exact_match"].Settings);
    }

    [Theory]
    [InlineData("no_such_key: 1", "no_such_key")]
    [InlineData("output_type: maybe", "output_type")]
    [InlineData("doc_to_text: \"{{missing}}\"", "document 0")]
    [InlineData("doc_to_text: \"{{q\"", "doc_to_text")]
    [InlineData("doc_to_target: !function utils.unknown", "utils.unknown")]
    [InlineData("metric_list: [{metric: rouge9}]", "rouge9")]
    [InlineData("metric_list: [{metric: exact_match, ignore_cas: true}]", "ignore_cas")]
    [InlineData("metric_list: []", "metric_list")]
    [InlineData("metric_list: [{metric: exact_match, aggregation: middle}]", "middle")]
    [InlineData("filter_list: [{name: a, filter: [{function: regexx}]}]", "regexx")]
    [InlineData("filter_list: [{name: a, filter: [{function: regex, regex_pattern: \"(\"}]}]", "regular expression")]
    [InlineData("filter_list: [{name: a, filter: [{function: regex, group: 1}]}]", "group")]
    [InlineData("filter_list: [{name: a, filter: [{function: lowercase}]}]", "take_first")]
    [InlineData("generation_kwargs: {max_gen_toks: -1}", "max_gen_toks")]
    [InlineData("generation_kwargs: {stop: x}", "stop")]
    [InlineData("test_split: other", "other")]
    [InlineData("where: {q: nothing}", "no documents")]
    [InlineData("where: {field: nothing}", "field")]
    [InlineData("fewshot_config: {sampler: balanced}", "sampler")]
    [InlineData("repeats: 0", "repeats")]
    [InlineData("use_prompt: x", "use_prompt")]
    [InlineData("task: [a]", "task")]
    [InlineData("description: *nowhere", "nowhere")]
    [InlineData("a: b: c", "line")]
    public void WhatIsWrongInATaskFileIsNamed(string line, string named)
    {
        string data = Path.Combine(_folder, "data.jsonl");
        Write("data.jsonl", """{"q": "2+2", "a": "4"}""");
        string key = line[..line.IndexOf(':', StringComparison.Ordinal)];
        string[] lines = [.. new[] { "task: t", "dataset_path: json", $"dataset_kwargs: {{data_files: {{test: {data}}}}}", "test_split: test", "doc_to_text: \"{{q}}\"", "doc_to_target: \"{{a}}\"" }.Where(l => !l.StartsWith(key + ":", StringComparison.Ordinal))];
        Write("t.yaml", string.Join('\n', [.. lines, line]));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() =>
        {
            TaskLibrary library = new(Read);
            HarnessTask task = library.Open(library.AddFiles(Path.Combine(_folder, "t.yaml"))[0]);
            PredictionsFile file = new("f", [new JsonObject { ["id"] = 0, ["text"] = "4" }]);
            EvalRunner.Run(task, file.For("t", task.Prepare(EvalOptions.Default)), EvalOptions.Default);
        });
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);

    // Enough of the readers of the training room for this data.
    private static IEnumerable<JsonObject> Read(string path)
    {
        string file = path.StartsWith("$data/", StringComparison.Ordinal) ? Path.Combine(SharedFolder.Find("data")!, path["$data/".Length..]) : path;
        file = File.Exists(file) ? file : $"{file}.gz";
        using Stream stream = file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(File.OpenRead(file), CompressionMode.Decompress) : File.OpenRead(file);
        using StreamReader reader = new(stream);
        string text = reader.ReadToEnd();
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (file.EndsWith(".txt", StringComparison.Ordinal))
            return [new JsonObject { ["text"] = text }];
        if (!file.EndsWith(".tsv", StringComparison.Ordinal))
            return [.. lines.Select(l => (JsonObject)JsonNode.Parse(l)!)];
        string[] header = lines[0].Split('\t');
        return [.. lines.Skip(1).Select(l => new JsonObject([.. header.Zip(l.Split('\t'), (h, v) => KeyValuePair.Create(h, (JsonNode?)v))]))];
    }

    /// <summary>Knows nothing: its likelihoods are drawn from the request.</summary>
    private sealed class Guesser : IEvalModel
    {
        public string Name => "guess";

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
            for (int i = 0; i < requests.Count; i++)
            {
                LogLikelihoodRequest request = (LogLikelihoodRequest)requests[i];
                byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"guess{request.Context}\n{request.Continuation}"));
                answered(i, new LikelihoodResponse(-BitConverter.ToUInt32(hash) / (double)uint.MaxValue, false));
            }
        }
    }
}
