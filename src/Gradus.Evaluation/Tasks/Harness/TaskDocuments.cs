using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>The records of a file of JSON lines, a table, Parquet or plain text (one record with a field <c>text</c>).</summary>
/// <param name="path">The path; <c>$data/NAME/file</c> is a file of a data set by its name.</param>
/// <exception cref="InvalidDataException">The file cannot be read; one line that names it.</exception>
public delegate IEnumerable<JsonObject> RecordReader(string path);

/// <summary>
/// Finds and reads the documents of a task file's splits: the files of <c>dataset_kwargs.data_files</c>, or those of a folder that is
/// <c>dataset_path</c>. The records of a file are read once for all tasks.
/// </summary>
internal sealed class TaskDocuments(RecordReader reader)
{
    private static readonly string[] Builders = ["json", "csv", "parquet", "text"];
    private readonly Dictionary<string, IReadOnlyList<JsonObject>> _read = new(StringComparer.Ordinal);

    /// <summary>The documents of a split, after <c>process_docs</c> and <c>where</c>.</summary>
    /// <exception cref="InvalidDataException">There are none, or they cannot be read; one line that names the task.</exception>
    public IReadOnlyList<JsonObject> Split(HarnessConfig config, string split)
    {
        List<JsonObject> documents = [.. HarnessTask.Process(config, [.. Files(config, split).SelectMany(Read)]).Where(d => Fits(config, d))];
        return documents.Count > 0
            ? documents
            : throw new InvalidDataException($"task {config.Name}: the split {split} has no documents{(config["where"] is { } where ? $" in which {where.ToJsonString()}" : "")}.");
    }

    /// <summary>The solved examples: those of the file itself, or the documents of a split.</summary>
    public IReadOnlyList<JsonObject> Pool(HarnessConfig config)
    {
        if (config.FewShotSplit is { } split)
            return Split(config, split);
        return config.FewShot("samples") switch
        {
            JsonArray samples => [.. samples.OfType<JsonObject>().Select(s => (JsonObject)s.DeepClone())],
            { } function => config.Functions.Samples(function, config, path => Read(path)),
            _ => [],
        };
    }

    private static string[] Files(HarnessConfig config, string split)
    {
        string path = config.Text("dataset_path") ?? throw config.Wrong("dataset_path", "is missing.");
        if (config["dataset_kwargs"] is JsonObject arguments)
        {
            if (arguments.FirstOrDefault(a => a.Key is not ("data_files" or "trust_remote_code")) is { Key: { } unknown })
                throw config.Wrong("dataset_kwargs", $"has {unknown}, which is not understood; give data_files.");
            JsonNode? files = arguments["data_files"] is JsonObject bySplit ? bySplit[split] : arguments["data_files"];
            if (files is null)
                throw config.Wrong("dataset_kwargs.data_files", $"has no files of the split {split}.");
            return files is JsonArray several ? [.. several.Select(f => f!.ToString())] : [files.ToString()];
        }
        if (Builders.Contains(path))
            throw config.Wrong("dataset_kwargs", "is missing: give data_files.");
        string folder = config.Text("dataset_name") is { } name && Directory.Exists(Path.Combine(path, name)) ? Path.Combine(path, name) : path;
        if (!Directory.Exists(folder))
            throw config.Wrong("dataset_path", $"is {path}, which is no folder here; get the data set and give its files: dataset_kwargs: {{data_files: {{{split}: FILE}}}}.");
        string[] found = [.. new[] { folder, Path.Combine(folder, "data") }.Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, $"{split}*")).Where(f => Path.GetFileName(f)[split.Length..] is ['.' or '-' or '_', ..]).Order(StringComparer.Ordinal)];
        return found.Length > 0 ? found : throw config.Wrong("dataset_path", $"has no file whose name begins with {split} in {folder}.");
    }

    private IReadOnlyList<JsonObject> Read(string path)
    {
        if (!_read.TryGetValue(path, out IReadOnlyList<JsonObject>? documents))
            _read[path] = documents = [.. reader(path)];
        return documents;
    }

    // where: {field: value}, or a list of values.
    private static bool Fits(HarnessConfig config, JsonObject document)
    {
        if (config["where"] is not JsonObject where)
            return config["where"] is null ? true : throw config.Wrong("where", "is no map of fields to values.");
        foreach ((string field, JsonNode? value) in where)
        {
            if (!document.TryGetPropertyValue(field, out JsonNode? actual))
                throw config.Wrong("where", $"names the field {field}, which a document lacks.");
            if (!(value is JsonArray several ? several.Any(v => Same(v, actual)) : Same(value, actual)))
                return false;
        }
        return true;
    }

    private static bool Same(JsonNode? a, JsonNode? b) => (a?.ToString() ?? "") == (b?.ToString() ?? "");
}
