// The shapes of the files that a run folder holds, as far as the report reads them. Every member may be absent: a report is
// made of runs that are still going, were killed, or come from another version. Unknown keys are left alone.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Cli.Reports;

/// <summary>One line of <c>log.jsonl</c>; <see cref="Kind"/> "step" has the training values, "evaluation" the validation ones; both may have the metrics of the objective; "alarm" has a text.</summary>
internal sealed record LogLine(
    string? Kind = null,
    long? Step = null,
    double? Loss = null,
    double? LearningRate = null,
    double? GradientNorm = null,
    double? Tokens = null,
    double? TokensPerSecond = null,
    double? Seconds = null,
    double? Perplexity = null,
    double? BitsPerByte = null,
    Dictionary<string, double?>? Metrics = null,
    string? Text = null);

/// <summary>One file of <c>samples/</c>: what the model wrote at one step.</summary>
internal sealed record SampleFile(long? Step = null, string? Title = null, Sample?[]? Samples = null);

/// <summary>A prompt and the text that the model put after it.</summary>
internal sealed record Sample(string? Prompt = null, string? Completion = null);

/// <summary>One file of <c>eval/</c>: one model on one task.</summary>
internal sealed record EvaluationFile(
    string? Name = null,
    string? Task = null,
    string? Model = null,
    int? Order = null,
    MetricValue?[]? Metrics = null,
    EvaluatedExample?[]? Samples = null);

/// <summary>A metric's mean over the examples and the standard error of that mean, in the metric's own unit.</summary>
/// <remarks><see cref="HigherIsBetter"/> is null where neither direction is better, and in files of other programs.</remarks>
internal sealed record MetricValue(string? Name = null, double? Value = null, double? StandardError = null, bool? HigherIsBetter = null)
{
    /// <summary>1 where more is better, −1 where less is, 0 where that is not known.</summary>
    [JsonIgnore]
    public int Direction => HigherIsBetter switch { true => 1, false => -1, null => 0 };
}

/// <summary>One answer of the model beside the reference, with its scores by metric name.</summary>
internal sealed record EvaluatedExample(
    JsonElement? Id = null,
    string? Prompt = null,
    string? Prediction = null,
    JsonElement? Reference = null,
    Dictionary<string, JsonElement>? Scores = null)
{
    /// <summary>The scores that are numbers.</summary>
    [JsonIgnore]
    public IEnumerable<(string Metric, double Score)> Numbers =>
        (Scores ?? []).Where(s => s.Value.ValueKind == JsonValueKind.Number).Select(s => (s.Key, s.Value.GetDouble()));

    /// <summary>What tells the example from others of its task.</summary>
    [JsonIgnore]
    public string Key => $"{Id}\n{Prompt}";
}

/// <summary><c>tokenizer-report.json</c>; <see cref="Unused"/> is a count or the list of the unused tokens.</summary>
internal sealed record TokenizerReport(
    long? VocabularySize = null,
    double? BytesPerToken = null,
    string?[]? LongestTokens = null,
    JsonElement? Unused = null);

/// <summary><c>pipeline.json</c>: the stages in order, and the commands to try next.</summary>
internal sealed record PipelineFile(string? Title = null, PipelineStage?[]? Stages = null, string?[]? Next = null, Talk? Talk = null)
{
    /// <summary>The file's name.</summary>
    public const string Name = "pipeline.json";
}

/// <summary>How to talk to the finished model, and what it answered when it was finished.</summary>
internal sealed record Talk(string? Command = null, Exchange?[]? Answers = null);

/// <summary>What a user said and what the model answered.</summary>
internal sealed record Exchange(string? Prompt = null, string? Answer = null);

/// <summary>One stage: a folder below the pipeline's, what it is for, how to run it alone, and what is worth knowing of it.</summary>
internal sealed record PipelineStage(
    string? Folder = null,
    string? Title = null,
    string? What = null,
    string? Command = null,
    double? Seconds = null,
    JsonElement? Facts = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(LogLine))]
[JsonSerializable(typeof(SampleFile))]
[JsonSerializable(typeof(EvaluationFile))]
[JsonSerializable(typeof(TokenizerReport))]
[JsonSerializable(typeof(PipelineFile))]
[JsonSerializable(typeof(JsonDocument))]
internal sealed partial class RunFilesJson : JsonSerializerContext;
