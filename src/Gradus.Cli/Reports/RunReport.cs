// report.html: one file that shows what a run did. It opens offline, in light and dark, and is the same bytes for the same
// folder. It reads only what a run leaves on the disk, so it can be written for a run that is still going, was killed, or was
// made elsewhere. It leaves out what a comparison of many runs needs (gradus compare).
using System.Text;
using System.Text.Json;

namespace Gradus.Cli.Reports;

/// <summary>Writes the report of a run, or of a pipeline, whose stages are runs.</summary>
public static class RunReport
{
    /// <summary>
    /// Writes <c>report.html</c> into <paramref name="folder"/>, which is one run (<c>run.json</c>, <c>log.jsonl</c>,
    /// <c>samples/</c>, <c>eval/</c>, <c>checkpoints/</c>) or a folder of such stages with a <c>pipeline.json</c>. Whatever of
    /// it is absent or unreadable is named on the page. Commands on the page name the folder as it is given here.
    /// </summary>
    /// <param name="folder">An existing folder.</param>
    /// <returns>The full path of the file written.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">The file cannot be written; an earlier report is still whole.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be read, or not be written to.</exception>
    public static string Write(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{folder}: there is no such folder. Give the folder of a run, for example runs/quickstart.");
        string path = Path.Combine(Path.GetFullPath(folder), "report.html"), temporary = path + ".writing";
        File.WriteAllText(temporary, Render(folder), new UTF8Encoding(false));
        File.Move(temporary, path, overwrite: true);
        return path;
    }

    /// <summary>The page of a folder.</summary>
    internal static string Render(string folder)
    {
        string shown = folder.Replace('\\', '/').TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";
        List<string> problems = [];
        PipelineFile? pipeline = TolerantJson.Read(
            Path.Combine(folder, PipelineFile.Name), PipelineFile.Name, RunFilesJson.Default.PipelineFile, problems);
        bool several = pipeline is not null || problems.Count > 0
            || (!File.Exists(Path.Combine(folder, "run.json")) && StageFolders(folder).Count > 0);
        return several ? RenderPipeline(folder, shown, pipeline ?? new PipelineFile(), problems) : RenderRun(folder, shown);
    }

    private static string RenderRun(string folder, string shown)
    {
        RunContents run = RunContents.Read(folder);
        string name = run.RunText("name") ?? run.RunText("stage") ?? run.Name;
        ReportPage page = new($"{name} · Gradus");
        page.Header.Add($"<h1>{name}</h1>");
        WriteOrigin(page.Header, run);
        page.Main.Add($"""<section id="run" class="stage" aria-labelledby="run-title"><h2 id="run-title" class="quiet">The run</h2>""");
        StageSection.WriteContent(page, "run", run, stage: false);
        page.Main.Add($"</section>");
        string[] next = run.Run is { } file && file.TryGetProperty("next", out JsonElement commands) && commands.ValueKind == JsonValueKind.Array
            ? [.. commands.EnumerateArray().Select(TolerantJson.Show)] : [];
        StageSection.WriteNext(page, next.Length > 0 || run.Checkpoint is null ? next : [$"gradus chat {Quote($"{shown}/{run.Checkpoint}")}"]);
        return page.Build();
    }

    private static string RenderPipeline(string folder, string shown, PipelineFile pipeline, List<string> problems)
    {
        PipelineStage[] stages = [.. (pipeline.Stages ?? []).OfType<PipelineStage>()];
        if (stages.Length == 0)
        {
            problems.Add("There is no list of stages (pipeline.json): the folders are shown by name.");
            stages = [.. StageFolders(folder).Select(name => new PipelineStage(Folder: name))];
        }
        (PipelineStage Stage, RunContents Run)[] read = [.. stages.Select(stage => (stage, ReadStage(folder, stage)))];
        string title = string.IsNullOrWhiteSpace(pipeline.Title) ? "The life of a language model" : pipeline.Title;
        ReportPage page = new($"{title} · Gradus");
        double seconds = stages.Sum(stage => stage.Seconds ?? 0);
        string time = seconds > 0 ? $" and {Figures.Duration(seconds)}" : "";
        page.Header.Add($"""<h1>{title}</h1><p class="lead">From text to a model that chats, in {Figures.Plural(stages.Length, "stage")}{time}.</p>""");
        if (Array.Find(read, stage => stage.Run.Run is not null).Run is { } first)
            WriteOrigin(page.Header, first);
        StageSection.WriteOverview(page, read, problems);
        for (int i = 0; i < read.Length; i++)
            StageSection.Write(page, i + 1, read[i].Stage, read[i].Run);
        string[] next = [.. (pipeline.Next ?? []).OfType<string>()];
        int last = Array.FindLastIndex(read, stage => stage.Run.Checkpoint is not null);
        StageSection.WriteNext(page, next.Length > 0 || last < 0 ? next : [$"gradus chat {Quote($"{shown}/{stages[last].Folder}/{read[last].Run.Checkpoint}")}"], pipeline.Talk);
        return page.Build();
    }

    /// <summary>The folders that hold something a stage would leave.</summary>
    private static List<string> StageFolders(string folder) =>
        [.. RunContents.Subfolders(folder).Where(name => Array.Exists(
            ["run.json", "log.jsonl", "tokenizer-report.json"], file => File.Exists(Path.Combine(folder, name, file))))];

    private static RunContents ReadStage(string folder, PipelineStage stage)
    {
        // A zero character is no part of any path, and an error to the path methods.
        string root = Path.GetFullPath(folder), path = Path.GetFullPath(Path.Combine(root, (stage.Folder ?? "").Replace("\0", "")));
        bool inside = path.StartsWith(Path.TrimEndingDirectorySeparator(root) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        if (inside)
            return RunContents.Read(path);
        string problem = $"pipeline.json names the folder \"{stage.Folder}\", which is not below this one. It is not read.";
        return new RunContents("", null, null, [], [], null, null, new HashSet<string>(), [problem]);
    }

    /// <summary>When, with which seed and on what the run was made.</summary>
    private static void WriteOrigin(HtmlWriter html, RunContents run)
    {
        html.Add($"""<ul class="origin">""");
        if (run.RunText("started") is { } started)
        {
            bool isTime = DateTimeOffset.TryParse(started, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal, out DateTimeOffset time);
            html.Add($"<li>{(isTime ? time.ToUniversalTime().ToString("d MMMM yyyy, HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture) : started)}</li>");
        }
        foreach ((string key, string label) in new[] { ("seed", "seed"), ("isa", "instructions"), ("threads", "threads"), ("versions", "versions") })
        {
            if (run.RunText(key) is { } value)
                html.Add($"""<li><span class="count">{label}</span> {value}</li>""");
        }
        if (run.Run is { } file && file.TryGetProperty("versions", out JsonElement versions) && versions.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty version in versions.EnumerateObject())
                html.Add($"""<li><span class="count">{TolerantJson.Name(version)}</span> {TolerantJson.Show(version.Value)}</li>""");
        }
        html.Add($"</ul>");
    }

    /// <summary>A path as a shell takes it.</summary>
    private static string Quote(string path) =>
        path.All(c => char.IsAsciiLetterOrDigit(c) || "/._-".Contains(c)) ? path : $"'{path.Replace("'", "'\\''")}'";
}
