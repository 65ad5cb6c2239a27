// Gathers what a run folder holds. Nothing here fails because a file is missing or broken: what is absent and what cannot be
// read are part of the result, so that the page can say so.
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Reports;

/// <summary>The content of one run folder.</summary>
/// <param name="Name">The folder's own name.</param>
/// <param name="Run">The object in <c>run.json</c>.</param>
/// <param name="Log"><c>log.jsonl</c>.</param>
/// <param name="Samples">The readable files of <c>samples/</c>, by step, then by file name.</param>
/// <param name="Evaluations">The readable files of <c>eval/</c>: "before" first, "after" last, between them by file name.</param>
/// <param name="Tokenizer"><c>tokenizer-report.json</c>.</param>
/// <param name="Checkpoint">The latest complete checkpoint, relative to the folder, with forward slashes.</param>
/// <param name="Present">The parts of a run folder that are on the disk, readable or not.</param>
/// <param name="Problems">One sentence for each thing that could not be read.</param>
internal sealed record RunContents(
    string Name,
    JsonElement? Run,
    LogContents? Log,
    IReadOnlyList<SampleFile> Samples,
    IReadOnlyList<EvaluationFile> Evaluations,
    TokenizerReport? Tokenizer,
    string? Checkpoint,
    IReadOnlySet<string> Present,
    IReadOnlyList<string> Problems)
{
    private static readonly (string Part, string Shown)[] Parts =
    [
        ("run.json", "run.json (the resolved configuration)"),
        ("log.jsonl", "log.jsonl (the curves)"),
        ("checkpoints", "checkpoints/"),
        ("samples", "samples/"),
        ("eval", "eval/"),
    ];

    /// <summary>Reads the folder; one that does not exist gives an empty result.</summary>
    public static RunContents Read(string path)
    {
        List<string> problems = [];
        LogContents? log = ReadLog(path, problems);
        SampleFile[] samples = [.. ReadAll(path, "samples", RunFilesJson.Default.SampleFile, problems).OrderBy(file => file.Step ?? 0)];
        EvaluationFile[] evaluations = [.. ReadAll(path, "eval", RunFilesJson.Default.EvaluationFile, problems).OrderBy(Place)];
        TokenizerReport? tokenizer = TolerantJson.Read(
            Path.Combine(path, "tokenizer-report.json"), "tokenizer-report.json", RunFilesJson.Default.TokenizerReport, problems);
        return new RunContents(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))),
            ReadRun(path, problems), log, samples, evaluations, tokenizer, LatestCheckpoint(path, problems),
            Parts.Select(part => part.Part).Append("tokenizer-report.json").Where(part => Path.Exists(Path.Combine(path, part))).ToHashSet(),
            problems);
    }

    /// <summary>What one expects of this folder and does not find.</summary>
    /// <param name="stage">The folder is one stage of several; samples and evaluations may then be in another one.</param>
    public IReadOnlyList<string> Absent(bool stage)
    {
        bool trains = Present.Contains("log.jsonl") || Present.Contains("checkpoints");
        if (Tokenizer is not null || (stage && !trains))
            return [];
        return [.. Parts.Take(stage ? 3 : Parts.Length).Where(part => !Present.Contains(part.Part)).Select(part => part.Shown)];
    }

    /// <summary>The text of a top-level string or number of <c>run.json</c>, or null.</summary>
    public string? RunText(string key) =>
        Run is { } run && run.TryGetProperty(key, out JsonElement value) && value.ValueKind is JsonValueKind.String or JsonValueKind.Number
            ? TolerantJson.Show(value) : null;

    /// <summary>The names of the folders below <paramref name="path"/> in natural order, hidden ones left out.</summary>
    public static IReadOnlyList<string> Subfolders(string path) =>
        Directory.Exists(path)
            ? [.. Directory.GetDirectories(path).Select(folder => Path.GetFileName(folder)).Where(name => !name.StartsWith('.')).Order(NaturalOrder.Instance)]
            : [];

    private static int Place(EvaluationFile file) => file.Order ?? file.Name switch { "before" => 0, "after" => 2, _ => 1 };

    private static JsonElement? ReadRun(string path, List<string> problems)
    {
        using JsonDocument? document = TolerantJson.Read(Path.Combine(path, "run.json"), "run.json", RunFilesJson.Default.JsonDocument, problems);
        if (document is null)
            return null;
        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return document.RootElement.Clone();
        problems.Add("run.json holds no object. It is left out.");
        return null;
    }

    private static LogContents? ReadLog(string path, List<string> problems)
    {
        try
        {
            LogContents? log = LogContents.Read(Path.Combine(path, "log.jsonl"));
            if (log is { LastLineCutOff: true })
                problems.Add("The last line of log.jsonl is cut off: the run was stopped while it wrote, or is still going. That line is left out.");
            if (log is { UnreadableLines: 1 })
                problems.Add($"Line {log.FirstUnreadable} of log.jsonl cannot be read. It is left out.");
            else if (log is { UnreadableLines: > 1 })
                problems.Add($"{log.UnreadableLines} lines of log.jsonl cannot be read, the first is line {log.FirstUnreadable}. They are left out.");
            return log;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"log.jsonl cannot be opened ({e.GetType().Name}). There are no curves.");
            return null;
        }
    }

    private static List<T> ReadAll<T>(string path, string folder, JsonTypeInfo<T> type, List<string> problems)
        where T : class
    {
        List<T> read = [];
        string full = Path.Combine(path, folder);
        if (!Directory.Exists(full))
            return read;
        foreach (string file in Directory.GetFiles(full, "*.json").Select(file => Path.GetFileName(file)).Order(NaturalOrder.Instance))
        {
            if (TolerantJson.Read(Path.Combine(full, file), $"{folder}/{file}", type, problems) is { } content)
                read.Add(content);
        }
        return read;
    }

    /// <summary>The last folder of <c>checkpoints/</c> that has a configuration beside its weights.</summary>
    private static string? LatestCheckpoint(string path, List<string> problems)
    {
        string checkpoints = Path.Combine(path, "checkpoints");
        IReadOnlyList<string> folders = Subfolders(checkpoints);
        string? latest = folders.LastOrDefault(name => IsCheckpoint(Path.Combine(checkpoints, name)));
        if (latest is null && Directory.Exists(checkpoints))
            problems.Add("checkpoints/ holds no complete checkpoint yet.");
        return latest is null ? null : $"checkpoints/{latest}";
    }

    private static bool IsCheckpoint(string path) =>
        Directory.EnumerateFiles(path, "*config.json").Any() && Directory.EnumerateFiles(path, "*.safetensors").Any();
}
