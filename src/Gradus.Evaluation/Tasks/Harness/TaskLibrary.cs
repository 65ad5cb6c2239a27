// Purpose: tasks, groups and tags by name: those that come with the program, and those of task files that the user names.
// Source: https://github.com/EleutherAI/lm-evaluation-harness, docs/task_guide.md and new_task_guide.md (include, group, tag, task_list).

using System.Reflection;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>What a task is, for tables.</summary>
/// <param name="Name">The task's or group's name.</param>
/// <param name="Kind">How it is asked: multiple_choice, generate_until, loglikelihood, loglikelihood_rolling, or group.</param>
/// <param name="Description">What it measures and where it comes from.</param>
/// <param name="Metric">Its first metric.</param>
/// <param name="Chance">The score of guessing on that metric, or null.</param>
/// <param name="Members">The members of a group.</param>
public sealed record TaskEntry(string Name, string Kind, string Description, string Metric, double? Chance, IReadOnlyList<string> Members);

/// <summary>All tasks that can be named.</summary>
public sealed class TaskLibrary
{
    private readonly Dictionary<string, JsonObject> _tasks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TaskGroup> _groups = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _described = new(StringComparer.Ordinal);
    private readonly TaskDocuments _documents;

    /// <summary>The tasks that come with the program.</summary>
    /// <param name="reader">Reads their data.</param>
    public TaskLibrary(RecordReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _documents = new TaskDocuments(reader);
        Assembly assembly = typeof(TaskLibrary).Assembly;
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".yaml", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using StreamReader stream = new(assembly.GetManifestResourceStream(name)!);
            Add(YamlReader.Read(stream.ReadToEnd(), name), name);
        }
    }

    /// <summary>Every task and group, by name.</summary>
    public IReadOnlyList<TaskEntry> Entries =>
    [
        .. _tasks.Select(t => Entry(t.Key, t.Value))
            .Concat(_groups.Values.Select(g => new TaskEntry(g.Name, "group", _described.GetValueOrDefault(g.Name, ""), g.Metrics.Count > 0 ? g.Metrics[0].Metric : "", null, g.Members)))
            .OrderBy(e => e.Name, StringComparer.Ordinal),
    ];

    /// <summary>Adds the tasks of a task file, or of all task files below a folder, and gives their names.</summary>
    /// <param name="path">The file or folder.</param>
    /// <exception cref="InvalidDataException">A file is no task file; one line that names it.</exception>
    public IReadOnlyList<string> AddFiles(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            string[] files = [.. new[] { "*.yaml", "*.yml" }.SelectMany(p => Directory.EnumerateFiles(path, p, SearchOption.AllDirectories)).Order(StringComparer.Ordinal)];
            // Files that only others include have no task of their own.
            return [.. files.Select(f => (File: f, Config: Merged(f, []))).Where(f => f.Config.ContainsKey("task") || f.Config.ContainsKey("group") || f.Config.ContainsKey("task_list")).SelectMany(f => Add(f.Config, f.File))];
        }
        return File.Exists(path) ? Add(Merged(path, []), path) : throw new InvalidDataException($"{path}: no such task file.");
    }

    /// <summary>The tasks that names mean, in order, each once; a name is a task, a group or a tag, and may hold * and ?.</summary>
    /// <exception cref="InvalidDataException">A name is unknown; the message has the nearest ones.</exception>
    public IReadOnlyList<string> Resolve(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        List<string> tasks = [];
        foreach (string name in names)
        {
            string[] found = [.. Find(name)];
            if (found.Length == 0)
            {
                string[] near = [.. _tasks.Keys.Concat(_groups.Keys).Where(k => k.Contains(name, StringComparison.OrdinalIgnoreCase) || name.Contains(k, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).Take(5)];
                throw new InvalidDataException($"there is no task, group or tag \"{name}\"{(near.Length > 0 ? $"; there are {string.Join(", ", near)}" : "")}: gradus evaluate --list shows all.");
            }
            tasks.AddRange(found.Except(tasks));
        }
        return tasks;
    }

    /// <summary>The groups that names mean, and the groups in those, members before what they belong to.</summary>
    public IReadOnlyList<TaskGroup> Groups(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        List<TaskGroup> groups = [];
        foreach (string name in names)
            Collect(name);
        return groups;

        void Collect(string name)
        {
            if (!_groups.TryGetValue(name, out TaskGroup? group) || groups.Contains(group))
                return;
            foreach (string member in group.Members.Where(m => m != name))
                Collect(member);
            groups.Add(group);
        }
    }

    /// <summary>The tasks of a group, those of groups in it included.</summary>
    public IReadOnlyList<string> TasksOf(TaskGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return group.Tasks(_groups);
    }

    /// <summary>A task with its documents.</summary>
    /// <param name="name">The task's name.</param>
    /// <param name="shots">Solved examples that will be asked for, or null for what the task says: none need no pool.</param>
    /// <exception cref="InvalidDataException">The file or the data is wrong; one line.</exception>
    public HarnessTask Open(string name, int? shots = null)
    {
        HarnessConfig config = new(_tasks.TryGetValue(name, out JsonObject? found) ? (JsonObject)found.DeepClone() : throw new InvalidDataException($"there is no task \"{name}\"."));
        string split = config.EvaluationSplit ?? throw config.Wrong("test_split", "is missing, and so is validation_split.");
        IReadOnlyList<JsonObject> documents = _documents.Split(config, split);
        bool needsPool = config.Shots is not 0 && (shots ?? config.Shots ?? 0) > 0;
        return new HarnessTask(config, documents, !needsPool ? [] : config.FewShotSplit == split ? documents : _documents.Pool(config));
    }

    private IEnumerable<string> Find(string name)
    {
        if (_tasks.ContainsKey(name))
            return [name];
        if (_groups.TryGetValue(name, out TaskGroup? group))
            return group.Tasks(_groups);
        if (name.Contains('*', StringComparison.Ordinal) || name.Contains('?', StringComparison.Ordinal))
            return _tasks.Keys.Where(k => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(name, k, ignoreCase: false)).Order(StringComparer.Ordinal);
        return _tasks.Where(t => Tags(t.Value).Contains(name)).Select(t => t.Key).Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Tags(JsonObject config) => config["tag"] switch
    {
        null => [],
        JsonArray several => several.Select(t => t!.ToString()),
        JsonNode one => [one.ToString()],
    };

    private static TaskEntry Entry(string name, JsonObject config)
    {
        string metric = (config["metric_list"] as JsonArray)?.FirstOrDefault()?["metric"] is JsonValue named ? named.ToString() : "";
        return new TaskEntry(name, config["output_type"]?.ToString() ?? "generate_until", config["metadata"]?["about"]?.ToString() ?? "", metric, JsonNumber.Of(config["metadata"]?["chance"]), []);
    }

    // A file is a task, a group, or what several tasks share with a list of what they differ in.
    private List<string> Add(JsonObject config, string path)
    {
        if (config["group"] is { } group && config["task"] is not JsonValue)
            return AddGroup(group.ToString(), config, path);
        if (config["task_list"] is not JsonArray list)
            return [Register(config, path)];
        List<string> names = [];
        foreach (JsonNode? item in list)
        {
            JsonObject merged = (JsonObject)config.DeepClone();
            merged.Remove("task_list");
            foreach ((string key, JsonNode? value) in item as JsonObject ?? throw new InvalidDataException($"{path}: task_list: an entry is no map."))
                merged[key] = value?.DeepClone();
            names.Add(Register(merged, path));
        }
        return names;
    }

    private string Register(JsonObject config, string path)
    {
        string name = config["task"] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : throw new InvalidDataException($"{path}: has no task; give it a name.");
        _tasks[name] = config;
        return name;
    }

    private List<string> AddGroup(string name, JsonObject config, string path)
    {
        List<string> members = [];
        foreach (JsonNode? member in config["task"] as JsonArray ?? throw new InvalidDataException($"{path}: the group {name} has no list of tasks."))
        {
            switch (member)
            {
                case JsonValue one:
                    members.Add(one.ToString());
                    break;
                case JsonObject inner when inner["group"] is { } nested:
                    members.AddRange(inner.ContainsKey("task") ? AddGroup(nested.ToString(), inner, path) : [nested.ToString()]);
                    break;
                case JsonObject changed when changed["task"] is { } original && _tasks.TryGetValue(original.ToString(), out JsonObject? known):
                    members.Add(Changed(name, original.ToString(), known, changed, path));
                    break;
                default:
                    throw new InvalidDataException($"{path}: the group {name} has a member that is no task: {member?.ToJsonString()}.");
            }
        }
        _groups[name] = new TaskGroup(name, members, [.. GroupMetrics(config["aggregate_metric_list"], path)]);
        _described[name] = config["metadata"]?["about"]?.ToString() ?? "";
        return [name];
    }

    private string Changed(string group, string original, JsonObject known, JsonObject changes, string path)
    {
        if (changes.Count == 1)
            return original;
        JsonObject merged = (JsonObject)known.DeepClone();
        foreach ((string key, JsonNode? value) in changes)
            merged[key] = value?.DeepClone();
        merged["task"] = changes["task_alias"] is { } alias ? $"{group}_{alias}" : $"{group}_{original}";
        return Register(merged, path);
    }

    private static IEnumerable<GroupMetric> GroupMetrics(JsonNode? list, string path)
    {
        foreach (JsonNode? entry in list is JsonArray several ? several : list is null ? [] : new JsonArray(list.DeepClone()))
        {
            if (entry is not JsonObject metric || metric["metric"] is not { } name)
                throw new InvalidDataException($"{path}: aggregate_metric_list has an entry without a metric.");
            if (metric["aggregation"] is { } aggregation && aggregation.ToString() != "mean")
                throw new InvalidDataException($"{path}: aggregate_metric_list: the aggregation {aggregation.ToJsonString()} is unknown; there is mean.");
            yield return new GroupMetric(
                name.ToString(),
                metric["filter_list"] switch { null => null, JsonArray filters => [.. filters.Select(f => f!.ToString())], JsonNode one => [one.ToString()] },
                metric["weight_by_size"]?.GetValueKind() != System.Text.Json.JsonValueKind.False);
        }
    }

    // A file with the files that it includes; its own keys win.
    private static JsonObject Merged(string path, IReadOnlyList<string> above)
    {
        path = Path.GetFullPath(path);
        if (above.Contains(path))
            throw new InvalidDataException($"{path}: includes itself: {string.Join(" → ", above)}.");
        if (!File.Exists(path))
            throw new InvalidDataException($"{above[^1]}: include: there is no file {path}.");
        JsonObject config = YamlReader.Read(File.ReadAllText(path), path);
        if (!config.Remove("include", out JsonNode? include))
            return config;
        JsonObject merged = [];
        foreach (JsonNode? file in include is JsonArray several ? several : [include?.DeepClone()])
        {
            JsonObject included = Merged(Path.Combine(Path.GetDirectoryName(path)!, file?.ToString() ?? ""), [.. above, path]);
            included.Remove("task_list");
            foreach ((string key, JsonNode? value) in included)
                merged[key] = value?.DeepClone();
        }
        foreach ((string key, JsonNode? value) in config)
            merged[key] = value?.DeepClone();
        return merged;
    }
}
